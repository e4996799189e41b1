//! Tests of start and end.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    os::{fd::OwnedFd, unix::net::UnixStream},
    process::{Command, Stdio},
    time::Duration,
};

use rustix::process::Signal;
use serde_json::json;

use crate::harness::{Home, Server};

/// The time limit for an end. The protocol asks for 100 ms; a busy machine gets more.
const END: Duration = Duration::from_millis(500);

#[test]
fn it_ends_by_signal_and_by_end_of_input() {
    let home = Home::new();
    for signal in [Some(Signal::INT), Some(Signal::TERM), Some(Signal::HUP), None] {
        let mut server = home.serve(["fakechat"]);
        server.port("fakechat");
        match signal {
            Some(signal) => server.signal(signal),
            None => server.close_stdin(),
        }
        let (status, took) = server.end();
        assert!(status.success() && took < END, "{signal:?}: {status} after {took:?}");
        assert!(server.rest().is_empty());
    }
}

#[test]
fn a_script_that_writes_its_lines_and_closes_gets_its_answers() {
    let home = Home::new();
    let mut server = home.spawn(["fakechat"]);
    let lines = [
        json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "0"}}}),
        json!({"jsonrpc": "2.0", "method": "notifications/initialized"}),
        json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {
            "name": "reply", "arguments": {"chat_id": "web", "text": "x"}}}),
    ];
    for line in lines {
        server.send(&line);
    }
    server.close_stdin();
    assert!(server.end().0.success());
    let rest = server.rest();
    assert_eq!(rest.len(), 2, "{rest:?}");
    assert!(rest[1].contains("sent (id: "), "{rest:?}");
}

#[test]
fn it_ends_when_its_client_is_killed_though_stdin_stays_open() {
    let home = Home::new();
    // The shell is the client: it dies, and this test holds the other end of stdin. (A shell gives what it runs
    // in the background no stdin unless that comes by way of another descriptor.)
    let program = env!("CARGO_BIN_EXE_tidegate");
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let mut shell = Command::new("sh");
    let mut shell = shell
        .args(["-c", &format!("exec 3<&0; '{program}' serve fakechat --port 0 <&3 & echo $!; wait")])
        .env_clear()
        .envs(home.command([""]).get_envs().filter_map(|(name, value)| Some((name, value?))))
        .env("PATH", "/usr/bin:/bin")
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(shell.stdout.take().unwrap()).lines().map(Result::unwrap);
    let pid = rustix::process::Pid::from_raw(output.next().unwrap().parse().unwrap()).unwrap();
    writeln!(ours, "{{\"jsonrpc\": \"2.0\", \"id\": 1, \"method\": \"ping\"}}").unwrap();
    assert!(output.next().unwrap().contains("result"), "it is there and listens");
    shell.kill().unwrap();
    shell.wait().unwrap();
    let start = std::time::Instant::now();
    while rustix::process::test_kill_process(pid).is_ok() {
        assert!(start.elapsed() < Duration::from_secs(10), "it is an orphan");
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(ours);
}

#[test]
fn with_a_taken_port_the_session_is_told_and_the_channel_comes_back() {
    let home = Home::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let mut command = home.command(["serve", "fakechat"]);
    command.env("FAKECHAT_PORT", &port);
    let mut server = Server::start(command);
    let instructions = server.initialize()["instructions"].as_str().unwrap().to_owned();
    let expected = format!("port {port} is in use by another program");
    assert!(instructions.contains(&expected) && instructions.contains("FAKECHAT_PORT"), "{instructions}");
    let (text, is_error) = server.reply("web", "x");
    assert!(is_error && text.contains(&expected), "{text}");
    server.log(&expected);
    let doctor = home.command(["doctor", "fakechat"]).env("FAKECHAT_PORT", &port).output().unwrap();
    let doctor = String::from_utf8(doctor.stdout).unwrap();
    for part in ["could receive messages, but cannot open the channel", &format!("port {port} is in use by ")]
    {
        assert!(doctor.contains(part), "{doctor}");
    }
    let status = home.run(["status", "fakechat"], "").stdout;
    assert!(
        status.contains("cannot open the channel: see the last error") && status.contains(&expected),
        "{status}"
    );
    drop(taken);
    server.page("fakechat").say("1", "back again");
    assert_eq!(server.content(), "back again");
    assert!(!server.reply("web", "x").1);
}

#[test]
fn a_second_process_leaves_the_channel_to_the_first_until_it_ends() {
    let home = Home::new();
    let mut first = home.serve(["fakechat"]);
    first.page("fakechat").say("1", "to the first");
    assert_eq!(first.content(), "to the first");
    let mut second = home.spawn(["fakechat"]);
    let instructions = second.initialize()["instructions"].as_str().unwrap().to_owned();
    let owner = format!("another session holds this channel (pid {}", first.child.id());
    assert!(instructions.contains(&owner), "{instructions}");
    assert!(second.reply("web", "x").0.contains(&owner));
    second.no_event();
    first.kill();
    let mut page = second.page("fakechat");
    page.say("2", "to the second");
    // The first died before it could note that its last event had been delivered.
    let events = [second.event(), second.event()];
    let contents: Vec<_> = events.iter().map(|event| event["content"].as_str().unwrap()).collect();
    assert_eq!(contents, ["to the first", "to the second"]);
    assert_eq!(events[0]["meta"]["redelivered"], "true");
    assert!(events[1]["meta"]["redelivered"].is_null());
}
