//! Tests of `tidegate access`: only for a person, one change at a time, and without blocking other programs.

mod forget;
mod race;

use std::{
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};

use crate::{
    harness::{Home, Output},
    pairing::{access, code, document, done, file, open, refused, say, status, write},
};

/// The arguments of each action, in a form that would work.
const EVERYTHING: [&[&str]; 13] = [
    &[],
    &["status"],
    &["pair", "ACD347"],
    &["deny", "ACD347"],
    &["allow", "eve"],
    &["remove", "ada"],
    &["policy", "disabled"],
    &["group", "add", "new"],
    &["group", "rm", "g"],
    &["set", "mentionPatterns", "x"],
    &["set", "approvers", ""],
    &["accept"],
    &["reject"],
];

fn rules() -> Value {
    json!({"dmPolicy": "allowlist", "allowFrom": ["ada"], "groups": {"g": {}}})
}

/// Returns a home of the bazaar with data to change.
fn furnished() -> Home {
    let home = Home::new();
    home.access("bazaar", &rules());
    home
}

/// Checks that the program printed and changed nothing.
fn no_person(home: &Home, output: &Output, why: &str) {
    let Output { status, stdout, stderr } = output;
    assert!(status.code() == Some(1) && stdout.is_empty(), "{stdout}{stderr}");
    assert!(stderr.starts_with("tidegate: this needs a person") && stderr.contains(why), "{stderr}");
    assert!(stderr.contains("run it yourself in a terminal of your own, outside of Claude Code"), "{stderr}");
    assert_eq!(document(home), rules());
    assert!(!home.path().join("bazaar/journal.db").exists(), "not even looked at");
}

fn command(home: &Home, arguments: &[&str]) -> Command {
    home.command(["access", "bazaar"].iter().chain(arguments))
}

#[test]
fn without_a_terminal_nothing_is_done() {
    let home = furnished();
    for arguments in EVERYTHING {
        let arguments: Vec<_> = ["access", "bazaar"].iter().chain(arguments).collect();
        // What a model has: a shell without a terminal, with whatever it likes piped into it.
        no_person(&home, &home.run(&arguments, "y\ny\n"), "");
    }
    let script = command(&home, &["allow", "eve"]);
    no_person(
        &home,
        &home.detached(&through(&home, "sh", "exec \"$@\" </dev/null", &script)),
        "not a terminal",
    );
}

#[test]
fn below_a_childs_environment_nothing_is_done() {
    let home = furnished();
    for value in ["", "0", "false", "1"] {
        let mut command = command(&home, &["allow", "eve"]);
        command.env("CLAUDE_CODE_CHILD_SESSION", value);
        no_person(&home, &home.detached(&command), "CLAUDE_CODE_CHILD_SESSION");
    }
}

/// Returns a shell of this name that runs a command through this script.
pub(crate) fn through(home: &Home, name: &str, script: &str, command: &Command) -> Command {
    let shell = home.path().join("bin").join(name);
    let _ = std::fs::create_dir_all(shell.parent().unwrap());
    let _ = symlink("/bin/sh", &shell);
    shell_with(&shell, &["-c", script, "sh"], command)
}

fn shell_with(shell: &Path, arguments: &[&str], command: &Command) -> Command {
    let mut above = Command::new(shell);
    above.args(arguments).arg(command.get_program()).args(command.get_args());
    above.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    above
}

/// Creates a script that runs its arguments, and stays.
fn script(path: PathBuf) -> PathBuf {
    let _ = std::fs::create_dir_all(path.parent().unwrap());
    std::fs::write(&path, "\"$@\"\nexit $?\n").unwrap();
    path
}

#[test]
fn below_claude_code_nothing_is_done() {
    let home = furnished();
    let allow = command(&home, &["allow", "eve"]);
    let stay = "\"$@\"; exit $?";
    // A shell in between hides nothing.
    let deep = "sh -c '\"$@\"; exit $?' sh \"$@\"; exit $?";
    for (name, script) in [("claude", stay), ("claude", deep), ("claude/versions/2.1.197", stay)] {
        // A folder `claude` for the last, a program for the others.
        let home_of = Home::new();
        no_person(&home, &home.detached(&through(&home_of, name, script, &allow)), "from within Claude Code");
    }
    // As a package that an interpreter runs.
    let other = Home::new();
    let cli = script(other.path().join("node_modules/@anthropic-ai/claude-code/cli.js"));
    let node = other.path().join("node");
    symlink("/bin/sh", &node).unwrap();
    let above = shell_with(&node, &[cli.to_str().unwrap()], &allow);
    no_person(&home, &home.detached(&above), "from within Claude Code");

    // The same ways, with nothing in them that is Claude Code.
    for (id, name) in [("one", "zsh"), ("two", "claude-desktop"), ("three", "claude/zsh")] {
        let other = Home::new();
        let output = home.detached(&through(&other, name, deep, &command(&home, &["allow", id])));
        assert!(output.status.success(), "{name}: {}", output.stderr);
    }
    let harmless = script(other.path().join("server.js"));
    let above = shell_with(&node, &[harmless.to_str().unwrap()], &command(&home, &["allow", "four"]));
    let output = home.detached(&above);
    assert!(output.status.success(), "{}", output.stderr);
    assert_eq!(document(&home)["allowFrom"], json!(["ada", "one", "two", "three", "four"]));
}

#[test]
fn nothing_on_the_command_line_overrides_that() {
    let home = furnished();
    let help = home.run(["access", "--help"], "").stdout;
    let options: Vec<&str> =
        help.split_whitespace().filter(|word| word.starts_with("--") && *word != "--no-mention").collect();
    assert_eq!(options, ["--log", "--home", "--help"], "{help}");
    for option in [
        "--force",
        "--yes",
        "-y",
        "-f",
        "--no-check",
        "--opt-in=always",
        "--as=ada",
        "--terminal",
        "--i-am-a-person",
    ] {
        let output = home.run(["access", "bazaar", "allow", "eve", option], "");
        assert_eq!(output.status.code(), Some(2), "{option}: {}", output.stderr);
    }
    for (variable, value) in
        [("CI", "1"), ("TERM", "xterm"), ("TIDEGATE_LOG", "trace"), ("TIDEGATE_FORCE", "1")]
    {
        let mut command = command(&home, &["allow", "eve"]);
        command.env(variable, value).env("CLAUDE_CODE_CHILD_SESSION", "1");
        no_person(&home, &home.detached(&command), "CLAUDE_CODE_CHILD_SESSION");
    }
    // An id or a code that looks like an option is none either.
    no_person(&home, &home.run(["access", "bazaar", "allow", "--", "--force"], ""), "");
}

/// Returns the access file of an official plugin, with keys that tidegate does not know.
fn official() -> Value {
    json!({
        "dmPolicy": "pairing",
        "allowFrom": ["100", "200"],
        "groups": {
            "-1": {"requireMention": true, "allowFrom": []},
            "-2": {"requireMention": false, "allowFrom": ["100", "300"], "note": "kept"},
            "-3": {"requireMention": false, "allowFrom": ["300"]}
        },
        "pending": {
            "acd347": {"senderId": "400", "chatId": "400", "createdAt": 1, "expiresAt": 9_999_999_999_999_u64, "replies": 1}
        },
        "mentionPatterns": ["^hey bot"],
        "ackReaction": "👀",
        "replyToMode": "first",
        "textChunkLimit": 4000,
        "chunkMode": "newline",
        "zebra": {"kept": [1, 2.5, null, true]}
    })
}

#[test]
fn each_change_changes_its_own_thing_and_nothing_else() {
    let home = Home::new();
    home.access("bazaar", &official());
    let mode = |bits| std::fs::set_permissions(file(&home), std::fs::Permissions::from_mode(bits)).unwrap();
    mode(0o644);
    let mut expected = official();
    let changes: [(&[&str], &str, Value); 19] = [
        (&["allow", "500"], "/allowFrom", json!(["100", "200", "500"])),
        (&["allow", "500"], "/allowFrom", json!(["100", "200", "500"])),
        (&["policy", "allowlist"], "/dmPolicy", json!("allowlist")),
        (&["policy", "disabled"], "/dmPolicy", json!("disabled")),
        (&["policy", "pairing"], "/dmPolicy", json!("pairing")),
        (&["group", "add", "-1", "--no-mention"], "/groups/-1/requireMention", json!(false)),
        (&["group", "add", "-1"], "/groups/-1/requireMention", json!(true)),
        (
            &["group", "add", "-2", "--member", "100", "--member", "600"],
            "/groups/-2",
            json!({"requireMention": true, "allowFrom": ["100", "600"], "note": "kept"}),
        ),
        (&["set", "mentionPatterns", "[\"a b\", \"c\"]"], "/mentionPatterns", json!(["a b", "c"])),
        (&["set", "mentionPatterns", "a, b"], "/mentionPatterns", json!(["a, b"])),
        (&["set", "ackReaction", "🎉"], "/ackReaction", json!("🎉")),
        (&["set", "replyToMode", "off"], "/replyToMode", json!("off")),
        (&["set", "textChunkLimit", "100"], "/textChunkLimit", json!(100)),
        (&["set", "chunkMode", "length"], "/chunkMode", json!("length")),
        (&["set", "approvers", "100, 200"], "/approvers", json!(["100", "200"])),
        (&["set", "approvers", "[]"], "/approvers", json!([])),
        (&["remove", "500"], "/allowFrom", json!(["100", "200"])),
        (&["accept"], "/allowFrom", json!(["100", "200"])),
        (&["reject"], "/allowFrom", json!(["100", "200"])),
    ];
    for (arguments, place, value) in changes {
        done(&home, arguments);
        if let Some(slot) = expected.pointer_mut(place) {
            *slot = value;
        } else {
            expected[&place[1..]] = value;
        }
        assert_eq!(document(&home), expected, "{arguments:?}");
        let bits = std::fs::metadata(file(&home)).unwrap().permissions().mode() & 0o777;
        assert_eq!(bits, 0o600, "{arguments:?}");
    }
    done(&home, &["set", "approvers", ""]);
    done(&home, &["set", "ackReaction", ""]);
    for key in ["approvers", "ackReaction"] {
        expected.as_object_mut().unwrap().remove(key);
    }
    assert_eq!(document(&home), expected);
    // What a file begins with, it begins with afterwards.
    let text = std::fs::read_to_string(file(&home)).unwrap();
    let order = ["dmPolicy", "allowFrom", "groups", "pending", "zebra"].map(|key| text.find(key).unwrap());
    assert!(order.is_sorted(), "{text}");
}

#[test]
fn whoever_is_removed_is_out_of_every_group_and_no_group_opens_by_it() {
    let home = Home::new();
    home.access("bazaar", &official());
    assert!(done(&home, &["remove", "300"]).contains("300 may write no more"));
    let groups = &document(&home)["groups"];
    assert_eq!(groups["-2"]["allowFrom"], json!(["100"]));
    // With an empty list it would be open to anybody.
    let left = groups.get("-3").map(|group| group["allowFrom"].as_array().unwrap());
    assert!(left.is_none_or(|left| !left.is_empty() && !left.contains(&json!("300"))), "{groups}");
    assert!(groups.get("-1").is_some());
    done(&home, &["group", "rm", "-1"]);
    assert_eq!(document(&home)["groups"].get("-1"), None);
    assert!(document(&home)["groups"].get("-2").is_some());
    let text = done(&home, &[]);
    assert!(
        text.contains("100, 200") && text.contains("-2: 100, every message") && !text.contains("300"),
        "{text}"
    );
}

#[test]
fn what_makes_no_sense_is_refused_with_what_was_meant() {
    let home = Home::new();
    home.access("bazaar", &official());
    let cases: [(&[&str], &[&str]); 17] = [
        (&["bazaar", "policy", "allowlst"], &["no such policy", "did you mean \"allowlist\"?"]),
        (&["bazaar", "policy", "open"], &["no such policy", "there is pairing, allowlist, disabled"]),
        (&["bazaar", "set", "mentionPattern", "x"], &["no such key", "did you mean \"mentionPatterns\"?"]),
        (&["bazaar", "set", "allowFrom", "eve"], &["no such key", "there is ackReaction"]),
        (&["bazaar", "set", "dmPolicy", "disabled"], &["no such key"]),
        (
            &["fakechatt", "allow", "eve"],
            &["there is no channel \"fakechatt\"", "did you mean \"fakechat\"?"],
        ),
        (&["../bazaar", "allow", "eve"], &["../bazaar"]),
        (
            &["bazaar", "set", "mentionPatterns", "["],
            &["\"mentionPatterns\" cannot be set", "list of texts in quotes"],
        ),
        (
            &["bazaar", "set", "mentionPatterns", "(a"],
            &["\"mentionPatterns[0]\" is no regular expression", "unclosed group"],
        ),
        (
            &["bazaar", "set", "mentionPatterns", "[\"a\", \"b(\"]"],
            &["\"mentionPatterns[1]\" is no regular expression"],
        ),
        (&["bazaar", "set", "mentionPatterns", "[1]"], &["mentionPatterns"]),
        (&["bazaar", "set", "textChunkLimit", "many"], &["\"textChunkLimit\" cannot be set", "whole number"]),
        (&["bazaar", "set", "chunkMode", "words"], &["\"chunkMode\""]),
        (
            &["bazaar", "remove", "nobody"],
            &["nobody may not write anyway", "`tidegate access bazaar` shows who may"],
        ),
        (&["bazaar", "group", "rm", "-9"], &["the group -9 is not heard anyway"]),
        (&["bazaar", "allow", "two words"], &["\"two words\" cannot be an id"]),
        (&["bazaar", "group", "add", "g", "--member", ""], &["cannot be an id"]),
    ];
    for (arguments, parts) in cases {
        let output = home.at_terminal(["access"].iter().chain(arguments));
        assert!(!output.status.success() && output.stdout.is_empty(), "{arguments:?}: {}", output.stdout);
        for part in parts {
            assert!(output.stderr.contains(part), "{arguments:?}: {}", output.stderr);
        }
        assert_eq!(document(&home), official(), "{arguments:?}");
    }
    assert!(!home.path().join("fakechatt").exists(), "a slip of the pen makes no folder");
}

#[test]
fn what_cannot_exist_on_the_platform_is_refused_where_it_is_typed() {
    let home = Home::new();
    let before = json!({"dmPolicy": "pairing", "allowFrom": ["42"]});
    home.access("telegram", &before);
    let person = "which looks like 123456789: `tidegate status telegram` shows the ids";
    let group = "which looks like -1001234567890";
    let cases: [(&[&str], &str); 7] = [
        (&["allow", "@bob"], person),
        (&["allow", "-7"], person),
        (&["group", "add", "12x"], group),
        (&["group", "add", "42"], group),
        (&["group", "add", "-100", "--member", "eve"], person),
        (&["set", "approvers", "42,eve"], person),
        (&["set", "ackReaction", "zzz"], "Telegram has no reaction \"zzz\"; it has 👍 👎"),
    ];
    for (arguments, part) in cases {
        let output = home.at_terminal(["access", "telegram"].iter().chain(arguments));
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", output.stdout);
        assert!(output.stderr.contains(part), "{arguments:?}: {}", output.stderr);
        let after: Value =
            serde_json::from_slice(&std::fs::read(home.path().join("telegram/access.json")).unwrap())
                .unwrap();
        assert_eq!(after, before, "{arguments:?}");
    }
    for arguments in [
        &["allow", "7"][..],
        &["group", "add", "-100", "--member", "7"],
        &["set", "approvers", "7"],
        &["set", "ackReaction", "❤\u{fe0f}"],
        // What is in the file already can always be taken out.
        &["remove", "42"],
    ] {
        let output = home.at_terminal(["access", "telegram"].iter().chain(arguments));
        assert!(output.status.success(), "{arguments:?}: {}", output.stderr);
    }
}

#[test]
fn a_file_of_the_official_plugins_is_taken_as_it_is() {
    let home = Home::new();
    home.access("bazaar", &official());
    let (mut server, mut page) = open(&home);
    server.log("was found and counts as approved: 2 may write directly, 3 groups are heard");
    write(&mut page, "100", "directly");
    let group = |chat: &str, sender: &str, text: &str| json!({"chat": chat, "kind": "group", "sender": sender, "text": text});
    say(&mut page, &group("-1", "900", "not for the bot"));
    say(&mut page, &group("-1", "900", "hey bot"));
    say(&mut page, &group("-2", "300", "a member"));
    say(&mut page, &group("-2", "200", "no member"));
    assert_eq!([server.content(), server.content(), server.content()], ["directly", "hey bot", "a member"]);
    let status = status(&home);
    assert_eq!(status["withheld"], json!([]));
    assert_eq!(status["pairings"], json!([]), "codes in the clear are no codes here");
    assert!(refused(&home, &["pair", "acd347"]).contains("nobody waits with a code"));
    assert_eq!(document(&home), official());
    // The one who had such a code is a stranger like any other.
    write(&mut page, "400", "let me in");
    let code = code(&mut page, "400");
    done(&home, &["pair", &code]);
    let mut expected = official();
    expected["allowFrom"] = json!(["100", "200", "400"]);
    assert_eq!(document(&home), expected);
    page.call("send");
    write(&mut page, "400", "now");
    assert_eq!(server.content(), "now");
    server.no_event();
}

#[test]
fn a_file_that_lies_elsewhere_stays_there() {
    let home = furnished();
    let elsewhere = home.path().join("elsewhere.json");
    std::fs::rename(file(&home), &elsewhere).unwrap();
    symlink(&elsewhere, file(&home)).unwrap();
    done(&home, &["allow", "eve"]);
    assert!(file(&home).is_symlink());
    assert_eq!(document(&home)["allowFrom"], json!(["ada", "eve"]));
    assert!(access(&home, &[]).status.success());
}
