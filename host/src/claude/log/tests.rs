//! Tests of reading the client's log.

use std::{
    fs::OpenOptions,
    io::Write as _,
    path::{Path, PathBuf},
};

use serde_json::json;

use super::*;
use crate::clock;

const OWN: &str = "tidegate 0.1.0+own";
const SKIPPED: &str = "Channel notifications skipped: channels feature is not currently available";
const REGISTERED: &str = "Channel notifications registered";

/// A cache folder of the user that contains logs of a client.
struct Caches(tempfile::TempDir);

impl Caches {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn log(&self, project: &str, server: &str, name: &str) -> PathBuf {
        self.0.path().join("claude-cli-nodejs").join(project).join(format!("mcp-logs-{server}")).join(name)
    }

    fn query(&self, directory: &str, session: Option<&str>) -> Query {
        Query::new(Traits {
            names: vec!["fakechat".to_owned()],
            plugin: false,
            server: OWN.to_owned(),
            session: session.map(str::to_owned),
            caches: vec![self.0.path().to_owned()],
            directories: vec![directory.into()],
        })
    }
}

fn text(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    OpenOptions::new().create(true).append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

/// Writes lines in the client's format.
fn write(path: &Path, session: &str, at: u64, lines: &[&str]) {
    let line = |debug: &&str| {
        let line =
            json!({"debug": debug, "timestamp": clock::iso(at), "sessionId": session, "cwd": "/home/a"});
        format!("{line}\n")
    };
    text(path, &lines.iter().map(line).collect::<String>());
}

fn connected(server: &str) -> String {
    let (name, version) = server.split_once(' ').unwrap();
    let capabilities = json!({"hasTools": true, "serverVersion": {"name": name, "version": version}});
    format!("Connection established with capabilities: {capabilities}")
}

/// Writes a whole connection, up to the client's decision.
fn connect(path: &Path, session: &str, server: &str, verdict: &str) {
    write(
        path,
        session,
        clock::now() + 1,
        &["Starting connection with timeout of 30000ms", &connected(server), verdict],
    );
}

/// Returns what a search finds in the files as they are now.
fn look(query: &Query) -> Option<Vec<String>> {
    Search::default().look(query, &mut Watch::new(TOGETHER)).map(|found| told(&found.words))
}

/// Returns the words without their times.
fn told(words: &[Word]) -> Vec<String> {
    let tell = |word: &Word| match word {
        Word::Registered { .. } => "registered".to_owned(),
        Word::Skipped { reason } => format!("skipped: {reason}"),
        Word::Receipts(receipts) => {
            let lengths: Vec<String> = receipts.iter().map(|receipt| receipt.length.to_string()).collect();
            format!("receipts {}", lengths.join(" "))
        }
    };
    words.iter().map(tell).collect()
}

fn registered() -> Vec<String> {
    vec!["registered".to_owned()]
}

fn skipped() -> Vec<String> {
    vec!["skipped: channels feature is not currently available".to_owned()]
}

#[test]
fn the_verdict_is_found_by_the_version_of_the_handshake() {
    for (verdict, expected) in [(REGISTERED, registered()), (SKIPPED, skipped())] {
        for (project, server) in [
            ("-home-a", "fakechat"),
            ("-home-a", "plugin-fakechat-fakechat"),
            // Any server name and any current session are accepted.
            ("-home-a", "other"),
        ] {
            let caches = Caches::new();
            let query = caches.query("/home/a", Some("s1"));
            connect(&caches.log(project, server, "1.jsonl"), "s2", OWN, verdict);
            assert_eq!(look(&query), Some(expected.clone()), "{project} {server}");
        }
    }
}

#[test]
fn other_servers_files_do_not_hide_it() {
    let caches = Caches::new();
    let query = caches.query("/home/a", Some("s1"));
    for number in 0..300 {
        connect(&caches.log("-home-a", "github", &format!("{number}.jsonl")), "s1", "github 7", SKIPPED);
    }
    connect(&caches.log("-home-a", "fakechat", "1.jsonl"), "s1", OWN, REGISTERED);
    assert_eq!(look(&query), Some(registered()));
}

#[test]
fn a_folder_with_spaces_and_other_letters_is_found() {
    let caches = Caches::new();
    let query = caches.query("/home/a b é😀", Some("s1"));
    connect(&caches.log("-home-a-b----", "fakechat", "1.jsonl"), "s1", OWN, REGISTERED);
    assert_eq!(look(&query), Some(registered()));
}

#[test]
fn logs_of_others_are_left_alone() {
    let caches = Caches::new();
    let query = caches.query("/home/a", Some("s1"));
    // Another process with the same server name, in the same folder and even the same session.
    connect(&caches.log("-home-a", "fakechat", "1.jsonl"), "s1", "tidegate 0.1.0+other", SKIPPED);
    // Another program.
    connect(&caches.log("-home-a", "github", "1.jsonl"), "s1", "github 7", SKIPPED);
    // Another project.
    connect(&caches.log("-home-b", "fakechat", "1.jsonl"), "s1", OWN, SKIPPED);
    assert_eq!(look(&query), None);
    connect(&caches.log("-home-a", "fakechat", "2.jsonl"), "s1", OWN, REGISTERED);
    assert_eq!(look(&query), Some(registered()));
}

#[test]
fn where_the_client_does_not_tell_versions_name_and_session_decide() {
    let unversioned = "Connection established with capabilities: {\"hasTools\":true}";
    for (server, session, own, before, expected) in [
        ("fakechat", "s1", Some("s1"), false, Some(registered())),
        ("plugin-x-fakechat", "s1", Some("s1"), false, None),
        ("fakechat", "s2", Some("s1"), false, None),
        ("other", "s1", Some("s1"), false, None),
        // A client that does not give its session id either: another session in the same folder cannot be told apart.
        ("fakechat", "s1", None, false, None),
        // A handshake from before this process started belongs to another process.
        ("fakechat", "s1", Some("s1"), true, None),
    ] {
        let caches = Caches::new();
        let query = caches.query("/home/a", own);
        let path = caches.log("-home-a", server, "1.jsonl");
        let at = if before { clock::now() - 60_000 } else { clock::now() + 1 };
        write(&path, session, at, &["Starting connection", unversioned]);
        write(&path, session, clock::now() + 1, &[REGISTERED]);
        assert_eq!(look(&query), expected, "{server} {session} {own:?} {before}");
    }
}

#[test]
fn a_verdict_of_a_connection_that_was_there_before_is_another_s() {
    let caches = Caches::new();
    let path = caches.log("-home-a", "fakechat", "1.jsonl");
    write(&path, "s1", clock::now() - 60_000, &["Starting connection", &connected("tidegate 0.1.0+other")]);
    let query = caches.query("/home/a", Some("s1"));
    // Written after /clear in the other session.
    write(&path, "s1", clock::now() + 1, &[SKIPPED]);
    assert_eq!(look(&query), None);
}

#[test]
fn an_earlier_connection_in_the_same_file_does_not_count() {
    let caches = Caches::new();
    let path = caches.log("-home-a", "fakechat", "1.jsonl");
    let past = clock::now() - 60_000;
    write(&path, "s1", past, &["Starting connection", &connected(OWN), REGISTERED]);
    write(
        &path,
        "s1",
        past,
        &["notifications/claude/channel (2 chars)", "MCP server process exited cleanly"],
    );
    let query = caches.query("/home/a", Some("s1"));
    assert_eq!(look(&query), None);
    connect(&path, "s1", OWN, SKIPPED);
    assert_eq!(look(&query), Some(skipped()));
}

#[test]
fn the_next_connection_in_the_same_file_does_not_count_either() {
    let caches = Caches::new();
    let query = caches.query("/home/a", Some("s1"));
    let path = caches.log("-home-a", "fakechat", "1.jsonl");
    connect(&path, "s1", OWN, REGISTERED);
    let mut found = Search::default().look(&query, &mut Watch::new(TOGETHER)).unwrap();
    connect(&path, "s1", "tidegate 0.1.0+next", SKIPPED);
    write(&path, "s1", clock::now() + 2, &["notifications/claude/channel (2 chars)"]);
    assert_eq!(told(&search::read(&query, &mut found.tail, &mut found.connection).unwrap()), [""; 0]);
}

#[test]
fn a_cut_line_waits_for_its_end() {
    let caches = Caches::new();
    let query = caches.query("/home/a", Some("s1"));
    let path = caches.log("-home-a", "fakechat", "1.jsonl");
    connect(&path, "s1", OWN, "nothing yet");
    let at = clock::iso(clock::now() + 1);
    text(&path, "{\"debug\":\"Channel notifica");
    let (mut search, mut watch) = (Search::default(), Watch::new(TOGETHER));
    assert!(search.look(&query, &mut watch).is_none());
    text(&path, &format!("tions registered\",\"timestamp\":\"{at}\",\"sessionId\":\"s1\"}}\n"));
    assert_eq!(told(&search.look(&query, &mut watch).unwrap().words), registered());
}

#[test]
fn receipts_count_from_the_registration_on_and_verdicts_may_change() {
    let caches = Caches::new();
    let query = caches.query("/home/a", Some("s1"));
    let path = caches.log("-home-a", "fakechat", "1.jsonl");
    let receipt = "notifications/claude/channel (2 chars)";
    write(&path, "s1", clock::now() + 1, &["Starting connection", &connected(OWN), receipt, REGISTERED]);
    write(&path, "s1", clock::now() + 1, &[receipt, "other", "notifications/claude/channel (3 chars)"]);
    // After /clear.
    write(&path, "s2", clock::now() + 1, &[SKIPPED, receipt, REGISTERED, receipt]);
    let registered = |receipts: &str| vec!["registered".to_owned(), receipts.to_owned()];
    let expected = [registered("receipts 2 3"), skipped(), registered("receipts 2")];
    assert_eq!(look(&query), Some(expected.concat()));
}

#[test]
fn what_is_no_log_is_survived() {
    let caches = Caches::new();
    let query = caches.query("/home/a", Some("s1"));
    let path = |name: &str| caches.log("-home-a", "fakechat", name);
    fs::create_dir_all(path("folder.jsonl")).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(path("pipe.jsonl")).status().unwrap().success());
    std::os::unix::fs::symlink("/dev/zero", path("link.jsonl")).unwrap();
    text(
        &path("garbage.jsonl"),
        "\u{0}\u{1}garbage\n{}\n[]\n{\"debug\":\"Channel notifications registered\"}\n",
    );
    text(&path("long.jsonl"), &("x".repeat(10 << 20) + "\n"));
    let (mut search, mut watch) = (Search::default(), Watch::new(TOGETHER));
    assert!(search.look(&query, &mut watch).is_none());
    connect(&path("long.jsonl"), "s1", OWN, REGISTERED);
    assert_eq!(told(&search.look(&query, &mut watch).unwrap().words), registered());
}

#[tokio::test]
async fn a_log_that_appears_late_is_followed_even_when_it_is_replaced() {
    let caches = Caches::new();
    let mut words = follow(caches.query("/home/a", Some("s1")));
    let mut next = async || told(&[words.recv().await.unwrap()]);
    let path = caches.log("-home-a", "fakechat", "1.jsonl");
    let at = clock::now() + 1;
    let lines = ["Starting connection", &connected(OWN), REGISTERED];
    write(&path, "s1", at, &lines);
    assert_eq!(next().await, registered());
    let receipt = ["notifications/claude/channel (2 chars)"];
    write(&path, "s1", at + 1, &receipt);
    assert_eq!(next().await, ["receipts 2"]);
    // The lines in the copy were already read.
    let fresh = path.with_extension("new");
    write(&fresh, "s1", at, &lines);
    write(&fresh, "s1", at + 1, &receipt);
    write(&fresh, "s1", at + 2, &["notifications/claude/channel (3 chars)"]);
    fs::rename(&fresh, &path).unwrap();
    assert_eq!(next().await, ["receipts 3"]);
    write(&path, "s1", at + 2, &[SKIPPED]);
    assert_eq!(next().await, skipped());
    // The file is truncated, then written again.
    fs::write(&path, "").unwrap();
    write(&path, "s1", at + 3, &[REGISTERED]);
    assert_eq!(next().await, registered());
    // The folder of the log is removed.
    fs::remove_dir_all(path.parent().unwrap()).unwrap();
    write(&path, "s1", at + 4, &[SKIPPED]);
    assert_eq!(next().await, skipped());
}

#[test]
fn a_file_that_can_be_read_later_is_read_then() {
    let caches = Caches::new();
    let query = caches.query("/home/a", Some("s1"));
    let path = caches.log("-home-a", "fakechat", "1.jsonl");
    fs::create_dir_all(&path).unwrap();
    let (mut search, mut watch) = (Search::default(), Watch::new(TOGETHER));
    assert!(search.look(&query, &mut watch).is_none());
    fs::remove_dir(&path).unwrap();
    connect(&path, "s1", "tidegate 0.1.0+other", SKIPPED);
    assert!(search.look(&query, &mut watch).is_none());
    // Another file replaces it.
    let fresh = path.with_extension("new");
    connect(&fresh, "s1", OWN, REGISTERED);
    fs::rename(&fresh, &path).unwrap();
    assert_eq!(told(&search.look(&query, &mut watch).unwrap().words), registered());
}
