//! Tests of strangers on a channel that cannot tell them a code, such as a webhook: their messages are not lost.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::{
    harness::{Home, Server, bare_chameleon, http},
    pairing::eventually,
    person::Person,
};

const EVENT: &str = "notifications/claude/channel";

/// The limit in [`tidegate::journal`].
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
    post_from(port, "s", text);
}

fn post_from(port: u16, sender: &str, text: &str) {
    assert_eq!(http(port, "POST", &format!("/hook?from={sender}"), &[], text.as_bytes()).status, 200);
}

/// Runs the command as a person at a terminal; returns the output.
fn access(home: &Home, arguments: &[&str]) -> String {
    let output = home.at_terminal(["access", "chameleon"].iter().chain(arguments));
    assert!(output.status.success(), "{}", output.stderr);
    output.stdout
}

fn let_in(home: &Home) {
    access(home, &["allow", "s"]);
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
    let text = access(&home, &["allow", "s"]);
    assert!(text.contains("No channel has run under the name chameleon yet"), "{text}");
    let (mut server, port) = serve(&home, &mute(&home));
    post(port, "hello");
    assert_eq!(server.content(), "hello");
    // A name that is only misspelled is no new channel.
    let output = home.at_terminal(["access", "fakechta", "allow", "s"]);
    assert!(
        !output.status.success() && output.stderr.contains("did you mean \"fakechat\"?"),
        "{}",
        output.stderr
    );
    assert!(!home.path().join("fakechta").exists());
    // One that is close to another may be meant.
    let output = home.at_terminal_saying(["access", "chameleom", "allow", "s"], "no\n");
    assert!(
        !output.status.success() && output.stdout.contains("did you mean \"chameleon\"?"),
        "{}",
        output.stdout
    );
    assert!(!home.path().join("chameleom").exists());
    let output = home.at_terminal_saying(["access", "chameleom", "allow", "s"], "yes\n");
    assert!(output.status.success(), "{}", output.stderr);
    // To look makes nothing either.
    let output = home.at_terminal(["access", "somebody-elses"]);
    assert!(!output.status.success() && !home.path().join("somebody-elses").exists());
}

#[test]
fn whoever_writes_on_the_page_is_the_person_who_tries_the_channel() {
    let home = Home::new();
    let file = mute(&home);
    let person = Person::start(&home, ["try".as_ref(), "--load".as_ref(), file.as_os_str()]);
    post(person.port(), "hello there");
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

/// A trial does not use events that wait for the session.
#[test]
fn what_waits_is_not_released_by_who_counts_as_the_person() {
    let home = Home::new();
    let file = mute(&home);
    let (mut server, port) = serve(&home, &file);
    post(port, "for the session");
    server.log("goes nowhere");
    server.close_stdin();
    server.end();
    let mut person = Person::start(&home, ["try".as_ref(), "--load".as_ref(), file.as_os_str()]);
    let port = person.port();
    post(port, "hello there");
    person.see("hello there");
    // Under the rules that count this visitor as the person, the intake first looks at what waits.
    post(port, "and another");
    person.see("and another");
    person.miss("for the session");
    person.enter("/quit");
    assert!(person.end().success());
    eventually("the end", || Server::owner(&home, "chameleon").is_none());
    let_in(&home);
    let (mut server, _) = serve(&home, &file);
    assert_eq!(server.content(), "for the session");
    server.no_event();
}

#[test]
fn a_crowd_takes_nobodys_place() {
    let home = Home::new();
    let (mut server, port) = serve(&home, &mute(&home));
    post(port, "an honest one");
    for number in 0..2 * WAIT {
        post_from(port, "flood", &format!("flood {number}"));
    }
    server.log("went away, because no more can wait");
    let status = home.run(["status", "chameleon"], "").stdout;
    let line = status.lines().find(|line| line.contains("from s (S)")).unwrap();
    assert!(
        line.contains("1 event waits") && line.contains("run `tidegate access chameleon allow s`"),
        "{status}"
    );
    let doctor = home.run(["doctor", "chameleon"], "").stdout;
    assert!(doctor.contains(&format!("{WAIT} events wait for your decision")), "{doctor}");
    let_in(&home);
    assert_eq!(server.content(), "an honest one");
    server.no_event();
}

#[test]
fn who_is_turned_down_waits_no_more() {
    let home = Home::new();
    let (mut server, port) = serve(&home, &mute(&home));
    post(port, "one");
    post(port, "two");
    post_from(port, "eve", "three");
    server.log("goes nowhere");
    let text = access(&home, &["deny", "s"]);
    assert!(text.contains("s is turned down: 2 events that waited went away"), "{text}");
    let status = home.run(["status", "chameleon", "--json"], "").stdout;
    let status: Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status[0]["waiting"][0]["sender"]["id"], "eve", "{status}");
    let_in(&home);
    access(&home, &["allow", "eve"]);
    assert_eq!(server.content(), "three");
    // What waits is forgotten like all else.
    post_from(port, "mallory", "four");
    eventually("the fourth", || home.run(["status", "chameleon"], "").stdout.contains("from mallory"));
    let forgotten = home.run(["forget", "chameleon", "--sender", "mallory", "--yes"], "");
    assert!(forgotten.stdout.contains("1 message,"), "{}{}", forgotten.stdout, forgotten.stderr);
}

/// Waiting events come before new ones, even if those follow at once, and do not count against the sender's limits.
#[test]
fn what_has_waited_comes_before_what_follows() {
    let home = Home::new();
    home.settings("[chameleon]\nmessages_per_minute = 3\n");
    let (mut server, port) = serve(&home, &mute(&home));
    for number in 0..5 {
        post(port, &format!("update {number}"));
    }
    let_in(&home);
    for number in 5..8 {
        post(port, &format!("update {number}"));
    }
    for number in 0..8 {
        assert_eq!(server.content(), format!("update {number}"));
    }
    server.no_event();
}

/// A policy that hears no one decides about no sender.
#[test]
fn what_waits_outlives_a_policy() {
    let home = Home::new();
    let (mut server, port) = serve(&home, &mute(&home));
    post(port, "an update");
    server.log("goes nowhere");
    access(&home, &["policy", "disabled"]);
    // Judged by the new rules as well.
    post(port, "another");
    server.log("dmPolicy is disabled");
    access(&home, &["policy", "pairing"]);
    let_in(&home);
    assert_eq!(server.content(), "an update");
    server.no_event();
}

#[test]
fn an_id_is_no_command() {
    let home = Home::new();
    let (mut server, port) = serve(&home, &mute(&home));
    let id = "x$(touch${IFS}PWNED)";
    post_from(port, id, "one");
    let line = server.log("goes nowhere");
    assert!(line.contains(&format!("run `tidegate access chameleon allow '{id}'`")), "{line}");
    post_from(port, "--home=elsewhere", "two");
    post_from(port, "xavier", "three");
    server.log("xavier");
    eventually("the refusals", || home.run(["status", "chameleon"], "").stdout.contains("xavier"));
    let mut complete = home.command(["--", "tidegate", "access", "chameleon", "allow", ""]);
    complete.env("TIDEGATE_COMPLETE", "bash").env("_CLAP_COMPLETE_INDEX", "4").env("_CLAP_IFS", "\n");
    complete.env("_CLAP_COMPLETE_COMP_TYPE", "9").env("_CLAP_COMPLETE_SPACE", "false");
    let output = complete.output().unwrap();
    let offered = String::from_utf8(output.stdout).unwrap();
    assert!(offered.lines().any(|word| word == "xavier"), "{offered}");
    assert!(!offered.contains("PWNED") && !offered.contains("elsewhere"), "{offered}");
}

/// Pages of other sites can make a browser send a GET, without an origin.
#[test]
fn a_get_brings_no_event() {
    let home = Home::new();
    let (mut server, port) = serve(&home, &mute(&home));
    let_in(&home);
    let response = http(port, "GET", "/form", &[], b"");
    assert!(response.status == 405 && response.text().contains("Use POST"), "{}", response.text());
    server.log("GET /form brought an event, and was refused: use POST");
    let image =
        [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "no-cors"), ("Sec-Fetch-Dest", "image")];
    assert_eq!(http(port, "GET", "/", &image, b"").status, 403);
    assert_eq!(http(port, "POST", "/hook", &image, b"forged").status, 403);
    let link =
        [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document")];
    assert_eq!(http(port, "GET", "/", &link, b"").status, 200);
    post(port, "mine");
    assert_eq!(server.content(), "mine");
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
