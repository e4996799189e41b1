//! Finds the program that uses the port of a page.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    time::Duration,
};

use crate::process;

/// How long to wait for an answer. A tidegate answers within a millisecond.
const ANSWER: Duration = Duration::from_millis(500);

/// Returns `another tidegate (pid 7)`, `python3 (pid 7)`, or `another program` if nothing more is known. May wait for
/// an answer.
pub(super) fn holder(port: u16) -> String {
    let listener = process::listens_on(port);
    let what = match &listener {
        _ if is_tidegate(port) => "another tidegate",
        Some((_, name)) => name.as_str(),
        None => "another program",
    };
    match &listener {
        Some((pid, _)) => format!("{what} (pid {pid})"),
        None => what.to_owned(),
    }
}

/// Parses a port from the command line.
pub(super) fn number(text: &str) -> Result<u16, String> {
    text.parse().map_err(|_| "a port is a number from 0 to 65535".to_owned())
}

/// Sends the request that a page sends, and returns true if the answer is from a tidegate.
fn is_tidegate(port: u16) -> bool {
    let ask = || -> std::io::Result<bool> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut stream = TcpStream::connect_timeout(&address, ANSWER)?;
        stream.set_read_timeout(Some(ANSWER))?;
        stream.set_write_timeout(Some(ANSWER))?;
        let request = format!(
            "GET /.well-known/tidegate HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes())?;
        let mut answer = Vec::new();
        // The first 4096 bytes contain all that matters. An error in the middle of the answer is ignored.
        let _ = stream.take(4096).read_to_end(&mut answer);
        Ok(String::from_utf8_lossy(&answer).contains("{\"listening\":"))
    };
    ask().unwrap_or(false)
}
