//! Finds, among the client's logs of a project, the one of this server's own connection.

use std::{
    collections::{HashMap, HashSet},
    fs,
    io::{self, ErrorKind},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use super::{
    Query,
    line::{Entry, Line, Receipt},
    place::{self, Place},
    tail::{Tail, Unfit},
    watch::Watch,
};

/// A file that was last written so long before this server started has nothing of it. Clocks of file systems may be
/// a little behind.
const EARLIER: Duration = Duration::from_secs(5);

/// Files in folders of other names that are looked at, at most: a session has some servers, a project some sessions at a
/// time.
const FILES: usize = 256;

/// Of a large file only the end is read: what concerns a server that has just started is there. In bytes.
pub(super) const END: u64 = 4 << 20;
const END_OF_OTHERS: u64 = 256 << 10;

/// The files that may be the one, and how far each was read.
#[derive(Debug, Default)]
pub(super) struct Search {
    candidates: HashMap<PathBuf, Candidate>,
    /// What could not be read, and was reported.
    reported: HashSet<PathBuf>,
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

/// What the client says about this server's own connection. Times are in milliseconds since the Unix epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// From this time on it receives channel messages.
    Registered {
        /// When it wrote that.
        at: u64,
    },
    /// It does not receive them.
    Skipped {
        /// Why, in its own words.
        reason: String,
    },
    /// It has processed these messages.
    Receipts(Vec<Receipt>),
}

/// Which connection the lines of a file are about, as far as they have been read.
#[derive(Debug)]
pub(super) struct Connection {
    /// The file lies in a folder that has this server's name.
    named: bool,
    whose: Whose,
    /// The client receives messages of this connection.
    registered: bool,
    /// The time of the latest line.
    latest: u64,
    /// Lines up to this time were read before, from a file that this one has replaced.
    read_before: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    /// Nothing tells yet.
    Unknown,
    /// Name and session are this server's, and the client does not say what servers call themselves.
    Likely,
    /// The server answered the handshake with this server's own version.
    Own,
    /// It answered with another.
    Other,
}

impl Connection {
    fn new(named: bool) -> Self {
        Self { named, whose: Whose::Unknown, registered: false, latest: 0, read_before: 0 }
    }

    pub(super) fn is_own(&self) -> bool {
        matches!(self.whose, Whose::Own | Whose::Likely)
    }

    /// The file begins anew, perhaps with a copy of what was read already.
    pub(super) fn restart(&mut self) {
        self.read_before = self.latest;
    }

    /// What a line tells about this server's connection.
    fn read(&mut self, query: &Query, line: &[u8]) -> Option<Told> {
        if self.registered
            && self.is_own()
            && let Some(receipt) = Receipt::parse(line)
        {
            return self.is_news(query, receipt.at).then_some(Told::Receipt(receipt));
        }
        let Line { entry, at, session } = Line::parse(line)?;
        match &entry {
            Entry::Starting => (self.whose, self.registered) = (Whose::Unknown, false),
            Entry::Connected(Some(server)) if *server == query.server => self.whose = Whose::Own,
            // A client that does not say which server answered: then its session and name have to do, and only for a
            // handshake that is not older than this process.
            Entry::Connected(None)
                if self.named && at >= query.since && query.session.as_ref() == Some(&session) =>
            {
                self.whose = Whose::Likely;
            }
            Entry::Connected(_) => self.whose = Whose::Other,
            _ => {}
        }
        if !self.is_own() || at < query.since {
            return None;
        }
        let told = match entry {
            Entry::Registered => {
                self.registered = true;
                Told::Word(Word::Registered { at })
            }
            Entry::Skipped(reason) => {
                self.registered = false;
                Told::Word(Word::Skipped { reason })
            }
            Entry::Receipt(length) if self.registered => Told::Receipt(Receipt { at, length }),
            _ => return None,
        };
        // What was read before still tells how things are.
        self.is_news(query, at).then_some(told)
    }

    /// Whether a line of this time was written since this process began, and is read for the first time.
    fn is_news(&mut self, query: &Query, at: u64) -> bool {
        self.latest = self.latest.max(at);
        at >= query.since && at > self.read_before
    }
}

/// What one line tells.
enum Told {
    Word(Word),
    Receipt(Receipt),
}

/// Reads what was added to a file of this server's.
pub(super) fn read(query: &Query, tail: &mut Tail, connection: &mut Connection) -> io::Result<Vec<Word>> {
    if tail.was_cut()? {
        connection.restart();
    }
    let mut words = Vec::new();
    tail.read(|line| match (connection.read(query, line), words.last_mut()) {
        (Some(Told::Receipt(receipt)), Some(Word::Receipts(receipts))) => receipts.push(receipt),
        (Some(Told::Receipt(receipt)), _) => words.push(Word::Receipts(vec![receipt])),
        (Some(Told::Word(word)), _) => words.push(word),
        (None, _) => {}
    })?;
    Ok(words)
}

impl Search {
    /// Looks at everything that has changed since the last time, and has folders watched that may bring more.
    pub(super) fn look(&mut self, query: &Query, watch: &mut Watch) -> Option<Found> {
        self.candidates.retain(|path, _| path.exists());
        let mut others = Vec::new();
        for place in &query.places {
            watch.add(&place.root);
            for project in self.folders(&place.root, |name| place.is_project(name)) {
                watch.add(&project);
                for server in self.folders(&project, place::is_server) {
                    watch.add(&server);
                    let name = server.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
                    if !query.names.iter().any(|own| place::is_named(&name, own, true)) {
                        others.push(server);
                    } else if let Some(found) = self.look_into(query, &server, true) {
                        return Some(found);
                    }
                }
            }
        }
        // The user may have called the server anything.
        others.iter().find_map(|server| self.look_into(query, server, false))
    }

    fn look_into(&mut self, query: &Query, folder: &Path, named: bool) -> Option<Found> {
        let name = folder.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        let likely = query.names.iter().any(|own| place::is_named(&name, own, query.plugin));
        let paths = match recent(folder, query.began) {
            Ok(paths) => paths,
            Err(error) if named => {
                self.report(folder, &error);
                return None;
            }
            Err(_) => return None,
        };
        for path in paths {
            let replaced = |candidate: &Candidate| {
                fs::symlink_metadata(&path)
                    .is_ok_and(|metadata| (metadata.dev(), metadata.ino()) != candidate.tail.identity())
            };
            if self.candidates.get(&path).is_some_and(replaced) {
                self.candidates.remove(&path);
            }
            if !self.candidates.contains_key(&path) {
                if !named && self.candidates.len() >= FILES {
                    continue;
                }
                match Tail::open(&path, if named { END } else { END_OF_OTHERS }) {
                    Ok(tail) => {
                        let connection = Connection::new(likely);
                        self.candidates.insert(path.clone(), Candidate { tail, connection });
                    }
                    // It has gone since it was listed.
                    Err(Unfit::Io(error)) if error.kind() == ErrorKind::NotFound => {}
                    Err(unfit) if named => self.report(&path, &unfit),
                    Err(_) => {}
                }
            }
            let Some(candidate) = self.candidates.get_mut(&path) else { continue };
            let words = match read(query, &mut candidate.tail, &mut candidate.connection) {
                Ok(words) => words,
                Err(error) => {
                    self.report(&path, &error);
                    continue;
                }
            };
            if !words.is_empty()
                && let Some(Candidate { tail, connection }) = self.candidates.remove(&path)
            {
                return Some(Found { path, tail, connection, words });
            }
        }
        None
    }

    /// Says once that something cannot be read.
    fn report(&mut self, path: &Path, reason: &dyn std::fmt::Display) {
        if self.reported.insert(path.to_owned()) {
            tracing::warn!(
                "tidegate cannot read Claude Code's log of this server, {}: {reason}. Until it can, Claude Code's command \
                 line tells whether the session receives messages",
                path.display()
            );
        }
    }

    /// The folders in this one that are wanted. One that is missing has none.
    fn folders(&mut self, parent: &Path, wanted: impl Fn(&str) -> bool) -> Vec<PathBuf> {
        let entries = match fs::read_dir(parent) {
            Ok(entries) => entries,
            Err(error) => {
                if !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) {
                    self.report(parent, &error);
                }
                return Vec::new();
            }
        };
        entries
            .flatten()
            .filter(|entry| entry.file_name().to_str().is_some_and(&wanted))
            .map(|entry| entry.path())
            .filter(|path| path.is_dir())
            .collect()
    }
}

/// The logs in a folder that were written to since then, or that cannot be asked.
fn recent(folder: &Path, since: SystemTime) -> io::Result<Vec<PathBuf>> {
    let earliest = since.checked_sub(EARLIER).unwrap_or(since);
    let is_recent = |entry: &fs::DirEntry| {
        let modified = entry.metadata().and_then(|metadata| metadata.modified());
        modified.map_or(true, |modified| modified >= earliest)
    };
    Ok(fs::read_dir(folder)?
        .flatten()
        .filter(|entry| entry.path().extension().is_some_and(|extension| extension == "jsonl"))
        .filter(is_recent)
        .map(|entry| entry.path())
        .collect())
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
