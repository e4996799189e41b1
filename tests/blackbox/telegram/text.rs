//! Tests of the session's messages as people see them: Markdown, long texts, edits, reactions, the typing indicator.

use fake_telegram::{Chat, Fault};
use serde_json::{Value, json};

use super::stage::{Stage, ada, bob, event};
use crate::harness::{PATIENCE, Server};

/// Returns the texts, in the order in which they were sent.
fn texts(messages: &[Value]) -> Vec<&str> {
    messages.iter().map(|message| message["text"].as_str().unwrap_or_else(|| panic!("{message}"))).collect()
}

/// Returns the text that an entity covers.
fn covered(message: &Value, entity: &Value) -> String {
    let units: Vec<u16> = message["text"].as_str().unwrap().encode_utf16().collect();
    let number = |name: &str| usize::try_from(entity[name].as_u64().unwrap()).unwrap();
    String::from_utf16(&units[number("offset")..][..number("length")]).unwrap()
}

/// Returns all entities of a message: kind and covered text.
fn entities(message: &Value) -> Vec<(&str, String)> {
    let entities = message["entities"].as_array().into_iter().flatten();
    entities.map(|entity| (entity["type"].as_str().unwrap(), covered(message, entity))).collect()
}

/// Replies to Ada; returns the result and the new messages.
fn reply(stage: &Stage, server: &mut Server, arguments: &Value) -> (String, Vec<Value>) {
    let before = stage.platform.messages(&ada().chat()).len();
    let mut arguments = arguments.clone();
    arguments["chat_id"] = "42".into();
    let (result, is_error) = server.call("reply", &arguments);
    assert!(!is_error, "{result}");
    let messages = stage.platform.messages(&ada().chat()).split_off(before);
    (result, messages)
}

/// Checks that Telegram accepted every call at the first attempt.
fn assert_unrefused(stage: &Stage) {
    let refusals = stage.platform.refusals();
    assert!(refusals.is_empty(), "{refusals:?}");
}

/// Starts the program on a stage on which Ada is known.
fn start(settings: &[(&str, &str)]) -> (Stage, Server) {
    let stage = Stage::new();
    stage.settings(settings);
    stage.platform.knows(&ada().chat());
    let server = stage.serve();
    stage.platform.wait_for("getUpdates", PATIENCE);
    (stage, server)
}

#[test]
fn markdown_comes_as_telegram_shows_it() {
    let (stage, mut server) = start(&[]);
    let text = "# Result\n\nso: **bold** _slanted_ ~~gone~~ `a < b && \"c\"`\n\n\
                ```rust\nfn f<T>(x: &T) -> bool { x != &0 }\n```\n\n\
                - one\n- two\n\n> said\n\n[a page](https://example.org/?a=1&b=<2>) 2 < 3 & 4 > 1 <b>x</b> 👩‍🚀 **end**";
    let (result, messages) = reply(&stage, &mut server, &json!({"text": text}));
    assert_eq!((result.as_str(), messages.len()), ("sent (id: 1)", 1));
    let message = &messages[0];
    let found = entities(message);
    for (kind, part) in [
        ("bold", "Result"),
        ("bold", "bold"),
        ("italic", "slanted"),
        ("strikethrough", "gone"),
        ("code", "a < b && \"c\""),
        ("pre", "fn f<T>(x: &T) -> bool { x != &0 }"),
        ("blockquote", "said"),
        ("text_link", "a page"),
        ("bold", "end"),
    ] {
        let is_there = found.iter().any(|(own, covered)| *own == kind && covered.trim_end() == part);
        assert!(is_there, "{kind} {part:?} is not in {found:?}");
    }
    let entity = |kind: &str| {
        message["entities"].as_array().unwrap().iter().find(|entity| entity["type"] == kind).unwrap()
    };
    assert_eq!(entity("pre")["language"], "rust");
    assert!(entity("text_link")["url"].as_str().unwrap().starts_with("https://example.org/?a=1&b="));
    let shown = message["text"].as_str().unwrap();
    assert!(shown.contains("2 < 3 & 4 > 1 <b>x</b> 👩‍🚀 end"), "{shown}");
    assert!(shown.contains("one") && shown.contains("two") && !shown.contains("**"), "{shown}");
    assert_unrefused(&stage);
}

#[test]
fn plain_text_comes_as_it_is() {
    let text = "**not bold** <b>nor this</b> &amp; [x](y) `z`\n\n```\n_w_\n```";
    for (settings, arguments) in [
        (&[][..], json!({"text": text, "format": "text"})),
        (&[("parse", "plain")][..], json!({"text": text})),
    ] {
        let (stage, mut server) = start(settings);
        let (_, messages) = reply(&stage, &mut server, &arguments);
        assert_eq!(texts(&messages), [text], "{arguments} {settings:?}");
        assert_eq!(stage.platform.wait_for("sendMessage", PATIENCE).parameter("parse_mode"), &Value::Null);
        // An edit is of the same kind.
        let mut edit = arguments.clone();
        edit["chat_id"] = "42".into();
        edit["message_id"] = "1".into();
        edit["text"] = "**still not**".into();
        assert_eq!(server.call("edit_message", &edit), ("edited (id: 1)".to_owned(), false));
        assert_eq!(texts(&stage.platform.messages(&ada().chat())), ["**still not**"]);
        assert_unrefused(&stage);
    }
}

/// Returns `ids: 1, 2, …` for these messages.
fn parts(messages: &[Value]) -> String {
    let ids: Vec<String> = messages.iter().map(|message| message["message_id"].to_string()).collect();
    format!("sent {} parts (ids: {})", ids.len(), ids.join(", "))
}

fn assert_sizes(messages: &[Value]) {
    for message in messages {
        let units = message["text"].as_str().unwrap().encode_utf16().count();
        assert!((1..=4096).contains(&units), "{units} in {message}");
    }
}

#[test]
fn a_long_answer_comes_in_pieces_and_loses_nothing() {
    let (stage, mut server) = start(&[]);
    let words: Vec<String> = (0..3_000).map(|number| format!("**w{number}** & <é😀>")).collect();
    let text = words.chunks(40).map(|words| words.join(" ")).collect::<Vec<_>>().join("\n\n");
    let (result, messages) = reply(&stage, &mut server, &json!({"text": text}));
    assert!(messages.len() > 5);
    assert_eq!(result, parts(&messages));
    assert_sizes(&messages);
    let shown = texts(&messages).join("\n");
    let shown: Vec<&str> = shown.split_whitespace().collect();
    let expected: Vec<String> =
        (0..3_000).flat_map(|number| [format!("w{number}"), "&".to_owned(), "<é😀>".to_owned()]).collect();
    assert_eq!(shown, expected);
    let bold = messages.iter().flat_map(entities).filter(|(kind, _)| *kind == "bold");
    assert_eq!(
        bold.map(|(_, covered)| covered).collect::<Vec<_>>(),
        (0..3_000).map(|number| format!("w{number}")).collect::<Vec<_>>()
    );
    assert_unrefused(&stage);
}

#[test]
fn code_that_is_cut_goes_on_as_code() {
    let (stage, mut server) = start(&[]);
    let lines: Vec<String> =
        (0..600).map(|number| format!("    if (a[{number}] < b && c > \"{number}\") {{ x(); }}")).collect();
    let text = format!("Look:\n\n```cpp\n{}\n```\n\nThat was **it**.", lines.join("\n"));
    let (result, messages) = reply(&stage, &mut server, &json!({"text": text}));
    assert_eq!(result, parts(&messages));
    assert_sizes(&messages);
    let mut code = Vec::new();
    for message in &messages {
        for entity in message["entities"].as_array().into_iter().flatten() {
            if entity["type"] == "pre" {
                assert_eq!(entity["language"], "cpp", "{entity}");
                code.extend(covered(message, entity).lines().map(ToOwned::to_owned).collect::<Vec<_>>());
            }
        }
    }
    assert_eq!(code, lines);
    assert!(
        texts(&messages)[0].starts_with("Look:")
            && texts(&messages).last().unwrap().ends_with("That was it.")
    );
    assert_unrefused(&stage);
}

/// A user's own Bot API server did this.
#[test]
fn a_server_that_counts_bytes_gets_shorter_pieces() {
    let (stage, mut server) = start(&[]);
    stage.platform.count_bytes(true);
    let words = |range: std::ops::Range<usize>| range.map(|n| format!("слово{n}")).collect::<Vec<_>>();
    for format in ["markdown", "text"] {
        let text = format!("**Начало** {}", words(0..900).join(" "));
        let shown = if format == "text" { text.clone() } else { text.replace("**", "") };
        let before = stage.platform.refusals().len();
        let (result, messages) = reply(&stage, &mut server, &json!({"text": text, "format": format}));
        assert_eq!(result, parts(&messages));
        assert!(messages.len() > 3 && texts(&messages).iter().all(|text| text.len() <= 4_096));
        assert!(texts(&messages).join(" ").split_whitespace().eq(shown.split_whitespace()), "{messages:?}");
        let refusals = stage.platform.refusals().split_off(before);
        assert!((1..=4).contains(&refusals.len()), "{refusals:?}");
    }

    // A pause in the middle: the rest goes on where it was.
    let before = stage.platform.calls_of("sendMessage").len();
    stage.platform.fault(Fault::too_many_requests(1).on("sendMessage").after(3));
    let (result, messages) = reply(&stage, &mut server, &json!({"text": words(0..900).join(" ")}));
    assert_eq!(result, parts(&messages));
    assert!(texts(&messages).join(" ").split(' ').eq(words(0..900)), "{messages:?}");
    let calls = stage.platform.calls_of("sendMessage").split_off(before);
    assert!(calls.iter().any(|call| call.faulted) && calls.iter().any(|call| call.error.is_some()));
}

#[test]
fn markup_that_is_cut_goes_on_as_such() {
    let (stage, mut server) = start(&[]);
    for (before, after) in
        [("**", "**"), ("_", "_"), ("~~", "~~"), ("`", "`"), ("[", "](https://example.org)")]
    {
        let words =
            |range: std::ops::Range<usize>| range.map(|n| format!("w{n}")).collect::<Vec<_>>().join(" ");
        let marked = format!("{} {before}{}{after} {}", words(0..600), words(600..900), words(900..1_200));
        let (_, messages) = reply(&stage, &mut server, &json!({"text": marked}));
        assert!(messages.len() > 1);
        assert!(texts(&messages).join(" ") == words(0..1_200), "{before} is shown");
    }
}

#[test]
fn texts_that_are_hard_to_cut_or_to_mark_up_all_arrive() {
    let (stage, mut server) = start(&[]);
    for (text, shown) in [
        ("x".repeat(4_096), Some("x".repeat(4_096))),
        ("x".repeat(4_097), Some("x".repeat(4_097))),
        ("😀".repeat(2_049), Some("😀".repeat(2_049))),
        ("&<>\"".repeat(2_000), Some("&<>\"".repeat(2_000))),
        (format!("```\n{}\n```", "<".repeat(5_000)), Some("<".repeat(5_000))),
        ("> ".repeat(40) + "deep", None),
        ("*".repeat(5_000), None),
        ("[".repeat(3_000), None),
        ("_a_ **b _c** d_ ~~e **f~~** `g ** h`".to_owned(), None),
        ("| a | b |\n|---|---|\n| 1 < 2 | `x|y` |".to_owned(), None),
        ("<details><summary>x</summary></details><script>alert(1)</script><!-- c -->".to_owned(), None),
        ("[x]: https://example.org".to_owned(), None),
        ("\u{202e}\u{200b}\u{feff}z".to_owned(), None),
        ("[a](tg://user?id=42) [b](javascript:alert(1)) ![c](file:///etc/passwd)".to_owned(), None),
    ] {
        let (_, messages) = reply(&stage, &mut server, &json!({"text": text}));
        assert!(!messages.is_empty());
        assert_sizes(&messages);
        if let Some(shown) = shown {
            assert!(texts(&messages).concat() == shown, "{text:.40} becomes {messages:?}");
        }
    }
    assert_unrefused(&stage);
}

#[test]
fn what_quotes_is_as_the_user_has_set_it() {
    for (mode, quoted) in [
        (Value::Null, [true, false, false]),
        (json!("first"), [true, false, false]),
        (json!("all"), [true, true, true]),
        (json!("off"), [false, false, false]),
    ] {
        let mut access = json!({"dmPolicy": "allowlist", "allowFrom": ["42"], "textChunkLimit": 10});
        if !mode.is_null() {
            access["replyToMode"] = mode.clone();
        }
        let stage = Stage::with(&access);
        let mut server = stage.serve();
        let said = stage.platform.says(&ada(), &ada().chat(), "why?").message_id;
        server.content();
        let arguments = json!({"text": "one three\n\nfive six\n\nseven", "reply_to": said.to_string()});
        let (_, messages) = reply(&stage, &mut server, &arguments);
        let found: Vec<bool> =
            messages.iter().map(|message| message["reply_to_message"]["message_id"] == said).collect();
        assert_eq!(found, quoted, "{mode}: {messages:?}");
        // What is quoted may be gone by now.
        let gone = json!({"text": "still", "reply_to": "999"});
        let (_, messages) = reply(&stage, &mut server, &gone);
        assert_eq!((texts(&messages), messages[0].get("reply_to_message")), (vec!["still"], None));
    }
}

#[test]
fn an_own_message_is_edited_as_often_as_one_likes() {
    let (stage, mut server) = start(&[]);
    let chat = ada().chat();
    reply(&stage, &mut server, &json!({"text": "10 %"}));
    let mut edit =
        |text: &str| server.call("edit_message", &json!({"chat_id": "42", "message_id": "1", "text": text}));
    let fine = ("edited (id: 1)".to_owned(), false);
    assert_eq!(edit("**90 %** <done>"), fine);
    let message = stage.platform.message(&chat, 1).unwrap();
    assert_eq!(message["text"], "90 % <done>");
    assert_eq!(entities(&message), [("bold", "90 %".to_owned())]);
    assert_unrefused(&stage);
    // Telegram refuses what changes nothing; for the session it is done.
    assert_eq!(edit("**90 %** <done>"), fine);
    assert_eq!(stage.platform.refusals().len(), 1);
    let (text, is_error) = edit(&"x".repeat(4_097));
    assert!(is_error && text.contains("4097") && text.contains("4096"), "{text}");
    assert_eq!(stage.platform.message(&chat, 1).unwrap()["text"], "90 % <done>");

    stage.platform.says(&ada(), &chat, "mine");
    server.content();
    for (id, part) in [("2", "can edit only its own messages"), ("77", "it was deleted"), ("x", "numbers")] {
        let (text, is_error) =
            server.call("edit_message", &json!({"chat_id": "42", "message_id": id, "text": "y"}));
        assert!(is_error && text.contains(part), "{id}: {text}");
    }
}

#[test]
fn a_reaction_is_one_that_telegram_has() {
    let (stage, mut server) = start(&[]);
    let chat = ada().chat();
    let said = stage.platform.says(&ada(), &chat, "done?").message_id;
    server.content();
    let mut react = |emoji: &str| {
        server.call("react", &json!({"chat_id": "42", "message_id": said.to_string(), "emoji": emoji}))
    };
    let fine = ("reacted".to_owned(), false);
    for (emoji, shown) in [("👍", Some("👍")), ("❤️", Some("❤")), ("", None), ("👀", Some("👀"))]
    {
        assert_eq!(react(emoji), fine, "{emoji}");
        assert_eq!(stage.platform.reaction(&chat, said).as_deref(), shown);
    }
    let (text, is_error) = react("✅");
    assert!(is_error && text.contains("👍 👎") && text.contains("😡"), "{text}");
    assert_eq!(stage.platform.reaction(&chat, said).as_deref(), Some("👀"));
    assert_unrefused(&stage);
    let (text, is_error) = server.call("react", &json!({"chat_id": "42", "message_id": "77", "emoji": "👍"}));
    assert!(is_error && text.contains("it was deleted"), "{text}");
}

#[test]
fn the_bot_types_from_the_delivery_to_the_answer() {
    let stage = Stage::with(&json!({"dmPolicy": "allowlist", "allowFrom": ["42", "43"]}));
    let mut server = stage.serve();
    let users = [ada(), bob()];
    stage.platform.says(&bob(), &bob().chat(), "what is the time?");
    assert_eq!(server.content(), "what is the time?");
    let call = stage.platform.wait_for("sendChatAction", PATIENCE);
    assert_eq!((call.parameter("chat_id"), call.parameter("action")), (&json!(43), &json!("typing")));
    stage.platform.says(&users[0], &users[0].chat(), "and the place?");
    assert_eq!(server.content(), "and the place?");
    let signs = |id: i64| {
        let calls = stage.platform.calls_of("sendChatAction");
        calls.iter().filter(|call| call.parameter("chat_id") == id).count()
    };
    while signs(42) == 0 {
        stage.platform.wait_for("sendChatAction", PATIENCE);
    }
    assert!(!server.reply("42", "here").1);
    // The other one still waits: two rounds of signs, of which Ada sees none.
    let (ada, bob) = (signs(42), signs(43));
    while signs(43) < bob + 2 {
        stage.platform.wait_for("sendChatAction", PATIENCE);
    }
    assert_eq!(signs(42), ada);
}

#[test]
fn nobody_sees_the_bot_typing_who_was_not_heard() {
    let stage = Stage::new();
    let mut server = stage.serve();
    stage.platform.says(&bob(), &bob().chat(), "hello?");
    stage.platform.says(&bob(), &Chat::supergroup(-1_009, "Elsewhere"), "@fake_telegram_bot hello?");
    stage.platform.says(&ada(), &ada().chat(), "hello!");
    assert_eq!(server.content(), "hello!");
    stage.platform.wait_for("sendChatAction", PATIENCE);
    let calls = stage.platform.calls_of("sendChatAction");
    assert!(calls.iter().all(|call| call.parameter("chat_id") == 42), "{calls:?}");
}

#[test]
fn whoever_was_heard_sees_a_reaction_if_the_user_wants_one() {
    for (settings, access, shown) in [
        (&[("ack_reaction", "👀")][..], Value::Null, "👀"),
        (&[("ack_reaction", "👀")], json!("🫡"), "🫡"),
        (&[], json!("👌"), "👌"),
    ] {
        let mut document = json!({
            "dmPolicy": "allowlist", "allowFrom": ["42"], "groups": {"-1001": {"requireMention": false}}
        });
        if !access.is_null() {
            document["ackReaction"] = access;
        }
        let stage = Stage::with(&document);
        stage.settings(settings);
        let mut server = stage.serve();
        let (platform, chat) = (&stage.platform, ada().chat());
        platform.says(&bob(), &bob().chat(), "unheard");
        let said = platform.says(&ada(), &chat, "hello").message_id;
        let (_, meta) = event(&mut server);
        assert_eq!(meta["message_id"], said.to_string());
        let call = platform.wait_for("setMessageReaction", PATIENCE);
        assert_eq!((call.parameter("chat_id"), call.parameter("message_id")), (&json!(42), &json!(said)));
        assert_eq!(platform.reaction(&chat, said).as_deref(), Some(shown));
        let group = Chat::supergroup(-1_001, "Harbour");
        let said = platform.says(&bob(), &group, "hello too").message_id;
        server.content();
        platform.wait_for("setMessageReaction", PATIENCE);
        assert_eq!(platform.reaction(&group, said).as_deref(), Some(shown));
        assert_eq!(platform.calls_of("setMessageReaction").len(), 2);
    }
}

#[test]
fn a_reaction_after_delivery_holds_up_no_delivery() {
    let stage = Stage::new();
    stage.settings(&[("ack_reaction", "👀")]);
    let mut server = stage.serve();
    stage.platform.fault(Fault::hang().on("setMessageReaction").times(5));
    for number in 0..20 {
        stage.platform.says(&ada(), &ada().chat(), number.to_string());
        assert_eq!(server.content(), number.to_string());
    }
    stage.platform.wait_for("setMessageReaction", PATIENCE);
    assert!(!server.reply("42", "all heard").1);
}

#[test]
fn without_being_asked_for_there_are_no_reactions() {
    let (stage, mut server) = start(&[]);
    let said = stage.platform.says(&ada(), &ada().chat(), "hello").message_id;
    server.content();
    // It comes after the delivery, and so does the sign.
    stage.platform.wait_for("sendChatAction", PATIENCE);
    assert!(!server.reply("42", "hello").1);
    assert_eq!(stage.platform.reaction(&ada().chat(), said), None);
    assert!(stage.platform.calls_of("setMessageReaction").is_empty());
}

#[test]
fn peoples_reactions_reach_the_session_where_the_user_wants_that() {
    let (stage, mut server) = start(&[("reactions", "on")]);
    let chat = ada().chat();
    reply(&stage, &mut server, &json!({"text": "shall I?"}));
    stage.platform.reacts(&ada(), &chat, 1, "👍").expect("it was asked for");
    let (text, meta) = event(&mut server);
    assert!(text.contains("👍"), "{text}");
    assert_eq!((&meta["chat_id"], &meta["user_id"]), (&json!("42"), &json!("42")));
}

#[test]
fn what_telegram_refuses_is_explained() {
    let (stage, mut server) = start(&[]);
    stage.platform.blocks_bot(&ada());
    let (text, is_error) = server.reply("42", "hello?");
    assert!(is_error && text.contains("they have blocked the bot, and only they can undo that"), "{text}");
    stage.platform.unblocks_bot(&ada());
    assert_eq!(server.reply("42", "hello!").0, "sent (id: 1)");
    for (arguments, part) in [
        (json!({"chat_id": "42", "text": ""}), "there is nothing to send"),
        (json!({"chat_id": "42", "text": "x", "reply_to": "x"}), "message ids are numbers"),
        (json!({"chat_id": "43", "text": "x"}), "the chat 43 is not one that may write"),
        (json!({"chat_id": "42", "text": "x", "format": "html"}), "\"markdown\" or \"text\""),
    ] {
        let (text, is_error) = server.call("reply", &arguments);
        assert!(is_error && text.contains(part), "{arguments}: {text}");
    }
    assert_eq!(stage.platform.messages(&ada().chat()).len(), 1);
}

#[test]
fn the_tools_are_those_that_telegram_can_do() {
    let (_stage, mut server) = start(&[]);
    let tools = server.request("tools/list", &json!({}));
    let tools = tools["result"]["tools"].as_array().unwrap().iter();
    let names: Vec<&str> = tools.map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["reply", "react", "edit_message", "download_attachment"]);
}
