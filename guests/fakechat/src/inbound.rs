//! From the page to the session.

use std::cell::Cell;

use tidegate_guest::{
    Attachment, AttachmentKind, Audience, Chat, ChatKind, Event, Fault, FieldValue, Happening, Message,
    Saved, Sender, Upload, environment, page,
};

use crate::{
    CHAT, Shown,
    frame::{File, From, FromPage, ToPage},
    publish,
};

/// One WebSocket frame. One that makes no sense is answered on the page and goes no further.
pub(crate) fn frame(connection: u64, text: &str) -> Result<Event, Fault> {
    let frame: FromPage = serde_json::from_str(text).map_err(|error| {
        let reason = format!("not a fakechat frame ({error}): expected {{\"id\": …, \"text\": …}}");
        page::push(Audience::One(connection), &ToPage::Error { text: &reason }.encode());
        Fault::Rejected(reason)
    })?;
    let sent_at = environment::now();
    let id = frame.id.into_owned();
    let text = frame.text.into_owned();
    let reply_to = frame.reply_to.map(std::borrow::Cow::into_owned);
    let said = Shown {
        id: id.into(),
        from: From::User,
        text: text.into(),
        ts: sent_at,
        reply_to: reply_to.map(Into::into),
        file: None,
        plain: true,
        edited: false,
    };
    let event_id = if frame.ack {
        page::push(Audience::One(connection), &ToPage::Ack { id: &said.id }.encode());
        said.id.to_string()
    } else {
        unique()
    };
    page::push(Audience::Others(connection), &ToPage::Msg(&said).encode());
    Ok(event(event_id, said, Vec::new()))
}

/// A file that came as a form. The fields are `id`, `text` and `file`; `replyTo` may be there.
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
        plain: true,
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

/// Lets the page show the person's own upload after a reload. Without it the name must do.
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
            chat: Chat { id: CHAT.into(), kind: ChatKind::Direct, group: None, thread: None, title: None },
            sender: Sender { id: CHAT.into(), name: CHAT.into(), is_bot: false },
            text: said.text.into_owned(),
            sent_at: said.ts,
            addressed: true,
            edited: false,
            reply_to: said.reply_to.map(std::borrow::Cow::into_owned),
            attachments,
            extra: Vec::new(),
        }),
    }
}

pub(crate) fn kind(media_type: &str) -> AttachmentKind {
    match media_type.split('/').next() {
        Some("image") => AttachmentKind::Photo,
        Some("audio") => AttachmentKind::Audio,
        Some("video") => AttachmentKind::Video,
        _ => AttachmentKind::Document,
    }
}

/// An id for an event that will not come again. A client that asks for no acknowledgement never repeats a
/// frame, but it may well repeat its ids after a reload.
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
