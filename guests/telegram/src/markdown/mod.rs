//! What Claude writes, as Telegram shows it: `CommonMark` becomes messages in Telegram's subset of HTML.
//!
//! `block` follows the parser's events and has a `writer` make a document of them: the text as it will be read, and
//! beside it how each part looks. `cut` chooses which part of that text is which message; `markup` writes one
//! part with its tags. A cut therefore can neither tear a tag nor leave one open: there are none yet.

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

/// What is understood beyond `CommonMark`.
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
    /// What Telegram shows, without formatting: sent without a parse mode when the markup is rejected.
    pub(crate) text: String,
}

/// Renders Markdown as messages. Each is at most as long as `limit` says for it (they are counted from 0), in UTF-16 units
/// once Telegram has parsed its markup: 4,096 for a message, 1,024 for a caption
/// (<https://core.telegram.org/bots/api#sendmessage>). How a message is cut depends on those before it only.
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
/// | link into the text, `#…` | its text: there is nothing to jump to |
/// | footnote | `[label]` at both places |
/// | HTML, comments too | as it was written |
///
/// A message has at most 100 formatted places, because Telegram ignores the rest, and a bounded weight of
/// addresses: it ends earlier, or, where that would make it shorter than a quarter of the limit, the rest of it is
/// plain. A message that would show nothing is left out, so that an invisible text has no pieces at all.
///
/// It is cut between blocks, else at the end of a line, else at a space, each as late as possible but not in the
/// first third while there is another choice; else between characters. White space at a cut is dropped, except for
/// the indent of the line that follows. A character stays whole: no cut goes before a combining mark, a joiner, a
/// selector, a skin tone or anything else that does not show by itself, after a joiner or into a flag. That is
/// simpler than Unicode's rule, which also keeps together the parts of a Hangul or Indic syllable. What is more
/// than a message, or than 64 such scalars, is cut between them; what does not even fit then (an emoji where the
/// limit is 1) is left out.
pub(crate) fn render(markdown: &str, limit: impl Fn(usize) -> usize) -> Vec<Piece> {
    let document = block::read(markdown);
    let pieces = cut::pieces(&document, limit);
    let piece = |part: Range<usize>| Piece {
        html: markup::html(&document, part.clone()),
        text: document.part(part).to_owned(),
    };
    pieces.into_iter().map(piece).collect()
}

/// Text as Telegram's HTML shows it unchanged, also inside a quoted attribute.
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
