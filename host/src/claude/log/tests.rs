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

/// The user's caches, with logs of a client in them.
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

/// Lines as the client writes them.
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

/// A whole connection, up to the verdict.
fn connect(path: &Path, session: &str, server: &str, verdict: &str) {
    write(
        path,
        session,
        clock::now() + 1,
        &["Starting connection with timeout of 30000ms", &connected(server), verdict],
    );
}

/// What is found in what is there now.
fn look(query: &Query) -> Option<Vec<Word>> {
    Search::default().look(query, &mut Watch::new(TOGETHER)).map(|found| found.words)
}

fn skipped() -> Vec<Word> {
    vec![Word::Skipped("channels feature is not currently available".to_owned())]
}

#[test]
fn the_verdict_is_found_by_the_version_of_the_handshake() {
    for (verdict, expected) in [(REGISTERED, vec![Word::Registered]), (SKIPPED, skipped())] {
        for (project, server) in [
            ("-home-a", "fakechat"),
            ("-home-a", "plugin-fakechat-fakechat"),
            // Whatever the server is called, and whichever session it is by now.
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
fn a_folder_with_spaces_and_other_letters_is_found() {
    let caches = Caches::new();
    let query = caches.query("/home/a b é😀", Some("s1"));
    connect(&caches.log("-home-a-b----", "fakechat", "1.jsonl"), "s1", OWN, REGISTERED);
    assert_eq!(look(&query), Some(vec![Word::Registered]));
}

#[test]
fn logs_of_others_are_left_alone() {
    let caches = Caches::new();
    let query = caches.query("/home/a", Some("s1"));
    // Another process of the same name, in the same folder and even the same session.
    connect(&caches.log("-home-a", "fakechat", "1.jsonl"), "s1", "tidegate 0.1.0+other", SKIPPED);
    // Another program.
    connect(&caches.log("-home-a", "github", "1.jsonl"), "s1", "github 7", SKIPPED);
    // Another project.
    connect(&caches.log("-home-b", "fakechat", "1.jsonl"), "s1", OWN, SKIPPED);
    assert_eq!(look(&query), None);
    connect(&caches.log("-home-a", "fakechat", "2.jsonl"), "s1", OWN, REGISTERED);
    assert_eq!(look(&query), Some(vec![Word::Registered]));
}

#[test]
fn where_the_client_does_not_tell_versions_name_and_session_decide() {
    for (server, session, expected) in [
        ("fakechat", "s1", Some(vec![Word::Registered])),
        ("plugin-x-fakechat", "s1", Some(vec![Word::Registered])),
        ("fakechat", "s2", None),
        ("other", "s1", None),
    ] {
        let caches = Caches::new();
        let query = caches.query("/home/a", Some("s1"));
        let path = caches.log("-home-a", server, "1.jsonl");
        write(&path, session, clock::now() + 1, &["Starting connection", REGISTERED]);
        assert_eq!(look(&query), expected, "{server} {session}");
    }
    // A client that does not tell its session either.
    let caches = Caches::new();
    let query = caches.query("/home/a", None);
    write(&caches.log("-home-a", "fakechat", "1.jsonl"), "s1", clock::now() + 1, &[REGISTERED]);
    assert_eq!(look(&query), Some(vec![Word::Registered]));
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
    assert_eq!(search::read(&query, &mut found.tail, &mut found.connection).unwrap(), []);
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
    assert_eq!(search.look(&query, &mut watch).unwrap().words, [Word::Registered]);
}

#[test]
fn receipts_count_from_the_registration_on_and_verdicts_may_change() {
    let caches = Caches::new();
    let query = caches.query("/home/a", Some("s1"));
    let path = caches.log("-home-a", "fakechat", "1.jsonl");
    let receipt = "notifications/claude/channel (2 chars)";
    write(&path, "s1", clock::now() + 1, &["Starting connection", &connected(OWN), receipt, REGISTERED]);
    write(&path, "s1", clock::now() + 1, &[receipt, "other", receipt]);
    // After /clear.
    write(&path, "s2", clock::now() + 1, &[SKIPPED, receipt, REGISTERED, receipt]);
    let expected =
        [&[Word::Registered, Word::Receipts(2)][..], &skipped(), &[Word::Registered, Word::Receipts(1)]];
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
    assert_eq!(search.look(&query, &mut watch).unwrap().words, [Word::Registered]);
}

#[tokio::test]
async fn a_log_that_appears_late_is_followed_even_when_it_is_replaced() {
    let caches = Caches::new();
    let mut words = follow(caches.query("/home/a", Some("s1")));
    let path = caches.log("-home-a", "fakechat", "1.jsonl");
    connect(&path, "s1", OWN, REGISTERED);
    assert_eq!(words.recv().await, Some(Word::Registered));
    write(&path, "s1", clock::now() + 1, &["notifications/claude/channel (2 chars)"]);
    assert_eq!(words.recv().await, Some(Word::Receipts(1)));
    let fresh = path.with_extension("new");
    write(&fresh, "s1", clock::now() + 1, &[SKIPPED]);
    fs::rename(&fresh, &path).unwrap();
    assert_eq!(words.recv().await, skipped().pop());
}
