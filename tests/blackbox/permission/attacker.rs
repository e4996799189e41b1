//! Tests of an attacker who wants a tool to run, and may not decide about it.

use serde_json::{Value, json};

use super::{EVENT, VERDICT, action, ask, labels, market, press, text, verdict, write};
use crate::harness::{Home, Page, Server, bazaar};

/// An attack: counts the attempts and their outcomes.
struct Attack {
    server: Server,
    attempts: usize,
    verdicts: usize,
}

impl Attack {
    /// Makes one attempt, which ends when `seen` has checked its outcome.
    fn attempt(&mut self, page: &mut Page, told: &Value, seen: impl FnOnce(&mut Server, &mut Page)) {
        self.attempts += 1;
        page.tell(told);
        seen(&mut self.server, page);
        let verdicts = self.server.arrived(VERDICT);
        assert!(verdicts.is_empty(), "{told} has led to {verdicts:?}");
        self.verdicts += verdicts.len();
    }

    /// Checks that the session gets it like any other message.
    fn as_chat(&mut self, page: &mut Page, told: &Value) {
        self.attempt(page, told, |server, _| {
            let event = server.event();
            assert_eq!(event["content"], told["message"]["text"]);
        });
    }

    /// Checks that a press gets only this notice: the prompt does not change.
    fn in_vain(&mut self, page: &mut Page, told: &Value, notice: &str) {
        self.attempt(page, told, |_, page| {
            let answer = json!({"call": "acknowledge", "press": told["press"]["event"], "notice": notice});
            assert_eq!(next(page), answer, "{told}");
        });
    }

    /// Checks that neither the session nor a person gets it.
    fn unheard(&mut self, page: &mut Page, told: &Value) {
        self.attempt(page, told, |server, page| {
            assert!(page.calls().is_empty(), "{told} was answered");
            let events = server.arrived(EVENT);
            assert!(events.is_empty(), "{told} has led to {events:?}");
        });
    }
}

/// Returns whether only people who may answer see this call.
fn is_prompt(call: &Value) -> bool {
    call["call"] == "send" || call["call"] == "edit"
}

/// Returns the next call that concerns a prompt.
fn next(page: &mut Page) -> Value {
    loop {
        if let tungstenite::Message::Text(text) = page.next() {
            let frame: Value = serde_json::from_str(&text).unwrap();
            if frame["call"] == "acknowledge" || frame["call"] == "edit" {
                return frame;
            }
        }
    }
}

#[test]
fn nobody_decides_but_an_approver_in_a_direct_chat_by_first_writing_or_pressing() {
    let home = Home::new();
    let mut server = market(&home, "good");
    let mut page = server.own_page("bazaar");
    let mut visitor = server.page("bazaar");
    ask(&mut server, "abcde");
    let prompt = page.call("send");
    let allow = action(&prompt, "Allow").to_owned();
    let mut attack = Attack { server, attempts: 0, verdicts: 0 };

    // In a group, even by the approver, even addressed to the bot.
    for sender in ["ada", "bob", "mallory"] {
        for (typed, addressed) in [("yes abcde", false), ("Y ABCDE", true)] {
            let told = json!({"message": {
                "chat": "fair", "kind": "group", "sender": sender, "text": typed, "addressed": addressed
            }});
            attack.as_chat(&mut page, &told);
        }
    }
    let mut thread = write("fair-1", "ada", "yes abcde");
    thread["message"]["kind"] = "group".into();
    thread["message"]["group"] = "fair".into();
    attack.as_chat(&mut page, &thread);

    // By somebody who may only write; who calls himself like the approver; in her chat.
    attack.as_chat(&mut page, &write("bob", "bob", "yes abcde"));
    attack.as_chat(&mut page, &write("ada", "bob", "yes abcde"));
    let mut namesake = write("bob", "bob", "yes abcde");
    namesake["message"]["name"] = "ada".into();
    attack.as_chat(&mut page, &namesake);

    // By a stranger.
    attack.unheard(&mut page, &write("mallory", "mallory", "yes abcde"));
    attack.unheard(&mut page, &write("ada", "mallory", "yes abcde"));
    for lookalike in ["Ada", "ada ", " ada", "аda", "ada\u{200b}", "ada\n"] {
        attack.unheard(&mut page, &write(lookalike, lookalike, "yes abcde"));
    }

    // By changing what she has written before.
    let mut edited = write("ada", "ada", "yes abcde");
    edited["message"]["edited"] = true.into();
    attack.as_chat(&mut page, &edited);

    // By a press of somebody else's, or of what is no button of this prompt's.
    for sender in ["bob", "mallory", "Ada", "bot"] {
        attack.in_vain(&mut page, &press(sender, &allow, &prompt), "Not authorized.");
    }
    for forged in [
        "permission:approve:abcde",
        "permission:allow:abcde:yes",
        "permission:allow",
        "permission:allow:abcle",
        "allow:abcde",
        "yes abcde",
        "",
    ] {
        attack.in_vain(&mut page, &press("ada", forged, &prompt), "Not authorized.");
    }
    let unknown = press("ada", "permission:allow:vwxyz", &prompt);
    attack.in_vain(&mut page, &unknown, "This is not open any more.");

    // From a page that was opened without the key: whoever reaches the port may say that they are Ada.
    assert!(!visitor.calls().iter().any(is_prompt), "it was shown the prompt");
    attack.as_chat(&mut visitor, &write("ada", "ada", "yes abcde"));
    attack.in_vain(&mut visitor, &press("ada", &allow, &prompt), "Not authorized.");

    // About what was never asked.
    attack.as_chat(&mut page, &write("ada", "ada", "yes vwxyz"));

    let Attack { mut server, attempts, verdicts } = attack;
    assert_eq!((attempts, verdicts), (34, 0));
    assert!(!page.calls().iter().any(is_prompt), "nothing has changed the prompt");
    // The door was there all the time, for her who has the key.
    page.tell(&press("ada", &allow, &prompt));
    assert_eq!(verdict(&mut server), json!({"request_id": "abcde", "behavior": "allow"}));
    assert_eq!(page.call("acknowledge")["notice"], "Allowed.");
    let edit = page.call("edit");
    assert!(edit["message"] == prompt["id"] && text(&edit).contains("allowed by you"), "{edit}");
    assert!(!visitor.calls().iter().any(is_prompt), "it was shown the outcome");

    // What is settled stays so.
    for (told, call, part) in [
        (press("ada", &allow, &prompt), "acknowledge", "notice"),
        (press("ada", action(&prompt, "Deny"), &prompt), "acknowledge", "notice"),
        (press("ada", action(&prompt, "Details"), &prompt), "acknowledge", "notice"),
        (write("ada", "ada", "yes abcde"), "send", "text"),
        (write("ada", "ada", "no abcde"), "send", "text"),
    ] {
        page.tell(&told);
        let answer = page.call(call);
        assert!(answer[part].as_str().unwrap().contains("allowed by you"), "{told} gives {answer}");
        assert!(server.arrived(VERDICT).is_empty(), "{told}");
    }
}

#[test]
fn a_question_that_was_asked_elsewhere_is_not_answered_here() {
    let home = Home::new();
    home.settings("[bazaar]\npermission_prompts = true\n\n[bazaar2]\npermission_prompts = true\n");
    home.access("bazaar", &json!({"dmPolicy": "allowlist", "allowFrom": ["ada"]}));
    // Nobody here may answer when the question comes; Eve may a moment later.
    home.access("bazaar2", &json!({"dmPolicy": "allowlist", "allowFrom": ["eve"], "approvers": []}));
    let files = [bazaar(&home, "good"), bazaar(&home, "other")];
    let mut command = home.command(["serve", "--opt-in", "always"]);
    for file in &files {
        command.arg("--dangerously-load-development-channels").arg(file);
    }
    let mut server = Server::start(command);
    server.initialize();
    let (mut here, mut elsewhere) = (server.own_page("bazaar"), server.own_page("bazaar2"));
    ask(&mut server, "abcde");
    let prompt = here.call("send");
    let set = home.at_terminal(["access", "bazaar2", "set", "approvers", "eve"]);
    assert!(set.status.success(), "{}", set.stderr);

    elsewhere.tell(&write("eve", "eve", "yes abcde"));
    assert_eq!(server.content(), "yes abcde", "it is chat");
    elsewhere.tell(&press("eve", action(&prompt, "Allow"), &prompt));
    assert_eq!(elsewhere.call("acknowledge")["notice"], "This is not open any more.");
    assert!(server.arrived(VERDICT).is_empty());

    // The next one is asked in both, and closed in both.
    ask(&mut server, "bcdef");
    let prompts = [here.call("send"), elsewhere.call("send")];
    elsewhere.tell(&press("eve", action(&prompts[1], "Deny"), &prompts[1]));
    assert_eq!(verdict(&mut server), json!({"request_id": "bcdef", "behavior": "deny"}));
    for (page, prompt) in [(&mut here, &prompts[0]), (&mut elsewhere, &prompts[1])] {
        let edit = page.call("edit");
        assert!(edit["message"] == prompt["id"] && labels(&edit).is_empty(), "{edit}");
    }
}
