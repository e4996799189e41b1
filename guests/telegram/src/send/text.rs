//! The text of one message, in the Bot API's form.

use serde::Serialize;

use super::{Complaint, Lengths, Reply, Step};
use crate::{api::Request, chat::ChatId, keyboard::Keyboard, markdown};

/// The maximum length of a message's text, in UTF-16 units, after Telegram has parsed its markup.
pub(crate) const LIMIT: usize = 4096;

/// The text of one message.
#[derive(Debug)]
pub(super) struct Draft {
    /// The text in Telegram's HTML.
    html: Option<String>,
    /// The text without markup.
    text: String,
}

/// `LinkPreviewOptions`. To show a preview, Telegram's servers open the link as soon as the message is sent. An
/// injected instruction could make the session put a secret into a link; the owner of the address would then get it
/// without a click.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct LinkPreview {
    is_disabled: bool,
}

impl LinkPreview {
    pub(super) const OFF: Self = Self { is_disabled: true };
}

/// `sendMessage`.
#[derive(Serialize)]
struct SendMessage<'a> {
    chat_id: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_thread_id: Option<i64>,
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    parse_mode: Option<&'static str>,
    link_preview_options: LinkPreview,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_parameters: Option<Reply>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_markup: Option<&'a Keyboard<'a>>,
}

/// Returns the messages for a text; an empty list if the text shows nothing.
pub(super) fn drafts(text: &str, render: bool, lengths: &Lengths) -> Vec<Draft> {
    if render {
        let pieces = markdown::render(text, |message| lengths.of(message));
        if !pieces.is_empty() {
            let draft = |piece: markdown::Piece| Draft { html: Some(piece.html), text: piece.text };
            return pieces.into_iter().map(draft).collect();
        }
    }
    // Also used if Markdown shows nothing of the text, such as a link's definition.
    let mut drafts = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (piece, after) = first(rest, lengths.of(drafts.len()));
        if !piece.trim().is_empty() {
            drafts.push(Draft { html: None, text: piece.to_owned() });
        }
        rest = after;
    }
    drafts
}

/// Cuts a text into pieces of at most `limit` UTF-16 units, in the way of [`first`].
pub(super) fn cut(text: &str, limit: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (piece, after) = first(rest, limit);
        pieces.push(piece);
        rest = after;
    }
    pieces
}

/// Returns a piece of at most `limit` UTF-16 units and the rest. Cuts after a line or else after a word, if there is
/// one in the second half. The host has already split a plain text; this is for Markdown that is sent without
/// conversion.
fn first(text: &str, limit: usize) -> (&str, &str) {
    let mut units = 0;
    let most = text
        .char_indices()
        .find(|(start, character)| {
            units += character.len_utf16();
            // A piece has at least one character, even if the limit is smaller.
            units > limit && *start > 0
        })
        .map_or(text.len(), |(start, _)| start);
    let behind = |mark: char| {
        let fits = text.get(..most).filter(|fits| fits.len() < text.len())?;
        fits.rfind(mark).map(|at| at + mark.len_utf8()).filter(|end| end * 2 > most)
    };
    let end = behind('\n').or_else(|| behind(' ')).unwrap_or(most);
    text.split_at(end)
}

impl Draft {
    /// Returns the length in UTF-16 units, as Telegram counts.
    pub(super) fn length(&self) -> usize {
        self.text.chars().map(char::len_utf16).sum()
    }

    /// Returns the request with the markup, and a second one for when Telegram rejects the markup.
    pub(super) fn step(&self, request: impl Fn(&str, Option<&'static str>) -> Request) -> Step {
        match &self.html {
            Some(html) => Step {
                request: request(html, Some("HTML")),
                messages: 1,
                length: Some(self.length()),
                instead: Some((Complaint::Markup, request(&self.text, None))),
            },
            None => Step {
                request: request(&self.text, None),
                messages: 1,
                length: Some(self.length()),
                instead: None,
            },
        }
    }
}

pub(super) fn steps(
    target: ChatId,
    mut reply: Option<Reply>,
    drafts: &[Draft],
    keyboard: Option<&Keyboard>,
) -> Vec<Step> {
    let last = drafts.len().saturating_sub(1);
    drafts
        .iter()
        .enumerate()
        .map(|(index, draft)| {
            let reply = reply.take();
            draft.step(|text, parse_mode| {
                Request::json(
                    "sendMessage",
                    &SendMessage {
                        chat_id: target.chat,
                        message_thread_id: target.thread,
                        text,
                        parse_mode,
                        link_preview_options: LinkPreview::OFF,
                        reply_parameters: reply,
                        reply_markup: keyboard.filter(|_| index == last),
                    },
                )
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_is_cut_by_what_telegram_counts() {
        for (text, limit, pieces) in [
            ("", 4, vec![]),
            ("abcd", 4, vec!["abcd"]),
            ("abcde", 4, vec!["abcd", "e"]),
            ("ab😀cd", 4, vec!["ab😀", "cd"]),
            ("abc😀", 4, vec!["abc", "😀"]),
            ("😀😀", 1, vec!["😀", "😀"]),
            ("one two three", 9, vec!["one two ", "three"]),
            ("one\ntwo 3", 7, vec!["one\n", "two 3"]),
            ("a bcdefgh", 6, vec!["a bcde", "fgh"]),
        ] {
            assert_eq!(cut(text, limit), pieces, "{text} {limit}");
        }
    }

    #[test]
    fn what_is_not_seen_is_not_sent() {
        for (text, render, count) in [
            ("", true, 0),
            (" \n ", true, 0),
            (" \n ", false, 0),
            ("x", true, 1),
            // Sent without conversion: rendered Markdown would show nothing.
            ("[x]: https://example.org", true, 1),
        ] {
            assert_eq!(drafts(text, render, &Lengths::default()).len(), count, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn cutting_loses_nothing(text in ".{0,80}", limit in 1_usize..20) {
            let pieces = cut(&text, limit);
            prop_assert_eq!(pieces.concat(), text.clone());
            for piece in pieces {
                prop_assert!(piece.encode_utf16().count() <= limit.max(2) && !piece.is_empty());
            }
        }
    }
}
