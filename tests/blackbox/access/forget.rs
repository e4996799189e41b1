//! Tests of `tidegate forget`: it asks the person who typed it, and refuses to run for a model.

use std::{path::Path, process::Command};

use super::through;
use crate::harness::{Home, Output};

/// Returns a home in which one message was received.
fn visited() -> Home {
    let home = Home::new();
    let mut server = home.serve(["fakechat"]);
    server.page("fakechat").say("u1", "hello");
    server.content();
    server.close_stdin();
    server.end();
    home
}

fn command(home: &Home, arguments: &[&str]) -> Command {
    home.command(["forget", "fakechat"].iter().chain(arguments))
}

/// Returns the number of stored messages.
fn kept(home: &Home) -> u64 {
    let output = home.run(["status", "fakechat", "--json"], "");
    serde_json::from_str::<serde_json::Value>(&output.stdout).unwrap()[0]["events"].as_u64().unwrap()
}

/// Checks that the program gave this reason and erased nothing.
fn refused(home: &Home, output: &Output, why: &str) {
    let Output { status, stdout, stderr } = output;
    assert!(status.code() == Some(1) && stdout.is_empty() && stderr.contains(why), "{stdout}{stderr}");
    assert_eq!(kept(home), 1, "{stderr}");
}

/// Runs the command in a shell of this name, without a terminal.
fn piped(home: &Home, shell: &str, command: &Command) -> Output {
    let elsewhere = Home::new();
    home.detached(&through(&elsewhere, shell, "\"$@\" </dev/null; exit $?", command))
}

#[test]
fn a_person_is_told_the_folder_and_asked() {
    let home = visited();
    let folder = home.path().canonicalize().unwrap().join("fakechat");
    let folder = folder.to_str().unwrap();
    for answer in ["no\n", "\n", "y\n", "yes please\n"] {
        let output = home.at_terminal_saying(["forget", "fakechat"], answer);
        refused(&home, &output, "nothing was erased");
        let question = format!("from {folder}, the folder of fakechat: 1 message, 0 files");
        assert!(output.stderr.contains(&question), "{}", output.stderr);
        assert!(output.stderr.contains("Type yes to erase it"), "{}", output.stderr);
    }
    let output = home.at_terminal_saying(["forget", "fakechat", "--sender", "eve"], "no\n");
    refused(&home, &output, "0 messages, and the files with the whole of long ones");
    let output = home.at_terminal_saying(["forget", "fakechat"], "yes\n");
    assert!(output.status.success(), "{}", output.stderr);
    let erased = format!("Erased from {folder}, the folder of fakechat: 1 message, 0 files and ");
    assert!(output.stdout.starts_with(&erased), "{}", output.stdout);
    assert_eq!(kept(&home), 0);
}

#[test]
fn without_a_terminal_it_has_to_be_told_not_to_ask() {
    let home = visited();
    let output = piped(&home, "sh", &command(&home, &[]));
    refused(&home, &output, "not a terminal");
    assert!(output.stderr.contains("--yes"), "{}", output.stderr);
    let output = piped(&home, "sh", &command(&home, &["--yes", "--json"]));
    assert!(output.status.success(), "{}", output.stderr);
    assert!(output.stdout.contains("\"events\":1"), "{}", output.stdout);
    assert_eq!(kept(&home), 0);
}

#[test]
fn below_claude_code_nothing_is_erased() {
    let home = visited();
    for arguments in [&[][..], &["--yes"]] {
        let forget = command(&home, arguments);
        let elsewhere = Home::new();
        let above = through(&elsewhere, "claude", "\"$@\"; exit $?", &forget);
        refused(&home, &home.detached(&above), "from within Claude Code");
        refused(&home, &piped(&home, "claude", &forget), "from within Claude Code");
        let mut forget = forget;
        forget.env("CLAUDE_CODE_CHILD_SESSION", "1");
        refused(&home, &home.detached(&forget), "CLAUDE_CODE_CHILD_SESSION");
        refused(&home, &piped(&home, "sh", &forget), "CLAUDE_CODE_CHILD_SESSION");
    }
}

/// If the named folder is empty, the folder of a real bot must not be used instead.
#[test]
fn nothing_is_erased_from_another_folder_than_the_one_that_is_named() {
    let person = Home::new();
    let real = person.path().join(".claude/channels");
    let serve = |root: Option<&Path>, arguments: &[&str]| {
        let mut command = person.command(arguments);
        match root {
            Some(root) => command.env("TIDEGATE_HOME", root),
            None => command.env_remove("TIDEGATE_HOME"),
        };
        command.env("HOME", person.path());
        command
    };
    let kept = || {
        let output = serve(None, &["status", "fakechat", "--json"]).output().unwrap();
        let status: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        status[0]["last_event"].clone()
    };
    let command = serve(None, &["serve", "fakechat", "--port", "0", "--opt-in", "always"]);
    let mut server = crate::harness::Server::start(command);
    server.initialize();
    server.page("fakechat").say("u1", "hello");
    server.content();
    server.close_stdin();
    server.end();
    assert!(real.join("fakechat/journal.db").is_file() && kept().is_string());
    let empty = person.path().join("empty");
    let output = person.detached(&serve(Some(&empty), &["forget", "fakechat", "--yes"]));
    assert!(output.stderr.contains("there is nothing of a channel"), "{}", output.stderr);
    assert!(kept().is_string());
}
