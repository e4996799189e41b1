//! Messages that are incomplete on arrival: their pictures are still on the platform, or other parts of their album are
//! still to come. Each waits separately and delays no other message.

use std::{
    collections::{HashMap, HashSet, VecDeque, hash_map::Entry},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{
    sync::Semaphore,
    time::{Instant, sleep, timeout_at},
};

use super::{Channel, Delivery, Failure};
use crate::{
    admission::Admission,
    clock,
    event::{AttachmentKind, Event, EventId, Happening, Message},
    guest::{Fault, Wanted},
    journal,
    notification::{PICTURE_MISSING, Whole},
    sandbox::Digest,
};

/// An album is complete once no part of it has arrived for this long. Its parts are sent at once and mostly arrive
/// together.
const QUIET: Duration = Duration::from_secs(1);

/// How long a part of an album that does not address the bot is remembered, and how many such parts.
const OVERHEARD: Duration = Duration::from_secs(5);
const OVERHEARD_MOST: usize = 64;

/// The time and the number of parts after which an album is delivered, even if more parts arrive.
const LONGEST: Duration = Duration::from_secs(10);
const PARTS: usize = 32;

/// The most pictures of one message that are downloaded. The session can request the others.
const PICTURES: usize = 10;

/// How long a message waits for each of its pictures. After that it is delivered without the picture, and says so.
const PATIENCE: Duration = Duration::from_secs(20);

/// The most pictures that are downloaded at the same time, so that there is room for replies.
const TOGETHER: usize = 2;

/// The incomplete messages that a channel holds.
#[derive(Debug)]
pub(super) struct Held {
    /// Keyed by album, or by the event's own id.
    groups: Mutex<HashMap<String, Group>>,
    /// Parts of albums that do not address the bot, each with its album and the time it arrived. They are kept for a
    /// moment, in case another part addresses the bot.
    unaddressed: Mutex<VecDeque<(String, Event, Instant)>>,
    together: Semaphore,
}

/// Parts that have arrived and that the group's task has not taken yet.
#[derive(Debug, Default)]
struct Group {
    ids: HashSet<EventId>,
    parts: VecDeque<Event>,
    arrived: Arc<tokio::sync::Notify>,
}

impl Default for Held {
    fn default() -> Self {
        Self { groups: Mutex::default(), unaddressed: Mutex::default(), together: Semaphore::new(TOGETHER) }
    }
}

impl Held {
    /// Remembers a part of an album of which no part has addressed the bot so far.
    pub(super) fn overhear(&self, album: String, part: Event) {
        let mut parts = self.unaddressed.lock();
        parts.retain(|(.., since)| since.elapsed() < OVERHEARD);
        if parts.len() >= OVERHEARD_MOST {
            parts.pop_front();
        }
        parts.push_back((album, part, Instant::now()));
    }

    /// Returns the remembered parts of this album, which is for the session after all. They stay remembered, in case
    /// they cannot be stored this time; a part that is stored already is recognised by its id.
    pub(super) fn overheard(&self, album: &str) -> Vec<Event> {
        let parts = self.unaddressed.lock();
        let parts = parts.iter().filter(|(other, _, since)| other == album && since.elapsed() < OVERHEARD);
        parts.map(|(_, part, _)| part.clone()).collect()
    }
}

/// Returns a key that the parts of one album share, from the chat, the sender and the platform's id of the album.
pub(super) fn album(message: &Message) -> Option<String> {
    // An edit concerns one part only.
    let album = message.album.as_ref().filter(|_| !message.edited)?;
    let key = [&*message.chat.id, &*message.sender.id, album].join("\u{1f}");
    // A digest, because the key is kept for longer than the message and must not reveal the sender.
    Some(Digest::of(key.as_bytes()).to_string())
}

impl Channel {
    /// Returns whether a message waits for pictures or for other parts of its album.
    pub(super) fn is_partial(&self, message: &Message) -> bool {
        message.album.is_some() && !message.edited || self.pictures(message).next().is_some()
    }

    /// Returns the positions of the attachments that are pictures and are not downloaded yet.
    fn pictures<'a>(&self, message: &'a Message) -> impl Iterator<Item = usize> + use<'a> {
        let brings = self.descriptor().features.attachments;
        let attachments = message.attachments.iter().enumerate().filter(move |_| brings);
        attachments
            .filter(|(_, file)| file.kind == AttachmentKind::Photo && file.saved.is_none())
            .map(|(index, _)| index)
    }

    /// Resumes the messages that an earlier process held.
    pub(super) fn take_up_held(self: &Arc<Self>) -> Result<(), journal::Error> {
        for (event, album) in self.journal().held()? {
            self.make_whole(event, album);
        }
        Ok(())
    }

    /// Starts to complete this event, which the journal holds. It is delivered when it is complete.
    pub(super) fn make_whole(self: &Arc<Self>, event: Event, album: Option<String>) {
        let quiet = if album.is_some() { QUIET } else { Duration::ZERO };
        let key = album.unwrap_or_else(|| event.id.to_string());
        let mut groups = self.held.groups.lock();
        match groups.entry(key.clone()) {
            Entry::Occupied(mut group) => {
                let group = group.get_mut();
                // An event that is resumed may be in the group already.
                if group.ids.insert(event.id.clone()) {
                    group.parts.push_back(event);
                    group.arrived.notify_one();
                }
            }
            Entry::Vacant(vacant) => {
                let ids = [event.id.clone()].into();
                vacant.insert(Group { ids, parts: [event].into(), arrived: Arc::default() });
                let channel = Arc::clone(self);
                tokio::spawn(async move {
                    let parts = channel.gather(&key, quiet).await;
                    channel.let_go(parts).await;
                });
            }
        }
    }

    /// Downloads the pictures of all parts, until no more parts arrive.
    async fn gather(self: &Arc<Self>, key: &str, quiet: Duration) -> Vec<Event> {
        let mut parts = Vec::new();
        let end = Instant::now() + LONGEST;
        let mut until = Instant::now() + quiet;
        loop {
            let arrived = {
                let mut groups = self.held.groups.lock();
                let Some(group) = groups.get_mut(key) else { break };
                for event in group.parts.drain(..) {
                    let channel = Arc::clone(self);
                    let brought = tokio::spawn({
                        let event = event.clone();
                        async move { channel.bring(event).await }
                    });
                    parts.push((event, brought));
                }
                Arc::clone(&group.arrived)
            };
            let more = !quiet.is_zero() && parts.len() < PARTS;
            if more && timeout_at(until.min(end), arrived.notified()).await.is_ok() {
                until = Instant::now() + quiet;
                continue;
            }
            let mut groups = self.held.groups.lock();
            if groups.get(key).is_none_or(|group| group.parts.is_empty()) {
                groups.remove(key);
                break;
            }
        }
        let mut whole = Vec::with_capacity(parts.len());
        for (event, brought) in parts {
            // If the download task failed, the message is kept without its pictures.
            whole.push(brought.await.unwrap_or(event));
        }
        whole
    }

    /// Downloads the pictures of one message.
    async fn bring(&self, mut event: Event) -> Event {
        let Happening::Message(message) = &mut event.what else { return event };
        let pictures: Vec<usize> = self.pictures(message).take(PICTURES).collect();
        let mut missing = None;
        for index in pictures {
            let Some(attachment) = message.attachments.get(index) else { continue };
            let wanted = Wanted { id: attachment.id.clone(), name: attachment.name.clone() };
            // The semaphore is never closed. The time that other downloads take does not count against this one.
            let _turn = self.held.together.acquire().await;
            match self.bring_one(message, wanted).await {
                Ok(path) => {
                    if let Some(attachment) = message.attachments.get_mut(index) {
                        attachment.saved = path;
                    }
                }
                Err(reason) => {
                    tracing::warn!(
                        "{}: a picture of message {} was not brought: {reason}",
                        self.name(),
                        message.id
                    );
                    missing = Some(reason);
                    break;
                }
            }
        }
        message.extra.extend(missing.map(|reason| (PICTURE_MISSING.to_owned(), reason)));
        event
    }

    async fn bring_one(&self, message: &Message, wanted: Wanted) -> Result<Option<String>, String> {
        let until = Instant::now() + PATIENCE;
        let mut pause = Duration::from_millis(500);
        loop {
            let attempt = async {
                let (chat, id) = (message.chat.id.clone(), message.id.clone());
                self.conclude(self.guest.fetch(chat, id, vec![wanted.clone()]).await).await
            };
            let failure = match timeout_at(until, attempt).await {
                Ok(Ok(paths)) => {
                    return Ok(paths.first().map(|path| path.to_string_lossy().into_owned()));
                }
                Ok(Err(failure)) => failure,
                Err(_) => return Err(format!("it took longer than {} s", PATIENCE.as_secs())),
            };
            let wait = match &failure {
                Failure::Fault(Fault::RateLimited(wait)) => *wait,
                Failure::Fault(Fault::Unavailable(_)) => {
                    pause = pause.saturating_mul(2);
                    pause / 2
                }
                _ => return Err(failure.to_string()),
            };
            if Instant::now() + wait >= until {
                return Err(failure.to_string());
            }
            sleep(wait).await;
        }
    }

    /// Stores the complete message, which gets its place in the journal now, and delivers it.
    async fn let_go(self: &Arc<Self>, parts: Vec<Event>) {
        let ids: Vec<_> = parts.iter().map(|part| part.id.clone()).collect();
        let Some(event) = join(parts) else { return };
        let mut pause = Duration::from_secs(1);
        // If this process no longer serves the channel, the process that does has resumed the message from the journal.
        while self.condition().serves() {
            let stored = self.journal().store(|transaction| {
                let now = clock::now();
                let seq = transaction.release(&ids, &event, now, self.has_inbox())?;
                if let (Some(_), Happening::Message(message)) = (seq, &event.what) {
                    Admission::remember(transaction, message, now)?;
                }
                Ok(seq)
            });
            match stored.await {
                Ok(Some(seq)) => {
                    return self
                        .deliver(vec![Delivery { seq, event, redelivered: false, whole: Whole::default() }])
                        .await;
                }
                Ok(None) => return,
                Err(error) => tracing::error!("{}: a message is held back: {error}", self.name()),
            }
            // Most likely the disk is full. The loop retries until a person has fixed that.
            sleep(pause).await;
            pause = pause.saturating_mul(2).min(PATIENCE);
        }
    }
}

/// Joins all parts into one message, under the id of the first part.
fn join(parts: Vec<Event>) -> Option<Event> {
    let count = parts.len();
    let mut whole = parts.into_iter().reduce(|mut whole, part| {
        if let (Happening::Message(whole), Happening::Message(part)) = (&mut whole.what, part.what) {
            whole.attachments.extend(part.attachments);
            // A part without a caption adds no text.
            if !part.text.is_empty() {
                if !whole.text.is_empty() {
                    whole.text.push('\n');
                }
                whole.text.push_str(&part.text);
            }
            whole.reply_to = whole.reply_to.take().or(part.reply_to);
            whole.addressed |= part.addressed;
            let new =
                part.extra.into_iter().filter(|(key, _)| whole.extra.iter().all(|(known, _)| known != key));
            let new: Vec<_> = new.collect();
            whole.extra.extend(new);
        }
        whole
    })?;
    if let Happening::Message(message) = &mut whole.what
        && message.text.is_empty()
        && message.album.is_some()
    {
        message.text = format!("(album of {count})");
    }
    Some(whole)
}
