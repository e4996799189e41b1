//! The import `web`: frames for browsers, and files for them.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use axum::extract::ws::Utf8Bytes;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{Key, Tenant, files};
use crate::contract::imports::{
    types::Upload,
    web::{Audience, Host},
};

/// The most bytes that may wait for one browser. A browser that reads more slowly is disconnected; after it has
/// reconnected, it gets the history.
const BACKLOG: usize = 8 << 20;

/// A frame for the page, held back until the effects of the call that pushed it are applied.
#[derive(Debug)]
pub struct Push {
    audience: Audience,
    frame: Utf8Bytes,
}

impl Push {
    /// Returns the size of the frame, in bytes.
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
    /// The number of permission requests that can be answered on the page at the moment.
    waiting: AtomicUsize,
    /// The key that allows a browser to answer them.
    key: Key,
    /// How often the key was replaced.
    replacements: AtomicU64,
}

/// The properties that a browser declares when it connects.
#[derive(Clone, Copy, Debug, Default)]
pub struct Visit {
    /// Whether it has the key.
    pub owner: bool,
    /// Whether it understands the host's own frames: `{"type": "host", "owner": BOOLEAN, "waiting": COUNT}`, sent after
    /// it connects and at each change. `waiting` is the number of permission requests that can be answered with the
    /// key.
    pub hears_host: bool,
}

#[derive(Debug)]
struct Outbox {
    visit: Visit,
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
    /// Returns the next frame, or `None` after the browser was disconnected or its connection was closed.
    pub async fn next(&mut self) -> Option<Utf8Bytes> {
        let frame = self.frames.recv().await?;
        self.waiting.fetch_sub(frame.len(), Ordering::Relaxed);
        Some(frame)
    }

    /// Returns the next frame, if one is already waiting.
    pub fn ready(&mut self) -> Option<Utf8Bytes> {
        let frame = self.frames.try_recv().ok()?;
        self.waiting.fetch_sub(frame.len(), Ordering::Relaxed);
        Some(frame)
    }
}

impl Page {
    /// Creates a page with this key and without connections.
    pub fn new(key: Key) -> Self {
        Self {
            connections: Mutex::default(),
            last: AtomicU64::default(),
            waiting: AtomicUsize::new(0),
            key,
            replacements: AtomicU64::new(0),
        }
    }

    /// Returns the key in the link that makes a browser the owner's.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// Returns how often the key was replaced. A visit that began before a replacement has no rights any more.
    pub fn replacements(&self) -> u64 {
        self.replacements.load(Ordering::Acquire)
    }

    /// Creates a new key, and disconnects the browsers that came with the last one.
    pub fn replace_key(&self) -> std::io::Result<()> {
        self.key.replace()?;
        let mut connections = self.lock();
        self.replacements.fetch_add(1, Ordering::AcqRel);
        connections.retain(|_, outbox| {
            if outbox.visit.owner {
                outbox.cut_off.cancel();
            }
            !outbox.visit.owner
        });
        Ok(())
    }

    /// Adds a new connection. The token is cancelled when the host disconnects it.
    pub fn open(&self, visit: Visit) -> (u64, Frames, CancellationToken) {
        let id = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let (sender, frames) = mpsc::unbounded_channel();
        let waiting = Arc::<AtomicUsize>::default();
        let cut_off = CancellationToken::new();
        let outbox =
            Outbox { visit, frames: sender, waiting: Arc::clone(&waiting), cut_off: cut_off.clone() };
        let mut connections = self.lock();
        if visit.hears_host {
            outbox.send(host_frame(visit.owner, self.waiting.load(Ordering::Relaxed)));
        }
        connections.insert(id, outbox);
        (id, Frames { frames, waiting }, cut_off)
    }

    /// Sets the number of permission requests that can be answered on the page, and tells browsers about a change.
    pub fn set_waiting(&self, count: usize) {
        let mut connections = self.lock();
        if self.waiting.swap(count, Ordering::Relaxed) != count {
            connections.retain(|_, outbox| {
                let Visit { owner, hears_host } = outbox.visit;
                !hears_host || outbox.send(host_frame(owner, count))
            });
        }
    }

    /// Removes a connection.
    pub fn close(&self, connection: u64) {
        self.lock().remove(&connection);
    }

    /// Disconnects all browsers. They reconnect when the channel accepts messages again.
    pub fn cut_off_all(&self) {
        for (_, outbox) in self.lock().drain() {
            outbox.cut_off.cancel();
        }
    }

    /// Returns how many browsers have the page open.
    pub fn connections(&self) -> usize {
        self.lock().len()
    }

    /// Queues frames without waiting.
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
                    connections.retain(|_, outbox| !outbox.visit.owner || outbox.send(frame.clone()));
                }
                Audience::Others(not) => {
                    connections.retain(|id, outbox| *id == not || outbox.send(frame.clone()));
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Outbox>> {
        self.connections.lock()
    }
}

fn host_frame(owner: bool, waiting: usize) -> Utf8Bytes {
    format!(r#"{{"type":"host","owner":{owner},"waiting":{waiting}}}"#).into()
}

impl Outbox {
    /// Queues a frame. Disconnects the browser and returns false if too much waits for it, or if it is gone. If nothing
    /// waits, a single frame of any size is accepted.
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

    fn page() -> Page {
        Page::new(Key::of(tempfile::tempdir().unwrap().path(), true).unwrap())
    }

    fn got(frames: &mut Frames) -> Vec<String> {
        std::iter::from_fn(|| frames.ready()).map(|frame| frame.to_string()).collect()
    }

    #[test]
    fn a_frame_reaches_its_audience() {
        let page = page();
        let (first, mut to_first, _) = page.open(Visit::default());
        let (_, mut to_second, _) = page.open(Visit { owner: true, hears_host: false });
        page.push(push(Audience::All, "all"));
        page.push(push(Audience::One(first), "one"));
        page.push(push(Audience::Others(first), "others"));
        page.push(push(Audience::Owner, "owner"));
        let mut confined = push(Audience::All, "confined");
        confined[0].confine();
        page.push(confined);
        assert_eq!(got(&mut to_first), ["all", "one"]);
        assert_eq!(got(&mut to_second), ["all", "others", "owner", "confined"]);
    }

    #[test]
    fn the_host_says_what_waits_to_those_who_listen_for_it() {
        let page = page();
        page.set_waiting(1);
        let (_, mut to_guest, _) = page.open(Visit { owner: false, hears_host: true });
        let (_, mut to_owner, _) = page.open(Visit { owner: true, hears_host: true });
        let (_, mut to_other, _) = page.open(Visit::default());
        page.set_waiting(1);
        page.set_waiting(0);
        let guest =
            [r#"{"type":"host","owner":false,"waiting":1}"#, r#"{"type":"host","owner":false,"waiting":0}"#];
        assert_eq!(got(&mut to_guest), guest);
        assert_eq!(got(&mut to_owner), guest.map(|frame| frame.replace("false", "true")));
        assert_eq!(got(&mut to_other), [""; 0]);
    }

    #[test]
    fn a_browser_that_does_not_read_is_cut_off() {
        let page = page();
        let (_, frames, cut_off) = page.open(Visit::default());
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
