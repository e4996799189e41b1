//! Tests of the bot's messages and their limits.

use fake_telegram::{Chat, Server};
use serde_json::{Value, json};

use crate::{
    PATIENCE, acquainted, ada,
    client::{call, refusal, result, send},
};

const UNMODIFIED: &str = "Bad Request: message is not modified: specified new message content and reply markup are exactly the same as a current content and reply markup of the message";

#[test]
fn a_message_comes_back_as_it_was_sent() {
    let server = acquainted();
    let message = result(
        &server,
        "SENDMESSAGE",
        &json!({
            "chat_id": 42,
            "text": "<b>High</b> tide &amp; <a href=\"https://example.com/t\">wind</a> 🌊 <i>soon</i>",
            "parse_mode": "html",
            "reply_markup": {"inline_keyboard": [[{"text": "Fine", "callback_data": "ok"}]]},
        }),
    );
    assert_eq!(message["text"], "High tide & wind 🌊 soon");
    assert_eq!(
        message["entities"],
        json!([
            {"type": "bold", "offset": 0, "length": 4},
            {"type": "text_link", "offset": 12, "length": 4, "url": "https://example.com/t"},
            {"type": "italic", "offset": 20, "length": 4},
        ])
    );
    assert_eq!(message["from"]["username"], "fake_telegram_bot");
    assert_eq!(message["reply_markup"]["inline_keyboard"][0][0]["callback_data"], "ok");
    assert_eq!(server.hears(&ada().chat(), PATIENCE), message);
    assert_eq!(server.messages(&ada().chat()), [message]);
    assert_eq!(server.wait_for("sendMessage", PATIENCE).parameter("chat_id"), 42);
}

#[test]
fn parameters_come_in_every_way() {
    let server = acquainted();
    let path = format!("/bot{}/sendMessage", server.token());
    let ways: [(&str, &str, String, &str, &str); 3] = [
        ("GET", "?chat_id=42&text=a%20%2B+b", String::new(), "", "GET"),
        ("POST", "", String::new(), "application/x-www-form-urlencoded", "chat_id=42&text=a+%2B%20b"),
        ("POST", "?chat_id=42", String::new(), "application/json", "{\"text\": \"a + b\"}"),
    ];
    for (verb, query, _, kind, body) in ways {
        let body = if verb == "GET" { "" } else { body };
        let answer = send(&server, verb, &format!("{path}{query}"), kind, body.as_bytes()).unwrap().json();
        assert_eq!(answer["result"]["text"], "a + b", "{verb} {kind}: {answer}");
        let call = server.wait_for("sendMessage", PATIENCE);
        assert_eq!(
            Value::from(call.parameters.clone()),
            json!({"chat_id": 42, "text": "a + b"}),
            "{verb} {kind}"
        );
    }
}

#[test]
fn what_is_wrong_is_refused_in_telegrams_words() {
    let server = acquainted();
    let sent = result(&server, "sendMessage", &json!({"chat_id": 42, "text": "one"}))["message_id"].clone();
    let theirs = server.says(&ada(), &ada().chat(), "two").message_id;
    let keyboard = |data: &str| json!({"inline_keyboard": [[{"text": "x", "callback_data": data}]]});
    for (method, parameters, expected) in [
        ("sendMessage", json!({"chat_id": 42}), "message text is empty"),
        ("sendMessage", json!({"chat_id": 42, "text": " \n"}), "text must be non-empty"),
        (
            "sendMessage",
            json!({"chat_id": 42, "text": "<b></b>", "parse_mode": "HTML"}),
            "text must be non-empty",
        ),
        ("sendMessage", json!({"text": "x"}), "chat_id is empty"),
        ("sendMessage", json!({"chat_id": 43, "text": "x"}), "chat not found"),
        ("sendMessage", json!({"chat_id": "@nobody", "text": "x"}), "chat not found"),
        ("sendMessage", json!({"chat_id": 42, "text": "x".repeat(4097)}), "message is too long"),
        ("sendMessage", json!({"chat_id": 42, "text": "🌊".repeat(2049)}), "message is too long"),
        ("sendMessage", json!({"chat_id": 42, "text": "x".repeat(40_000)}), "text is too long"),
        (
            "sendMessage",
            json!({"chat_id": 42, "text": "a <x>", "parse_mode": "HTML"}),
            "can't parse entities: Unsupported start tag \"x\" at byte offset 2",
        ),
        (
            "sendMessage",
            json!({"chat_id": 42, "text": "*x*", "parse_mode": "MarkdownV2"}),
            "unsupported parse_mode",
        ),
        (
            "sendMessage",
            json!({"chat_id": 42, "text": "x", "reply_parameters": {"message_id": 99}}),
            "message to be replied not found",
        ),
        (
            "sendMessage",
            json!({"chat_id": 42, "text": "x", "reply_parameters": {"message_id": theirs, "quote": "three"}}),
            "QUOTE_TEXT_INVALID",
        ),
        (
            "sendMessage",
            json!({"chat_id": 42, "text": "x", "message_thread_id": 7}),
            "message thread not found",
        ),
        (
            "sendMessage",
            json!({"chat_id": 42, "text": "x", "reply_markup": keyboard(&"x".repeat(65))}),
            "BUTTON_DATA_INVALID",
        ),
        (
            "sendMessage",
            json!({"chat_id": 42, "text": "x", "reply_markup": {"inline_keyboard": [[{"text": "x"}]]}}),
            "can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard",
        ),
        (
            "editMessageText",
            json!({"chat_id": 42, "message_id": 99, "text": "x"}),
            "message to edit not found",
        ),
        (
            "editMessageText",
            json!({"chat_id": 42, "message_id": theirs, "text": "x"}),
            "message can't be edited",
        ),
        (
            "editMessageCaption",
            json!({"chat_id": 42, "message_id": sent, "caption": "x"}),
            "there is no caption in the message to edit",
        ),
        ("deleteMessage", json!({"chat_id": 42, "message_id": 99}), "message to delete not found"),
        (
            "setMessageReaction",
            json!({"chat_id": 42, "message_id": theirs, "reaction": [{"type": "emoji", "emoji": "🦀"}]}),
            "REACTION_INVALID",
        ),
        (
            "setMessageReaction",
            json!({"chat_id": 42, "message_id": 99, "reaction": []}),
            "message to react not found",
        ),
        ("sendChatAction", json!({"chat_id": 42, "action": "dancing"}), "wrong parameter action in request"),
        ("getFile", json!({"file_id": "nothing"}), "invalid file_id"),
        ("sendPhoto", json!({"chat_id": 42}), "there is no photo in the request"),
        ("sendPhoto", json!({"chat_id": 42, "photo": "nothing"}), "wrong file identifier/HTTP URL specified"),
        (
            "setMyCommands",
            json!({"commands": [{"command": "Bad Name", "description": "x"}]}),
            "BOT_COMMAND_INVALID",
        ),
    ] {
        assert_eq!(
            refusal(&server, method, &parameters),
            format!("Bad Request: {expected}"),
            "{method} {parameters}"
        );
    }
    assert_eq!(server.messages(&ada().chat()).len(), 1, "nothing that is refused takes effect");
    assert_eq!(server.refusals().len(), 27);
}

#[test]
fn the_longest_text_is_taken() {
    let server = acquainted();
    for text in ["x".repeat(4096), "🌊".repeat(2048), format!("<b>{}</b>", "x".repeat(4096))] {
        result(&server, "sendMessage", &json!({"chat_id": 42, "text": text, "parse_mode": "HTML"}));
    }
}

#[test]
fn an_edit_that_changes_nothing_is_refused() {
    let server = acquainted();
    let keyboard = json!({"inline_keyboard": [[{"text": "x", "callback_data": "y"}]]});
    let sent =
        result(&server, "sendMessage", &json!({"chat_id": 42, "text": "one", "reply_markup": keyboard}));
    let id = &sent["message_id"];
    let edit = |text: &str, markup: &Value| json!({"chat_id": 42, "message_id": id, "text": text, "parse_mode": "HTML", "reply_markup": markup});
    assert_eq!(refusal(&server, "editMessageText", &edit("one", &keyboard)), UNMODIFIED);
    let edited = result(&server, "editMessageText", &edit("<b>one</b>", &keyboard));
    assert_eq!(edited["entities"][0]["type"], "bold");
    assert!(edited["edit_date"].is_i64());
    assert_eq!(refusal(&server, "editMessageText", &edit("<b>one</b>", &keyboard)), UNMODIFIED);
    // Without a keyboard it loses the one it had.
    let edited = result(&server, "editMessageText", &edit("<b>one</b>", &Value::Null));
    assert_eq!(edited.get("reply_markup"), None);
    let bare = json!({"chat_id": 42, "message_id": id});
    assert_eq!(refusal(&server, "editMessageReplyMarkup", &bare), UNMODIFIED);
    assert_eq!(server.message(&ada().chat(), id.as_i64().unwrap()).unwrap()["text"], "one");
    result(&server, "deleteMessage", &bare);
    assert_eq!(server.messages(&ada().chat()).len(), 0);
}

#[test]
fn a_reply_shows_what_it_replies_to() {
    let server = acquainted();
    let asked = server.says(&ada(), &ada().chat(), "when is high tide?").message_id;
    let reply = json!({"chat_id": 42, "text": "at six", "reply_parameters": {"message_id": asked, "quote": "high tide"}});
    let message = result(&server, "sendMessage", &reply);
    assert_eq!(message["reply_to_message"]["text"], "when is high tide?");
    assert_eq!(message["quote"]["position"], 8);
    let lost = json!({"message_id": 99, "allow_sending_without_reply": true});
    let message =
        result(&server, "sendMessage", &json!({"chat_id": 42, "text": "x", "reply_parameters": lost}));
    assert_eq!(message.get("reply_to_message"), None);
}

#[test]
fn topics_are_kept_apart() {
    let server = Server::start();
    let forum = Chat::forum(-1_001_234, "Harbour");
    let topic = server.topic(&ada(), &forum, "Tides");
    let thread = topic.thread.unwrap();
    let asked = server.says(&ada(), &topic, "when?").message_id;
    let message = result(
        &server,
        "sendMessage",
        &json!({"chat_id": forum.id, "text": "x", "message_thread_id": thread}),
    );
    assert_eq!((&message["message_thread_id"], &message["is_topic_message"]), (&json!(thread), &json!(true)));
    // A reply finds its topic by itself.
    let reply = json!({"chat_id": forum.id, "text": "y", "reply_parameters": {"message_id": asked}});
    assert_eq!(result(&server, "sendMessage", &reply)["message_thread_id"], thread);
    result(&server, "sendMessage", &json!({"chat_id": forum.id, "text": "z"}));
    assert_eq!(server.messages(&topic).len(), 2);
    assert_eq!(server.messages(&forum).len(), 3);
    for thread in [1, 999] {
        let lost = json!({"chat_id": forum.id, "text": "x", "message_thread_id": thread});
        assert_eq!(refusal(&server, "sendMessage", &lost), "Bad Request: message thread not found");
    }
}

#[test]
fn a_bot_may_not_write_everywhere() {
    let server = acquainted();
    server.blocks_bot(&ada());
    let hello = |chat: i64| json!({"chat_id": chat, "text": "hello"});
    assert_eq!(refusal(&server, "sendMessage", &hello(42)), "Forbidden: bot was blocked by the user");
    server.unblocks_bot(&ada());
    result(&server, "sendMessage", &hello(42));
    let group = Chat::supergroup(-1_005, "Pier");
    server.removes_bot(&ada(), &group);
    assert_eq!(
        refusal(&server, "sendMessage", &hello(-1_005)),
        "Forbidden: bot was kicked from the supergroup chat"
    );
    let moved = server.migrates(&ada(), &Chat::group(-7, "Old"));
    let answer = call(&server, "sendMessage", &hello(-7));
    assert_eq!(answer.status, 400);
    assert_eq!(
        answer.json(),
        json!({
            "ok": false,
            "error_code": 400,
            "description": "Bad Request: group chat was upgraded to a supergroup chat",
            "parameters": {"migrate_to_chat_id": moved.id},
        })
    );
    result(&server, "sendMessage", &hello(moved.id));
}

#[test]
fn a_reaction_is_one_of_a_fixed_set() {
    let server = acquainted();
    let message = server.says(&ada(), &ada().chat(), "hello").message_id;
    let react = |emoji: &str| json!({"chat_id": 42, "message_id": message, "reaction": [{"type": "emoji", "emoji": emoji}]});
    assert_eq!(result(&server, "setMessageReaction", &react("👍")), true);
    assert_eq!(server.reaction(&ada().chat(), message).as_deref(), Some("👍"));
    result(&server, "setMessageReaction", &json!({"chat_id": 42, "message_id": message}));
    assert_eq!(server.reaction(&ada().chat(), message), None);
}

#[test]
fn commands_are_kept_for_each_audience() {
    let server = Server::start();
    let commands = json!([{"command": "start", "description": "Begin"}]);
    let private = json!({"type": "all_private_chats"});
    result(&server, "setMyCommands", &json!({"commands": commands, "scope": private}));
    assert_eq!(result(&server, "getMyCommands", &json!({"scope": private})), commands);
    assert_eq!(result(&server, "getMyCommands", &json!({})), json!([]));
}

#[test]
fn only_the_right_address_leads_anywhere() {
    let server = Server::start();
    let token = server.token();
    for (path, status, description) in [
        (format!("/bot{token}/getMe"), 200, ""),
        (format!("/bot{token}/getme"), 200, ""),
        (format!("/bot{token}/getNothing"), 404, "Not Found: method not found"),
        (format!("/bot{token}x/getMe"), 401, "Unauthorized"),
        ("/bot/getMe".to_owned(), 401, "Unauthorized"),
        (format!("/file/bot{token}x/a"), 401, "Unauthorized"),
        (format!("/file/bot{token}/a"), 404, "Not Found"),
        ("/".to_owned(), 404, "Not Found"),
    ] {
        let answer = send(&server, "GET", &path, "", b"").unwrap();
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(answer.json()["description"].as_str().unwrap_or_default(), description, "{path}");
    }
    let me = result(&server, "getMe", &json!({}));
    assert_eq!((&me["is_bot"], &me["id"]), (&json!(true), &json!(8_086_174_200_i64)));
}

#[test]
fn a_server_may_count_bytes() {
    let server = acquainted();
    for (in_bytes, text, status) in [
        (false, "ж".repeat(4096), 200),
        (true, "ж".repeat(2049), 400),
        (true, "ж".repeat(2048), 200),
        (true, "x".repeat(4096), 200),
    ] {
        server.count_bytes(in_bytes);
        let answer = call(&server, "sendMessage", &json!({"chat_id": 42, "text": text}));
        assert_eq!(answer.status, status, "{in_bytes}");
    }
}
