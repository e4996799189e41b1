//! Tests of the way from a stranger to the session and back, and of the bot's answers about itself.

use fake_telegram::{Draft, User};
use serde_json::{Value, json};

use super::stage::{Stage, ada, bob, event};
use crate::harness::{PATIENCE, Server};

const EVENT: &str = "notifications/claude/channel";

/// Returns the code that this person gets next, which a tap copies.
fn code(stage: &Stage, stranger: &User) -> String {
    let message = stage.platform.hears(&stranger.chat(), PATIENCE);
    let text = message["text"].as_str().unwrap_or_else(|| panic!("{message}"));
    let (_, rest) = text.split_once("Your pairing code is ").unwrap_or_else(|| panic!("no code in {text:?}"));
    let code = &rest[..6];
    assert!(code.bytes().all(|byte| byte.is_ascii_alphanumeric()) && !text.contains('`'), "{text:?}");
    assert_eq!(message["entities"][0], json!({"type": "code", "offset": 21, "length": 6}));
    code.to_owned()
}

fn keys(meta: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = meta.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

/// Checks that Ada's message reaches the session, and that the session's answer reaches Ada.
fn converse(stage: &Stage, server: &mut Server) {
    let ada = ada();
    let said = stage.platform.says(&ada, &ada.chat(), "what is the time?");
    let (text, meta) = event(server);
    assert_eq!(text, "what is the time?");
    assert_eq!(keys(&meta), ["chat_id", "message_id", "ts", "user", "user_id"]);
    assert_eq!(meta["chat_id"], "42");
    assert_eq!(meta["message_id"], said.message_id.to_string());
    assert_eq!((&meta["user"], &meta["user_id"]), (&json!("ada_l"), &json!("42")));
    let quoting = json!({"chat_id": "42", "text": "**late**", "reply_to": meta["message_id"]});
    let (result, is_error) = server.call("reply", &quoting);
    let heard = stage.platform.hears(&ada.chat(), PATIENCE);
    assert_eq!((result, is_error), (format!("sent (id: {})", heard["message_id"]), false));
    assert_eq!(heard["text"], "late");
    assert_eq!(heard["entities"], json!([{"type": "bold", "offset": 0, "length": 4}]));
    assert_eq!(heard["reply_to_message"]["message_id"], said.message_id);
}

#[test]
fn a_stranger_is_let_in_by_the_sessions_user_and_talks_to_the_session() {
    let stage = Stage::strange();
    let mut server = stage.serve();
    let ada = ada();
    stage.platform.says(&ada, &ada.chat(), "hello?");
    let code = code(&stage, &ada);
    let dialog = server.wait("elicitation/create");
    let question = dialog["params"]["message"].as_str().unwrap();
    for part in ["Telegram", "ada_l", "id 42"] {
        assert!(question.contains(part), "{question}");
    }
    assert!(!dialog.to_string().contains(&code), "{dialog}");
    server.answer_dialog(&dialog, &json!({"action": "accept", "content": {"code": code}}));
    assert!(stage.told(&ada.chat()).starts_with("Paired"));
    assert_eq!(stage.access()["allowFrom"], json!(["42"]));
    converse(&stage, &mut server);
    server.no_event();
}

#[test]
fn a_stranger_is_let_in_at_a_terminal_and_talks_to_the_session() {
    let stage = Stage::strange();
    let mut server = stage.serve_mute();
    let ada = ada();
    // Whatever a stranger says, the answer is the same.
    stage.platform.says(&ada, &ada.chat(), "/start");
    let code = code(&stage, &ada);
    stage.platform.says(&ada, &ada.chat(), "/status");
    assert!(stage.told(&ada.chat()).contains("still waits"));
    stage.platform.says(&ada, &ada.chat(), "/help");
    let output = stage.home.at_terminal(["access", "telegram", "pair", &code]);
    assert!(output.status.success(), "{}", output.stderr);
    assert!(output.stdout.contains("ada_l (42) may write from now on"), "{}", output.stdout);
    // The next thing that is said at all: `/help` had no answer.
    assert!(stage.told(&ada.chat()).starts_with("Paired"));
    converse(&stage, &mut server);
    server.no_event();
    assert!(stage.platform.refusals().is_empty(), "{:?}", stage.platform.refusals());
}

#[test]
fn the_bots_own_commands_are_answered_to_whoever_may_write_and_never_reach_the_session() {
    let stage = Stage::new();
    let mut server = stage.serve();
    let (ada, bob) = (ada(), bob());
    for (command, part) in [
        ("/start", "You are paired"),
        ("/start from_a_link", "You are paired"),
        ("/start@fake_telegram_bot", "You are paired"),
        ("/help", "goes to a Claude Code session"),
        ("/status", "Paired as ada_l (42). A session is listening."),
    ] {
        stage.platform.says(&ada, &ada.chat(), command);
        let told = stage.told(&ada.chat());
        assert!(told.contains(part), "{command}: {told}");
    }
    stage.platform.says(&bob, &bob.chat(), "/status");
    for words in ["/start the engines", "/help me", "/stop"] {
        stage.platform.says(&ada, &ada.chat(), words);
        assert_eq!(server.content(), words);
    }
    server.no_event();
    assert!(stage.platform.messages(&bob.chat()).is_empty(), "an allowlist is silent");
}

#[test]
fn the_bots_menu_is_set_once() {
    let stage = Stage::new();
    let mut server = stage.serve();
    // It is for those who know the bot: the first message is enough.
    stage.platform.says(&ada(), &ada().chat(), "1");
    assert_eq!(server.content(), "1");
    let call = stage.platform.wait_for("setMyCommands", PATIENCE);
    let commands = call.parameter("commands").as_array().unwrap();
    let commands: Vec<&Value> = commands.iter().map(|command| &command["command"]).collect();
    assert_eq!(commands, ["start", "help", "status"]);
    assert_eq!(call.parameter("scope"), &json!({"type": "all_private_chats"}));
    // That it was set is stored with the answer to it. A whole turn takes longer.
    stage.platform.says(&ada(), &ada().chat(), "2");
    assert_eq!(server.content(), "2");
    assert_eq!(server.reply("42", "heard").0, "sent (id: 3)");
    server.close_stdin();
    server.end();
    stage.platform.forget_calls();
    let mut server = stage.serve();
    stage.platform.wait_for("getMe", PATIENCE);
    stage.platform.says(&ada(), &ada().chat(), "3");
    assert_eq!(server.content(), "3");
    assert_eq!(server.reply("42", "4").0, "sent (id: 5)");
    assert!(stage.platform.calls_of("setMyCommands").is_empty());
}

#[test]
fn a_message_says_when_it_was_written_and_by_whom() {
    let stage = Stage::new();
    let mut server = stage.serve();
    stage.platform.knows(&ada().chat());
    let message = json!({
        "message_id": 7, "date": 1_700_000_000, "chat": {"id": 42, "type": "private", "first_name": "Ada"},
        "from": {"id": 42, "is_bot": false, "first_name": "Ada", "last_name": "Lovelace"}, "text": "hello"
    });
    stage.platform.update("message", &message);
    let (_, meta) = event(&mut server);
    assert_eq!(
        meta,
        json!({
            "chat_id": "42", "message_id": "7", "user": "Ada Lovelace", "user_id": "42",
            "ts": "2023-11-14T22:13:20.000Z"
        })
    );
}

#[test]
fn edits_replies_quotes_and_forwards_are_told_as_such() {
    let stage = Stage::new();
    let mut server = stage.serve();
    let (platform, ada, chat) = (&stage.platform, ada(), ada().chat());
    let first = platform.says(&ada, &chat, "the quick brown fox").message_id;
    let (_, meta) = event(&mut server);
    assert_eq!(meta.get("edited"), None);

    platform.edits(&ada, &chat, first, "the quick red fox");
    let (text, meta) = event(&mut server);
    assert_eq!(text, "the quick red fox");
    assert_eq!((&meta["edited"], &meta["message_id"]), (&json!("true"), &json!(first.to_string())));

    platform.says(&ada, &chat, Draft::text("which one?").reply_to(first));
    let (_, meta) = event(&mut server);
    assert_eq!(meta["reply_to"], first.to_string());
    assert_eq!(
        (&meta["reply_to_user"], &meta["reply_to_text"]),
        (&json!("ada_l"), &json!("the quick red fox"))
    );
    assert_eq!(meta.get("quote"), None);

    platform.says(&ada, &chat, Draft::text("this?").reply_to(first).quoting("red fox"));
    let (_, meta) = event(&mut server);
    assert_eq!((&meta["reply_to"], &meta["quote"]), (&json!(first.to_string()), &json!("red fox")));

    platform.says(&ada, &chat, Draft::text("look").forwarded_from(bob()));
    let (text, meta) = event(&mut server);
    assert_eq!((text.as_str(), &meta["forwarded_from"]), ("look", &json!("Bob")));
    assert!(meta["forwarded_at"].as_str().unwrap().ends_with('Z'), "{meta}");
    assert_eq!(meta["user_id"], "42", "who forwards is who speaks");

    server.reply("42", "an answer");
    let answer = platform.hears(&chat, PATIENCE)["message_id"].as_i64().unwrap();
    platform.says(&ada, &chat, Draft::text("why?").reply_to(answer));
    let (_, meta) = event(&mut server);
    assert_eq!(
        (&meta["reply_to"], &meta["reply_to_text"]),
        (&json!(answer.to_string()), &json!("an answer"))
    );
    assert_eq!(meta["reply_to_user"], "fake_telegram_bot");
}

#[test]
fn an_update_that_telegram_sends_again_is_told_once() {
    let stage = Stage::new();
    let mut server = stage.serve();
    let (platform, ada, chat) = (&stage.platform, ada(), ada().chat());
    let said = platform.says(&ada, &chat, "once");
    assert_eq!(server.content(), "once");
    let message = platform.message(&chat, said.message_id).unwrap();
    let again = json!({"update_id": said.update_id.unwrap(), "message": message}).to_string();
    platform.raw(&again);
    platform.raw(&again);
    platform.says(&ada, &chat, "twice");
    assert_eq!(server.content(), "twice");
    server.no_event();
    server.close_stdin();
    server.end();
    // Nor does the next session hear it.
    let mut server = stage.serve();
    platform.raw(&again);
    platform.says(&ada, &chat, "thrice");
    assert_eq!(server.content(), "thrice");
    assert!(server.arrived(EVENT).is_empty());
}

#[test]
fn what_was_written_while_nobody_listened_comes_in_order_with_the_next_session() {
    let stage = Stage::new();
    let (ada, chat) = (ada(), ada().chat());
    for number in 0..150 {
        stage.platform.says(&ada, &chat, number.to_string());
    }
    let mut server = stage.serve();
    for number in 0..150 {
        let (text, meta) = event(&mut server);
        assert_eq!(text, number.to_string());
        assert_eq!(meta.get("redelivered"), None);
    }
    server.no_event();
}
