//! The link with the key: who gets it, and how long it is good.

use std::{fs, os::unix::fs::PermissionsExt as _, process::Command};

use crate::harness::{Home, Output, Page, Server};

fn serve(home: &Home) -> (Server, u16) {
    let mut server = home.serve(["fakechat"]);
    server.initialize();
    let port = server.port("fakechat");
    (server, port)
}

fn open(home: &Home, more: &[&str]) -> Output {
    home.at_terminal(["open", "fakechat"].iter().chain(more))
}

/// The key in what the program prints.
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

/// Whoever speaks to the socket without the command is looked at as well.
#[test]
fn no_model_gets_it() {
    let home = Home::new();
    let (mut server, _) = serve(&home);
    let socket = home.path().join("fakechat/page.sock");
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    let script = r#"my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die; print $s "link\n"; print <$s>;"#;
    let mut command = Command::new("perl");
    command.args(["-MIO::Socket::UNIX", "-e", script]).arg(&socket);
    let output = command.env("CLAUDE_CODE_CHILD_SESSION", "1").output().unwrap();
    let answer = String::from_utf8_lossy(&output.stdout);
    assert!(answer.starts_with("no this needs a person"), "{output:?}");
    server.log("the link with the key was asked for and not given");
    let output = home.command(["open", "fakechat"]).env("CLAUDE_CODE_CHILD_SESSION", "1").output().unwrap();
    assert!(!output.status.success() && output.stdout.is_empty(), "{output:?}");
}
