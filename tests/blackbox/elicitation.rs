//! Tests of the dialogs with the session's user, in a client that supports dialogs: about strangers, and about changes
//! of access.json by another program or person.

mod file;

use serde_json::{Value, json};

use crate::{
    harness::{Home, Page, Server, bazaar},
    pairing::{answer, code, document, done, eventually, file, open, other, say, status, write},
};

/// Starts the bazaar, with a client that supports dialogs.
fn asking(home: &Home) -> (Server, Page) {
    let file = bazaar(home, "good");
    let mut server = home.serve(["--dangerously-load-development-channels", file.to_str().unwrap()]);
    let page = server.page("bazaar");
    (server, page)
}

const DIALOG: &str = "elicitation/create";

/// Returns the next dialog.
fn dialog(server: &mut Server) -> Value {
    let dialog = server.wait(DIALOG);
    assert_eq!(dialog["params"]["requestedSchema"]["type"], "object", "{dialog}");
    dialog
}

fn message(dialog: &Value) -> &str {
    dialog["params"]["message"].as_str().unwrap()
}

fn types(server: &mut Server, dialog: &Value, code: &str) {
    server.answer_dialog(dialog, &json!({"action": "accept", "content": {"code": code}}));
}

/// Checks that no dialog is open or arrives, and that the guest got no call.
fn quiet(server: &mut Server, page: &mut Page) {
    assert_eq!(page.calls(), Vec::<Value>::new());
    server.no_event();
}

fn paired(page: &mut Page, chat: &str) {
    let (told, text) = answer(page);
    assert!(told == chat && text.starts_with("Paired"), "{told}: {text}");
}

#[test]
fn the_sessions_user_lets_a_stranger_in_by_typing_the_code() {
    let home = Home::new();
    let (mut server, mut page) = asking(&home);
    say(&mut page, &json!({"chat": "dm-7", "sender": "7", "name": "Ada Lovelace", "text": "let me in"}));
    let code = code(&mut page, "dm-7");
    let dialog = dialog(&mut server);
    for part in ["Bazaar", "Ada Lovelace", "id 7"] {
        assert!(message(&dialog).contains(part), "{dialog}");
    }
    assert!(!dialog.to_string().contains(&code), "whoever sees the dialog must ask the stranger: {dialog}");
    let schema = &dialog["params"]["requestedSchema"];
    assert_eq!(schema["properties"]["code"]["type"], "string");
    assert_eq!(schema["required"], json!(["code"]));
    types(&mut server, &dialog, &code);
    paired(&mut page, "dm-7");
    say(&mut page, &json!({"chat": "dm-7", "sender": "7", "text": "now"}));
    assert_eq!(server.content(), "now");
    quiet(&mut server, &mut page);
    assert_eq!(document(&home)["allowFrom"], json!(["7"]));
}

#[test]
fn a_wrong_code_is_asked_for_again_and_the_right_one_is_taken_as_people_type_it() {
    let home = Home::new();
    let (mut server, mut page) = asking(&home);
    write(&mut page, "ada", "let me in");
    let code = code(&mut page, "ada");
    let first = dialog(&mut server);
    types(&mut server, &first, &other(&code));
    let second = dialog(&mut server);
    assert!(message(&second).starts_with("Not yet: nobody waits with this code"), "{second}");
    assert!(
        message(&second).contains("4 more tries") && message(&second).ends_with(message(&first)),
        "{second}"
    );
    // Whoever accepts without a code has not given the right one.
    server.answer_dialog(&second, &json!({"action": "accept"}));
    let third = dialog(&mut server);
    assert!(message(&third).starts_with("Not yet: a code has six letters and digits"), "{third}");
    assert!(!file(&home).exists());
    let (head, tail) = code.split_at(3);
    types(&mut server, &third, &format!(" {}  {} ", head.to_lowercase(), tail.to_lowercase()));
    paired(&mut page, "ada");
    quiet(&mut server, &mut page);
}

#[test]
fn while_another_process_writes_the_user_is_told_and_asked_again() {
    let home = Home::new();
    let (mut server, mut page) = asking(&home);
    write(&mut page, "ada", "let me in");
    let code = code(&mut page, "ada");
    let first = dialog(&mut server);
    let writing = rusqlite::Connection::open(home.path().join("bazaar/journal.db")).unwrap();
    writing.busy_timeout(crate::harness::PATIENCE).unwrap();
    writing.execute_batch("BEGIN IMMEDIATE").unwrap();
    types(&mut server, &first, &code);
    // The session goes on meanwhile.
    server.request("ping", &json!({}));
    let second = dialog(&mut server);
    assert!(
        message(&second).starts_with("Not yet: another process has been writing to the journal"),
        "{second}"
    );
    server.answer_dialog(&second, &json!({"action": "decline"}));
    let third = dialog(&mut server);
    assert!(message(&third).starts_with("Not yet: another process"), "{third}");
    writing.execute_batch("COMMIT").unwrap();
    types(&mut server, &third, &code);
    paired(&mut page, "ada");
    quiet(&mut server, &mut page);
}

#[test]
fn five_wrong_codes_in_dialogs_lock_the_terminal_too() {
    let home = Home::new();
    let (mut server, mut page) = asking(&home);
    write(&mut page, "ada", "let me in");
    let code = code(&mut page, "ada");
    for _ in 0..5 {
        let dialog = dialog(&mut server);
        types(&mut server, &dialog, &other(&code));
    }
    server.log("none is accepted for 15 minutes");
    assert!(crate::pairing::refused(&home, &["pair", &code]).contains("none is accepted for 15 minutes"));
    quiet(&mut server, &mut page);
    assert!(!file(&home).exists());
}

#[test]
fn a_stranger_who_is_declined_is_turned_down() {
    let home = Home::new();
    let (mut server, mut page) = asking(&home);
    write(&mut page, "ada", "let me in");
    let code = code(&mut page, "ada");
    let asked = dialog(&mut server);
    server.answer_dialog(&asked, &json!({"action": "decline"}));
    eventually("being turned down", || status(&home)["pairings"][0]["denied"] == true);
    write(&mut page, "ada", "please");
    assert!(crate::pairing::refused(&home, &["pair", &code]).contains("nobody waits with a code"));
    quiet(&mut server, &mut page);
    server.kill();
    // The next session is not asked either.
    let (mut server, mut page) = asking(&home);
    write(&mut page, "ada", "pretty please");
    quiet(&mut server, &mut page);
    // And whoever else comes is somebody else.
    write(&mut page, "bob", "let me in");
    self::code(&mut page, "bob");
    assert!(message(&dialog(&mut server)).contains("id bob"));
}

#[test]
fn a_dialog_that_is_put_off_changes_nothing() {
    let home = Home::new();
    let (mut server, mut page) = asking(&home);
    write(&mut page, "ada", "let me in");
    let code = code(&mut page, "ada");
    let asked = dialog(&mut server);
    server.answer_dialog(&asked, &json!({"action": "cancel"}));
    write(&mut page, "ada", "hello?");
    assert!(answer(&mut page).1.contains("still waits"));
    quiet(&mut server, &mut page);
    assert_eq!(status(&home)["pairings"][0]["denied"], false);
    done(&home, &["pair", &code]);
    paired(&mut page, "ada");
    write(&mut page, "ada", "now");
    assert_eq!(server.content(), "now");
}

#[test]
fn strangers_are_asked_about_one_after_the_other() {
    let home = Home::new();
    let (mut server, mut page) = asking(&home);
    let codes = ["ada", "bob"].map(|sender| {
        write(&mut page, sender, "let me in");
        code(&mut page, sender)
    });
    let first = dialog(&mut server);
    assert!(message(&first).contains("id ada"), "{first}");
    quiet(&mut server, &mut page);
    types(&mut server, &first, &codes[0]);
    paired(&mut page, "ada");
    let second = dialog(&mut server);
    assert!(message(&second).contains("id bob"), "{second}");
    types(&mut server, &second, &codes[1]);
    paired(&mut page, "bob");
    quiet(&mut server, &mut page);
}

#[test]
fn another_strangers_code_lets_in_that_stranger_and_the_question_stays() {
    let home = Home::new();
    let (mut server, mut page) = asking(&home);
    let codes = ["ada", "bob"].map(|sender| {
        write(&mut page, sender, "let me in");
        code(&mut page, sender)
    });
    let first = dialog(&mut server);
    types(&mut server, &first, &codes[1]);
    paired(&mut page, "bob");
    let again = dialog(&mut server);
    assert_eq!(message(&again), message(&first));
    types(&mut server, &again, &codes[0]);
    paired(&mut page, "ada");
    // Bob is in: nobody has to be asked about him.
    quiet(&mut server, &mut page);
}

#[test]
fn a_client_that_cannot_ask_is_not_asked() {
    let home = Home::new();
    let (mut server, mut page) = open(&home);
    write(&mut page, "ada", "let me in");
    let code = code(&mut page, "ada");
    quiet(&mut server, &mut page);
    // Nor by an answer to a question that it was never asked.
    for id in 0..4 {
        let result = json!({"action": "accept", "content": {"code": code}});
        server.send(&json!({"jsonrpc": "2.0", "id": id, "result": result}));
    }
    write(&mut page, "ada", "am I in?");
    assert!(answer(&mut page).1.contains("still waits"));
    done(&home, &["pair", &code]);
    paired(&mut page, "ada");
    server.no_event();
}

#[test]
fn a_client_that_a_model_could_have_started_is_not_asked() {
    let home = Home::new();
    let file = bazaar(&home, "good");
    let mut command = home.command(["serve", "--port", "0", "--opt-in", "always"]);
    command.arg("--dangerously-load-development-channels").arg(&file).env("CLAUDE_CODE_CHILD_SESSION", "1");
    let mut server = Server::start(command);
    server.initialize();
    let mut page = server.page("bazaar");
    write(&mut page, "ada", "let me in");
    let code = code(&mut page, "ada");
    quiet(&mut server, &mut page);
    done(&home, &["pair", &code]);
    paired(&mut page, "ada");
    server.no_event();
}

#[test]
fn a_client_that_never_answers_holds_up_nobody() {
    let home = Home::new();
    home.access("bazaar", &json!({"dmPolicy": "pairing", "allowFrom": ["friend"]}));
    let (mut server, mut page) = asking(&home);
    write(&mut page, "ada", "let me in");
    let first = code(&mut page, "ada");
    dialog(&mut server);
    for number in 0..20 {
        write(&mut page, "friend", &number.to_string());
        assert_eq!(server.content(), number.to_string());
    }
    assert!(!server.reply("friend", "hello").1);
    page.call("send");
    // The next stranger gets a code, and both can be let in at the terminal.
    write(&mut page, "bob", "let me in");
    let second = code(&mut page, "bob");
    for (sender, code) in [("ada", &first), ("bob", &second)] {
        done(&home, &["pair", code]);
        paired(&mut page, sender);
        write(&mut page, sender, "now");
        assert_eq!(server.content(), "now");
    }
    server.close_stdin();
    assert!(server.end().0.success());
}

#[test]
fn a_stranger_who_waits_is_asked_about_in_the_next_session() {
    let home = Home::new();
    let (server, mut page) = asking(&home);
    write(&mut page, "ada", "let me in");
    let code = code(&mut page, "ada");
    server.kill();
    let (mut server, mut page) = asking(&home);
    let asked = dialog(&mut server);
    assert!(message(&asked).contains("id ada"), "{asked}");
    types(&mut server, &asked, &code);
    paired(&mut page, "ada");
    quiet(&mut server, &mut page);
}

#[test]
fn nothing_that_a_model_can_call_changes_who_may_write() {
    let home = Home::new();
    let (mut server, mut page) = open(&home);
    write(&mut page, "eve", "let me in");
    let code = code(&mut page, "eve");
    let tools = server.request("tools/list", &json!({}));
    let tools = tools["result"]["tools"].as_array().unwrap().iter();
    let mut names: Vec<&str> = tools.map(|tool| tool["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["download_attachment", "edit_message", "fetch_messages", "react", "reply"]);

    let arguments = json!({"code": code, "channel": "bazaar", "id": "eve", "policy": "disabled"});
    for name in ["pair", "allow", "access", "approve", "accept", "policy", "tidegate_access", "access_pair"] {
        let answer = server.request("tools/call", &json!({"name": name, "arguments": arguments}));
        let error = answer["error"]["message"].as_str().unwrap_or_else(|| panic!("{answer}"));
        assert!(error.contains("there is no tool"), "{answer}");
    }
    for kind in ["prompts", "resources"] {
        let answer = server.request(&format!("{kind}/list"), &json!({}));
        let nothing = answer["error"].is_object() || answer["result"][kind] == json!([]);
        assert!(nothing, "{answer}");
    }
    for method in
        ["pair", "access/pair", "tidegate/access", "claude/channel/access", "resources/read", "prompts/get"]
    {
        let answer = server.request(method, &arguments);
        assert!(answer["error"].is_object(), "{method}: {answer}");
    }
    for method in ["notifications/claude/channel/access", "notifications/tidegate/pair"] {
        server.send(&json!({"jsonrpc": "2.0", "method": method, "params": arguments}));
    }
    write(&mut page, "eve", "am I in?");
    assert!(answer(&mut page).1.contains("still waits"));
    quiet(&mut server, &mut page);
    assert!(!file(&home).exists());
}

/// A hook of the client may accept every dialog.
#[test]
fn a_client_that_answers_by_itself_is_not_asked_for_ever() {
    let home = Home::new();
    let (mut server, mut page) = asking(&home);
    write(&mut page, "ada", "let me in");
    code(&mut page, "ada");
    for _ in 0..10 {
        let dialog = dialog(&mut server);
        server.answer_dialog(&dialog, &json!({"action": "accept", "content": {"code": "hello"}}));
    }
    server.log("10 answers in a row were no code");
    quiet(&mut server, &mut page);
}
