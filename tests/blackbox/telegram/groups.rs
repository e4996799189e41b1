//! Tests of groups, topics, and groups that become supergroups.

use fake_telegram::{Call, Chat, Draft, User};
use serde_json::{Value, json};

use super::stage::{Stage, ada, bob, event};
use crate::{
    harness::{PATIENCE, Server},
    pairing::eventually,
};

const EVENT: &str = "notifications/claude/channel";
const GROUP: i64 = -1_001_234_567_890;

fn group() -> Chat {
    Chat::supergroup(GROUP, "Harbour")
}

/// Creates a stage on which Ada may write directly, and these groups are heard.
fn stage(groups: &Value) -> Stage {
    Stage::with(&json!({"dmPolicy": "allowlist", "allowFrom": ["42"], "groups": groups}))
}

/// Returns all messages delivered since the last call.
fn heard(stage: &Stage, server: &mut Server) -> Vec<String> {
    stage.platform.says(&ada(), &ada().chat(), "that was all");
    std::iter::from_fn(|| Some(server.content()).filter(|text| text != "that was all")).collect()
}

/// Sends a reply and returns the id in `sent (id: …)`.
fn sent(server: &mut Server, chat: &str, text: &str) -> i64 {
    let (result, is_error) = server.reply(chat, text);
    assert!(!is_error, "{result}");
    result.trim_start_matches("sent (id: ").trim_end_matches(')').parse().unwrap()
}

#[test]
fn in_a_group_only_what_is_meant_for_the_bot_is_heard() {
    let stage = stage(&json!({GROUP.to_string(): {}}));
    let mut server = stage.serve();
    let (platform, bob, group) = (&stage.platform, bob(), group());
    platform.knows(&group);
    let own = sent(&mut server, &GROUP.to_string(), "hello, everybody");
    let other = platform.says(&bob, &group, "talk among members").message_id;
    let bot = json!({"id": platform.bot().id, "is_bot": true, "first_name": "Fake"});
    let named = |offset: u64| json!([{"type": "text_mention", "offset": offset, "length": 3, "user": bot}]);
    let mentions: [(Draft, bool); 10] = [
        ("@fake_telegram_bot what is this?".into(), true),
        ("what is this, @Fake_Telegram_Bot?".into(), true),
        ("@fake_telegram_bot2 what is this?".into(), false),
        ("fake_telegram_bot what is this?".into(), false),
        ("/deploy@fake_telegram_bot now".into(), true),
        ("/status@fake_telegram_bot".into(), true),
        ("/deploy@other_bot now".into(), false),
        (Draft::text("you: the answer?").with("entities", named(0)), true),
        (Draft::text("and you?").reply_to(own), true),
        (Draft::text("no, you").reply_to(other), false),
    ];
    for (draft, is_heard) in mentions {
        let shown = format!("{draft:?}");
        platform.says(&bob, &group, draft);
        assert_eq!(heard(&stage, &mut server).len(), usize::from(is_heard), "{shown}");
    }
    assert_eq!(platform.messages(&group).len(), 1, "nobody was told anything");
}

#[test]
fn a_message_that_is_changed_to_mention_the_bot_is_heard_then() {
    let stage = stage(&json!({GROUP.to_string(): {}}));
    let mut server = stage.serve();
    let said = stage.platform.says(&bob(), &group(), "what is this?");
    assert_eq!(heard(&stage, &mut server), [""; 0]);
    stage.platform.edits(&bob(), &group(), said.message_id, "@fake_telegram_bot what is this?");
    let (_, meta) = event(&mut server);
    assert_eq!((&meta["edited"], &meta["user"]), (&json!("true"), &json!("Bob")));
}

#[test]
fn a_group_that_wants_no_mention_is_heard_as_a_whole_and_answered_there() {
    let stage = stage(&json!({GROUP.to_string(): {"requireMention": false}}));
    let mut server = stage.serve();
    let said = stage.platform.says(&bob(), &group(), "talk among members");
    let (text, meta) = event(&mut server);
    assert_eq!(text, "talk among members");
    assert_eq!((&meta["chat_id"], &meta["user_id"]), (&json!(GROUP.to_string()), &json!("43")));
    assert_eq!(meta.get("thread_id"), None);
    sent(&mut server, &GROUP.to_string(), "noted");
    let call = stage.platform.wait_for("sendMessage", PATIENCE);
    assert_eq!((call.parameter("chat_id"), call.parameter("text")), (&json!(GROUP), &json!("noted")));
    assert_eq!(stage.platform.messages(&group()).len(), 1);
    // Bots are heard only where a list names them, and somebody who speaks in a group's name is that group.
    stage.platform.says(&User::new(99, "Robot").bot(), &group(), "beep");
    let anonymous = json!({"id": GROUP, "type": "supergroup", "title": "Harbour"});
    let shadow = User::new(1_087_968_824, "Group").username("GroupAnonymousBot").bot();
    stage.platform.says(&shadow, &group(), Draft::text("we are many").with("sender_chat", anonymous));
    let (text, meta) = event(&mut server);
    assert_eq!((text.as_str(), &meta["user_id"]), ("we are many", &json!(GROUP.to_string())));
    assert!(said.message_id > 0 && heard(&stage, &mut server).is_empty());
}

#[test]
fn a_group_that_nobody_has_enabled_is_not_heard_and_shows_in_the_status() {
    let stage = stage(&json!({"-1009": {"requireMention": false}}));
    let mut server = stage.serve();
    for text in ["@fake_telegram_bot hello", "@fake_telegram_bot is anybody there?"] {
        stage.platform.says(&ada(), &group(), text);
    }
    let topic = stage.platform.topic(&bob(), &Chat::forum(-1_002, "Forum"), "Pier");
    stage.platform.says(&bob(), &topic, "@fake_telegram_bot hello");
    assert_eq!(heard(&stage, &mut server), [""; 0]);
    let (text, is_error) = server.reply(&GROUP.to_string(), "hello");
    assert!(is_error && text.contains("is not one that may write"), "{text}");
    // They are written together, a little later.
    let refusals = || stage.status()["refusals"].as_array().cloned().unwrap_or_default();
    eventually("what was turned away", || refusals().len() == 2);
    let counted = refusals().into_iter().map(|refusal| {
        let text = |key: &str| refusal[key].as_str().unwrap_or_default().to_owned();
        (text("chat"), text("sender"), text("reason"), refusal["count"].as_u64().unwrap())
    });
    let mut counted: Vec<_> = counted.collect();
    counted.sort();
    let row = |chat: String, sender: &str, count| (chat, sender.to_owned(), "group".to_owned(), count);
    let thread = topic.thread.unwrap();
    assert_eq!(counted, [row(GROUP.to_string(), "42", 2), row(format!("-1002/{thread}"), "43", 1)]);
    let shown = stage.home.run(["status", "telegram"], "").stdout;
    assert!(shown.contains(&format!("chat {GROUP} \"Harbour\", sender 42 (ada_l)")), "{shown}");
    // As the README says: that id is what it takes.
    let output = stage.home.at_terminal(["access", "telegram", "group", "add", &GROUP.to_string()]);
    assert!(output.status.success(), "{}", output.stderr);
    stage.platform.says(&ada(), &group(), "@fake_telegram_bot and now?");
    assert_eq!(server.content(), "@fake_telegram_bot and now?");
}

#[test]
fn a_groups_entry_opens_all_of_its_topics_and_answers_stay_in_theirs() {
    let stage = stage(&json!({GROUP.to_string(): {"requireMention": false}}));
    stage.settings(&[("ack_reaction", "👀")]);
    let mut server = stage.serve();
    let (platform, bob) = (&stage.platform, bob());
    let forum = Chat::forum(GROUP, "Harbour");
    let topics = ["Pier", "Crane"].map(|name| platform.topic(&bob, &forum, name));
    assert_eq!(heard(&stage, &mut server), [""; 0], "a new topic says nothing");
    for topic in &topics {
        platform.forget_calls();
        let thread = topic.thread.unwrap();
        let address = format!("{GROUP}/{thread}");
        // Telegram says of everything in a topic that it answers the topic's beginning.
        let said = platform.says(&bob, topic, Draft::text("which crane?").reply_to(thread)).message_id;
        let (_, meta) = event(&mut server);
        assert_eq!(
            (&meta["chat_id"], &meta["thread_id"]),
            (&json!(address), &json!(thread.to_string())),
            "{meta}"
        );
        assert_eq!(meta.get("reply_to"), None, "{meta}");
        for method in ["sendChatAction", "setMessageReaction"] {
            let mut calls = std::iter::repeat_with(|| platform.wait_for(method, PATIENCE));
            // In the direct chat, too, somebody has written.
            let here = |call: &Call| {
                let is_there =
                    method == "setMessageReaction" || call.parameter("message_thread_id") == thread;
                call.parameter("chat_id") == GROUP && is_there
            };
            assert!(calls.any(|call| here(&call)));
        }
        let first = sent(&mut server, &address, "the red one");
        let call = platform.wait_for("sendMessage", PATIENCE);
        assert_eq!(call.parameter("chat_id"), &json!(GROUP));
        assert_eq!(call.parameter("message_thread_id"), &json!(thread));
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("crane.txt");
        std::fs::write(&file, "red").unwrap();
        let quoting = json!({
            "chat_id": address, "text": "see", "reply_to": said.to_string(), "files": [file]
        });
        assert!(!server.call("reply", &quoting).1);
        let edit = json!({"chat_id": address, "message_id": first.to_string(), "text": "the green one"});
        assert!(!server.call("edit_message", &edit).1);
        let react = json!({"chat_id": address, "message_id": said.to_string(), "emoji": "👍"});
        assert!(!server.call("react", &react).1);
        assert_eq!(platform.reaction(topic, said).as_deref(), Some("👍"));
        let messages = platform.messages(topic);
        assert_eq!(messages.len(), 3, "{messages:?}");
        assert_eq!(messages[0]["text"], "the green one");
        assert_eq!(messages[1]["reply_to_message"]["message_id"], said);
        assert!(messages[2]["document"].is_object(), "{messages:?}");
    }
    // Without a topic it goes to the forum's own.
    sent(&mut server, &GROUP.to_string(), "to all");
    assert_eq!(platform.messages(&forum).len(), 7);
    assert!(platform.refusals().is_empty(), "{:?}", platform.refusals());
}

#[test]
fn a_topic_can_be_enabled_alone() {
    let stage = Stage::new();
    let (platform, bob) = (&stage.platform, bob());
    let forum = Chat::forum(GROUP, "Harbour");
    let [pier, crane] = ["Pier", "Crane"].map(|name| platform.topic(&bob, &forum, name));
    let address = format!("{GROUP}/{}", pier.thread.unwrap());
    let groups = json!({&address: {"requireMention": false}});
    stage.home.access("telegram", &json!({"dmPolicy": "allowlist", "allowFrom": ["42"], "groups": groups}));
    let mut server = stage.serve();
    platform.says(&bob, &crane, "not here");
    platform.says(&bob, &forum, "nor here");
    platform.says(&bob, &pier, "here");
    assert_eq!(heard(&stage, &mut server), ["here"]);
    sent(&mut server, &address, "yes");
    for closed in [GROUP.to_string(), format!("{GROUP}/{}", crane.thread.unwrap())] {
        assert!(server.reply(&closed, "x").1, "{closed}");
    }
    assert_eq!(platform.messages(&forum).len(), 1);
}

/// Returns the groups in `access.json`.
fn groups(stage: &Stage) -> Value {
    stage.access()["groups"].take()
}

#[test]
fn a_group_that_becomes_a_supergroup_keeps_its_entry() {
    let rules = json!({"requireMention": false, "allowFrom": ["43"]});
    let stage = stage(&json!({"-567": rules, "-568": {}}));
    let mut server = stage.serve();
    let (bob, group) = (bob(), Chat::group(-567, "Dinghies"));
    stage.platform.says(&bob, &group, "we are few");
    let (_, meta) = event(&mut server);
    assert_eq!(meta["chat_id"], "-567");
    let supergroup = stage.platform.migrates(&bob, &group);
    let new = supergroup.id.to_string();
    eventually("the new id", || groups(&stage) == json!({&new: rules, "-568": {}}));
    stage.platform.says(&bob, &supergroup, "we are many");
    let (text, meta) = event(&mut server);
    assert_eq!((text.as_str(), &meta["chat_id"]), ("we are many", &json!(new)));
    sent(&mut server, &new, "so you are");
    // Its rules came along, and the old id is nobody's.
    stage.platform.says(&ada(), &supergroup, "may I?");
    assert_eq!(heard(&stage, &mut server), [""; 0]);
    assert!(server.reply("-567", "x").1);
    assert!(server.arrived("elicitation/create").is_empty(), "nobody has to approve of it");
    // Nor is any of it forgotten.
    server.close_stdin();
    server.end();
    let mut server = stage.serve();
    stage.platform.says(&bob, &supergroup, "still many");
    assert_eq!(server.content(), "still many");
}

#[test]
fn what_is_said_right_after_a_group_became_a_supergroup_is_heard() {
    let stage = stage(&json!({"-567": {"requireMention": false}}));
    let (bob, group) = (bob(), Chat::group(-567, "Dinghies"));
    // All of it waits at Telegram, and comes together.
    stage.platform.says(&bob, &group, "we are few");
    let supergroup = stage.platform.migrates(&bob, &group);
    stage.platform.says(&bob, &supergroup, "we are many");
    let mut server = stage.serve();
    assert_eq!(server.content(), "we are few");
    assert_eq!(heard(&stage, &mut server), ["we are many"]);
    assert_eq!(groups(&stage), json!({supergroup.id.to_string(): {"requireMention": false}}));
}

#[test]
fn a_group_that_nobody_has_enabled_gets_in_by_no_migration() {
    let stage = stage(&json!({"-568": {"requireMention": false}}));
    let mut server = stage.serve();
    let supergroup = stage.platform.migrates(&bob(), &Chat::group(-567, "Dinghies"));
    stage.platform.says(&bob(), &supergroup, "@fake_telegram_bot hello");
    assert_eq!(heard(&stage, &mut server), [""; 0]);
    assert_eq!(groups(&stage), json!({"-568": {"requireMention": false}}));
    assert!(server.arrived(EVENT).is_empty());
}

#[test]
fn a_channel_and_comings_and_goings_say_nothing() {
    let channel = Chat::channel(-1_003, "News");
    let stage =
        stage(&json!({GROUP.to_string(): {"requireMention": false}, "-1003": {"requireMention": false}}));
    let mut server = stage.serve();
    let (platform, group) = (&stage.platform, group());
    platform.says(&ada(), &channel, "breaking");
    platform.adds_bot(&bob(), &group);
    let bob_json = json!({"id": 43, "is_bot": false, "first_name": "Bob"});
    for (field, value) in [
        ("new_chat_members", json!([bob_json])),
        ("left_chat_member", bob_json.clone()),
        ("new_chat_title", json!("Docks")),
        ("pinned_message", json!({"message_id": 1, "date": 0, "chat": {"id": GROUP, "type": "supergroup"}})),
    ] {
        platform.says(&bob(), &group, Draft::default().with(field, value));
    }
    platform.removes_bot(&bob(), &group);
    assert_eq!(heard(&stage, &mut server), [""; 0]);
    let (text, is_error) = server.reply(&GROUP.to_string(), "hello?");
    assert!(is_error && text.contains("somebody has to add the bot to the group again"), "{text}");
}
