//! The history that the page shows after a reload: the session's messages from this channel's state, the person's
//! messages from the host's journal, merged by time.

use tidegate_guest::{Fault, Message, journal, log, state};

use crate::{
    Shown,
    frame::{File, From},
};

/// The maximum number of messages of each side in a history.
pub(crate) const SLOTS: u32 = 200;

const NEXT: &str = "said/next";

/// The maximum length of a stored text, in bytes: [`SLOTS`] of them fit into a channel's state.
const TEXT: usize = 64 << 10;

/// The maximum length of all texts of a history together, in bytes: JSON may need six times as many.
const FRAME: usize = 1 << 20;

/// Stores one message of the session in a ring of [`SLOTS`]. An open page shows it even if this fails.
pub(crate) fn remember(said: &Shown) {
    let next = next();
    let kept = store(next, said).and_then(|()| state::set(NEXT, &next.wrapping_add(1).to_le_bytes()));
    if let Err(reason) = kept {
        log::write(
            log::Level::Warn,
            &format!("message {} will be missing after a reload: {reason}", said.id),
        );
    }
}

/// Changes a stored message; returns false if there is none with this id.
pub(crate) fn revise(id: &str, text: &str) -> Result<bool, Fault> {
    for (slot, mut said) in remembered() {
        if said.id == id {
            said.text = text.to_owned().into();
            said.edited = true;
            store(slot, &said).map_err(Fault::Rejected)?;
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns the messages of both sides, oldest first.
pub(crate) fn past() -> Vec<Shown> {
    let mut past = heard_once(journal::recent(SLOTS));
    past.extend(remembered().map(|(_, said)| said));
    past.sort_by_key(|said| said.ts);
    // The newest messages that fit into one frame.
    let mut room = FRAME;
    let fits = |said: &&Shown| {
        room = room.saturating_sub(said.text.len());
        room > 0
    };
    let kept = past.iter().rev().take_while(fits).count();
    past.split_off(past.len() - kept)
}

/// Returns each message once, at its original position, with its current text.
fn heard_once(messages: Vec<Message>) -> Vec<Shown> {
    let mut past: Vec<Shown> = Vec::with_capacity(messages.len());
    for said in messages.into_iter().map(heard) {
        match past.iter_mut().find(|earlier| said.edited && earlier.id == said.id) {
            Some(earlier) => {
                earlier.text = said.text;
                earlier.edited = true;
            }
            None => past.push(said),
        }
    }
    past
}

fn heard(message: Message) -> Shown {
    let file = message.attachments.into_iter().next().map(|attachment| File {
        url: attachment.id.into(),
        name: attachment.name.unwrap_or_default().into(),
        size: attachment.size,
    });
    Shown {
        id: message.id.into(),
        from: From::User,
        text: message.text.into(),
        ts: message.sent_at,
        reply_to: message.reply_to.map(Into::into),
        file,
        plain: false,
        edited: message.edited,
    }
}

fn next() -> u32 {
    state::get(NEXT).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_le_bytes)
}

fn key(slot: u32) -> String {
    format!("said/{}", slot % SLOTS)
}

fn store(slot: u32, said: &Shown) -> Result<(), String> {
    let short = shortened(said);
    let bytes = serde_json::to_vec(short.as_ref().unwrap_or(said)).map_err(|error| error.to_string())?;
    state::set(&key(slot), &bytes)
}

fn shortened(said: &Shown) -> Option<Shown> {
    let kept =
        said.text.get(..said.text.floor_char_boundary(TEXT)).filter(|kept| kept.len() < said.text.len())?;
    Some(Shown { text: format!("{kept}\n\n… (the rest is not kept)").into(), ..said.clone() })
}

/// Returns the stored messages, newest first, because an edit nearly always concerns the latest message.
fn remembered() -> impl Iterator<Item = (u32, Shown)> {
    let next = next();
    (1..=SLOTS.min(next)).filter_map(move |back| {
        let slot = next.wrapping_sub(back);
        let bytes = state::get(&key(slot))?;
        Some((slot, serde_json::from_slice(&bytes).ok()?))
    })
}
