//! Makes text from other people harmless for its readers.

mod prompt;
mod shell;
mod shown;
mod tag;

pub use self::{
    prompt::{abridge, fenced, visible},
    shell::{is_plain_word, shell_word},
    shown::{attribute, is_identifier, name, value},
    tag::content,
};
