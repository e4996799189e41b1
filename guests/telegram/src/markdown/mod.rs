//! Renders Claude's Markdown for Telegram: `CommonMark` becomes messages in Telegram's subset of HTML.
//!
//! `block` follows the parser's events and uses a `writer` to build a document: the text as a reader sees it, and
//! separately the style of each part. `cut` divides that text into messages; `markup` writes one part with its tags.
//! Because the text has no tags when it is cut, a cut cannot split a tag or leave one open.

mod block;
mod character;
mod cut;
mod document;
mod link;
mod markup;
mod style;
mod table;
#[cfg(test)]
mod tests;
mod writer;

use std::{borrow::Cow, ops::Range};

use pulldown_cmark::Options;

/// The extensions of `CommonMark` that are supported.
const OPTIONS: Options = Options::ENABLE_TABLES
    .union(Options::ENABLE_STRIKETHROUGH)
    .union(Options::ENABLE_TASKLISTS)
    .union(Options::ENABLE_FOOTNOTES)
    .union(Options::ENABLE_GFM);

/// One Telegram message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// For `parse_mode=HTML`. Never empty.
    pub(crate) html: String,
    /// The text as Telegram shows it, without formatting: sent without a parse mode if Telegram rejects the markup.
    pub(crate) text: String,
}

/// Renders Markdown as messages. `limit` gives the maximum length of each message (counted from 0), in UTF-16 units
/// after Telegram has parsed the markup: 4,096 for a message, 1,024 for a caption
/// (<https://core.telegram.org/bots/api#sendmessage>). The cut of a message depends only on the messages before it.
///
/// | Markdown | message |
/// | --- | --- |
/// | heading | bold |
/// | list | `• `, the list's own numbers, `☐ ` and `☑ `; nested ones are indented, the first eight levels |
/// | quote | quote; Telegram has no quotes in quotes, so inner ones are part of the outer one |
/// | `[!NOTE]` quote | quote under a bold `Note` |
/// | code | code; it has no other format, and in a link it is a link |
/// | table | monospaced columns; as lines `header: value` if it has links or is wider than 60 columns |
/// | rule | `———` |
/// | link, image | link, if Telegram can open it; else `text (address)`. An image shows its description |
/// | link into the text, `#…` | its text: Telegram has no target for it |
/// | footnote | `[label]` at both places |
/// | HTML, comments too | as it was written |
///
/// A message has at most 100 formatted places, because Telegram ignores further ones, and a bounded weight of
/// addresses. It ends earlier if needed, or, if that would make it shorter than a quarter of the limit, the rest of it
/// is plain. A message that would show nothing is omitted, so that an invisible text has no pieces at all.
///
/// It is cut between blocks, else at the end of a line, else at a space, each as late as possible but not in the first
/// third while there is another choice; else between characters. White space at a cut is removed, except for the indent
/// of the line that follows. A character stays whole: there is no cut before a combining mark, a joiner, a selector, a
/// skin tone or another character that does not show by itself, after a joiner or inside a flag. That is simpler than
/// Unicode's rule, which also keeps together the parts of a Hangul or Indic syllable. A character that is longer than a
/// message, or than 64 scalar values, is cut between them; a scalar value that still does not fit (an emoji where the
/// limit is 1) is omitted.
pub(crate) fn render(markdown: &str, limit: impl Fn(usize) -> usize) -> Vec<Piece> {
    let document = block::read(markdown);
    let pieces = cut::pieces(&document, limit);
    let piece = |part: Range<usize>| Piece {
        html: markup::html(&document, part.clone()),
        text: document.part(part).to_owned(),
    };
    pieces.into_iter().map(piece).collect()
}

/// Escapes a text for Telegram's HTML, also for use inside a quoted attribute.
pub(crate) fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(['&', '<', '>', '"']) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + text.len() / 8);
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            character => escaped.push(character),
        }
    }
    Cow::Owned(escaped)
}
