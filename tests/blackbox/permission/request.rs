//! Tests of how people see a session's requests, with arbitrary content.

use serde_json::{Value, json};

use super::{
    REQUEST, VERDICT, action, ask, ask_about, labels, length, market, press, serve, text, verdict, write,
};
use crate::harness::Home;

/// Returns a prompt without its code blocks, and without empty lines.
fn outside_code(text: &str) -> Vec<String> {
    let mut fence: Option<usize> = None;
    let mut outside = Vec::new();
    for line in text.lines() {
        let ticks = line.bytes().take_while(|byte| *byte == b'`').count();
        match fence {
            Some(length) if ticks >= length && line.len() == ticks => fence = None,
            Some(_) => {}
            None if ticks >= 3 => fence = Some(ticks),
            None => outside.push(line.split('`').step_by(2).collect::<Vec<_>>().join("…")),
        }
    }
    assert_eq!(fence, None, "a block is open at the end of {text:?}");
    outside.retain(|line| !line.is_empty());
    outside
}

#[test]
fn what_the_model_wrote_stands_in_code_and_shows_what_it_is() {
    let home = Home::new();
    let mut server = market(&home, "good");
    let mut page = server.own_page("bazaar");
    let answer = "Answer with `yes xyzab` or `no xyzab`.";
    let forged = format!("```\n{answer}\n```");
    let hidden = "rm\u{202e}fr-\u{2066}\u{200b}\u{200d}\u{feff}\u{7}\u{1b}[2J\u{e0041}";
    for (id, tool, description, preview) in [
        ("abcde", "Bash", answer, ""),
        ("bcdef", "Bash", &*forged, ""),
        ("cdefg", "Bash`. Allow it?\n\nAnswer with `yes xyzab`.", "", ""),
        ("defgh", "Bash", "````\n`````\n~~~\nyes xyzab", "```` ```\nyes xyzab"),
        ("efghi", "Bash\u{202e}\u{200b}", hidden, hidden),
        ("fghij", "B\u{2028}ash\u{0}", "\u{2028}yes xyzab\u{85}yes xyzab\ryes xyzab", ""),
    ] {
        ask_about(&mut server, id, tool, description, preview);
        let mut prompt = page.call("send");
        for details in [false, true] {
            let shown = text(&prompt);
            assert_eq!(
                outside_code(shown),
                ["🔐 Claude wants to use …. Allow it?", "Answer with … or …."],
                "{shown}"
            );
            assert!(
                shown.contains(&format!("`yes {id}`")) && shown.contains(&format!("`no {id}`")),
                "{shown}"
            );
            let invisible = |character: char| {
                character.is_control() && character != '\n'
                    || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
                    || matches!(character, '\u{feff}' | '\u{e0000}'..='\u{e007f}')
            };
            assert!(!shown.contains(invisible), "{shown:?}");
            assert!(length(&prompt) <= 200, "{shown}");
            if !details && labels(&prompt).contains(&"Details") {
                page.tell(&press("ada", action(&prompt, "Details"), &prompt));
                prompt = page.call("edit");
            }
        }
        page.tell(&write("ada", "ada", "yes xyzab"));
        assert_eq!(server.content(), "yes xyzab");
    }
    assert!(server.arrived(VERDICT).is_empty());
}

#[test]
fn requests_that_make_no_sense_are_passed_over_and_huge_ones_cut() {
    let home = Home::new();
    let mut server = market(&home, "good");
    let mut page = server.own_page("bazaar");
    let whole = json!({"request_id": "abcde", "tool_name": "Bash", "description": "d", "input_preview": "p"});
    let with = |key: &str, value: Value| {
        let mut params = whole.clone();
        params[key] = value;
        params
    };
    let mut missing = whole.clone();
    missing.as_object_mut().unwrap().remove("request_id");
    let senseless = [
        missing,
        json!({}),
        json!([]),
        json!("abcde"),
        Value::Null,
        with("request_id", "abcd".into()),
        with("request_id", "abcdef".into()),
        with("request_id", "abcle".into()),
        with("request_id", "ab1de".into()),
        with("request_id", "äbcd".into()),
        with("request_id", "yes abcde".into()),
        with("request_id", 12345.into()),
        with("request_id", Value::Null),
        with("request_id", "x".repeat(1 << 20).into()),
        with("tool_name", 7.into()),
        with("description", json!({"text": "d"})),
        with("input_preview", json!(["p"])),
    ];
    for params in &senseless {
        server.send(&json!({"jsonrpc": "2.0", "method": REQUEST, "params": params}));
    }
    server.send(&json!({"jsonrpc": "2.0", "method": REQUEST}));
    // Behind them all: what was asked before would have come before.
    let huge = "huge \u{202e}`".repeat(1 << 17);
    ask_about(&mut server, "bcdef", &huge, &huge, &huge);
    let prompt = page.call("send");
    assert!(text(&prompt).contains("`yes bcdef`") && length(&prompt) <= 200, "{}", length(&prompt));
    page.tell(&press("ada", action(&prompt, "Details"), &prompt));
    let details = page.call("edit");
    assert!(text(&details).contains("`yes bcdef`") && length(&details) <= 200, "{}", length(&details));
    page.tell(&press("ada", action(&prompt, "Deny"), &prompt));
    assert_eq!(verdict(&mut server)["behavior"], "deny");
    let outcome = page.call("edit");
    assert!(length(&outcome) <= 200, "{outcome}");
}

#[test]
fn the_oldest_of_many_requests_makes_room() {
    let home = Home::new();
    let mut server = serve(&home, "good", &json!({"dmPolicy": "allowlist", "allowFrom": ["ada"]}));
    let mut page = server.own_page("bazaar");
    let letters = "abcdefghijkmnopqrstuvwxyz";
    let ids: Vec<String> =
        letters.chars().flat_map(|first| ["a", "b"].map(|second| format!("{first}{second}aaa"))).collect();
    for (index, id) in ids.iter().enumerate() {
        ask(&mut server, id);
        if index < 32 {
            page.call("send");
            continue;
        }
        // Nothing tells that one was answered at the terminal: the oldest makes room.
        let closed = page.call("edit");
        assert!(closed["buttons"].as_array().unwrap().is_empty(), "{closed}");
        assert_eq!(closed["message"], format!("b{}", index - 31));
    }
}
