//! The page's other direction: frames to browsers, files for them.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use axum::extract::ws::Utf8Bytes;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{Tenant, files};
use crate::contract::imports::{
    types::Upload,
    web::{Audience, Host},
};

/// Bytes that may wait for one browser. One that reads more slowly than that is cut off; it comes back and
/// is given the history.
const BACKLOG: usize = 8 << 20;

/// A frame for the page, held back until the call that pushed it has taken effect.
#[derive(Debug)]
pub struct Push {
    audience: Audience,
    frame: Utf8Bytes,
}

impl Push {
    /// In bytes.
    pub fn weight(&self) -> usize {
        self.frame.len()
    }

    pub(super) fn confine(&mut self) {
        self.audience = Audience::Owner;
    }
}

/// The browsers that have a channel's page open.
#[derive(Debug)]
pub struct Page {
    connections: Mutex<HashMap<u64, Outbox>>,
    last: AtomicU64,
    /// Who has it came through the link that was printed at this start.
    key: String,
}

#[derive(Debug)]
struct Outbox {
    owner: bool,
    frames: mpsc::UnboundedSender<Utf8Bytes>,
    waiting: Arc<AtomicUsize>,
    cut_off: CancellationToken,
}

/// The receiving end of one browser's frames.
#[derive(Debug)]
pub struct Frames {
    frames: mpsc::UnboundedReceiver<Utf8Bytes>,
    waiting: Arc<AtomicUsize>,
}

impl Frames {
    /// The next frame, or nothing once the browser was cut off or closed.
    pub async fn next(&mut self) -> Option<Utf8Bytes> {
        let frame = self.frames.recv().await?;
        self.waiting.fetch_sub(frame.len(), Ordering::Relaxed);
        Some(frame)
    }

    /// The next frame, if one waits already.
    pub fn ready(&mut self) -> Option<Utf8Bytes> {
        let frame = self.frames.try_recv().ok()?;
        self.waiting.fetch_sub(frame.len(), Ordering::Relaxed);
        Some(frame)
    }
}

impl Page {
    /// A page that nobody has open, with a new key.
    pub fn new() -> Result<Self, getrandom::Error> {
        let mut key = [0; 16];
        getrandom::fill(&mut key)?;
        let key = format!("{:032x}", u128::from_ne_bytes(key));
        Ok(Self { connections: Mutex::default(), last: AtomicU64::default(), key })
    }

    /// What the link has that makes a browser the owner's.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Is this the key? Takes as long for any text of its length.
    pub fn is_key(&self, text: &str) -> bool {
        let differences =
            self.key.bytes().zip(text.bytes()).fold(0, |all, (left, right)| all | (left ^ right));
        text.len() == self.key.len() && differences == 0
    }

    /// Takes in a new connection. The token tells when it is cut off.
    pub fn open(&self, owner: bool) -> (u64, Frames, CancellationToken) {
        let id = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let (sender, frames) = mpsc::unbounded_channel();
        let waiting = Arc::<AtomicUsize>::default();
        let cut_off = CancellationToken::new();
        let outbox =
            Outbox { owner, frames: sender, waiting: Arc::clone(&waiting), cut_off: cut_off.clone() };
        self.lock().insert(id, outbox);
        (id, Frames { frames, waiting }, cut_off)
    }

    /// Lets go of a connection.
    pub fn close(&self, connection: u64) {
        self.lock().remove(&connection);
    }

    /// Ends all connections: the browsers come back when the channel takes messages again.
    pub fn cut_off_all(&self) {
        for (_, outbox) in self.lock().drain() {
            outbox.cut_off.cancel();
        }
    }

    /// How many browsers have the page open.
    pub fn connections(&self) -> usize {
        self.lock().len()
    }

    /// Queues frames. Never waits.
    pub fn push(&self, pushes: Vec<Push>) {
        if pushes.is_empty() {
            return;
        }
        let mut connections = self.lock();
        for Push { audience, frame } in pushes {
            match audience {
                Audience::One(id) => {
                    if connections.get(&id).is_some_and(|outbox| !outbox.send(frame)) {
                        connections.remove(&id);
                    }
                }
                Audience::All => connections.retain(|_, outbox| outbox.send(frame.clone())),
                Audience::Owner => {
                    connections.retain(|_, outbox| !outbox.owner || outbox.send(frame.clone()));
                }
                Audience::Others(not) => {
                    connections.retain(|id, outbox| *id == not || outbox.send(frame.clone()));
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Outbox>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Outbox {
    /// False if this browser is beyond hope. A single frame of any size gets through.
    fn send(&self, frame: Utf8Bytes) -> bool {
        let length = frame.len();
        let waiting = self.waiting.fetch_add(length, Ordering::Relaxed);
        let fits = (waiting == 0 || waiting + length <= BACKLOG) && self.frames.send(frame).is_ok();
        if !fits {
            self.cut_off.cancel();
        }
        fits
    }
}

impl Host for Tenant {
    fn push(&mut self, audience: Audience, frame: String) -> wasmtime::Result<()> {
        self.surroundings()?;
        self.spend(frame.len())?;
        self.effects.pushes.push(Push { audience, frame: frame.into() });
        Ok(())
    }

    async fn publish(&mut self, upload: Upload) -> wasmtime::Result<Result<String, String>> {
        let surroundings = self.surroundings()?;
        let Some(file) = self.handles.get(upload.handle) else {
            return Ok(Err(format!("this call has no file {}", upload.handle)));
        };
        Ok(match surroundings.files.publish(file).await {
            Ok(name) => Ok(format!("/files/{}", files::percent_encode(&name))),
            Err(error) => Err(format!("{} cannot be published: {error}", upload.name)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(audience: Audience, frame: &str) -> Vec<Push> {
        vec![Push { audience, frame: frame.into() }]
    }

    #[test]
    fn a_frame_reaches_its_audience() {
        let page = Page::new().unwrap();
        let (first, mut to_first, _) = page.open(false);
        let (_, mut to_second, _) = page.open(true);
        page.push(push(Audience::All, "all"));
        page.push(push(Audience::One(first), "one"));
        page.push(push(Audience::Others(first), "others"));
        page.push(push(Audience::Owner, "owner"));
        let mut confined = push(Audience::All, "confined");
        confined[0].confine();
        page.push(confined);
        let got = |frames: &mut Frames| {
            std::iter::from_fn(|| frames.ready()).map(|frame| frame.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(got(&mut to_first), ["all", "one"]);
        assert_eq!(got(&mut to_second), ["all", "others", "owner", "confined"]);
    }

    #[test]
    fn each_start_has_its_own_key() {
        let (page, other) = (Page::new().unwrap(), Page::new().unwrap());
        assert!(page.is_key(page.key()) && page.key().len() == 32);
        for wrong in [other.key(), "", &page.key()[1..], &format!("{}0", page.key())] {
            assert!(!page.is_key(wrong), "{wrong}");
        }
    }

    #[test]
    fn a_browser_that_does_not_read_is_cut_off() {
        let page = Page::new().unwrap();
        let (_, frames, cut_off) = page.open(false);
        let frame = "x".repeat(1 << 20);
        for _ in 0..BACKLOG >> 20 {
            page.push(push(Audience::All, &frame));
        }
        assert!(page.connections() == 1 && !cut_off.is_cancelled());
        page.push(push(Audience::All, "the last straw"));
        assert!(page.connections() == 0 && cut_off.is_cancelled());
        drop(frames);
    }
}
