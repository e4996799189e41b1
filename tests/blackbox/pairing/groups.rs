//! Tests of which groups and which of their members are heard, when a person changes this while the server runs.

use serde_json::{Value, json};

use super::{document, done, dropped, end, file, open, refused, say, write};
use crate::harness::{Home, Page, Server};

/// Reports a message in a group. `extra` overrides the usual fields.
fn in_group(page: &mut Page, chat: &str, sender: &str, text: &str, extra: &Value) {
    let mut message = json!({"chat": chat, "kind": "group", "sender": sender, "text": text});
    message.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    say(page, &message);
}

/// Returns all messages delivered since the last call. `friend` may write.
fn heard(server: &mut Server, page: &mut Page) -> Vec<String> {
    write(page, "friend", "that was all");
    std::iter::from_fn(|| Some(server.content()).filter(|text| text != "that was all")).collect()
}

fn with_friend(home: &Home) -> (Server, Page) {
    home.access("bazaar", &json!({"dmPolicy": "pairing", "allowFrom": ["friend"]}));
    open(home)
}

#[test]
fn a_group_is_heard_as_a_person_has_said() {
    let home = Home::new();
    let (mut server, mut page) = with_friend(&home);
    let nothing = json!({});
    let addressed = json!({"addressed": true});
    in_group(&mut page, "-100", "eve", "nobody knows this group", &addressed);
    assert_eq!(heard(&mut server, &mut page), [""; 0]);

    assert!(done(&home, &["group", "add", "-100"]).contains("when it addresses the bot"));
    in_group(&mut page, "-100", "eve", "talk among members", &nothing);
    in_group(&mut page, "-100", "eve", "hey bot", &addressed);
    in_group(&mut page, "-100", "robot", "hey bot, I am one too", &json!({"addressed": true, "bot": true}));
    in_group(&mut page, "-999", "friend", "who may write, but not here", &addressed);
    assert_eq!(heard(&mut server, &mut page), ["hey bot"]);

    done(&home, &["set", "mentionPatterns", "[\"^hey claude\", \"@bot\\\\b\"]"]);
    in_group(&mut page, "-100", "eve", "Hey CLAUDE, listen", &nothing);
    in_group(&mut page, "-100", "eve", "is this for @bot?", &nothing);
    in_group(&mut page, "-100", "eve", "they said hey claude", &nothing);
    in_group(&mut page, "-100", "eve", "not for @bottle", &nothing);
    assert_eq!(heard(&mut server, &mut page), ["Hey CLAUDE, listen", "is this for @bot?"]);

    done(&home, &["group", "add", "-100", "--no-mention"]);
    in_group(&mut page, "-100", "eve", "talk among members", &nothing);
    in_group(&mut page, "-100", "robot", "beep", &json!({"bot": true}));
    assert_eq!(heard(&mut server, &mut page), ["talk among members"]);

    done(&home, &["group", "add", "-100", "--no-mention", "--member", "ada", "--member", "robot"]);
    in_group(&mut page, "-100", "eve", "left out", &addressed);
    in_group(&mut page, "-100", "friend", "left out here", &addressed);
    in_group(&mut page, "-100", "ada", "in", &nothing);
    in_group(&mut page, "-100", "robot", "named, so heard", &json!({"bot": true}));
    assert_eq!(heard(&mut server, &mut page), ["in", "named, so heard"]);

    done(&home, &["group", "rm", "-100"]);
    in_group(&mut page, "-100", "ada", "gone", &addressed);
    assert_eq!(heard(&mut server, &mut page), [""; 0]);
    // Nobody in any group was told anything.
    assert_eq!(page.calls(), Vec::<Value>::new());
    end(&mut server);
    let dropped = dropped(&home);
    for (sender, chat, reason, count) in [
        ("eve", "-100", "group", 1),
        ("eve", "-100", "unaddressed", 3),
        ("eve", "-100", "member", 1),
        ("friend", "-100", "member", 1),
        ("friend", "-999", "group", 1),
        ("robot", "-100", "bot", 2),
        ("ada", "-100", "group", 1),
    ] {
        let key = (sender.to_owned(), chat.to_owned(), reason.to_owned());
        assert_eq!(dropped.get(&key), Some(&count), "{key:?} in {dropped:?}");
    }
}

#[test]
fn a_part_of_a_group_has_the_groups_rules_unless_it_has_its_own() {
    let home = Home::new();
    let (mut server, mut page) = with_friend(&home);
    done(&home, &["group", "add", "g", "--no-mention", "--member", "ada"]);
    done(&home, &["group", "add", "own", "--no-mention", "--member", "bob"]);
    for (chat, group) in [("thread", "g"), ("own", "g"), ("stray", "other")] {
        for sender in ["ada", "bob"] {
            in_group(&mut page, chat, sender, &format!("{sender} in {chat}"), &json!({"group": group}));
        }
    }
    assert_eq!(heard(&mut server, &mut page), ["ada in thread", "bob in own"]);
    // What came from there can be answered there, and nowhere else.
    for (chat, welcome) in [("thread", true), ("own", true), ("g", true), ("stray", false), ("other", false)]
    {
        let (text, is_error) = server.reply(chat, "hello");
        assert_eq!(is_error, !welcome, "{chat}: {text}");
    }
}

#[test]
fn a_group_that_moves_keeps_its_rules() {
    let home = Home::new();
    let rules = json!({"requireMention": false, "allowFrom": ["ada"], "note": "kept"});
    home.access(
        "bazaar",
        &json!({"dmPolicy": "pairing", "allowFrom": ["friend"], "groups": {"old": rules, "other": {}}, "more": 1}),
    );
    let (mut server, mut page) = open(&home);
    page.tell(&json!({"moved": {"from": "old", "to": "new"}}));
    // What comes right behind it has the new id already.
    in_group(&mut page, "new", "ada", "behind it", &json!({}));
    assert_eq!(heard(&mut server, &mut page), ["behind it"]);
    let expected = json!({"dmPolicy": "pairing", "allowFrom": ["friend"], "groups": {"new": rules, "other": {}}, "more": 1});
    assert_eq!(document(&home), expected);
    for (chat, sender) in [("old", "ada"), ("new", "eve"), ("new", "ada")] {
        in_group(&mut page, chat, sender, &format!("{sender} in {chat}"), &json!({}));
    }
    assert_eq!(heard(&mut server, &mut page), ["ada in new"]);
    assert_eq!(super::status(&home)["withheld"], json!([]), "nobody needs to approve it");

    // A group that nobody hears gets nowhere by moving, not even to where another one is.
    let before = std::fs::read(file(&home)).unwrap();
    for to in ["elsewhere", "new"] {
        page.tell(&json!({"moved": {"from": "unknown", "to": to}}));
    }
    in_group(&mut page, "elsewhere", "ada", "hello", &json!({"addressed": true}));
    assert_eq!(heard(&mut server, &mut page), [""; 0]);
    assert_eq!(std::fs::read(file(&home)).unwrap(), before);
    assert!(refused(&home, &["group", "rm", "old"]).contains("not heard anyway"));
}

#[test]
fn whoever_is_turned_away_is_named_with_the_command_that_lets_them_in() {
    let home = Home::new();
    home.access("bazaar", &json!({"dmPolicy": "allowlist", "allowFrom": ["friend"]}));
    let (mut server, mut page) = open(&home);
    // What is typed at a terminal: what stands between the backquotes.
    let follow = |line: &str| {
        let command = line.split('`').nth(1).unwrap();
        let words: Vec<&str> = command.split(' ').skip(3).collect();
        assert!(command.starts_with("tidegate access bazaar "), "{command}");
        done(&home, &words);
    };
    write(&mut page, "eve", "hello?");
    write(&mut page, "eve", "hello??");
    assert_eq!(heard(&mut server, &mut page), [""; 0]);
    let line = server.log("what eve (eve) writes goes nowhere, because the sender is not in allowFrom");
    follow(&line);
    in_group(&mut page, "-100", "eve", "hey bot", &json!({"addressed": true}));
    follow(&server.log("because the group is not in groups"));
    write(&mut page, "eve", "now");
    in_group(&mut page, "-100", "eve", "hey again", &json!({"addressed": true}));
    assert_eq!(heard(&mut server, &mut page), ["now", "hey again"]);
    end(&mut server);
    assert_eq!(server.logged("what eve (eve) writes"), 2, "once for each reason");
}
