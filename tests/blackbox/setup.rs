//! Tests of `tidegate setup`, as a person uses it.

use std::{fs, path::PathBuf, process::Command};

use fake_telegram::TOKEN;
use serde_json::Value;

use crate::{
    harness::Home,
    pairing::other,
    person::Person,
    telegram::stage::{Stage, ada},
};

/// Starts the command in a new project, without Claude Code on the PATH.
fn setup(home: &Home, arguments: &[&str]) -> (Person, PathBuf) {
    let project = home.path().join("project");
    fs::create_dir_all(&project).unwrap();
    let mut program: Command = home.command(["setup"].iter().chain(arguments));
    program.current_dir(&project);
    (Person::start_alone(home, &program), project.join(".mcp.json"))
}

fn entry(file: &PathBuf) -> Value {
    serde_json::from_str::<Value>(&fs::read_to_string(file).unwrap()).unwrap()["mcpServers"]["fakechat"]
        .clone()
}

#[test]
fn a_page_is_set_up_from_nothing_to_an_answer() {
    let home = Home::new();
    let (mut person, file) = setup(&home, &["--port", "0"]);
    person.see("Which channel?");
    person.enter("fakechta");
    person.see("did you mean \"fakechat\"?");
    person.enter("fakechat");
    person.see("1. The first message");
    let mut page = person.page();
    page.say("1", "hello?");
    person.see("wrote: hello?");
    assert!(page.wait("msg")["text"].as_str().unwrap().contains("tidegate works"));
    person.see("2. Claude Code");
    person.see("Which?");
    person.enter("7");
    person.see("Type 1, or press Enter.");
    person.enter("1");
    person.see("Ready.");
    let written = entry(&file);
    // Claude Code may start servers without TIDEGATE_HOME.
    assert_eq!(written["args"], serde_json::json!(["serve", "fakechat", "--home", home.path()]));

    // Once more: everything is there.
    let (mut person, _) = setup(&home, &["fakechat", "--port", "0"]);
    person.see("press Enter to skip");
    person.enter("");
    person.see("has the server's entry already");
    person.see("Ready.");
    assert_eq!(entry(&file), written);
}

#[test]
fn an_entry_that_is_there_is_replaced_only_if_asked() {
    let home = Home::new();
    let (mut person, file) = setup(&home, &["fakechat", "--port", "0"]);
    fs::write(&file, r#"{"mcpServers": {"fakechat": {"command": "mine"}}}"#).unwrap();
    person.see("press Enter to skip");
    person.enter("");
    person.see(r#"another entry of that name: {"command":"mine"}"#);
    person.enter("");
    person.see("Almost ready: put the entry above");
    assert_eq!(entry(&file)["command"], "mine");
}

/// The whole setup of a bot: from no token to an answer in the chat, and then a trial in the terminal.
#[test]
fn a_bot_is_set_up_from_its_token_to_an_answer() {
    let stage = Stage::strange();
    fs::remove_file(stage.folder().join(".env")).unwrap();
    let (home, chat) = (&stage.home, ada().chat());
    let (mut person, file) = setup(home, &["telegram"]);
    person.see("1. The account");
    person.see("(not shown)");
    person.enter("abc");
    person.see("That is no TELEGRAM_BOT_TOKEN");
    person.enter("");
    person.see("Nothing was entered.");
    person.enter(TOKEN);
    person.see("2. The first message");
    stage.platform.says(&ada(), &chat, "let me in");
    let told = stage.told(&chat);
    let (_, rest) = told.split_once("Your pairing code is ").unwrap();
    let code: String = rest.chars().take_while(char::is_ascii_alphanumeric).collect();
    person.see("The code (");
    person.enter(&other(&code));
    person.see("Not yet: nobody waits with this code");
    person.enter(&code);
    person.see("ada_l (42) may write from now on");
    assert!(stage.told(&chat).starts_with("Paired"));
    stage.platform.says(&ada(), &chat, "hello?");
    person.see("wrote: hello?");
    assert!(stage.told(&chat).contains("tidegate works"));
    person.see("3. Claude Code");
    person.see("Which?");
    person.enter("1");
    person.see("Ready.");
    person.see("https://t.me/fake_telegram_bot");
    let entry: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    assert_eq!(
        entry["mcpServers"]["telegram"]["args"],
        serde_json::json!(["serve", "telegram", "--home", home.path()])
    );

    let mut person = Person::start(home, ["try", "telegram"]);
    // The only chat there is.
    person.see("reply to 42>");
    stage.platform.says(&ada(), &chat, "and now?");
    person.see("reply to ada_l (42)>");
    person.enter("now it is a trial");
    assert_eq!(stage.told(&chat), "now it is a trial");
    person.enter("/quit");
    assert!(person.end().success());
}
