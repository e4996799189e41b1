//! Tests of permission prompts: who is asked, who may answer, and the effect.

mod attacker;
mod page;
mod request;

use serde_json::{Value, json};

use crate::harness::{Home, Server, bazaar};

const REQUEST: &str = "notifications/claude/channel/permission_request";
const VERDICT: &str = "notifications/claude/channel/permission";
const EVENT: &str = "notifications/claude/channel";
const GRANT: &str = "[bazaar]\npermission_prompts = true\n";

/// Starts a bazaar with the relay granted. Ada may answer, Bob may only write; the group `fair` is heard.
fn market(home: &Home, behaviour: &str) -> Server {
    serve(
        home,
        behaviour,
        &json!({
            "dmPolicy": "allowlist", "allowFrom": ["ada", "bob"], "approvers": ["ada"],
            "groups": {"fair": {"requireMention": false}}
        }),
    )
}

fn serve(home: &Home, behaviour: &str, access: &Value) -> Server {
    home.settings(GRANT);
    home.access("bazaar", access);
    let file = bazaar(home, behaviour);
    home.serve(["--log", "debug", "--dangerously-load-development-channels", file.to_str().unwrap()])
}

/// Sends a session's request to run a command.
fn ask(server: &mut Server, id: &str) {
    ask_about(server, id, "Bash", "List files", "{\"command\":\"ls\"}");
}

fn ask_about(server: &mut Server, id: &str, tool: &str, description: &str, preview: &str) {
    let params = json!({
        "request_id": id, "tool_name": tool, "description": description, "input_preview": preview
    });
    server.send(&json!({"jsonrpc": "2.0", "method": REQUEST, "params": params}));
}

fn write(chat: &str, sender: &str, text: &str) -> Value {
    json!({"message": {"chat": chat, "sender": sender, "text": text}})
}

fn press(sender: &str, action: &str, prompt: &Value) -> Value {
    json!({"press": {
        "event": format!("{sender} presses {action}").replace(' ', "-"), "action": action, "sender": sender,
        "chat": prompt["chat"], "message": prompt["id"]
    }})
}

fn labels(shown: &Value) -> Vec<&str> {
    shown["buttons"].as_array().unwrap().iter().map(|button| button["label"].as_str().unwrap()).collect()
}

/// Returns the action of the button with this label.
fn action<'a>(prompt: &'a Value, label: &str) -> &'a str {
    let buttons = prompt["buttons"].as_array().unwrap();
    let button = buttons.iter().find(|button| button["label"] == label);
    button.unwrap_or_else(|| panic!("no {label:?} in {prompt}"))["action"].as_str().unwrap()
}

fn text(shown: &Value) -> &str {
    shown["text"].as_str().unwrap()
}

/// Returns the length as the bazaar's platform counts it.
fn length(shown: &Value) -> usize {
    text(shown).encode_utf16().count()
}

fn verdict(server: &mut Server) -> Value {
    server.wait(VERDICT)["params"].clone()
}

#[test]
fn a_prompt_comes_to_the_approvers_own_chat_and_a_press_there_decides() {
    let home = Home::new();
    let mut server = market(&home, "good");
    let mut page = server.own_page("bazaar");
    // Ada's direct chat has an id of its own, which the host knows since she has written.
    page.tell(&write("chat-7", "ada", "hello"));
    assert_eq!(server.content(), "hello");
    for (id, label, behaviour, notice) in
        [("abcde", "Allow", "allow", "Allowed."), ("fghij", "Deny", "deny", "Denied.")]
    {
        ask(&mut server, id);
        let prompt = page.call("send");
        assert_eq!((&prompt["chat"], &prompt["format"]), (&json!("chat-7"), &json!("markdown")));
        assert_eq!(labels(&prompt), ["Allow", "Deny", "Details"]);
        let styles: Vec<&Value> =
            prompt["buttons"].as_array().unwrap().iter().map(|button| &button["style"]).collect();
        assert_eq!(styles, ["positive", "negative", "neutral"]);
        for part in ["`Bash`", "List files", &format!("`yes {id}`"), &format!("`no {id}`")] {
            assert!(text(&prompt).contains(part), "{part} is not in {prompt}");
        }
        page.tell(&press("ada", action(&prompt, label), &prompt));
        assert_eq!(verdict(&mut server), json!({"request_id": id, "behavior": behaviour}));
        let acknowledged = page.call("acknowledge");
        let press = format!("ada-presses-{}", action(&prompt, label));
        assert_eq!(acknowledged, json!({"call": "acknowledge", "press": press, "notice": notice}));
        let edit = page.call("edit");
        assert_eq!((&edit["chat"], &edit["message"]), (&prompt["chat"], &prompt["id"]));
        assert!(text(&edit).contains("`Bash`") && text(&edit).contains("by you"), "{edit}");
        assert!(text(&edit).contains("List files"), "what was asked stays: {edit}");
        assert!(labels(&edit).is_empty(), "{edit}");
    }
    assert!(server.arrived(EVENT).is_empty(), "a press is no chat");
    assert!(page.calls().is_empty(), "Bob was not asked, and nobody was asked twice");
}

#[test]
fn an_approver_who_has_never_written_is_asked_by_their_own_id() {
    let home = Home::new();
    let mut server = market(&home, "good");
    let mut page = server.own_page("bazaar");
    ask(&mut server, "abcde");
    assert_eq!(page.call("send")["chat"], "ada");
}

#[test]
fn typed_answers_decide_in_a_direct_chat() {
    let home = Home::new();
    let mut server = market(&home, "good");
    let mut page = server.own_page("bazaar");
    for (id, typed, behaviour, told) in [
        ("abcde", "yes abcde", "allow", "Allowed."),
        ("bcdef", "N BCDEF", "deny", "Denied."),
        ("cdefg", " y\tcDeFg \n", "allow", "Allowed."),
        ("defgh", "no defgh", "deny", "Denied."),
    ] {
        ask(&mut server, id);
        let prompt = page.call("send");
        page.tell(&write("ada", "ada", typed));
        assert_eq!(verdict(&mut server), json!({"request_id": id, "behavior": behaviour}), "{typed:?}");
        let answer = page.call("send");
        assert_eq!((&answer["chat"], text(&answer)), (&json!("ada"), told), "{typed:?}");
        assert_eq!(page.call("edit")["message"], prompt["id"]);
    }
    assert!(server.arrived(EVENT).is_empty(), "an answer is no chat");
}

#[test]
fn what_only_resembles_an_answer_is_chat() {
    let home = Home::new();
    let mut server = market(&home, "good");
    let mut page = server.own_page("bazaar");
    ask(&mut server, "abcde");
    page.call("send");
    for typed in ["yes", "abcde", "yes abcde please", "yes abcd", "yess abcde", "yes, abcde", "maybe abcde"] {
        page.tell(&write("ada", "ada", typed));
        assert_eq!(server.content(), typed);
    }
    assert!(server.arrived(VERDICT).is_empty());
}

#[test]
fn the_first_of_several_answers_counts_and_the_others_are_told_so() {
    let home = Home::new();
    // Without `approvers` whoever may write directly may answer.
    let mut server = serve(&home, "good", &json!({"dmPolicy": "allowlist", "allowFrom": ["ada", "bob"]}));
    let mut page = server.own_page("bazaar");
    ask(&mut server, "abcde");
    let (ada, bob) = (page.call("send"), page.call("send"));
    assert_eq!((&ada["chat"], &bob["chat"]), (&json!("ada"), &json!("bob")));
    page.tell(&press("ada", action(&ada, "Deny"), &ada));
    assert_eq!(verdict(&mut server)["behavior"], "deny");
    assert_eq!(page.call("acknowledge")["notice"], "Denied.");
    let mut edited = [page.call("edit"), page.call("edit")].map(|edit| {
        let who = if edit["chat"] == "ada" { "denied by you" } else { "denied by ada" };
        assert!(labels(&edit).is_empty() && text(&edit).contains(who), "{edit}");
        edit["message"].as_str().unwrap().to_owned()
    });
    edited.sort();
    assert_eq!(edited.each_ref().map(|id| json!(id)), [ada["id"].clone(), bob["id"].clone()]);

    page.tell(&press("bob", action(&bob, "Allow"), &bob));
    let notice = page.call("acknowledge")["notice"].as_str().unwrap().to_owned();
    assert!(notice.contains("denied by ada"), "{notice}");
    page.tell(&write("bob", "bob", "yes abcde"));
    let told = page.call("send");
    assert!(told["chat"] == "bob" && text(&told).contains("denied by ada"), "{told}");
    assert!(server.arrived(VERDICT).is_empty());
    assert!(server.arrived(EVENT).is_empty());
}

#[test]
fn of_two_answers_at_the_same_moment_one_counts() {
    let home = Home::new();
    let mut server = serve(&home, "good", &json!({"dmPolicy": "allowlist", "allowFrom": ["ada", "bob"]}));
    let mut page = server.own_page("bazaar");
    ask(&mut server, "abcde");
    page.call("send");
    page.call("send");
    let answer = |sender: &str, text: &str| json!({"chat": sender, "sender": sender, "text": text});
    page.tell(&json!({"messages": [answer("ada", "yes abcde"), answer("bob", "no abcde")]}));
    assert_eq!(verdict(&mut server)["behavior"], "allow");
    let told = [page.call("send"), page.call("send")];
    let to = |chat: &str| text(told.iter().find(|told| told["chat"] == chat).unwrap());
    assert_eq!(to("ada"), "Allowed.");
    assert!(to("bob").contains("allowed by ada"), "{told:?}");
    assert!(server.arrived(VERDICT).is_empty());
}

#[test]
fn details_show_both_ends_of_the_input_and_leave_the_choice() {
    let home = Home::new();
    let mut server = market(&home, "good");
    let mut page = server.own_page("bazaar");
    let preview = format!("BEGIN {}END", "and so on ".repeat(200));
    ask_about(&mut server, "abcde", "Bash", "", &preview);
    let prompt = page.call("send");
    assert!(!text(&prompt).contains("BEGIN"), "{prompt}");
    page.tell(&press("ada", action(&prompt, "Details"), &prompt));
    assert_eq!(page.call("acknowledge")["notice"], Value::Null);
    let details = page.call("edit");
    assert_eq!(details["message"], prompt["id"]);
    assert!(text(&details).contains("BEGIN") && text(&details).contains("END"), "{details}");
    assert!(length(&details) <= 200, "{}: {details}", length(&details));
    assert_eq!(labels(&details), ["Allow", "Deny"]);
    assert!(server.arrived(VERDICT).is_empty(), "to look is not to decide");
    page.tell(&press("ada", action(&details, "Allow"), &prompt));
    assert_eq!(verdict(&mut server)["behavior"], "allow");
}

#[test]
fn the_session_cannot_change_what_it_has_asked() {
    let home = Home::new();
    let mut server = market(&home, "good");
    let mut page = server.own_page("bazaar");
    ask(&mut server, "abcde");
    let prompt = page.call("send");
    let edit = json!({"chat_id": "ada", "message_id": prompt["id"], "text": "🔐 Something harmless?"});
    let (text, is_error) = server.call("edit_message", &edit);
    assert!(is_error && text.contains("asks for a permission"), "{text}");
    assert!(page.calls().is_empty());
    // Another message of its own is its own.
    let (text, _) = server.reply("ada", "x");
    let id = text.trim_start_matches("sent (id: ").trim_end_matches(')');
    let edit = json!({"chat_id": "ada", "message_id": id, "text": "y"});
    assert!(!server.call("edit_message", &edit).1);
}

#[test]
fn without_an_input_there_are_no_details_to_ask_for() {
    let home = Home::new();
    let mut server = market(&home, "good");
    let mut page = server.own_page("bazaar");
    ask_about(&mut server, "abcde", "Bash", "List files", " \n");
    assert_eq!(labels(&page.call("send")), ["Allow", "Deny"]);
}

#[test]
fn a_channel_without_buttons_asks_in_words() {
    let home = Home::new();
    let mut server = market(&home, "plain");
    let mut page = server.own_page("bazaar");
    ask(&mut server, "abcde");
    let prompt = page.call("send");
    assert!(labels(&prompt).is_empty(), "{prompt}");
    for part in ["List files", "{\"command\":\"ls\"}", "yes abcde", "no abcde"] {
        assert!(text(&prompt).contains(part), "{part} is not in {prompt}");
    }
    page.tell(&write("ada", "ada", "yes abcde"));
    assert_eq!(verdict(&mut server), json!({"request_id": "abcde", "behavior": "allow"}));
    assert_eq!(page.call("edit")["message"], prompt["id"]);
}

#[test]
fn only_a_granted_channel_with_an_approver_is_asked() {
    let declared = |capabilities: &Value| capabilities["experimental"]["claude/channel/permission"].clone();
    let writers = json!({"dmPolicy": "allowlist", "allowFrom": ["ada"]});
    let nobody = json!({"dmPolicy": "allowlist", "allowFrom": ["ada"], "approvers": []});
    let stranger = json!({"dmPolicy": "allowlist", "allowFrom": ["ada"], "approvers": ["mallory"]});
    let closed = json!({"dmPolicy": "disabled", "allowFrom": ["ada"]});
    for (settings, access, expected) in [
        ("", &writers, Value::Null),
        ("[bazaar]\npermission_prompts = false\n", &writers, Value::Null),
        (GRANT, &nobody, json!({})),
        (GRANT, &stranger, json!({})),
        (GRANT, &closed, json!({})),
    ] {
        let home = Home::new();
        home.settings(settings);
        home.access("bazaar", access);
        let file = bazaar(&home, "good");
        let mut server =
            home.spawn(["--log", "debug", "--dangerously-load-development-channels", file.to_str().unwrap()]);
        let capabilities = server.initialize()["capabilities"].clone();
        assert_eq!(capabilities["experimental"]["claude/channel"], json!({}));
        assert_eq!(declared(&capabilities), expected, "{settings:?} {access}");
        let mut page = server.page("bazaar");
        ask(&mut server, "abcde");
        server.log("nobody can be asked about permission abcde");
        assert!(page.calls().is_empty(), "{settings:?} {access}");
    }
}
