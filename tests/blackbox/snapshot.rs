//! Tests of the exact texts that people read: `doctor`, `status` and `--help`.
//!
//! `UPDATE_SNAPSHOTS=1` rewrites the files in `snapshots/`; review them afterwards.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use serde_json::json;

use crate::{
    harness::{Home, Server, free_port},
    pairing::eventually,
};

/// Returns the command's output without the parts that differ from run to run.
fn read(home: &Home, arguments: &[&str]) -> String {
    let output = home.run(arguments, "");
    assert_eq!(output.stderr, "", "{arguments:?}");
    let mut text = output.stdout.replace(home.path().to_str().unwrap(), "HOME");
    for (before, after) in [
        ("pid ", ", "),
        ("of process ", " in "),
        ("since ", ","),
        ("(20", ")"),
        ("127.0.0.1:", "\n"),
        (" in /", " "),
    ] {
        text = hidden(&text, before, after);
    }
    format!("$ tidegate {}\n{text}", arguments.join(" "))
}

/// Replaces the text between two texts in a line.
fn hidden(text: &str, before: &str, after: &str) -> String {
    let mut parts = text.split(before);
    let mut result = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(after).or_else(|| part.find('\n')).unwrap_or(part.len());
        result += before;
        result += "…";
        result += &part[end..];
    }
    result
}

fn same(name: &str, texts: &[String]) {
    let text = texts.join("\n");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/blackbox/snapshots").join(name);
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &text).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, expected, "{} differs: UPDATE_SNAPSHOTS=1 writes it anew", path.display());
}

/// Checks that each line about a fault is followed by a command to paste, or says what to correct.
fn every_fault_has_a_cure(text: &str) {
    let lines: Vec<&str> = text.lines().collect();
    for (at, line) in lines.iter().enumerate().filter(|(_, line)| line.contains('✗')) {
        let cure = lines.get(at + 1).copied().unwrap_or_default();
        assert!(cure.contains('→') && cure.contains('`'), "{line}\n{cure}");
    }
}

#[test]
fn help() {
    let home = Home::new();
    same(
        "help.txt",
        &[read(&home, &["--help"]), read(&home, &["access", "--help"]), read(&home, &["open", "--help"])],
    );
}

#[test]
fn fresh() {
    let home = Home::new();
    let doctor = read(&home, &["doctor"]);
    assert!(!doctor.contains('✗') && !doctor.contains('•'), "{doctor}");
    assert!(home.run(["doctor"], "").status.success());
    same("fresh.txt", &[doctor, read(&home, &["status"]), read(&home, &["list"])]);
}

#[test]
fn working() {
    let home = Home::new();
    let mut server: Server = home.serve(["fakechat"]);
    server.initialize();
    let mut page = server.page("fakechat");
    page.say("1", "hello");
    server.event();
    // The server notes it a moment after it has written the event.
    eventually("the count", || read(&home, &["status", "fakechat"]).contains("1 received"));
    let doctor = read(&home, &["doctor", "fakechat"]);
    assert!(!doctor.contains('✗'), "{doctor}");
    same("working.txt", &[doctor, read(&home, &["status", "fakechat"])]);
}

#[test]
fn broken() {
    let home = Home::new();
    home.access("telegram", &json!({"dmPolicy": "pairing", "allowFrom": ["42"]}));
    home.access("fakechat", &json!({"dmPolicy": "pairing"}));
    fs::write(home.path().join("fakechat/access.json"), "{").unwrap();
    let env = home.path().join("telegram/.env");
    fs::write(&env, "").unwrap();
    fs::set_permissions(&env, fs::Permissions::from_mode(0o644)).unwrap();
    let port = free_port();
    home.settings(&format!(
        "[fakechat]\nport = {port}\n\n[fakechta]\n\n[telegram]\nsend_from = [\"relative\"]\n"
    ));
    let doctor = read(&home, &["doctor"]).replace(&port.to_string(), "PORT");
    every_fault_has_a_cure(&doctor);
    assert!(!home.run(["doctor"], "").status.success());
    same("broken.txt", &[doctor, read(&home, &["status"])]);
}
