//! What texts are cut and cleaned by: rules, without anything that runs.
//!
//! [`TextUnit`] is what a platform counts, [`split`] makes several messages of a long text, and the rest makes
//! harmless what somebody else has written. Nothing here knows of channels, sessions or the network.

mod character;
mod clean;
mod grapheme;
mod size;
mod split;
mod unit;

pub use self::{
    clean::{
        abridge, attribute, content, fenced, is_identifier, is_plain_word, name, shell_word, value, visible,
    },
    grapheme::beginning,
    size::size,
    split::{ChunkMode, Shape, split},
    unit::TextUnit,
};
