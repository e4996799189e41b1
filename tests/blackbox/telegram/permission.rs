//! Tests of permission prompts on Telegram, and of people's answers to them.

use fake_telegram::{Chat, Fault, User};
use serde_json::{Value, json};

use super::stage::{Stage, ada, bob};
use crate::harness::{PATIENCE, Server};

const REQUEST: &str = "notifications/claude/channel/permission_request";
const VERDICT: &str = "notifications/claude/channel/permission";
const GROUP: i64 = -1_001_234;

/// Creates a stage where Ada may answer, Bob may only write, and one group is heard.
fn stage() -> Stage {
    Stage::with(&json!({
        "dmPolicy": "allowlist", "allowFrom": ["42", "43"], "approvers": ["42"],
        "groups": {GROUP.to_string(): {"requireMention": false}}
    }))
}

/// Starts the server, after everybody has written to the bot.
fn serve(stage: &Stage) -> Server {
    for user in [ada(), bob()] {
        stage.platform.knows(&user.chat());
    }
    let server = stage.serve();
    // Requests that come before anybody can be asked are lost.
    stage.platform.wait_for("getUpdates", PATIENCE);
    server
}

fn ask(server: &mut Server, id: &str) {
    let params = json!({
        "request_id": id, "tool_name": "Bash", "description": "Count <b> & \"x\"",
        "input_preview": "{\"command\":\"grep -c '<b>' *.html\"}"
    });
    server.send(&json!({"jsonrpc": "2.0", "method": REQUEST, "params": params}));
}

/// Returns the prompt that this person gets.
fn prompt(stage: &Stage, who: &User) -> Value {
    let prompt = stage.platform.hears(&who.chat(), PATIENCE);
    assert!(prompt["text"].as_str().is_some_and(|text| text.contains("Bash")), "{prompt}");
    prompt
}

/// Returns all buttons of a message: label and data.
fn buttons(message: &Value) -> Vec<(&str, &str)> {
    let rows = message["reply_markup"]["inline_keyboard"].as_array().into_iter().flatten();
    let keys = rows.flat_map(|row| row.as_array().unwrap());
    keys.map(|key| (key["text"].as_str().unwrap(), key["callback_data"].as_str().unwrap())).collect()
}

fn labels(message: &Value) -> Vec<&str> {
    buttons(message).into_iter().map(|(label, _)| label).collect()
}

/// Presses the button with this label; returns the bot's answer to the press.
fn press(stage: &Stage, who: &User, chat: &Chat, message: &Value, label: &str) -> Value {
    let (_, data) = *buttons(message)
        .iter()
        .find(|(shown, _)| *shown == label)
        .unwrap_or_else(|| panic!("no {label} on {message}"));
    let id = message["message_id"].as_i64().unwrap();
    let pressed = stage.platform.presses(who, chat, id, data);
    let answer = stage.platform.wait_for("answerCallbackQuery", PATIENCE);
    assert_eq!(answer.parameter("callback_query_id"), &json!(pressed.callback_query_id));
    assert!(answer.error.is_none(), "{answer:?}");
    answer.parameter("text").clone()
}

/// Returns the message after the next edit.
fn edited(stage: &Stage, chat: &Chat, message: &Value) -> Value {
    let edit = stage.platform.wait_for("editMessageText", PATIENCE);
    assert!(edit.error.is_none(), "{edit:?}");
    assert_eq!(edit.parameter("message_id"), &message["message_id"]);
    stage.platform.message(chat, message["message_id"].as_i64().unwrap()).unwrap()
}

#[test]
fn an_approver_decides_by_a_button_and_the_buttons_go() {
    let stage = stage();
    let mut server = serve(&stage);
    let (ada, bob) = (ada(), bob());
    for (id, label, behaviour, notice, outcome) in [
        ("abcde", "Allow", "allow", "Allowed.", "✅ Bash was allowed by you."),
        ("fghij", "Deny", "deny", "Denied.", "❌ Bash was denied by you."),
    ] {
        ask(&mut server, id);
        let prompt = prompt(&stage, &ada);
        assert_eq!(labels(&prompt), ["Allow", "Deny", "Details"]);
        let text = prompt["text"].as_str().unwrap();
        for part in ["Claude wants to use Bash", "Count <b> & \"x\"", &format!("yes {id}")] {
            assert!(text.contains(part), "{part:?} is not in {text:?}");
        }
        assert_eq!(press(&stage, &ada, &ada.chat(), &prompt, label), notice);
        assert_eq!(server.wait(VERDICT)["params"], json!({"request_id": id, "behavior": behaviour}));
        let after = edited(&stage, &ada.chat(), &prompt);
        let text = after["text"].as_str().unwrap();
        assert!(text.starts_with(outcome) && text.contains("Count <b> & \"x\""), "{text}");
        assert!(buttons(&after).is_empty(), "{after}");
        // Whoever is late is told.
        let late = press(&stage, &ada, &ada.chat(), &prompt, "Allow");
        assert!(late.as_str().unwrap().contains("by you"), "{late}");
        stage.platform.wait_for("editMessageText", PATIENCE);
        let still = stage.platform.message(&ada.chat(), prompt["message_id"].as_i64().unwrap()).unwrap();
        assert_eq!((&still["text"], buttons(&still)), (&after["text"], Vec::new()));
    }
    assert!(stage.platform.messages(&bob.chat()).is_empty(), "Bob was not asked");
    assert!(server.arrived(VERDICT).is_empty());
    server.no_event();
}

#[test]
fn details_are_shown_in_place_and_leave_the_choice() {
    let stage = stage();
    let mut server = serve(&stage);
    let ada = ada();
    ask(&mut server, "abcde");
    let prompt = prompt(&stage, &ada);
    assert!(!prompt["text"].as_str().unwrap().contains("grep"), "{prompt}");
    assert_eq!(press(&stage, &ada, &ada.chat(), &prompt, "Details"), Value::Null);
    let after = edited(&stage, &ada.chat(), &prompt);
    assert!(after["text"].as_str().unwrap().contains("grep -c '<b>' *.html"), "{after}");
    assert_eq!(labels(&after), ["Allow", "Deny"]);
    assert!(server.arrived(VERDICT).is_empty(), "to look is not to decide");
    assert_eq!(press(&stage, &ada, &ada.chat(), &after, "Deny"), "Denied.");
    assert_eq!(server.wait(VERDICT)["params"]["behavior"], "deny");
}

/// A platform waits only some seconds for the acknowledgement of a press.
#[test]
fn a_press_is_acknowledged_before_the_prompts_are_edited() {
    let stage = Stage::with(&json!({"dmPolicy": "allowlist", "allowFrom": ["42", "43"]}));
    let mut server = serve(&stage);
    let (ada, bob) = (ada(), bob());
    ask(&mut server, "abcde");
    let (hers, his) = (prompt(&stage, &ada), prompt(&stage, &bob));
    stage.platform.fault(Fault::hold().on("editMessageText"));
    assert_eq!(press(&stage, &ada, &ada.chat(), &hers, "Allow"), "Allowed.");
    // One edit hangs, the other one is made all the same.
    for _ in 0..2 {
        stage.platform.wait_for("editMessageText", PATIENCE);
    }
    for (chat, prompt, who) in [(ada.chat(), &hers, "you"), (bob.chat(), &his, "ada_l")] {
        let after = stage.platform.message(&chat, prompt["message_id"].as_i64().unwrap()).unwrap();
        let text = after["text"].as_str().unwrap();
        assert!(text.starts_with(&format!("✅ Bash was allowed by {who}.")), "{text}");
    }
    let calls = stage.platform.calls();
    let first = |method: &str| calls.iter().position(|call| call.method == method).unwrap();
    assert!(first("answerCallbackQuery") < first("editMessageText"));
}

/// Telegram shows a message before the bot gets the answer to its call.
#[test]
fn a_press_counts_before_the_prompt_is_known_to_be_sent() {
    let stage = stage();
    let mut server = serve(&stage);
    let ada = ada();
    stage.platform.fault(Fault::hold().on("sendMessage"));
    ask(&mut server, "abcde");
    let asked = prompt(&stage, &ada);
    assert_eq!(press(&stage, &ada, &ada.chat(), &asked, "Details"), Value::Null);
    stage.platform.release();
    let after = edited(&stage, &ada.chat(), &asked);
    assert!(after["text"].as_str().unwrap().contains("grep -c '<b>' *.html"), "{after}");
    assert_eq!(labels(&after), ["Allow", "Deny"]);

    stage.platform.fault(Fault::hold().on("sendMessage"));
    ask(&mut server, "bcdef");
    let asked = prompt(&stage, &ada);
    assert_eq!(press(&stage, &ada, &ada.chat(), &asked, "Allow"), "Allowed.");
    assert_eq!(server.wait(VERDICT)["params"], json!({"request_id": "bcdef", "behavior": "allow"}));
    stage.platform.release();
    let after = edited(&stage, &ada.chat(), &asked);
    assert!(after["text"].as_str().unwrap().contains("was allowed by you"), "{after}");
    assert!(buttons(&after).is_empty(), "{after}");
    // Each of the two was edited once; a late press tries again.
    assert_eq!(press(&stage, &ada, &ada.chat(), &asked, "Allow"), "✅ `Bash` was allowed by you.");
    stage.platform.wait_for("editMessageText", PATIENCE);
    assert_eq!(stage.platform.calls_of("editMessageText").len(), 3);
}

/// The program learns only after the press that the prompts were sent: all of them show the details then.
#[test]
fn prompts_that_are_noted_late_show_the_details_as_well() {
    let stage = Stage::with(&json!({"dmPolicy": "allowlist", "allowFrom": ["42", "43"]}));
    let mut server = serve(&stage);
    let (ada, bob) = (ada(), bob());
    stage.platform.fault(Fault::hold().on("sendMessage").times(2));
    ask(&mut server, "abcde");
    let (hers, his) = (prompt(&stage, &ada), prompt(&stage, &bob));
    assert_eq!(press(&stage, &ada, &ada.chat(), &hers, "Details"), Value::Null);
    stage.platform.release();
    for _ in 0..2 {
        let edit = stage.platform.wait_for("editMessageText", PATIENCE);
        assert!(edit.error.is_none(), "{edit:?}");
    }
    for (chat, prompt) in [(ada.chat(), &hers), (bob.chat(), &his)] {
        let after = stage.platform.message(&chat, prompt["message_id"].as_i64().unwrap()).unwrap();
        assert!(after["text"].as_str().unwrap().contains("grep"), "{after}");
    }
}

#[test]
fn nobody_but_an_approver_decides_by_a_button() {
    let stage = stage();
    let mut server = serve(&stage);
    let (ada, bob, eve) = (ada(), bob(), User::new(66, "Eve"));
    let group = Chat::supergroup(GROUP, "Harbour");
    ask(&mut server, "abcde");
    let prompt = prompt(&stage, &ada);
    // Who presses counts, wherever the button is said to be.
    for (who, chat) in
        [(&bob, ada.chat()), (&bob, bob.chat()), (&bob, group.clone()), (&eve, eve.chat()), (&eve, group)]
    {
        for label in ["Allow", "Deny", "Details"] {
            assert_eq!(press(&stage, who, &chat, &prompt, label), "Not authorized.", "{who:?} in {chat:?}");
        }
    }
    assert!(stage.platform.calls_of("editMessageText").is_empty(), "the buttons stay");
    assert!(server.arrived(VERDICT).is_empty());
    assert_eq!(press(&stage, &ada, &ada.chat(), &prompt, "Allow"), "Allowed.");
    assert_eq!(server.wait(VERDICT)["params"]["behavior"], "allow");
    server.no_event();
}

#[test]
fn an_approver_decides_in_words_in_the_direct_chat_and_nowhere_else() {
    let stage = stage();
    let mut server = serve(&stage);
    let (ada, bob) = (ada(), bob());
    let group = Chat::supergroup(GROUP, "Harbour");
    ask(&mut server, "abcde");
    let prompt = prompt(&stage, &ada);
    for (who, chat) in [(&ada, &group), (&bob, &group), (&bob, &bob.chat())] {
        stage.platform.says(who, chat, "yes abcde");
        assert_eq!(server.content(), "yes abcde", "{who:?} in {chat:?}");
    }
    assert!(server.arrived(VERDICT).is_empty());
    stage.platform.says(&ada, &ada.chat(), "Yes ABCDE");
    assert_eq!(server.wait(VERDICT)["params"], json!({"request_id": "abcde", "behavior": "allow"}));
    let after = edited(&stage, &ada.chat(), &prompt);
    assert!(after["text"].as_str().unwrap().starts_with("✅ Bash was allowed by you."), "{after}");
    assert!(buttons(&after).is_empty(), "{after}");
    assert_eq!(stage.told(&ada.chat()), "Allowed.");
    stage.platform.says(&ada, &ada.chat(), "no abcde");
    assert!(stage.told(&ada.chat()).contains("was allowed by you"));
    assert!(server.arrived(VERDICT).is_empty());
    server.no_event();
}

#[test]
fn a_prompt_stays_as_it_is_whatever_the_session_wants_to_make_of_it() {
    let stage = stage();
    let mut server = serve(&stage);
    ask(&mut server, "abcde");
    let prompt = prompt(&stage, &ada());
    let id = prompt["message_id"].to_string();
    let edit = json!({"chat_id": "42", "message_id": id, "text": "something harmless?"});
    let (text, is_error) = server.call("edit_message", &edit);
    assert!(is_error && text.contains("asks for a permission"), "{text}");
    assert!(stage.platform.calls_of("editMessageText").is_empty());
}

#[test]
fn an_answer_that_is_edited_in_decides_nothing() {
    let stage = stage();
    let mut server = serve(&stage);
    let ada = ada();
    let said = stage.platform.says(&ada, &ada.chat(), "let me think");
    assert_eq!(server.content(), "let me think");
    ask(&mut server, "abcde");
    prompt(&stage, &ada);
    stage.platform.edits(&ada, &ada.chat(), said.message_id, "yes abcde");
    assert_eq!(server.content(), "yes abcde");
    assert!(server.arrived(VERDICT).is_empty());
}
