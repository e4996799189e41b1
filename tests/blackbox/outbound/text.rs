//! Tests of texts that are longer than the platform accepts.

use serde_json::{Value, json};

use super::start;
use crate::harness::{Home, Page, Server};

/// Starts a bazaar where Ada may write, with these additional fields in its file.
fn market(manners: &Value) -> (Home, Server, Page) {
    let home = Home::new();
    let mut access = json!({"dmPolicy": "allowlist", "allowFrom": ["ada"]});
    access.as_object_mut().unwrap().extend(manners.as_object().unwrap().clone());
    home.access("bazaar", &access);
    let mut server = start(&home);
    let page = server.page("bazaar");
    (home, server, page)
}

/// Sends a text; returns the messages that arrive, and the result for the session.
fn send(server: &mut Server, page: &mut Page, arguments: &Value) -> (Vec<Value>, String) {
    let mut whole = json!({"chat_id": "ada"});
    whole.as_object_mut().unwrap().extend(arguments.as_object().unwrap().clone());
    let (text, is_error) = server.call("reply", &whole);
    assert!(!is_error, "{text}");
    let calls = page.calls();
    assert!(calls.iter().all(|call| call["call"] == "send"), "{calls:?}");
    (calls, text)
}

fn texts(calls: &[Value]) -> Vec<&str> {
    calls.iter().map(|call| call["text"].as_str().unwrap()).collect()
}

fn length(text: &str) -> usize {
    text.encode_utf16().count()
}

fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

/// Returns this number of characters of different words.
fn prose(length: usize) -> String {
    let mut text = (0..).map(|number| format!("word{number} 🙂 "));
    let mut prose = String::new();
    while prose.chars().count() < length {
        prose.push_str(&text.next().unwrap());
    }
    prose.chars().take(length).collect()
}

#[test]
fn a_long_text_arrives_in_pieces_that_fit() {
    let (_home, mut server, mut page) = market(&json!({}));
    let text = prose(1000);
    let (calls, told) = send(&mut server, &mut page, &json!({"text": text}));
    let pieces = texts(&calls);
    assert!((5..10).contains(&pieces.len()), "{pieces:?}");
    for piece in &pieces {
        assert!(length(piece) <= 200, "{}: {piece}", length(piece));
    }
    assert_eq!(words(&pieces.join(" ")), words(&text), "nothing is lost, and no word torn");
    let ids: Vec<&str> = calls.iter().map(|call| call["id"].as_str().unwrap()).collect();
    assert_eq!(told, format!("sent {} parts (ids: {})", ids.len(), ids.join(", ")));
    let (calls, told) = send(&mut server, &mut page, &json!({"text": "x".repeat(200)}));
    assert_eq!((calls.len(), told), (1, format!("sent (id: {})", calls[0]["id"].as_str().unwrap())));
}

#[test]
fn code_stays_code_in_each_piece() {
    let (_home, mut server, mut page) = market(&json!({}));
    let lines: Vec<String> = (0..40).map(|line| format!("let value_{line} = {line};\n")).collect();
    let code = lines.concat();
    let text = format!("Look at this:\n\n```rust\n{code}```\n\nThat is all.");
    let (calls, _) = send(&mut server, &mut page, &json!({"text": text}));
    let pieces = texts(&calls);
    assert!(pieces.len() > 4, "{pieces:?}");
    let mut lines = String::new();
    for piece in &pieces {
        assert!(length(piece) <= 200, "{piece}");
        let mut open = false;
        for line in piece.lines() {
            if line.starts_with("```") {
                assert_eq!(line, if open { "```" } else { "```rust" }, "{piece}");
                open = !open;
            } else if open {
                lines.push_str(line);
                lines.push('\n');
            } else {
                assert!(!line.contains("let "), "code that stands outside: {piece}");
            }
        }
        assert!(!open, "left open: {piece}");
    }
    assert_eq!(lines, code);
    // As plain text, three backticks are three backticks.
    let (calls, _) = send(&mut server, &mut page, &json!({"text": text, "format": "text"}));
    assert!(calls.iter().all(|call| call["format"] == "plain"), "{calls:?}");
    assert_eq!(texts(&calls).concat().matches("```").count(), 2);
}

#[test]
fn what_a_reader_takes_for_one_character_stays_whole() {
    let (_home, mut server, mut page) = market(&json!({}));
    for cluster in ["👨‍👩‍👧‍👦", "🇩🇪", "👍🏽", "e\u{301}\u{323}", "क\u{94d}ष"] {
        let (calls, _) = send(&mut server, &mut page, &json!({"text": cluster.repeat(130)}));
        let pieces = texts(&calls);
        assert!(pieces.len() > 1);
        for piece in &pieces {
            assert!(length(piece) <= 200 && piece.replace(cluster, "").is_empty(), "{piece}");
        }
        assert_eq!(pieces.concat(), cluster.repeat(130));
    }
}

#[test]
fn the_quoted_message_is_quoted_as_the_user_wants_it() {
    for (manners, quoted) in [
        (json!({}), [true, false, false]),
        (json!({"replyToMode": "off"}), [false; 3]),
        (json!({"replyToMode": "first"}), [true, false, false]),
        (json!({"replyToMode": "all"}), [true; 3]),
    ] {
        let (_home, mut server, mut page) = market(&manners);
        let (calls, _) =
            send(&mut server, &mut page, &json!({"text": "word ".repeat(100), "reply_to": "m1"}));
        let found: Vec<bool> = calls.iter().map(|call| call["reply_to"] == "m1").collect();
        assert_eq!(found, quoted, "{manners}");
        let (calls, _) = send(&mut server, &mut page, &json!({"text": "word"}));
        assert_eq!(calls[0]["reply_to"], Value::Null);
    }
}

#[test]
fn a_text_is_cut_where_the_user_wants_it() {
    // The first ends early in a message, and no two fit into one.
    let paragraphs = [("a ", 30), ("b ", 90), ("c ", 60)].map(|(word, count)| word.repeat(count) + "end.");
    let text = paragraphs.join("\n\n");
    let (_home, mut server, mut page) = market(&json!({"chunkMode": "newline"}));
    let (calls, _) = send(&mut server, &mut page, &json!({"text": text}));
    assert_eq!(texts(&calls), paragraphs);
    let (_home, mut server, mut page) = market(&json!({"chunkMode": "length"}));
    let (calls, _) = send(&mut server, &mut page, &json!({"text": text}));
    assert!(length(texts(&calls)[0]) > 180, "later than at a paragraph's end: {calls:?}");
    assert_eq!(words(&texts(&calls).join(" ")), words(&text));
}

#[test]
fn pieces_are_as_short_as_the_user_wants_and_never_longer_than_the_platform_does() {
    for (limit, longest) in [(50, 50), (5000, 200)] {
        let (_home, mut server, mut page) = market(&json!({"textChunkLimit": limit}));
        let text = prose(400);
        let (calls, _) = send(&mut server, &mut page, &json!({"text": text}));
        let lengths: Vec<usize> = texts(&calls).into_iter().map(length).collect();
        let most = *lengths.iter().max().unwrap();
        assert!(most <= longest && most > longest - 20, "{limit}: {lengths:?}");
        assert_eq!(words(&texts(&calls).join(" ")), words(&text));
        let edit = json!({"chat_id": "ada", "message_id": "b1", "text": "x".repeat(longest + 1)});
        let (text, is_error) = server.call("edit_message", &edit);
        let expected =
            format!("the text is {} long, and bazaar accepts {longest} in one message", longest + 1);
        assert!(is_error && text.contains(&expected), "{text}");
        assert!(page.calls().is_empty());
    }
}

#[test]
fn what_was_sent_before_a_failure_is_told() {
    let (_home, mut server, mut page) = market(&json!({}));
    let text = "word ".repeat(200);
    for (after, fault, part) in [
        (0, "unavailable", "it sleeps"),
        (1, "rejected", "sent only in part (id: b1), then: "),
        (2, "unavailable", "sent only in part (ids: b2, b3), then: "),
    ] {
        page.tell(&json!({"fail": {"call": "send", "after": after, "fault": fault, "text": "it sleeps"}}));
        page.calls();
        let (told, is_error) = server.call("reply", &json!({"chat_id": "ada", "text": text}));
        assert!(is_error && told.contains(part) && told.contains("it sleeps"), "{told}");
        assert_eq!(told.contains("in part"), after > 0, "{told}");
        let calls = page.calls();
        assert_eq!(calls.len(), after + 1, "nothing is sent behind a gap: {calls:?}");
        assert_eq!(calls[after]["fault"], fault);
    }
    let (calls, _) = send(&mut server, &mut page, &json!({"text": text}));
    assert!(calls.len() > 4, "it works again");
}
