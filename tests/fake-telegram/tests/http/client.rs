//! A plain HTTP client.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    time::Duration,
};

use fake_telegram::Server;
use serde_json::Value;

/// An answer as it was received.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    /// Whether the body has its stated length.
    pub(crate) whole: bool,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&self.body)))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find_map(|(key, value)| key.eq_ignore_ascii_case(name).then_some(value))
    }
}

/// Sends one request on a new connection and reads until the end.
pub(crate) fn send(
    server: &Server,
    verb: &str,
    path: &str,
    content_type: &str,
    body: &[u8],
) -> io::Result<Answer> {
    let address = server.address();
    let mut stream = TcpStream::connect(address.strip_prefix("http://").unwrap())?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let head = format!(
        "{verb} {path} HTTP/1.1\r\nHost: fake\r\nConnection: close\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut answer = Answer {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        head,
        body: bytes.split_off(end + 4),
        whole: true,
    };
    if let Some(length) = answer.header("content-length") {
        answer.whole = answer.body.len() == length.parse::<usize>().unwrap();
    } else if answer.header("transfer-encoding") == Some("chunked") {
        answer.body = dechunked(&answer.body);
    }
    Ok(answer)
}

fn dechunked(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        let length = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
        body.extend_from_slice(&rest[end + 2..end + 2 + length]);
        rest = &rest[end + 2 + length + 2..];
    }
    body
}

/// Calls a method with JSON parameters.
pub(crate) fn call(server: &Server, method: &str, parameters: &Value) -> Answer {
    try_call(server, method, parameters).unwrap()
}

pub(crate) fn try_call(server: &Server, method: &str, parameters: &Value) -> io::Result<Answer> {
    let path = format!("/bot{}/{method}", server.token());
    send(server, "POST", &path, "application/json", parameters.to_string().as_bytes())
}

/// Returns the result of a call that must succeed.
pub(crate) fn result(server: &Server, method: &str, parameters: &Value) -> Value {
    let answer = call(server, method, parameters).json();
    assert_eq!(answer["ok"], true, "{method} {parameters}: {answer}");
    answer["result"].clone()
}

/// Returns the description of a refusal.
pub(crate) fn refusal(server: &Server, method: &str, parameters: &Value) -> String {
    let answer = call(server, method, parameters).json();
    assert_eq!(answer["ok"], false, "{method} {parameters}: {answer}");
    answer["description"].as_str().unwrap().to_owned()
}

/// Calls a method with parameters and files as a form: name of the field, name of the file, content.
pub(crate) fn upload(
    server: &Server,
    method: &str,
    parameters: &[(&str, &str)],
    files: &[(&str, &str, &[u8])],
) -> Answer {
    let mut body = Vec::new();
    for (name, value) in parameters {
        write!(body, "--sea\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").unwrap();
    }
    for (field, name, bytes) in files {
        write!(
            body,
            "--sea\r\nContent-Disposition: form-data; name=\"{field}\"; filename=\"{name}\"\r\n\r\n"
        )
        .unwrap();
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--sea--\r\n");
    let path = format!("/bot{}/{method}", server.token());
    send(server, "POST", &path, "multipart/form-data; boundary=sea", &body).unwrap()
}
