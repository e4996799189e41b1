//! Translates frames from the page into events for the session.

use std::{borrow::Cow, cell::Cell};

use tidegate_guest::{
    Attachment, AttachmentKind, Audience, Chat, ChatKind, Event, Fault, FieldValue, Happening, Message,
    Press, Saved, Sender, Upload, environment, page,
};

use crate::{
    CHAT, Shown,
    frame::{File, From, FromPage, Pressed, ToPage, Typed, is_given},
    publish,
};

/// The prefix of the ids of presses; then follow the connection and a unique part.
const PRESS: &str = "press-";

/// Handles one WebSocket frame. An invalid frame gets an error on the page and is not passed on.
pub(crate) fn frame(connection: u64, text: &str) -> Result<Event, Fault> {
    let frame: FromPage = serde_json::from_str(text).map_err(|error| {
        let reason = format!(
            "not a fakechat frame ({error}): expected {{\"id\": …, \"text\": …}} or {{\"press\": …, \"message\": …}}"
        );
        page::push(Audience::One(connection), &ToPage::Error { text: &reason }.encode());
        Fault::Rejected(reason)
    })?;
    if let FromPage::Message(Typed { id, edits, .. }) = &frame
        && let Some(id) = [Some(id), edits.as_ref()].into_iter().flatten().find(|id| is_given(id))
    {
        let reason =
            format!("{id} is the id of a message of the session's: only your own can be written or edited");
        page::push(Audience::One(connection), &ToPage::Error { text: &reason }.encode());
        return Err(Fault::Rejected(reason));
    }
    Ok(match frame {
        FromPage::Message(typed) => message(connection, typed),
        FromPage::Press(pressed) => press(connection, pressed),
    })
}

/// Returns the connection of a press, from its event's id.
pub(crate) fn presser(press: &str) -> Option<u64> {
    press.strip_prefix(PRESS)?.split_once('-')?.0.parse().ok()
}

fn press(connection: u64, pressed: Pressed) -> Event {
    Event {
        id: format!("{PRESS}{connection}-{}", unique()),
        what: Happening::Press(Press {
            action: pressed.action.into_owned(),
            sender: person(),
            chat: chat(),
            message: pressed.prompt.into_owned(),
        }),
    }
}

fn message(connection: u64, typed: Typed) -> Event {
    let edited = typed.edits.is_some();
    let sent = typed.id.into_owned();
    let said = Shown {
        id: typed.edits.map_or_else(|| sent.clone().into(), |id| id.into_owned().into()),
        from: From::User,
        text: typed.text.into_owned().into(),
        ts: environment::now(),
        reply_to: typed.reply_to.map(|id| id.into_owned().into()),
        file: None,
        plain: false,
        edited,
    };
    let event_id = if typed.ack {
        page::push(Audience::One(connection), &ToPage::Ack { id: &sent }.encode());
        sent
    } else {
        unique()
    };
    let news = if edited { ToPage::Edit { id: &said.id, text: &said.text } } else { ToPage::Msg(&said) };
    page::push(Audience::Others(connection), &news.encode());
    event(event_id, said, Vec::new())
}

/// Handles a file that was uploaded as a form. The fields are `id`, `text` and `file`; `replyTo` is optional.
pub(crate) fn upload(fields: Vec<(String, FieldValue)>) -> Result<(Event, Shown), String> {
    let (mut id, mut text, mut reply_to, mut file) = (None, None, None, None);
    for (name, value) in fields {
        match (name.as_str(), value) {
            ("id", FieldValue::Text(value)) => id = Some(value),
            ("text", FieldValue::Text(value)) => text = Some(value),
            ("replyTo", FieldValue::Text(value)) => reply_to = Some(value.into()),
            ("file", FieldValue::File(value)) => file = Some(value),
            _ => {}
        }
    }
    let id = id.filter(|id| !id.is_empty()).ok_or("The field id is missing.\n")?;
    if is_given(&id) {
        return Err("The field id has the id of a message of the session's.\n".into());
    }
    let Some(saved) = file else {
        return Err("The field file is missing.\n".into());
    };
    let shown = published(&saved);
    let said = Shown {
        id: id.clone().into(),
        from: From::User,
        text: text.unwrap_or_default().into(),
        ts: environment::now(),
        reply_to,
        file: Some(shown.clone()),
        plain: false,
        edited: false,
    };
    let attachment = Attachment {
        id: shown.url.into_owned(),
        kind: kind(&saved.media_type),
        name: Some(saved.name),
        media_type: Some(saved.media_type),
        size: Some(saved.size),
        local: Some(saved.handle),
    };
    Ok((event(id, said.clone(), vec![attachment]), said))
}

/// Publishes the person's own upload, so that the page can show it after a reload. If this fails, the page shows only
/// the name.
fn published(saved: &Saved) -> File<'static> {
    let upload = Upload {
        handle: saved.handle,
        name: saved.name.clone(),
        media_type: saved.media_type.clone(),
        size: saved.size,
    };
    publish(&upload).unwrap_or_else(|_| File {
        url: "".into(),
        name: saved.name.clone().into(),
        size: Some(saved.size),
    })
}

fn event(id: String, said: Shown, attachments: Vec<Attachment>) -> Event {
    Event {
        id,
        what: Happening::Message(Message {
            id: said.id.into_owned(),
            chat: chat(),
            sender: person(),
            text: said.text.into_owned(),
            sent_at: said.ts,
            addressed: true,
            edited: said.edited,
            reply_to: said.reply_to.map(Cow::into_owned),
            attachments,
            album: None,
            extra: Vec::new(),
        }),
    }
}

fn chat() -> Chat {
    Chat { id: CHAT.into(), kind: ChatKind::Direct, group: None, thread: None, title: None }
}

/// The person at the page. The host knows which connections may decide.
fn person() -> Sender {
    Sender { id: CHAT.into(), name: CHAT.into(), is_bot: false }
}

pub(crate) fn kind(media_type: &str) -> AttachmentKind {
    match media_type.split('/').next() {
        Some("image") => AttachmentKind::Photo,
        Some("audio") => AttachmentKind::Audio,
        Some("video") => AttachmentKind::Video,
        _ => AttachmentKind::Document,
    }
}

/// Returns an id for an event that will not be repeated. A client that asks for no acknowledgement never repeats a
/// frame, but it may reuse its ids after a reload.
fn unique() -> String {
    thread_local! {
        static NONCE: Cell<Option<u64>> = const { Cell::new(None) };
        static COUNT: Cell<u64> = const { Cell::new(0) };
    }
    let nonce = NONCE.get().unwrap_or_else(|| {
        let nonce = environment::random(8).iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
        NONCE.set(Some(nonce));
        nonce
    });
    let count = COUNT.get();
    COUNT.set(count.wrapping_add(1));
    format!("{nonce:x}-{count:08x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_press_tells_where_it_came_from() {
        for (press, expected) in [
            ("press-7-5f3a-00000001", Some(7)),
            ("press-18446744073709551615-0-0", Some(u64::MAX)),
            ("press-18446744073709551616-0-0", None),
            ("press-7", None),
            ("press--7-0", None),
            ("7-5f3a-00000001", None),
            ("u1", None),
            ("", None),
        ] {
            assert_eq!(presser(press), expected, "{press}");
        }
    }

    #[test]
    fn media_types_become_kinds() {
        for (media_type, expected) in [
            ("image/png", AttachmentKind::Photo),
            ("audio/ogg", AttachmentKind::Audio),
            ("video/mp4", AttachmentKind::Video),
            ("application/pdf", AttachmentKind::Document),
            ("", AttachmentKind::Document),
        ] {
            assert_eq!(kind(media_type), expected, "{media_type}");
        }
    }
}
