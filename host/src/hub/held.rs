//! Messages that are not whole when they come: their pictures are still on the platform, or other parts of their album
//! are to come. Each waits for itself; nothing else does.

use std::{
    collections::{HashMap, HashSet, VecDeque, hash_map::Entry},
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    sync::Semaphore,
    time::{Instant, sleep, timeout_at},
};

use super::{Channel, Delivery, Failure, channel::lock};
use crate::{
    admission::Admission,
    clock,
    event::{AttachmentKind, Event, EventId, Happening, Message},
    guest::{Fault, Wanted},
    journal,
    notification::{PICTURE_MISSING, Whole},
    sandbox::Digest,
};

/// An album is whole once no part of it has come for so long. Its parts are sent at once, and mostly come together.
const QUIET: Duration = Duration::from_secs(1);

/// How long a part of an album is remembered that does not address the bot, and how many.
const OVERHEARD: Duration = Duration::from_secs(5);
const OVERHEARD_MOST: usize = 64;

/// However its parts come, an album is let go after so long, or with so many of them.
const LONGEST: Duration = Duration::from_secs(10);
const PARTS: usize = 32;

/// Pictures of one message that are brought; the others can be asked for.
const PICTURES: usize = 10;

/// How long a message waits for each of its pictures. After that it goes without, and says so.
const PATIENCE: Duration = Duration::from_secs(20);

/// Pictures that are brought at the same time: replies need room too.
const TOGETHER: usize = 2;

/// What every channel holds back.
#[derive(Debug)]
pub(super) struct Held {
    /// By album, or by the event's own id.
    groups: Mutex<HashMap<String, Group>>,
    /// Parts of albums that do not address the bot, in case that another part does: with their album, for a moment.
    unaddressed: Mutex<VecDeque<(String, Event, Instant)>>,
    together: Semaphore,
}

/// Parts that have come and that nobody has looked at yet.
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
    /// A part of an album that is for nobody so far.
    pub(super) fn overhear(&self, album: String, part: Event) {
        let mut parts = lock(&self.unaddressed);
        parts.retain(|(.., since)| since.elapsed() < OVERHEARD);
        if parts.len() >= OVERHEARD_MOST {
            parts.pop_front();
        }
        parts.push_back((album, part, Instant::now()));
    }

    /// What was overheard of this album, which is for the session after all. It stays here, in case that it cannot be
    /// stored this time; what is stored already is known by its id.
    pub(super) fn overheard(&self, album: &str) -> Vec<Event> {
        let parts = lock(&self.unaddressed);
        let parts = parts.iter().filter(|(other, _, since)| other == album && since.elapsed() < OVERHEARD);
        parts.map(|(_, part, _)| part.clone()).collect()
    }
}

/// What the parts of one album have in common, whatever their sender calls it.
pub(super) fn album(message: &Message) -> Option<String> {
    // What is changed later is changed alone.
    let album = message.album.as_ref().filter(|_| !message.edited)?;
    let key = [&*message.chat.id, &*message.sender.id, album].join("\u{1f}");
    // A digest: it is kept for longer than the message, and names nobody.
    Some(Digest::of(key.as_bytes()).to_string())
}

impl Channel {
    /// Does it wait for something of its own?
    pub(super) fn is_partial(&self, message: &Message) -> bool {
        message.album.is_some() && !message.edited || self.pictures(message).next().is_some()
    }

    /// Where the pictures are that have to be brought.
    fn pictures<'a>(&self, message: &'a Message) -> impl Iterator<Item = usize> + use<'a> {
        let brings = self.descriptor().features.attachments;
        let attachments = message.attachments.iter().enumerate().filter(move |_| brings);
        attachments
            .filter(|(_, file)| file.kind == AttachmentKind::Photo && file.saved.is_none())
            .map(|(index, _)| index)
    }

    /// Takes up what an earlier process has held back.
    pub(super) fn take_up_held(self: &Arc<Self>) -> Result<(), journal::Error> {
        for (event, album) in self.journal().held()? {
            self.make_whole(event, album);
        }
        Ok(())
    }

    /// Sees to it that this event, which the journal holds, is delivered when it is whole.
    pub(super) fn make_whole(self: &Arc<Self>, event: Event, album: Option<String>) {
        let quiet = if album.is_some() { QUIET } else { Duration::ZERO };
        let key = album.unwrap_or_else(|| event.id.to_string());
        let mut groups = lock(&self.held.groups);
        match groups.entry(key.clone()) {
            Entry::Occupied(mut group) => {
                let group = group.get_mut();
                // One that is taken up anew may be here already.
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

    /// Brings the pictures of all parts, until no more come.
    async fn gather(self: &Arc<Self>, key: &str, quiet: Duration) -> Vec<Event> {
        let mut parts = Vec::new();
        let end = Instant::now() + LONGEST;
        let mut until = Instant::now() + quiet;
        loop {
            let arrived = {
                let mut groups = lock(&self.held.groups);
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
            let mut groups = lock(&self.held.groups);
            if groups.get(key).is_none_or(|group| group.parts.is_empty()) {
                groups.remove(key);
                break;
            }
        }
        let mut whole = Vec::with_capacity(parts.len());
        for (event, brought) in parts {
            // Whatever went wrong there, the message is not lost with its pictures.
            whole.push(brought.await.unwrap_or(event));
        }
        whole
    }

    /// Brings the pictures of one message.
    async fn bring(&self, mut event: Event) -> Event {
        let Happening::Message(message) = &mut event.what else { return event };
        let pictures: Vec<usize> = self.pictures(message).take(PICTURES).collect();
        let mut missing = None;
        for index in pictures {
            let Some(attachment) = message.attachments.get(index) else { continue };
            let wanted = Wanted { id: attachment.id.clone(), name: attachment.name.clone() };
            // Never closed. How long others take is not counted.
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

    /// What was held has its place from here on.
    async fn let_go(self: &Arc<Self>, parts: Vec<Event>) {
        let ids: Vec<_> = parts.iter().map(|part| part.id.clone()).collect();
        let Some(event) = join(parts) else { return };
        let mut pause = Duration::from_secs(1);
        // Otherwise the process that serves the channel now has taken it up: it is held in the journal.
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
            // A full disk, most likely: somebody will see to it.
            sleep(pause).await;
            pause = pause.saturating_mul(2).min(PATIENCE);
        }
    }
}

/// One message of all parts, under the id of the first.
fn join(parts: Vec<Event>) -> Option<Event> {
    let count = parts.len();
    let mut whole = parts.into_iter().reduce(|mut whole, part| {
        if let (Happening::Message(whole), Happening::Message(part)) = (&mut whole.what, part.what) {
            whole.attachments.extend(part.attachments);
            // A part without a caption says nothing but that it is there.
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
