//! What others have written, made harmless for whoever reads it.

mod prompt;
mod shown;
mod tag;

pub use self::{
    prompt::{abridge, fenced, visible},
    shown::{attribute, is_identifier, name, value},
    tag::content,
};
