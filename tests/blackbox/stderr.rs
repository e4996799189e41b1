//! Tests of standard error, which a client may leave unread.

use std::{io::Read as _, process::ChildStderr};

use crate::harness::{Home, Server, http};

/// Reads the next line of the log, and no byte more.
fn line(log: &mut ChildStderr) -> String {
    let (mut line, mut byte) = (Vec::new(), [0]);
    loop {
        log.read_exact(&mut byte).unwrap();
        if byte == *b"\n" {
            return String::from_utf8(line).unwrap();
        }
        line.extend(byte);
    }
}

/// Starts a server and reads its log up to the line with the page's port.
fn serve(home: &Home) -> (Server, ChildStderr, u16) {
    let command = home.command(["serve", "fakechat", "--port", "0", "--opt-in", "always"]);
    let (mut server, mut log) = Server::start_unread(command);
    rustix::pipe::fcntl_setpipe_size(&log, 4096).unwrap();
    server.initialize();
    loop {
        let line = line(&mut log);
        if let Some((_, port)) = line.split_once("fakechat: http://127.0.0.1:") {
            return (server, log, port.parse().unwrap());
        }
    }
}

/// Sends requests like those that a website can make a browser send: each is refused, and logged.
fn refused(port: u16, count: usize) {
    let path = format!("/{}", "x".repeat(30_000));
    let origin = format!("http://{}.example", "y".repeat(30_000));
    for _ in 0..count {
        assert_eq!(http(port, "GET", &path, &[("Origin", &origin)], b"").status, 403);
    }
}

#[test]
fn a_log_that_nobody_reads_stops_nothing_and_what_it_lacks_is_counted() {
    let home = Home::new();
    let (mut server, log, port) = serve(&home);
    // More than the pipe and what the program keeps for it can hold.
    let count = 1200;
    refused(port, count);
    assert_eq!(http(port, "GET", "/", &[], b"").status, 200);
    let (text, is_error) = server.reply("web", "still here");
    assert!(!is_error && text.starts_with("sent (id: "), "{text}");

    server.read_log(log);
    let line = server.log("refused GET");
    assert!(line.contains("/xxxx") && line.contains("yyyy") && line.len() < 600, "{line}");
    let dropped = server.log("were dropped here");
    let number: usize = dropped.trim().split(' ').nth(1).unwrap().parse().unwrap();
    assert!((1..count).contains(&number), "{dropped}");
    // From then on nothing is missing.
    http(port, "GET", "/last", &[("Origin", "http://evil.example")], b"");
    server.log("refused GET /last");
}

#[test]
fn a_program_whose_log_nobody_reads_ends_all_the_same() {
    let home = Home::new();
    let (mut server, _log, port) = serve(&home);
    refused(port, 100);
    server.close_stdin();
    let (status, _) = server.end();
    assert!(status.success(), "{status}");
}
