//! Strangers on a channel that cannot tell them a code, such as a webhook: nothing of theirs vanishes.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::{
    harness::{Home, Server, bare_chameleon, http},
    pairing::eventually,
    person::Person,
};

const EVENT: &str = "notifications/claude/channel";

/// As [`tidegate::journal`] has it.
const WAIT: usize = 64;

fn mute(home: &Home) -> PathBuf {
    bare_chameleon(home, "mute")
}

fn serve(home: &Home, file: &Path) -> (Server, u16) {
    let mut server = home.serve(["--load".as_ref(), file.as_os_str()]);
    let port = server.port("chameleon");
    (server, port)
}

fn post(port: u16, text: &str) {
    assert_eq!(http(port, "POST", "/hook", &[], text.as_bytes()).status, 200);
}

fn let_in(home: &Home) {
    let output = home.at_terminal(["access", "chameleon", "allow", "s"]);
    assert!(output.status.success(), "{}", output.stdout);
}

#[test]
fn what_a_stranger_has_written_reaches_the_session_once_they_are_let_in() {
    let home = Home::new();
    let (mut server, port) = serve(&home, &mute(&home));
    for number in 0..WAIT + 3 {
        post(port, &format!("update {number}"));
    }
    // One that comes again is the same.
    post(port, &format!("update {}", WAIT + 2));
    let line = server.log("goes nowhere");
    assert!(line.contains("run `tidegate access chameleon allow s`"), "{line}");
    server.no_event();
    let_in(&home);
    // The newest that fit, in order.
    for number in 3..WAIT + 3 {
        assert_eq!(server.content(), format!("update {number}"));
    }
    post(port, "update 0");
    assert_eq!(server.content(), "update 0");
    post(port, "the next");
    assert_eq!(server.content(), "the next");
    server.no_event();
}

#[test]
fn it_waits_over_a_kill() {
    let home = Home::new();
    let file = mute(&home);
    let (mut server, port) = serve(&home, &file);
    post(port, "an update");
    server.log("goes nowhere");
    server.kill();
    let_in(&home);
    let (mut server, _) = serve(&home, &file);
    assert_eq!(server.content(), "an update");
    server.no_event();
}

#[test]
fn somebody_can_be_let_in_before_the_channel_has_ever_run() {
    let home = Home::new();
    let_in(&home);
    let (mut server, port) = serve(&home, &mute(&home));
    post(port, "hello");
    assert_eq!(server.content(), "hello");
    // A name that is only misspelled is no new channel.
    let output = home.at_terminal(["access", "fakechta", "allow", "s"]);
    assert!(!output.status.success());
    assert!(!home.path().join("fakechta").exists());
}

#[test]
fn whoever_writes_on_the_page_is_the_person_who_tries_the_channel() {
    let home = Home::new();
    let file = mute(&home);
    let person = Person::start(&home, ["try".as_ref(), "--load".as_ref(), file.as_os_str()]);
    let screen = person.see("http://127.0.0.1:");
    let (_, rest) = screen.split_once("http://127.0.0.1:").unwrap();
    let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
    post(port.parse().unwrap(), "hello there");
    person.see("hello there");
    let screen = person.see("counts as you");
    assert!(screen.replace('\n', " ").contains("tidegate access chameleon allow s"), "{screen}");
    // It holds as long as the trial, and in no file.
    assert!(!home.path().join("chameleon/access.json").exists());
    drop(person);
    eventually("the end", || Server::owner(&home, "chameleon").is_none());
    let (mut server, port) = serve(&home, &file);
    post(port, "hello again");
    server.log("goes nowhere");
    let again = |event: &Value| event["params"]["content"] == "hello again";
    assert!(!server.arrived(EVENT).iter().any(again));
}

#[test]
fn a_failure_is_told_in_one_piece() {
    let home = Home::new();
    let (mut server, port) = serve(&home, &mute(&home));
    let response = http(port, "POST", "/trap", &[], b"");
    assert_eq!(response.status, 502);
    let text = response.text();
    assert!(text.contains("it crashed: panicked at tests/guests/chameleon/src/lib.rs:"), "{text}");
    assert!(text.contains(": as it was told") && !text.contains("unreachable"), "{text}");
    server.log("chameleon failed in `handle` (POST /trap): it crashed: panicked at tests/guests/chameleon/src/lib.rs:");
    server.log("what it said:");
    server.log("| panicked at tests/guests/chameleon/src/lib.rs:");
    server.log("| as it was told");
}
