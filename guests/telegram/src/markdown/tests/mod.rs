//! Tests of the rendering of Markdown.

mod examples;
mod expectation;
mod grammar;
mod pathological;
mod properties;

use super::Piece;

/// Renders messages that all have the same limit.
fn render(markdown: &str, limit: usize) -> Vec<Piece> {
    super::render(markdown, |_| limit)
}
