//! Rules for cutting and cleaning texts. They are pure functions.
//!
//! [`TextUnit`] is the unit that a platform counts, [`split`] cuts a long text into several messages, and the other
//! functions make text from other people harmless. This module does not depend on channels, sessions or the network.

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
