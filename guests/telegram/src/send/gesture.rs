//! Reactions, the typing indicator, and answers to presses.

use serde::Serialize;
use tidegate_guest::Fault;

use super::{message, target, text};
use crate::{
    api::{Error, Request},
    emoji,
};

/// The maximum length of the notice that pops up after a press, in characters.
const NOTICE: usize = 200;

/// Sets a reaction on a message, in place of the bot's earlier one; an empty emoji removes it.
pub(crate) fn react(
    chat: &str,
    id: &str,
    emoji: &str,
    call: impl FnOnce(&Request) -> Result<(), Error>,
) -> Result<(), Fault> {
    unless(call(&reaction(chat, id, emoji)?), "message is not modified")
}

fn reaction(chat: &str, id: &str, emoji: &str) -> Result<Request, Fault> {
    #[derive(Serialize)]
    struct SetMessageReaction {
        chat_id: i64,
        message_id: i64,
        reaction: Vec<Emoji>,
    }
    #[derive(Serialize)]
    struct Emoji {
        r#type: &'static str,
        emoji: &'static str,
    }
    let reaction = emoji::reaction(emoji)?.map(|emoji| Emoji { r#type: "emoji", emoji });
    let parameters = SetMessageReaction {
        chat_id: target(chat, None)?.chat,
        message_id: message(id)?,
        reaction: reaction.into_iter().collect(),
    };
    Ok(Request::json("setMessageReaction", &parameters))
}

/// Shows "typing". Telegram removes it after five seconds, or with the next message.
pub(crate) fn typing(chat: &str, thread: Option<&str>) -> Result<Request, Fault> {
    #[derive(Serialize)]
    struct SendChatAction {
        chat_id: i64,
        #[serde(skip_serializing_if = "Option::is_none")]
        message_thread_id: Option<i64>,
        action: &'static str,
    }
    let target = target(chat, thread)?;
    let parameters =
        SendChatAction { chat_id: target.chat, message_thread_id: target.thread, action: "typing" };
    Ok(Request::json("sendChatAction", &parameters))
}

/// Answers a press, so that the button stops spinning. After some time Telegram refuses the answer; by then nobody
/// waits for it.
pub(crate) fn acknowledge(
    press: &str,
    notice: Option<&str>,
    call: impl FnOnce(&Request) -> Result<(), Error>,
) -> Result<(), Fault> {
    unless(call(&answer(press, notice)), "query is too old")
}

fn answer(press: &str, notice: Option<&str>) -> Request {
    #[derive(Serialize)]
    struct AnswerCallbackQuery<'a> {
        callback_query_id: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        text: Option<String>,
    }
    let text = notice.map(|notice| match text::cut(notice, NOTICE).as_slice() {
        [] => String::new(),
        [all] => (*all).to_owned(),
        _ => format!("{}…", text::cut(notice, NOTICE - 1).first().unwrap_or(&"")),
    });
    Request::json("answerCallbackQuery", &AnswerCallbackQuery { callback_query_id: press, text })
}

/// Treats a refusal with this text as success: the requested state already exists.
fn unless(result: Result<(), Error>, fine: &str) -> Result<(), Fault> {
    match result {
        Err(Error::Refused(refusal)) if refusal.says(fine) => Ok(()),
        result => Ok(result?),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::Refusal;

    #[test]
    fn a_reaction_is_set_or_taken_away() {
        for (emoji, expected) in [("❤\u{fe0f}", json!([{"type": "emoji", "emoji": "❤"}])), ("", json!([]))]
        {
            assert_eq!(
                reaction("-100/4", "7", emoji).unwrap().parameters(),
                json!({"chat_id": -100, "message_id": 7, "reaction": expected})
            );
        }
        assert!(matches!(reaction("-100", "7", "✅"), Err(Fault::Rejected(_))));
        assert!(matches!(reaction("-100", "x", "👍"), Err(Fault::Rejected(_))));
    }

    #[test]
    fn the_sign_goes_to_its_topic() {
        for (chat, thread, expected) in [
            ("5", None, json!({"chat_id": 5, "action": "typing"})),
            ("-100/4", Some("4"), json!({"chat_id": -100, "message_thread_id": 4, "action": "typing"})),
            ("-100", Some("4"), json!({"chat_id": -100, "message_thread_id": 4, "action": "typing"})),
            ("-100", Some("x"), json!({"chat_id": -100, "action": "typing"})),
        ] {
            assert_eq!(typing(chat, thread).unwrap().parameters(), expected);
        }
    }

    #[test]
    fn a_notice_is_as_long_as_telegram_shows() {
        let long = "ä".repeat(201);
        for (notice, expected) in [
            (None, json!({"callback_query_id": "42"})),
            (Some("Allowed."), json!({"callback_query_id": "42", "text": "Allowed."})),
            (Some(&*"ä".repeat(200)), json!({"callback_query_id": "42", "text": "ä".repeat(200)})),
            (Some(&long), json!({"callback_query_id": "42", "text": format!("{}…", "ä".repeat(199))})),
        ] {
            assert_eq!(answer("42", notice).parameters(), expected);
        }
    }

    #[test]
    fn too_late_is_fine_and_nothing_else_is() {
        let old = "Bad Request: query is too old and response timeout expired or query ID is invalid";
        for (description, fine) in [(old, true), ("Bad Request: chat not found", false)] {
            let refused = || Err(Error::Refused(Refusal::new(400, description)));
            assert_eq!(acknowledge("42", None, |_| refused()).is_ok(), fine, "{description}");
        }
        let same = || Err(Error::Refused(Refusal::new(400, "Bad Request: message is not modified: x")));
        assert!(react("5", "7", "👍", |_| same()).is_ok());
        assert!(acknowledge("42", None, |_| same()).is_err());
    }
}
