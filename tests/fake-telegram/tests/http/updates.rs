//! Tests of `getUpdates`.

use std::{thread, time::Instant};

use fake_telegram::{Chat, Draft, Server};
use serde_json::{Value, json};

use crate::{
    PATIENCE, ada,
    client::{call, refusal, result, send},
};

fn texts(updates: &Value) -> Vec<&str> {
    updates.as_array().unwrap().iter().map(|update| update["message"]["text"].as_str().unwrap()).collect()
}

#[test]
fn updates_stay_until_they_are_confirmed() {
    let server = Server::start();
    let first = server.says(&ada(), &ada().chat(), "one").update_id.unwrap();
    assert_eq!(server.says(&ada(), &ada().chat(), "two").update_id, Some(first + 1));
    assert_eq!(texts(&result(&server, "getUpdates", &json!({}))), ["one", "two"]);
    assert_eq!(server.unconfirmed(), 2);
    assert_eq!(texts(&result(&server, "getUpdates", &json!({"offset": first + 1}))), ["two"]);
    assert_eq!(server.unconfirmed(), 1);
    // Coming up again changes nothing.
    server.restart();
    assert_eq!(texts(&result(&server, "getUpdates", &json!({"offset": first + 1}))), ["two"]);
    assert_eq!(result(&server, "getUpdates", &json!({"offset": first + 2, "timeout": 0})), json!([]));
    assert_eq!(server.unconfirmed(), 0);
}

#[test]
fn whoever_waits_is_woken_at_once() {
    let server = Server::start();
    thread::scope(|scope| {
        let poll = scope.spawn(|| {
            let updates = result(&server, "getUpdates", &json!({"timeout": 50}));
            (updates, Instant::now())
        });
        server.wait_for("getUpdates", PATIENCE);
        let said = Instant::now();
        server.says(&ada(), &ada().chat(), "hello");
        let (updates, heard) = poll.join().unwrap();
        assert_eq!(texts(&updates), ["hello"]);
        assert!((heard - said).as_millis() < 1000);
    });
}

#[test]
fn the_older_of_two_pollers_gets_the_conflict() {
    let server = Server::start();
    thread::scope(|scope| {
        let older = scope.spawn(|| call(&server, "getUpdates", &json!({"timeout": 50})));
        server.wait_for("getUpdates", PATIENCE);
        let newer = scope.spawn(|| result(&server, "getUpdates", &json!({"offset": 1, "timeout": 50})));
        let answer = older.join().unwrap();
        assert_eq!(answer.status, 409);
        assert_eq!(
            answer.json(),
            json!({
                "ok": false,
                "error_code": 409,
                "description": "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running",
            })
        );
        server.says(&ada(), &ada().chat(), "hello");
        assert_eq!(texts(&newer.join().unwrap()), ["hello"]);
    });
}

#[test]
fn a_token_that_is_revoked_ends_a_wait() {
    let server = Server::start();
    thread::scope(|scope| {
        let poll = scope.spawn(|| call(&server, "getUpdates", &json!({"timeout": 50})));
        server.wait_for("getUpdates", PATIENCE);
        server.revoke();
        let answer = poll.join().unwrap();
        assert_eq!(answer.json(), json!({"ok": false, "error_code": 401, "description": "Unauthorized"}));
    });
    assert_eq!(call(&server, "getMe", &json!({})).status, 401);
    server.issue("7:new");
    assert_eq!(call(&server, "getMe", &json!({})).status, 200);
}

#[test]
fn a_server_that_is_down_refuses_and_ends_what_is_open() {
    let server = Server::start();
    let path = format!("/bot{}/getUpdates?timeout=50", server.token());
    thread::scope(|scope| {
        let poll = scope.spawn(|| send(&server, "GET", &path, "", b""));
        server.wait_for("getUpdates", PATIENCE);
        server.stop();
        assert!(poll.join().unwrap().is_err());
    });
    assert!(send(&server, "GET", &path, "", b"").is_err());
    server.restart();
    assert_eq!(call(&server, "getMe", &json!({})).status, 200);
}

#[test]
fn reactions_come_only_if_asked_for() {
    let server = Server::start();
    let message = server.says(&ada(), &ada().chat(), "hello").message_id;
    assert_eq!(server.reacts(&ada(), &ada().chat(), message, "👍"), None);
    result(&server, "getUpdates", &json!({"allowed_updates": ["message_reaction"]}));
    assert!(server.reacts(&ada(), &ada().chat(), message, "👍").is_some());
    let updates = result(&server, "getUpdates", &json!({"offset": -1}));
    assert_eq!(updates[0]["message_reaction"]["new_reaction"], json!([{"type": "emoji", "emoji": "👍"}]));
    assert_eq!(server.says(&ada(), &ada().chat(), "unasked").update_id, None);
    assert_eq!(result(&server, "getWebhookInfo", &json!({}))["allowed_updates"], json!(["message_reaction"]));
}

#[test]
fn what_people_do_has_the_shapes_of_telegram() {
    let server = Server::start();
    let forum = Chat::forum(-1_001_234, "Harbour");
    let topic = server.topic(&ada(), &forum, "Tides");
    let first = server.says(&ada(), &topic, "/tide@fake_telegram_bot now");
    server.says(
        &ada(),
        &topic,
        Draft::photo("not really")
            .caption("@fake_telegram_bot look")
            .reply_to(first.message_id)
            .quoting("now"),
    );
    server.edits(&ada(), &forum, first.message_id, "/tide later");
    server.presses(&ada(), &forum, first.message_id, "allow");
    server.album(&ada(), &forum, [Draft::photo("a"), Draft::photo("b")]);
    let moved = server.migrates(&ada(), &Chat::group(-77, "Old harbour"));
    server.removes_bot(&ada(), &moved);
    server.raw("{\"update_id\":{update_id},\"message\":7}");
    let updates = result(&server, "getUpdates", &json!({}));
    let thread = topic.thread.unwrap();
    assert_eq!(updates[0]["message"]["forum_topic_created"]["name"], "Tides");
    let message = &updates[1]["message"];
    assert_eq!(message["message_thread_id"], thread);
    assert_eq!(message["is_topic_message"], true);
    assert_eq!(message["entities"], json!([{"type": "bot_command", "offset": 0, "length": 23}]));
    assert_eq!(
        message["chat"],
        json!({"id": -1_001_234, "type": "supergroup", "title": "Harbour", "is_forum": true})
    );
    assert_eq!(
        message["from"],
        json!({"id": 42, "is_bot": false, "first_name": "Ada", "username": "ada_l", "language_code": "en"})
    );
    let photo = &updates[2]["message"];
    assert_eq!(photo["reply_to_message"]["message_id"], first.message_id);
    assert_eq!(photo["quote"], json!({"text": "now", "position": 24, "is_manual": true}));
    assert_eq!(photo["caption_entities"][0]["type"], "mention");
    let sizes = photo["photo"].as_array().unwrap();
    assert_eq!(sizes.last().unwrap()["width"], 640);
    assert!(sizes.len() > 1 && sizes.is_sorted_by_key(|size| size["width"].as_u64()));
    let edited = &updates[3]["edited_message"];
    assert_eq!((&edited["text"], &edited["message_id"]), (&json!("/tide later"), &json!(first.message_id)));
    assert!(edited["edit_date"].is_i64());
    let press = &updates[4]["callback_query"];
    assert_eq!((&press["data"], &press["message"]["text"]), (&json!("allow"), &json!("/tide later")));
    assert_eq!(updates[5]["message"]["media_group_id"], updates[6]["message"]["media_group_id"]);
    assert_eq!(updates[7]["message"]["migrate_to_chat_id"], moved.id);
    assert_eq!(updates[8]["message"]["migrate_from_chat_id"], -77);
    assert_eq!(updates[9]["my_chat_member"]["new_chat_member"]["status"], "kicked");
    assert_eq!(updates[10]["message"], 7);
    let answered = json!({"callback_query_id": press["id"], "text": "ok"});
    assert_eq!(result(&server, "answerCallbackQuery", &answered), true);
    server.expires(press["id"].as_str().unwrap());
    assert_eq!(
        refusal(&server, "answerCallbackQuery", &answered),
        "Bad Request: query is too old and response timeout expired or query ID is invalid"
    );
}

#[test]
fn an_update_may_be_anything_at_all() {
    let server = Server::start();
    server.raw("this is no JSON");
    let path = format!("/bot{}/getUpdates", server.token());
    let answer = send(&server, "GET", &path, "", b"").unwrap();
    assert_eq!(answer.body, b"{\"ok\":true,\"result\":[this is no JSON]}");
}

#[test]
fn a_webhook_ends_polling() {
    let server = Server::start();
    result(&server, "setWebhook", &json!({"url": "https://example.com/hook"}));
    assert!(refusal(&server, "getUpdates", &json!({})).starts_with("Conflict: can't use getUpdates"));
    server.says(&ada(), &ada().chat(), "hello");
    result(&server, "deleteWebhook", &json!({"drop_pending_updates": true}));
    assert_eq!(result(&server, "getUpdates", &json!({})), json!([]));
}
