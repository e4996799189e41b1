//! Finds, among the client's logs of a project, the one of this server's own connection.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use super::{
    Query,
    line::{self, Entry, Line},
    place::{self, Place},
    tail::{Tail, Unfit},
    watch::Watch,
};

/// A file that was last written so long before this server started has nothing of it. Clocks of file systems may be
/// a little behind.
const EARLIER: Duration = Duration::from_secs(5);

/// Files that are looked at, at most: a session has some servers, a project some sessions at a time.
const FILES: usize = 256;

/// The files that may be the one, and how far each was read.
#[derive(Debug, Default)]
pub(super) struct Search {
    candidates: HashMap<PathBuf, Option<Candidate>>,
}

#[derive(Debug)]
struct Candidate {
    tail: Tail,
    connection: Connection,
}

/// A log of this server's connection, to be followed from here on.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) path: PathBuf,
    pub(super) tail: Tail,
    pub(super) connection: Connection,
    /// What it told already.
    pub(super) words: Vec<Word>,
}

/// What the client says about this server's own connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// It takes channel messages.
    Registered,
    /// It does not, for this reason.
    Skipped(String),
    /// It has taken so many more messages.
    Receipts(u64),
}

/// Which connection the lines of a file are about, as far as they have been read.
#[derive(Debug)]
pub(super) struct Connection {
    /// The file lies in a folder that has this server's name.
    named: bool,
    whose: Whose,
    /// The client takes messages of this connection.
    registered: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    /// Nothing tells yet.
    Unknown,
    /// Folder and session are this server's. Another process with the same two would be mistaken for it where the
    /// client does not say what servers call themselves.
    Likely,
    /// It answered the handshake with this server's own version.
    Own,
    /// It answered with another.
    Other,
}

impl Connection {
    fn new(named: bool) -> Self {
        Self { named, whose: Whose::Unknown, registered: false }
    }

    pub(super) fn is_own(&self) -> bool {
        matches!(self.whose, Whose::Own | Whose::Likely)
    }

    /// What a line tells about this server's connection.
    pub(super) fn read(&mut self, query: &Query, line: &[u8]) -> Option<Word> {
        if self.registered && self.is_own() && line::is_receipt(line) {
            return Some(Word::Receipts(1));
        }
        let Line { entry, at, session } = Line::parse(line)?;
        // What was written before this process began is about its predecessors.
        if *at < *query.since {
            return None;
        }
        match &entry {
            Entry::Starting => *self = Self::new(self.named),
            Entry::Connected(Some(server)) if *server == query.server => self.whose = Whose::Own,
            Entry::Connected(Some(_)) => self.whose = Whose::Other,
            Entry::Registered | Entry::Skipped(_) if self.whose == Whose::Unknown => {
                // A server that started later than the client was asked may not see its first lines.
                let session = query.session.as_ref().is_none_or(|own| *own == session);
                if self.named && session {
                    self.whose = Whose::Likely;
                }
            }
            _ => {}
        }
        if !self.is_own() {
            return None;
        }
        match entry {
            Entry::Registered => {
                self.registered = true;
                Some(Word::Registered)
            }
            Entry::Skipped(reason) => {
                self.registered = false;
                Some(Word::Skipped(reason))
            }
            Entry::Receipt if self.registered => Some(Word::Receipts(1)),
            _ => None,
        }
    }
}

/// Reads what was added to a file of this server's.
pub(super) fn read(
    query: &Query,
    tail: &mut Tail,
    connection: &mut Connection,
) -> std::io::Result<Vec<Word>> {
    let mut words = Vec::new();
    tail.read(|line| match (connection.read(query, line), words.last_mut()) {
        (Some(Word::Receipts(more)), Some(Word::Receipts(count))) => *count += more,
        (Some(other), _) => words.push(other),
        (None, _) => {}
    })?;
    Ok(words)
}

impl Search {
    /// Looks at everything that has changed since the last time, and has folders watched that may bring more.
    pub(super) fn look(&mut self, query: &Query, watch: &mut Watch) -> Option<Found> {
        for place in &query.places {
            watch.add(&place.root);
            for project in folders(&place.root, |name| place.is_project(name)) {
                watch.add(&project);
                for server in folders(&project, place::is_server) {
                    watch.add(&server);
                    if let Some(found) = self.look_into(query, &server) {
                        return Some(found);
                    }
                }
            }
        }
        None
    }

    fn look_into(&mut self, query: &Query, folder: &Path) -> Option<Found> {
        let name = folder.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        let named = query.names.iter().any(|server| place::is_named(&name, server));
        for path in recent(folder, query.began) {
            if !self.candidates.contains_key(&path) {
                if self.candidates.len() >= FILES {
                    continue;
                }
                let candidate = open(&path, named);
                self.candidates.insert(path.clone(), candidate);
            }
            let Some(Some(candidate)) = self.candidates.get_mut(&path) else { continue };
            let read = read(query, &mut candidate.tail, &mut candidate.connection);
            let words = read.unwrap_or_else(|error| {
                tracing::debug!("the client's log {} cannot be read: {error}", path.display());
                Vec::new()
            });
            if !words.is_empty()
                && let Some(Candidate { tail, connection }) = self.candidates.remove(&path).flatten()
            {
                return Some(Found { path, tail, connection, words });
            }
        }
        None
    }
}

fn open(path: &Path, named: bool) -> Option<Candidate> {
    match Tail::open(path) {
        Ok(tail) => Some(Candidate { tail, connection: Connection::new(named) }),
        Err(unfit) => {
            // One that is missing has gone since it was listed.
            let missing = matches!(&unfit, Unfit::Io(error) if error.kind() == std::io::ErrorKind::NotFound);
            if named && !missing {
                tracing::warn!(
                    "Claude Code's log of this server is passed over: {}: {unfit}. Whether the session takes messages is \
                     judged by its command line instead",
                    path.display()
                );
            }
            None
        }
    }
}

fn folders(parent: &Path, wanted: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_name().to_str().is_some_and(&wanted))
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .collect()
}

/// The logs in a folder that were written to since then, or that cannot be asked.
fn recent(folder: &Path, since: SystemTime) -> Vec<PathBuf> {
    let earliest = since.checked_sub(EARLIER).unwrap_or(since);
    let is_recent = |entry: &fs::DirEntry| {
        let modified = entry.metadata().and_then(|metadata| metadata.modified());
        modified.map_or(true, |modified| modified >= earliest)
    };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.path().extension().is_some_and(|extension| extension == "jsonl"))
        .filter(is_recent)
        .map(|entry| entry.path())
        .collect()
}

impl Query {
    /// The folders of the projects that this server may have been started for.
    pub(super) fn places(caches: &[PathBuf], directories: &[PathBuf]) -> Vec<Place> {
        let mut places = Vec::new();
        for caches in caches {
            for directory in directories {
                let place = Place::new(caches, directory);
                if !places.contains(&place) {
                    places.push(place);
                }
            }
        }
        places
    }
}
