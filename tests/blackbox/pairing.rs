//! Tests of strangers: the answers that they get, who lets them in, and the limits for a crowd of them.

mod crowd;
mod groups;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::harness::{Home, Output, PATIENCE, Page, Server, bazaar};

/// Starts the bazaar, with a client without dialogs.
pub(crate) fn open(home: &Home) -> (Server, Page) {
    open_with(home, &[])
}

fn open_with(home: &Home, arguments: &[&str]) -> (Server, Page) {
    let file = bazaar(home, "good");
    let development = ["--dangerously-load-development-channels", file.to_str().unwrap()];
    let mut server = home.spawn(development.iter().chain(arguments));
    server.initialize_as(&json!({}));
    let page = server.page("bazaar");
    (server, page)
}

/// Reports a direct message, in the chat that has the sender's id.
pub(crate) fn write(page: &mut Page, sender: &str, text: &str) {
    say(page, &json!({"chat": sender, "sender": sender, "text": text}));
}

pub(crate) fn say(page: &mut Page, message: &Value) {
    page.tell(&json!({"message": message}));
}

/// Returns the chat and the text of the host's next answer. An answer to a stranger may come in several pieces: the
/// last one says where their messages go.
pub(crate) fn answer(page: &mut Page) -> (String, String) {
    let mut pieces = BTreeMap::<String, String>::new();
    loop {
        let sent = page.call("send");
        let chat = sent["chat"].as_str().unwrap();
        let whole = pieces.entry(chat.to_owned()).or_default();
        whole.push_str(sent["text"].as_str().unwrap());
        if whole.starts_with("Paired") || whole.contains("nowhere") {
            return (chat.to_owned(), whole.clone());
        }
    }
}

/// Returns the code in an answer to a stranger.
fn code_in(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("Your pairing code is `")?;
    let (code, _) = rest.split_once('`')?;
    assert!(code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{text}");
    Some(code.to_owned())
}

/// Returns the code that this chat gets next.
pub(crate) fn code(page: &mut Page, chat: &str) -> String {
    let (told, text) = answer(page);
    assert_eq!(told, chat, "{text}");
    code_in(&text).unwrap_or_else(|| panic!("there is no code in {text:?}"))
}

/// Returns another code than this one.
pub(crate) fn other(code: &str) -> String {
    let last = if code.ends_with('A') { "C" } else { "A" };
    format!("{}{last}", &code[..5])
}

/// Runs `tidegate access` as a person at a terminal.
pub(crate) fn access(home: &Home, arguments: &[&str]) -> Output {
    home.at_terminal(["access", "bazaar"].iter().chain(arguments))
}

/// Runs the command, which must succeed; returns its output.
pub(crate) fn done(home: &Home, arguments: &[&str]) -> String {
    let output = access(home, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", output.stderr);
    output.stdout
}

/// Runs the command, which must fail; returns the reason.
pub(crate) fn refused(home: &Home, arguments: &[&str]) -> String {
    let output = access(home, arguments);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", output.stdout);
    output.stderr
}

/// Returns the bazaar's public status.
pub(crate) fn status(home: &Home) -> Value {
    let output = home.run(["status", "bazaar", "--json"], "");
    assert!(output.status.success(), "{}", output.stderr);
    serde_json::from_str::<Value>(&output.stdout).unwrap()[0].take()
}

/// Returns who was refused, where, why and how often: complete once the server has ended.
fn dropped(home: &Home) -> BTreeMap<(String, String, String), u64> {
    let refusals = status(home)["refusals"].take();
    let refusals = refusals.as_array().unwrap().iter().map(|refusal| {
        let text = |key: &str| refusal[key].as_str().unwrap().to_owned();
        ((text("sender"), text("chat"), text("reason")), refusal["count"].as_u64().unwrap())
    });
    refusals.collect()
}

fn end(server: &mut Server) {
    server.close_stdin();
    server.end();
}

pub(crate) fn file(home: &Home) -> PathBuf {
    home.path().join("bazaar/access.json")
}

pub(crate) fn document(home: &Home) -> Value {
    serde_json::from_str(&std::fs::read_to_string(file(home)).unwrap()).unwrap()
}

/// Waits for a condition that another task makes true.
pub(crate) fn eventually(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "{what} does not come");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_stranger_is_told_a_code_and_a_person_lets_them_in() {
    let home = Home::new();
    let (mut server, mut page) = open(&home);
    let says = |page: &mut Page, text: &str| {
        say(page, &json!({"chat": "dm-ada", "sender": "ada", "name": "Ada", "text": text}));
    };
    says(&mut page, "let me in");
    let code = code(&mut page, "dm-ada");
    says(&mut page, "are you there?");
    let (chat, reminder) = answer(&mut page);
    assert_eq!(chat, "dm-ada");
    assert!(
        reminder.contains("still waits") && !reminder.contains('`') && !reminder.contains(&code),
        "{reminder}"
    );
    says(&mut page, "hello?");
    assert_eq!(page.calls(), Vec::<Value>::new());

    assert!(done(&home, &["pair", &code]).contains("Ada (ada) may write from now on"));
    // The next thing that is said at all: the third message had no answer.
    let paired = page.call("send");
    assert!(paired["chat"] == "dm-ada" && paired["text"].as_str().unwrap().starts_with("Paired"), "{paired}");
    says(&mut page, "now");
    assert_eq!(server.content(), "now");
    assert!(!server.reply("dm-ada", "welcome").1);
    server.no_event();

    assert!(refused(&home, &["pair", &code]).contains("nobody waits with a code"));
    assert_eq!(document(&home)["allowFrom"], json!(["ada"]));
    end(&mut server);
    let key = |reason: &str| ("ada".to_owned(), "dm-ada".to_owned(), reason.to_owned());
    assert_eq!(dropped(&home), [(key("already-answered"), 1)].into());
}

#[test]
fn a_stranger_of_whom_nothing_is_known_cannot_be_written_to() {
    let home = Home::new();
    let (mut server, mut page) = open(&home);
    write(&mut page, "eve", "let me in");
    code(&mut page, "eve");
    let (text, is_error) = server.reply("eve", "hello");
    assert!(is_error && text.contains("the chat eve is not one that may write"), "{text}");
    assert_eq!(page.calls(), Vec::<Value>::new());
}

#[test]
fn wrong_codes_lock_the_door_even_for_the_right_one() {
    let home = Home::new();
    let (mut server, mut page) = open(&home);
    write(&mut page, "ada", "let me in");
    let code = code(&mut page, "ada");
    let wrong = other(&code);
    for (guess, left) in
        [(wrong.as_str(), "4 more tries"), (&wrong, "3 more tries"), (&wrong, "2 more tries")]
    {
        let complaint = refused(&home, &["pair", guess]);
        assert!(complaint.contains(left), "{guess}: {complaint}");
    }
    // A slip is no guess.
    for slip in ["nonsense!", "", "ABC"] {
        assert!(refused(&home, &["pair", slip]).contains("a code has six letters and digits"));
    }
    assert!(refused(&home, &["pair", &wrong]).contains("1 more try\n"));
    for guess in [&wrong, &code, &code.to_lowercase()] {
        let complaint = refused(&home, &["pair", guess]);
        assert!(complaint.contains("none is accepted for 15 minutes"), "{guess}: {complaint}");
    }
    assert!(done(&home, &[]).contains("too many wrong codes"));
    assert!(!file(&home).exists());
    // To turn somebody down takes no code.
    assert!(done(&home, &["deny", "ada"]).contains("turned down"));
    server.no_event();
}

#[test]
fn the_right_code_in_between_forgives_the_wrong_ones() {
    let home = Home::new();
    let (_server, mut page) = open(&home);
    let codes = ["ada", "bob"].map(|sender| {
        write(&mut page, sender, "let me in");
        code(&mut page, sender)
    });
    for code in &codes {
        for left in [4, 3] {
            let complaint = refused(&home, &["pair", &other(code)]);
            assert!(complaint.contains(&format!("{left} more tries")), "{complaint}");
        }
        done(&home, &["pair", code]);
    }
    assert_eq!(document(&home)["allowFrom"], json!(["ada", "bob"]));
}

#[test]
fn whoever_was_turned_down_gets_nothing_more() {
    let home = Home::new();
    let (mut server, mut page) = open(&home);
    let code = ["ada", "bob"].map(|sender| {
        write(&mut page, sender, "let me in");
        code(&mut page, sender)
    });
    // By the code, and by the id.
    assert!(done(&home, &["deny", &code[0]]).contains("ada (ada) is turned down"));
    assert!(done(&home, &["deny", "bob"]).contains("bob (bob) is turned down"));
    assert!(refused(&home, &["deny", "nobody"]).contains("nobody waits"));
    for (sender, code) in [("ada", &code[0]), ("bob", &code[1])] {
        write(&mut page, sender, "please");
        assert!(refused(&home, &["pair", code]).contains("nobody waits with a code"));
    }
    assert_eq!(page.calls(), Vec::<Value>::new());
    assert!(done(&home, &[]).contains("turned down"));
    server.no_event();
    end(&mut server);
    let denied = ["ada", "bob"].map(|id| ((id.to_owned(), id.to_owned(), "denied".to_owned()), 1));
    assert_eq!(dropped(&home), denied.into());
}

#[test]
fn the_code_is_nowhere_on_disk() {
    let home = Home::new();
    let (mut server, mut page) = open_with(&home, &["--log", "trace"]);
    write(&mut page, "ada.the.stranger", "let me in");
    let code = code(&mut page, "ada.the.stranger");
    let nowhere = |when: &str| {
        for spelling in [code.clone(), code.to_lowercase()] {
            assert_eq!(holding(home.path(), &spelling), Vec::<PathBuf>::new(), "{when}");
        }
    };
    // What is there to be found is found, in the log and in the database or its write-ahead log.
    let known = holding(home.path(), "ada.the.stranger");
    let found = |part: &str| known.iter().any(|path| path.to_str().unwrap().contains(part));
    assert!(found("tidegate.") && found("journal.db"), "{known:?}");
    nowhere("while it waits");
    write(&mut page, "ada.the.stranger", "hello?");
    answer(&mut page);
    refused(&home, &["pair", &other(&code)]);
    nowhere("after a reminder and a wrong guess");
    done(&home, &["pair", &code]);
    answer(&mut page);
    write(&mut page, "ada.the.stranger", "now");
    server.content();
    nowhere("after it was used");
    end(&mut server);
    nowhere("at the end");
}

/// Returns the files below this folder that contain this text.
fn holding(folder: &Path, text: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let found = entries.flat_map(|path| {
        if path.is_dir() {
            return holding(&path, text);
        }
        // SQLite's files come and go.
        let bytes = std::fs::read(&path).unwrap_or_default();
        let holds = bytes.windows(text.len()).any(|window| window == text.as_bytes());
        if holds { vec![path] } else { Vec::new() }
    });
    found.collect()
}

#[test]
fn strangers_in_groups_and_bots_get_no_code() {
    let home = Home::new();
    let (mut server, mut page) = open(&home);
    say(&mut page, &json!({"chat": "g", "kind": "group", "sender": "eve", "text": "hi", "addressed": true}));
    say(&mut page, &json!({"chat": "t", "kind": "group", "group": "g", "sender": "eve", "text": "hi"}));
    say(&mut page, &json!({"chat": "robot", "sender": "robot", "bot": true, "text": "hi"}));
    assert_eq!(page.calls(), Vec::<Value>::new());
    server.no_event();
    end(&mut server);
    assert_eq!(status(&home)["pairings"], json!([]));
    let expected = [("eve", "g", "group"), ("eve", "t", "group"), ("robot", "robot", "bot")];
    let expected = expected.map(|(sender, chat, reason)| ((sender.into(), chat.into(), reason.into()), 1));
    assert_eq!(dropped(&home), expected.into());
}

#[test]
fn the_policy_says_who_is_answered() {
    let home = Home::new();
    let rules =
        json!({"dmPolicy": "allowlist", "allowFrom": ["ada"], "groups": {"g": {"requireMention": false}}});
    home.access("bazaar", &rules);
    let (mut server, mut page) = open(&home);
    let group = |page: &mut Page, text: &str| {
        say(page, &json!({"chat": "g", "kind": "group", "sender": "ada", "text": text, "addressed": true}));
    };
    write(&mut page, "eve", "let me in");
    write(&mut page, "ada", "one");
    group(&mut page, "two");
    assert_eq!([server.content(), server.content()], ["one", "two"]);

    done(&home, &["policy", "disabled"]);
    for sender in ["eve", "ada"] {
        write(&mut page, sender, "unheard");
    }
    group(&mut page, "unheard");
    assert_eq!(page.calls(), Vec::<Value>::new());
    let (text, is_error) = server.reply("ada", "hello");
    assert!(is_error && text.contains("not one that may write"), "{text}");

    done(&home, &["policy", "pairing"]);
    write(&mut page, "ada", "three");
    assert_eq!(server.content(), "three");
    server.no_event();
    assert_eq!(page.calls(), Vec::<Value>::new());
    write(&mut page, "eve", "and now?");
    code(&mut page, "eve");
    end(&mut server);
    let expected = [
        ("eve", "eve", "stranger"),
        ("eve", "eve", "disabled"),
        ("ada", "ada", "disabled"),
        ("ada", "g", "disabled"),
    ];
    let expected = expected.map(|(sender, chat, reason)| ((sender.into(), chat.into(), reason.into()), 1));
    assert_eq!(dropped(&home), expected.into());
}

#[test]
fn a_code_outlives_the_server_that_told_it() {
    let home = Home::new();
    let (server, mut page) = open(&home);
    write(&mut page, "ada", "let me in");
    let code = code(&mut page, "ada");
    server.kill();
    let (mut server, mut page) = open(&home);
    // It counts what was said before.
    write(&mut page, "ada", "are you there?");
    let (_, reminder) = answer(&mut page);
    assert!(reminder.contains("still waits"), "{reminder}");
    done(&home, &["pair", &code]);
    assert!(answer(&mut page).1.starts_with("Paired"));
    write(&mut page, "ada", "now");
    assert_eq!(server.content(), "now");
    server.no_event();
}
