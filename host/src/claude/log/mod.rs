//! Claude Code's own log of this server: whether the session receives its messages, and which it has processed.
//!
//! The protocol acknowledges nothing. But the client writes, for each MCP server, a log with its verdict on channel
//! messages and a line for each message that it processes. It writes what has collected once a second.
//!
//! A connection is recognised by the version that the server gave in the handshake, which no other process has. Where
//! the client does not write that version, the server's name and the session's id decide. All of it happens on a thread
//! of its own: the files may lie on a slow disk, and nothing on the message path waits for them.

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

/// How long a server is new: until then its log is looked for at least so often, afterwards seldom.
const NEW: Duration = Duration::from_secs(30);
const OFTEN: Duration = Duration::from_secs(1);
const SELDOM: Duration = Duration::from_mins(1);

/// Receipts are read together: nothing waits for one of them.
const TOGETHER: Duration = Duration::from_millis(20);

/// What a connection is recognised by.
#[derive(Clone, Debug)]
pub struct Query {
    /// Earlier lines are about earlier processes. In milliseconds since the Unix epoch.
    since: u64,
    began: SystemTime,
    /// The session, if the client has told it.
    session: Option<String>,
    /// Names that the server may have in the client's configuration.
    names: Vec<String>,
    /// A plugin has brought the server.
    plugin: bool,
    /// As it introduces itself in the handshake: `NAME VERSION`.
    server: String,
    places: Vec<Place>,
}

impl Query {
    /// For a connection that begins now.
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
        // What was written before the folder is watched ends no wait.
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
            // Closed even where nothing takes its place: an open file keeps the system from telling that its folder goes.
            tail = reopen(&path, &mut unfit);
            connection.restart();
            if let Some(tail) = &mut tail {
                read(tail, &mut connection);
            }
        }
    }
}

/// Opens what has taken the place of the log. The first time that it cannot be read, that is said.
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

#[cfg(test)]
mod tests;
