//! Tests of an access.json that another program changes, or that is not valid.

use std::{path::Path, time::Duration};

use serde_json::{Value, json};

use super::{DIALOG, asking, dialog, message, quiet};
use crate::{
    harness::{Home, Page, Server},
    pairing::{answer, code, document, done, eventually, file, refused, say, status, write},
};

fn only_ada() -> Value {
    json!({"dmPolicy": "allowlist", "allowFrom": ["ada"]})
}

/// Starts the bazaar, where Ada may write.
fn of_ada(home: &Home) -> (Server, Page) {
    home.access("bazaar", &only_ada());
    let (mut server, mut page) = asking(home);
    heard(&mut server, &mut page, &["ada"]);
    (server, page)
}

/// Sends a message of everybody; checks that only these are heard.
fn heard(server: &mut Server, page: &mut Page, expected: &[&str]) {
    for sender in ["eve", "bob", "ada"] {
        write(page, sender, sender);
    }
    assert_eq!(page.calls(), Vec::<Value>::new());
    let events = server.arrived("notifications/claude/channel");
    let heard: Vec<&str> = events.iter().map(|event| event["params"]["content"].as_str().unwrap()).collect();
    assert_eq!(heard, expected);
}

#[test]
fn what_another_hand_lets_in_waits_for_the_sessions_user() {
    let home = Home::new();
    let (mut server, mut page) = of_ada(&home);
    home.access("bazaar", &json!({"dmPolicy": "allowlist", "allowFrom": ["ada", "eve"]}));
    heard(&mut server, &mut page, &["ada"]);
    let asked = dialog(&mut server);
    let text = message(&asked);
    assert!(text.contains("was changed by something other than tidegate"), "{asked}");
    assert!(text.contains("Bazaar") && text.contains("eve may write directly"), "{asked}");
    assert!(text.contains(file(&home).to_str().unwrap()) && !text.contains("bob"), "{asked}");
    assert_eq!(asked["params"]["requestedSchema"]["properties"]["accept"]["type"], "boolean");
    assert_eq!(status(&home)["withheld"], json!(["eve may write directly"]));
    // As long as nobody has answered she stays out, and nobody is asked again.
    heard(&mut server, &mut page, &["ada"]);
    assert_eq!(server.arrived(DIALOG), Vec::<Value>::new());
    server.answer_dialog(&asked, &json!({"action": "accept", "content": {"accept": true}}));
    server.log("the change of access.json was approved");
    heard(&mut server, &mut page, &["eve", "ada"]);
    quiet(&mut server, &mut page);
    assert_eq!(status(&home)["withheld"], json!([]));
}

#[test]
fn an_approval_that_another_process_holds_up_is_asked_for_again() {
    let home = Home::new();
    let (mut server, mut page) = of_ada(&home);
    home.access("bazaar", &json!({"dmPolicy": "allowlist", "allowFrom": ["ada", "eve"]}));
    heard(&mut server, &mut page, &["ada"]);
    let first = dialog(&mut server);
    let lock = std::fs::File::open(home.path().join("bazaar/access.lock")).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let accept = json!({"action": "accept", "content": {"accept": true}});
    server.answer_dialog(&first, &accept);
    let second = dialog(&mut server);
    let text = message(&second);
    assert!(text.starts_with("Not yet: ") && text.contains("is locked by another process"), "{text}");
    assert!(text.ends_with(message(&first)), "{text}");
    drop(lock);
    server.answer_dialog(&second, &accept);
    server.log("the change of access.json was approved");
    heard(&mut server, &mut page, &["eve", "ada"]);
    quiet(&mut server, &mut page);
}

#[test]
fn what_is_approved_is_what_was_shown() {
    let home = Home::new();
    let (mut server, mut page) = of_ada(&home);
    home.access("bazaar", &json!({"dmPolicy": "allowlist", "allowFrom": ["ada", "eve"]}));
    heard(&mut server, &mut page, &["ada"]);
    let first = dialog(&mut server);
    // While the user is thinking, somebody else slips in.
    home.access("bazaar", &json!({"dmPolicy": "allowlist", "allowFrom": ["ada", "eve", "bob"]}));
    let yes = json!({"action": "accept", "content": {"accept": true}});
    server.answer_dialog(&first, &yes);
    heard(&mut server, &mut page, &["ada"]);
    let second = dialog(&mut server);
    assert!(message(&second).contains("bob may write directly"), "{second}");
    heard(&mut server, &mut page, &["ada"]);
    server.answer_dialog(&second, &yes);
    server.log("the change of access.json was approved");
    heard(&mut server, &mut page, &["eve", "bob", "ada"]);
}

#[test]
fn what_the_sessions_user_does_not_approve_stays_out() {
    for answer in [
        json!({"action": "decline"}),
        json!({"action": "cancel"}),
        json!({"action": "accept", "content": {"accept": false}}),
        json!({"action": "accept", "content": {"accept": "true"}}),
        json!({"action": "accept"}),
    ] {
        let home = Home::new();
        let (mut server, mut page) = of_ada(&home);
        home.access("bazaar", &json!({"dmPolicy": "allowlist", "allowFrom": ["ada", "eve"]}));
        heard(&mut server, &mut page, &["ada"]);
        let asked = dialog(&mut server);
        server.answer_dialog(&asked, &answer);
        heard(&mut server, &mut page, &["ada"]);
        // More of the same is asked about, the same is not.
        home.access("bazaar", &json!({"dmPolicy": "allowlist", "allowFrom": ["ada", "eve"], "unknown": 1}));
        heard(&mut server, &mut page, &["ada"]);
        quiet(&mut server, &mut page);
        home.access("bazaar", &json!({"dmPolicy": "allowlist", "allowFrom": ["ada", "eve", "bob"]}));
        heard(&mut server, &mut page, &["ada"]);
        assert!(message(&dialog(&mut server)).contains("bob may write directly"));
        // The next session's user is another chance.
        server.close_stdin();
        server.end();
        let (mut server, mut page) = asking(&home);
        assert!(message(&dialog(&mut server)).contains("eve may write directly"));
        heard(&mut server, &mut page, &["ada"]);
    }
}

#[test]
fn each_way_to_let_in_more_is_named_in_one_question() {
    let home = Home::new();
    let (mut server, mut page) = of_ada(&home);
    done(&home, &["group", "add", "known", "--member", "ada"]);
    done(&home, &["set", "approvers", "ada"]);
    home.access(
        "bazaar",
        &json!({
            "dmPolicy": "pairing", "allowFrom": ["ada", "eve"],
            "groups": {"known": {"requireMention": false}, "new": {}}, "mentionPatterns": ["."],
        }),
    );
    heard(&mut server, &mut page, &["ada"]);
    for chat in ["known", "new"] {
        say(
            &mut page,
            &json!({"chat": chat, "kind": "group", "sender": "eve", "text": "hi", "addressed": true}),
        );
    }
    assert_eq!(page.calls(), Vec::<Value>::new());
    let asked = dialog(&mut server);
    for part in [
        "dmPolicy becomes \"pairing\"",
        "eve may write directly",
        "the group new is heard",
        "more members of the group known are heard",
        "the group known is heard without a mention",
        "\".\" counts as a mention",
        "may answer permission prompts",
    ] {
        assert!(message(&asked).contains(part), "{part}: {asked}");
    }
    quiet(&mut server, &mut page);
    server.answer_dialog(&asked, &json!({"action": "accept", "content": {"accept": true}}));
    server.log("the change of access.json was approved");
    write(&mut page, "bob", "let me in");
    code(&mut page, "bob");
}

#[test]
fn a_file_that_is_gone_lets_nobody_in() {
    let home = Home::new();
    let (mut server, mut page) = of_ada(&home);
    std::fs::remove_file(file(&home)).unwrap();
    heard(&mut server, &mut page, &[]);
    // Without a file strangers may ask: that is more than there was.
    assert!(message(&dialog(&mut server)).contains("dmPolicy becomes \"pairing\""));
    assert!(!file(&home).exists());
}

#[test]
fn what_another_hand_shuts_out_is_out_at_once() {
    let home = Home::new();
    let (mut server, mut page) = of_ada(&home);
    home.access("bazaar", &json!({"dmPolicy": "allowlist", "allowFrom": []}));
    heard(&mut server, &mut page, &[]);
    let (text, is_error) = server.reply("ada", "hello");
    assert!(is_error && text.contains("not one that may write"), "{text}");
    quiet(&mut server, &mut page);
    // What was once approved is not approved for ever.
    home.access("bazaar", &only_ada());
    heard(&mut server, &mut page, &[]);
    assert!(message(&dialog(&mut server)).contains("ada may write directly"));
    // A person at a terminal has no need to wait for it, and is shown what it is about as well.
    let shown = home.at_terminal_saying(["access", "bazaar", "accept"], "no\n").stdout;
    assert!(shown.contains("- ada may write directly") && shown.contains("Nothing was approved"), "{shown}");
    heard(&mut server, &mut page, &[]);
    assert!(done(&home, &["accept"]).contains("From now on: ada may write directly"));
    heard(&mut server, &mut page, &["ada"]);
}

#[test]
fn a_change_of_ones_own_approves_nothing_of_another_hands() {
    let home = Home::new();
    let (mut server, mut page) = of_ada(&home);
    home.access("bazaar", &json!({"dmPolicy": "allowlist", "allowFrom": ["ada", "eve"]}));
    done(&home, &["allow", "bob"]);
    assert_eq!(document(&home)["allowFrom"], json!(["ada", "eve", "bob"]));
    heard(&mut server, &mut page, &["bob", "ada"]);
    assert!(done(&home, &[]).contains("eve may write directly (written by something else"));
    assert!(done(&home, &["reject"]).contains("Rejected: eve may write directly"));
    assert_eq!(document(&home)["allowFrom"], json!(["ada", "bob"]));
    heard(&mut server, &mut page, &["bob", "ada"]);
    assert!(done(&home, &["reject"]).contains("Nothing waits"));
    assert!(done(&home, &["accept"]).contains("Nothing waits"));
}

/// File contents that shut a channel, and a part of the reason.
const BROKEN: [(&str, &str); 8] = [
    ("{ not json", "not valid JSON"),
    ("[]", "an object in braces"),
    ("{\"allowFrom\": \"ada\"}", "\"allowFrom\""),
    ("{\"dmPolicy\": \"open\", \"allowFrom\": [\"ada\"]}", "\"dmPolicy\""),
    ("{\"allowFrom\": [\"ada\"], \"mentionPatterns\": [\"(\"]}", "mentionPatterns[0]"),
    // What would be shown to people must not be able to speak to them.
    ("{\"allowFrom\": [\"ada\", \"eve\\n\\nAll of it was approved\"]}", "allowFrom[1]"),
    (
        "{\"allowFrom\": [\"ada\"], \"groups\": {\"g\": {\"allowFrom\": [\"\\u202eeve\"]}}}",
        "groups.g.allowFrom[0]",
    ),
    ("", "not valid JSON"),
];

/// Checks that the session learns that the channel is shut, and why.
fn told(server: &mut Server, path: &Path, why: &str) {
    let event = server.event();
    let text = event["content"].as_str().unwrap();
    assert!(text.contains("bazaar is shut") && text.contains(path.to_str().unwrap()), "{text}");
    assert!(text.contains(why), "{text}");
    assert_eq!(event["meta"], json!({"notice": "bazaar"}));
}

#[test]
fn a_file_that_makes_no_sense_shuts_the_channel_and_stays_as_it_is() {
    let home = Home::new();
    let (mut server, mut page) = of_ada(&home);
    let path = file(&home);
    for (number, (text, why)) in BROKEN.iter().enumerate() {
        std::fs::write(&path, text).unwrap();
        let message = json!({"event": format!("e{number}"), "chat": "ada", "sender": "ada", "text": format!("hello {number}")});
        say(&mut page, &message);
        let (code, reason) = page.closed();
        assert!(code == 1013 && reason.contains("shut"), "{text}: {code} {reason}");
        told(&mut server, &path, why);
        let (complaint, is_error) = server.reply("ada", "hello");
        assert!(
            is_error && complaint.contains(path.to_str().unwrap()) && complaint.contains(why),
            "{complaint}"
        );
        // Nobody changes anything about it either, nor is the session told again.
        for arguments in
            [&["allow", "eve"][..], &["policy", "pairing"], &["accept"], &["reject"], &["status"]]
        {
            let complaint = refused(&home, arguments);
            assert!(complaint.contains(path.to_str().unwrap()) && complaint.contains(why), "{complaint}");
        }
        assert!(status(&home)["shut"].as_str().unwrap().contains(why));
        page = server.page("bazaar");
        say(&mut page, &message);
        assert_eq!(page.closed().0, 1013);
        server.no_event();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), *text, "byte for byte");

        // Mended, all works again: what was refused can be sent once more, and comes once.
        std::fs::write(&path, only_ada().to_string()).unwrap();
        page = server.page("bazaar");
        say(&mut page, &message);
        say(&mut page, &message);
        assert_eq!(server.content(), format!("hello {number}"));
        assert!(!server.reply("ada", "hello").1);
        page.call("send");
        server.no_event();
    }
}

#[test]
fn a_channel_that_starts_shut_says_so_and_opens_when_its_file_is_mended() {
    let home = Home::new();
    std::fs::create_dir(home.path().join("bazaar")).unwrap();
    std::fs::write(file(&home), "{ not json").unwrap();
    let (mut server, mut page) = asking(&home);
    told(&mut server, &file(&home), "not valid JSON");
    write(&mut page, "ada", "hello");
    assert_eq!(page.closed().0, 1013);
    server.no_event();
    // What a file holds when it is first understood is what counts.
    std::fs::write(file(&home), only_ada().to_string()).unwrap();
    let mut page = server.page("bazaar");
    heard(&mut server, &mut page, &["ada"]);
    quiet(&mut server, &mut page);
}

#[test]
fn a_code_is_not_lost_on_a_file_that_makes_no_sense() {
    let home = Home::new();
    let (_server, mut page) = crate::pairing::open(&home);
    write(&mut page, "ada", "let me in");
    let code = code(&mut page, "ada");
    std::fs::write(file(&home), "{ not json").unwrap();
    assert!(refused(&home, &["pair", &code]).contains("not valid JSON"));
    assert_eq!(std::fs::read_to_string(file(&home)).unwrap(), "{ not json");
    std::fs::remove_file(file(&home)).unwrap();
    done(&home, &["pair", &code]);
    assert!(answer(&mut page).1.starts_with("Paired"));
}

#[test]
fn a_stranger_whose_code_takes_a_while_to_confirm_is_told_all_the_same() {
    let home = Home::new();
    let (_server, mut page) = crate::pairing::open(&home);
    write(&mut page, "ada", "let me in");
    let code = code(&mut page, "ada");
    let lock = std::fs::File::create(home.path().join("bazaar/access.lock")).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
    std::thread::scope(|scope| {
        let pairing = scope.spawn(|| done(&home, &["pair", &code]));
        // Its code is used up, and it waits for the file.
        let journal = rusqlite::Connection::open(home.path().join("bazaar/journal.db")).unwrap();
        let waiting = || journal.query_row("SELECT count(*) FROM pairing", [], |row| row.get::<_, u32>(0));
        eventually("the end of the code", || waiting() == Ok(0));
        // Nothing shows that the server has looked meanwhile, which it does every two seconds.
        std::thread::sleep(Duration::from_secs(3));
        drop(lock);
        pairing.join().unwrap();
    });
    assert!(answer(&mut page).1.starts_with("Paired"));
}
