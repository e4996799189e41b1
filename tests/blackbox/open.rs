//! Tests of the link with the key: who gets it, and how long it is valid.

use std::{fs, os::unix::fs::PermissionsExt as _, process::Command};

use crate::{
    access::through,
    harness::{Home, Output, Page, Server},
};

fn serve(home: &Home) -> (Server, u16) {
    let mut server = home.serve(["fakechat"]);
    server.initialize();
    let port = server.port("fakechat");
    (server, port)
}

fn open(home: &Home, more: &[&str]) -> Output {
    home.at_terminal(["open", "fakechat"].iter().chain(more))
}

/// Returns the key in the program's output.
fn key(output: &Output, port: u16) -> String {
    let start = format!("http://127.0.0.1:{port}/#key=");
    let (_, rest) =
        output.stdout.split_once(&start).unwrap_or_else(|| panic!("no link in {}", output.stdout));
    rest.split_whitespace().next().unwrap().to_owned()
}

fn may_answer(port: u16, key: &str) -> bool {
    let mut page = Page::connect(port, &format!("/ws?host&key={key}"), &[]).unwrap();
    page.wait("host")["owner"].as_bool().unwrap()
}

#[test]
fn a_person_gets_the_link_and_it_is_good_until_the_end() {
    let home = Home::new();
    let (server, port) = serve(&home);
    let key = key(&open(&home, &[]), port);
    assert!(may_answer(port, &key) && !may_answer(port, "0123"));
    assert!(!home.path().join("fakechat/page.key").exists());
    drop(server);
    let (_server, port) = serve(&home);
    assert!(!may_answer(port, &key));
}

#[test]
fn a_kept_key_is_good_for_the_next_session_too() {
    let home = Home::new();
    let (server, port) = serve(&home);
    let first = key(&open(&home, &["--keep"]), port);
    let file = home.path().join("fakechat/page.key");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    drop(server);
    let (_server, port) = serve(&home);
    assert!(may_answer(port, &first));
    assert_eq!(key(&open(&home, &[]), port), first);
}

/// A session that was started earlier and takes over uses a key that was kept since.
#[test]
fn a_kept_key_is_good_for_a_session_that_waits_for_its_turn() {
    let home = Home::new();
    let (server, port) = serve(&home);
    let mut next = home.serve(["fakechat"]);
    next.initialize();
    next.log("another session holds this channel");
    let first = key(&open(&home, &["--keep"]), port);
    drop(server);
    let port = next.port("fakechat");
    assert!(may_answer(port, &first));
}

#[test]
fn a_replaced_key_is_good_for_nothing() {
    let home = Home::new();
    let (server, port) = serve(&home);
    let first = key(&open(&home, &["--keep"]), port);
    let mut page = Page::connect(port, &format!("/ws?host&key={first}"), &[]).unwrap();
    page.wait("host");
    let second = key(&open(&home, &["--new"]), port);
    assert_eq!(page.closed(), (1012, "the key was replaced".to_owned()));
    assert!(second != first && may_answer(port, &second) && !may_answer(port, &first));
    assert!(!home.path().join("fakechat/page.key").exists());
    key(&open(&home, &["--keep"]), port);
    drop(server);
    assert!(home.run(["forget", "fakechat", "--yes"], "").status.success());
    let (_server, port) = serve(&home);
    assert!(!may_answer(port, &second));
}

/// A model can read its session's output, so a key in it must not be valid for another session.
#[test]
fn a_session_of_a_models_shell_has_a_key_of_its_own() {
    let home = Home::new();
    let (server, port) = serve(&home);
    let kept = key(&open(&home, &["--keep"]), port);
    drop(server);
    let mut command = home.command(["serve", "fakechat", "--port", "0", "--opt-in", "always"]);
    command.env("CLAUDE_CODE_CHILD_SESSION", "1");
    let mut server = Server::start(command);
    server.initialize();
    let port = server.port("fakechat");
    assert!(!may_answer(port, &kept));
    // What the model has seen is not kept for others.
    let output = open(&home, &["--keep"]);
    assert!(output.stderr.contains("which has seen its key"), "{}", output.stderr);
}

#[test]
fn where_there_is_no_link_it_says_why() {
    let home = Home::new();
    let output = open(&home, &[]);
    assert!(output.stderr.contains("nobody serves fakechat at the moment"), "{}", output.stderr);
    home.settings("[fakechat]\npermission_prompts = false\n");
    let (_server, _) = serve(&home);
    let output = open(&home, &[]);
    assert!(output.stderr.contains("has no page that answers permission prompts"), "{}", output.stderr);
}

#[test]
fn a_folder_that_is_too_deep_for_a_socket_is_named() {
    let deep = Home::new();
    let home = deep.path().join("d".repeat(120));
    fs::create_dir(&home).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = deep.command(arguments);
        command.env("TIDEGATE_HOME", &home);
        command
    };
    let mut server = Server::start(run(&["serve", "fakechat", "--port", "0", "--opt-in", "always"]));
    server.initialize();
    server.log("`tidegate open fakechat` will not work");
    let output = deep.detached(&run(&["open", "fakechat"]));
    assert!(output.stderr.contains("is too long for a socket"), "{}", output.stderr);
}

/// The server also checks a process that uses the socket without the command.
#[test]
fn no_model_gets_it() {
    let home = Home::new();
    let (mut server, _) = serve(&home);
    let socket = home.path().join("fakechat/page.sock");
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    let script = r#"my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die; print $s "link\n"; print <$s>;"#;
    let mut command = Command::new("perl");
    command.args(["-MIO::Socket::UNIX", "-e", script]).arg(&socket);
    // Below a Claude Code, and by the mark in the environment.
    let elsewhere = Home::new();
    let below = through(&elsewhere, "claude", "\"$@\"; exit $?", &command);
    let marked = command.env("CLAUDE_CODE_CHILD_SESSION", "1").output().unwrap();
    for answer in [home.detached(&below).stdout, String::from_utf8_lossy(&marked.stdout).into_owned()] {
        assert!(answer.starts_with("no this needs a person"), "{answer}");
    }
    server.log("the link with the key was asked for and not given");
    let output = home.command(["open", "fakechat"]).env("CLAUDE_CODE_CHILD_SESSION", "1").output().unwrap();
    assert!(!output.status.success() && output.stdout.is_empty(), "{output:?}");
}
