//! Edits of the bot's messages.

use serde::Serialize;
use tidegate_guest::{Button, Fault, Format};

use super::{Lengths, Parse, Step, message, target, text};
use crate::{
    api::{Error, Request},
    keyboard::Keyboard,
};

/// `editMessageText`. The keyboard is always included: an edit without one would keep the old buttons.
#[derive(Serialize)]
struct EditMessageText<'a> {
    chat_id: i64,
    message_id: i64,
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    parse_mode: Option<&'static str>,
    link_preview_options: text::LinkPreview,
    reply_markup: &'a Keyboard<'a>,
}

/// Replaces a message's text and buttons. Succeeds also if the message has them already.
pub(crate) fn edit(
    (chat, id): (&str, &str),
    text: &str,
    format: Format,
    buttons: &[Button],
    parse: Parse,
    call: impl FnMut(&Request) -> Result<(), Error>,
) -> Result<(), Fault> {
    match step((chat, id), text, parse.renders(format), buttons)?.attempt(call) {
        Err(Error::Refused(refusal)) if refusal.says("message is not modified") => Ok(()),
        result => Ok(result?),
    }
}

fn step((chat, id): (&str, &str), text: &str, render: bool, buttons: &[Button]) -> Result<Step, Fault> {
    let (target, message_id) = (target(chat, None)?, message(id)?);
    let keyboard = Keyboard::new(buttons)?;
    let drafts = text::drafts(text, render, &Lengths::default());
    let [draft] = drafts.as_slice() else {
        let length: usize = drafts.iter().map(text::Draft::length).sum();
        return Err(Fault::Rejected(if drafts.is_empty() {
            "a message cannot become empty: give it some text".to_owned()
        } else {
            format!(
                "the text is {length} long as Telegram shows it, and one message holds {}: shorten it, or send the rest with reply",
                text::LIMIT
            )
        }));
    };
    Ok(draft.step(|text, parse_mode| {
        Request::json(
            "editMessageText",
            &EditMessageText {
                chat_id: target.chat,
                message_id,
                text,
                parse_mode,
                link_preview_options: text::LinkPreview::OFF,
                reply_markup: &keyboard,
            },
        )
    }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tidegate_guest::ButtonStyle;

    use super::*;
    use crate::api::Refusal;

    fn edited(answers: impl IntoIterator<Item = Result<(), Error>>) -> (Result<(), Fault>, usize) {
        let (mut answers, mut calls) = (answers.into_iter(), 0);
        let result = edit(("-100/4", "7"), "**x**", Format::Markdown, &[], Parse::Markdown, |_| {
            calls += 1;
            answers.next().unwrap()
        });
        (result, calls)
    }

    fn refused(description: &str) -> Result<(), Error> {
        Err(Error::Refused(Refusal::new(400, description)))
    }

    #[test]
    fn an_edit_takes_old_buttons_away() {
        let step = step(("-100/4", "7"), "**x**", true, &[]).unwrap();
        assert_eq!(
            step.request.parameters(),
            json!({
                "chat_id": -100, "message_id": 7, "text": "<b>x</b>", "parse_mode": "HTML",
                "link_preview_options": {"is_disabled": true}, "reply_markup": {"inline_keyboard": []}
            })
        );
        let (_, plain) = step.instead.unwrap();
        assert_eq!(
            plain.parameters(),
            json!({
                "chat_id": -100, "message_id": 7, "text": "x",
                "link_preview_options": {"is_disabled": true}, "reply_markup": {"inline_keyboard": []}
            })
        );
    }

    #[test]
    fn an_edit_may_have_buttons_of_its_own() {
        let button = Button { action: "a".into(), label: "A".into(), style: ButtonStyle::Neutral };
        let step = step(("5", "7"), "x", false, &[button]).unwrap();
        assert_eq!(
            step.request.parameters(),
            json!({
                "chat_id": 5, "message_id": 7, "text": "x",
                "link_preview_options": {"is_disabled": true},
                "reply_markup": {"inline_keyboard": [[{"text": "A", "callback_data": "a"}]]}
            })
        );
    }

    #[test]
    fn nothing_to_change_is_no_failure() {
        let same = "Bad Request: message is not modified: specified new message content and reply markup are exactly the same";
        assert!(matches!(edited([refused(same)]), (Ok(()), 1)));
        assert!(matches!(
            edited([refused("Bad Request: can't parse entities: x"), refused(same)]),
            (Ok(()), 2)
        ));
        assert!(matches!(edited([Ok(())]), (Ok(()), 1)));
        let gone = edited([refused("Bad Request: message to edit not found")]);
        assert!(matches!(gone, (Err(Fault::NotFound(_)), 1)), "{gone:?}");
    }

    #[test]
    fn a_text_that_is_too_long_says_how_long_it_is() {
        let Err(Fault::Rejected(text)) = step(("5", "7"), &"x".repeat(5000), false, &[]) else { panic!() };
        assert!(text.contains("5000") && text.contains("4096"), "{text}");
        assert!(matches!(step(("5", "7"), " ", true, &[]), Err(Fault::Rejected(_))));
    }
}
