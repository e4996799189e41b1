//! Finds the log of this server's own connection among the client's logs of a project.

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

/// A file last written this long before this server started contains nothing about it. The tolerance is for the clocks
/// of file systems, which may be slightly behind.
const EARLIER: Duration = Duration::from_secs(5);

/// The largest number of files to look at in folders with other names than the server's: a session has several servers,
/// and a project has several sessions at a time.
const FILES: usize = 256;

/// The number of bytes to read from the end of a large file: lines about a server that has just started are there.
pub(super) const END: u64 = 4 << 20;
const END_OF_OTHERS: u64 = 256 << 10;

/// The candidate files, and how far each has been read.
#[derive(Debug, Default)]
pub(super) struct Search {
    candidates: HashMap<PathBuf, Candidate>,
    /// Paths that could not be read and were reported.
    reported: HashSet<PathBuf>,
}

#[derive(Debug)]
struct Candidate {
    tail: Tail,
    connection: Connection,
}

/// The log of this server's connection, ready to be followed.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) path: PathBuf,
    pub(super) tail: Tail,
    pub(super) connection: Connection,
    /// What the log has told so far.
    pub(super) words: Vec<Word>,
}

/// What the client says about this server's own connection. Times are in milliseconds since the Unix epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// The client receives channel messages from this time on.
    Registered {
        /// The time of the log line.
        at: u64,
    },
    /// The client does not receive channel messages.
    Skipped {
        /// The reason in the client's own words.
        reason: String,
    },
    /// The client has processed these messages.
    Receipts(Vec<Receipt>),
}

/// Which connection the lines of a file are about, judged by the lines read so far.
#[derive(Debug)]
pub(super) struct Connection {
    /// The file is in a folder that has this server's name.
    named: bool,
    whose: Whose,
    /// The client receives messages of this connection.
    registered: bool,
    /// The time of the latest line.
    latest: u64,
    /// Lines up to this time were already read, from a file that this one has replaced.
    read_before: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    /// The lines read so far do not tell.
    Unknown,
    /// The name and the session match this server, and the client does not log the version that servers introduce
    /// themselves with.
    Likely,
    /// The handshake was answered with this server's own version.
    Own,
    /// The handshake was answered with another version.
    Other,
}

impl Connection {
    fn new(named: bool) -> Self {
        Self { named, whose: Whose::Unknown, registered: false, latest: 0, read_before: 0 }
    }

    pub(super) fn is_own(&self) -> bool {
        matches!(self.whose, Whose::Own | Whose::Likely)
    }

    /// Prepares for a file that begins again, perhaps with a copy of lines that were already read.
    pub(super) fn restart(&mut self) {
        self.read_before = self.latest;
    }

    /// Returns what a line tells about this server's connection.
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
            // The client does not log which server answered. Fall back to the session and the name, and accept only a
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
        // A line that was already read still updates the state above, but is not reported again.
        self.is_news(query, at).then_some(told)
    }

    /// Returns true if a line of this time was written after this process started and is read for the first time.
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

/// Reads what was added to a file about this server.
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
    /// Looks at everything that has changed since the last call, and watches the folders where a log may appear.
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
        // The user may have given the server any name, so try the other folders too.
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
                    // The file was removed after it was listed.
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

    /// Warns once per path that it cannot be read.
    fn report(&mut self, path: &Path, reason: &dyn std::fmt::Display) {
        if self.reported.insert(path.to_owned()) {
            tracing::warn!(
                "tidegate cannot read Claude Code's log of this server, {}: {reason}. Until it can, Claude Code's command \
                 line tells whether the session receives messages",
                path.display()
            );
        }
    }

    /// Returns the folders in this one whose names are wanted. Returns an empty list if the parent does not exist.
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

/// Returns the logs in a folder that were written after this time, or whose modification time cannot be read.
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
    /// Returns the folders of the projects that this server may have been started for.
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
