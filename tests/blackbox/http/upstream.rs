//! A platform's server that a test controls.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

/// A request that was received.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// `GET /path HTTP/1.1`
    pub(super) line: String,
    /// The headers, each in lower case up to its colon.
    pub(super) headers: Vec<String>,
    pub(super) body: Vec<u8>,
    /// The number of its connection, counted from 1.
    pub(super) connection: usize,
}

impl Seen {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim()))
    }

    pub(super) fn path(&self) -> &str {
        self.line.split(' ').nth(1).unwrap()
    }
}

/// A server that answers requests on its own port until the test ends.
pub(super) struct Upstream {
    pub(super) port: u16,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Upstream {
    /// Starts a server. `answer` writes the response; the connection stays open while it returns true.
    pub(super) fn new(answer: impl Fn(&Seen, &mut TcpStream) -> bool + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        let (answer, log) = (Arc::new(answer), Arc::clone(&seen));
        thread::spawn(move || {
            for (index, stream) in listener.incoming().enumerate() {
                let (answer, log) = (Arc::clone(&answer), Arc::clone(&log));
                thread::spawn(move || {
                    let mut writer = stream.unwrap();
                    let mut reader = BufReader::new(writer.try_clone().unwrap());
                    while let Some(seen) = read(&mut reader, index + 1) {
                        log.lock().unwrap().push(seen.clone());
                        if !answer(&seen, &mut writer) {
                            return;
                        }
                    }
                });
            }
        });
        Self { port, seen }
    }

    /// Starts a server that answers everything with 200 and this body.
    pub(super) fn saying(body: &'static str) -> Self {
        Self::new(move |_, stream| respond(stream, "200 OK", &[], body.as_bytes()))
    }

    /// Starts a server that redirects everything with this status to this address.
    pub(super) fn redirecting(status: &'static str, location: String) -> Self {
        Self::new(move |_, stream| respond(stream, status, &[&format!("Location: {location}")], b""))
    }

    pub(super) fn origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin())
    }

    /// Returns all requests so far.
    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(super) fn last(&self) -> Seen {
        self.seen().pop().expect("nothing has arrived")
    }
}

/// Writes a whole response. Returns true on success.
pub(super) fn respond(stream: &mut TcpStream, status: &str, headers: &[&str], body: &[u8]) -> bool {
    let length = format!("Content-Length: {}", body.len());
    let lines: Vec<&str> = [&length].into_iter().map(String::as_str).chain(headers.iter().copied()).collect();
    let head = format!("HTTP/1.1 {status}\r\n{}\r\n\r\n", lines.join("\r\n"));
    stream.write_all(&[head.as_bytes(), body].concat()).is_ok()
}

fn read(reader: &mut BufReader<TcpStream>, connection: usize) -> Option<Seen> {
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|length| *length > 0)?;
        Some(line.trim_end().to_owned())
    };
    let first = line()?;
    let mut headers = Vec::new();
    loop {
        let text = line()?;
        if text.is_empty() {
            break;
        }
        let (name, value) = text.split_once(':').unwrap();
        headers.push(format!("{}:{value}", name.to_lowercase()));
    }
    let mut seen = Seen { line: first, headers, body: Vec::new(), connection };
    assert_eq!(seen.header("transfer-encoding"), None, "lengths are known");
    if let Some(length) = seen.header("content-length") {
        seen.body = vec![0; length.parse().unwrap()];
        reader.read_exact(&mut seen.body).ok()?;
    }
    Some(seen)
}
