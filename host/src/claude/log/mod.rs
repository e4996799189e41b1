//! Claude Code's own log of this server: whether the session takes its messages, and which it has taken.
//!
//! The protocol acknowledges nothing. But the client writes, for each MCP server, a log with its verdict on channel
//! messages and a line for each message that it takes. It writes what has collected once a second.
//!
//! A connection is recognised by the version that the server gave in the handshake, which is this process's alone,
//! or else by the server's name and the session's id. All of it happens on a thread of its own: the files may lie on a
//! slow disk, and nothing on the message path waits for them.

mod line;
mod place;
mod search;
mod tail;
pub(in crate::claude) mod traits;
mod watch;

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::Path,
    thread,
    time::{Duration, Instant, SystemTime},
};

use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use self::{
    place::Place,
    search::{Found, Search},
    tail::Tail,
    watch::Watch,
};
pub use self::{search::Word, traits::Traits};

/// How long a server is new: until then its log is looked for at least so often, afterwards seldom.
const NEW: Duration = Duration::from_secs(30);
const OFTEN: Duration = Duration::from_secs(1);
const SELDOM: Duration = Duration::from_mins(1);

/// Receipts are read together: nothing waits for one of them.
const TOGETHER: Duration = Duration::from_millis(20);

/// What a connection is recognised by.
#[derive(Clone, Debug)]
pub struct Query {
    /// Earlier lines are about earlier processes. As the client writes times.
    since: String,
    began: SystemTime,
    /// The session, if the client has told it.
    session: Option<String>,
    /// Names that the server may have in the client's configuration.
    names: Vec<String>,
    /// As it introduces itself in the handshake: `NAME VERSION`.
    server: String,
    places: Vec<Place>,
}

impl Query {
    /// For a connection that begins now.
    pub fn new(traits: Traits) -> Self {
        let Traits { names, server, session, caches, directories } = traits;
        Self {
            since: crate::clock::iso(crate::clock::now()),
            began: SystemTime::now(),
            places: Self::places(&caches, &directories),
            session,
            names,
            server,
        }
    }
}

/// Follows the log on a thread, from when it appears to the end of the process or of the receiver.
pub fn follow(query: Query) -> UnboundedReceiver<Word> {
    let (sender, words) = mpsc::unbounded_channel();
    let thread = thread::Builder::new().name("client-log".into()).stack_size(256 << 10);
    if let Err(error) = thread.spawn(move || run(&query, &sender)) {
        tracing::warn!("Claude Code's log of this server is not read: {error}");
    }
    words
}

fn run(query: &Query, sender: &UnboundedSender<Word>) {
    let Some(found) = find(query, sender) else { return };
    tracing::debug!("the client's log of this server is {}", found.path.display());
    let Found { path, mut tail, mut connection, words } = found;
    let mut watch = Watch::new(TOGETHER * 10);
    if let Some(folder) = path.parent() {
        watch.add(folder);
    }
    let mut words = words;
    loop {
        let only_receipts = words.iter().all(|word| matches!(word, Word::Receipts(_)));
        for word in words.drain(..) {
            if sender.send(word).is_err() {
                return;
            }
        }
        if only_receipts {
            thread::sleep(TOGETHER);
        }
        watch.wait(SELDOM);
        if sender.is_closed() {
            return;
        }
        if let Some(replaced) = replaced(&path, &tail) {
            tail = replaced;
        }
        match search::read(query, &mut tail, &mut connection) {
            Ok(read) => words = read,
            Err(error) => tracing::debug!("the client's log {} cannot be read: {error}", path.display()),
        }
    }
}

fn find(query: &Query, sender: &UnboundedSender<Word>) -> Option<Found> {
    let (start, mut search, mut watch) = (Instant::now(), Search::default(), Watch::new(TOGETHER));
    loop {
        // What appears while it looks ends the wait at once.
        if let Some(found) = search.look(query, &mut watch) {
            return Some(found);
        }
        watch.wait(if start.elapsed() < NEW { OFTEN } else { SELDOM });
        if sender.is_closed() {
            return None;
        }
    }
}

/// A file that took the place of the one that is being read.
fn replaced(path: &Path, tail: &Tail) -> Option<Tail> {
    let metadata = fs::symlink_metadata(path).ok()?;
    if (metadata.dev(), metadata.ino()) == tail.identity() {
        return None;
    }
    Tail::open(path).ok()
}

#[cfg(test)]
mod tests;
