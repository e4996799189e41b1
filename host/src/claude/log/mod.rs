//! Claude Code's own log of this server. It tells whether the session receives the server's messages, and which it has
//! processed.
//!
//! The protocol has no acknowledgements. But the client writes a log for each MCP server, with its decision on channel
//! messages and a line for each message that it processes. It flushes that log once a second.
//!
//! A connection is recognised by the version that the server sent in the handshake, which is unique to this process. If
//! the client does not log that version, the server's name and the session's id decide. All of this runs on a separate
//! thread: the files may be on a slow disk, and the message path must not wait for them.

mod line;
mod place;
mod search;
mod tail;
pub(in crate::claude) mod traits;
mod watch;

use std::{
    fs,
    io::ErrorKind,
    os::unix::fs::MetadataExt as _,
    path::Path,
    thread,
    time::{Duration, Instant, SystemTime},
};

use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

pub use self::{line::Receipt, search::Word, traits::Traits};
use self::{
    place::Place,
    search::{Connection, END, Found, Search},
    tail::{Tail, Unfit},
    watch::Watch,
};

/// A server counts as new for this long. Until then its log is looked for at least every `OFTEN`, then every `SELDOM`.
const NEW: Duration = Duration::from_secs(30);
const OFTEN: Duration = Duration::from_secs(1);
const SELDOM: Duration = Duration::from_mins(1);

/// Receipts are read in batches of this duration, because nothing waits for a single one.
const TOGETHER: Duration = Duration::from_millis(20);

/// The facts that identify a connection in the log.
#[derive(Clone, Debug)]
pub struct Query {
    /// The start of this process, in milliseconds since the Unix epoch. Earlier lines are about earlier processes.
    since: u64,
    began: SystemTime,
    /// The session's id, if the client has given it.
    session: Option<String>,
    /// Names that the server may have in the client's configuration.
    names: Vec<String>,
    /// True if a plugin configured the server.
    plugin: bool,
    /// The server as it introduces itself in the handshake: `NAME VERSION`.
    server: String,
    places: Vec<Place>,
}

impl Query {
    /// Creates a query for a connection that begins now.
    pub fn new(traits: Traits) -> Self {
        let Traits { names, plugin, server, session, caches, directories } = traits;
        Self {
            since: crate::clock::now(),
            began: SystemTime::now(),
            places: Self::places(&caches, &directories),
            session,
            names,
            plugin,
            server,
        }
    }
}

/// Follows the log on a thread, from when the log appears until the process ends or the receiver is dropped.
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
    let Found { path, tail, mut connection, mut words } = found;
    let mut tail = Some(tail);
    let mut unfit = false;
    let mut watch = Watch::new(TOGETHER * 10);
    loop {
        let only_receipts = words.iter().all(|word| matches!(word, Word::Receipts(_)));
        for word in words.drain(..) {
            if sender.send(word).is_err() {
                return;
            }
        }
        // A write before the folder was watched does not end the wait, so read once more after the folder is added.
        if !path.parent().is_some_and(|folder| watch.add(folder)) {
            if only_receipts {
                thread::sleep(TOGETHER);
            }
            watch.wait(SELDOM);
        }
        if sender.is_closed() {
            return;
        }
        let mut read =
            |tail: &mut Tail, connection: &mut Connection| match search::read(query, tail, connection) {
                Ok(read) => words.extend(read),
                Err(error) => tracing::debug!("the client's log {} cannot be read: {error}", path.display()),
            };
        if let Some(tail) = &mut tail {
            read(tail, &mut connection);
        }
        let identity = fs::symlink_metadata(&path).map(|metadata| (metadata.dev(), metadata.ino())).ok();
        if identity != tail.as_ref().map(Tail::identity) || tail.is_none() && identity.is_some() {
            // Drop the old file even if there is no new one: while a file is open, the system does not report the
            // removal of its folder.
            tail = reopen(&path, &mut unfit);
            connection.restart();
            if let Some(tail) = &mut tail {
                read(tail, &mut connection);
            }
        }
    }
}

/// Opens the file that has replaced the log. Warns the first time that the file exists but cannot be read.
fn reopen(path: &Path, unfit: &mut bool) -> Option<Tail> {
    match Tail::open(path, END) {
        Ok(tail) => {
            *unfit = false;
            Some(tail)
        }
        Err(Unfit::Io(error)) if error.kind() == ErrorKind::NotFound => None,
        Err(reason) => {
            if !std::mem::replace(unfit, true) {
                tracing::warn!(
                    "tidegate cannot read Claude Code's log of this server any more, {}: {reason}. Until it can, nothing \
                     tells which messages it has processed: some may come again after a restart",
                    path.display()
                );
            }
            None
        }
    }
}

fn find(query: &Query, sender: &UnboundedSender<Word>) -> Option<Found> {
    let (start, mut search, mut watch) = (Instant::now(), Search::default(), Watch::new(TOGETHER));
    loop {
        // A file that appears during the search ends the wait below at once.
        if let Some(found) = search.look(query, &mut watch) {
            return Some(found);
        }
        watch.wait(if start.elapsed() < NEW { OFTEN } else { SELDOM });
        if sender.is_closed() {
            return None;
        }
    }
}

#[cfg(test)]
mod tests;
