//! Tests of `tidegate try` in a terminal: a person types while messages arrive.

use std::process::Command;

use serde_json::json;

use crate::{
    harness::{Home, Page, Server, bazaar},
    pairing::{code, done, eventually, other, write},
    person::Person,
};

const LEFT: &[u8] = b"\x1b[D";
const UP: &[u8] = b"\x1b[A";

fn fakechat(home: &Home) -> (Person, Page) {
    let person = Person::start(home, ["try", "fakechat", "--port", "0"]);
    person.see("/help for more");
    let page = person.page();
    (person, page)
}

#[test]
fn a_line_is_edited_and_comes_back() {
    let home = Home::new();
    let (mut person, mut page) = fakechat(&home);
    person.see("nobody has written yet>");
    page.say("1", "hello?");
    person.see("reply to web>");
    person.press(b"helo");
    person.press(LEFT);
    person.enter("l");
    assert_eq!(page.wait("msg")["text"], "hello");
    person.press(UP);
    person.enter(" again");
    assert_eq!(page.wait("msg")["text"], "hello again");
    person.enter("/quit");
    assert!(person.end().success());
}

#[test]
fn what_comes_in_the_middle_of_a_line_breaks_neither() {
    let home = Home::new();
    let (mut person, mut page) = fakechat(&home);
    page.say("1", "the first message");
    // Two bytes and one column each: more than one row, and in bytes more than two.
    let half = "ф".repeat(50);
    person.see("reply to web>");
    person.press(half.as_bytes());
    person.see(&half);
    page.say("2", "the second message");
    let screen = person.see_above("the second message", &half);
    let lines: Vec<&str> = screen.lines().collect();
    let first = lines.iter().position(|line| *line == "the first message").unwrap();
    assert_eq!(&lines[first + 1..first + 2], ["</channel>"], "{screen}");
    assert!(lines[first + 2].starts_with("<channel "), "{screen}");
    assert_eq!(screen.matches("reply to web> ").count(), 1, "{screen}");
    person.press(half.as_bytes());
    page.say("3", "the third message");
    person.see_above("the third message", &half.repeat(2));
    person.press(b"\r");
    assert_eq!(page.wait("msg")["text"], half.repeat(2));
    let screen = person.see("sent (id");
    for text in ["the first message", "the second message", "the third message"] {
        assert_eq!(screen.matches(text).count(), 1, "{screen}");
    }
}

#[test]
fn a_paste_is_one_reply_and_tab_completes() {
    let home = Home::new();
    let (mut person, mut page) = fakechat(&home);
    page.say("1", "hello?");
    person.see("reply to web>");
    person.press(b"\x1b[200~one\r\ntwo\x1b[201~\r");
    assert_eq!(page.wait("msg")["text"], "one\ntwo");
    person.see("sent (id");
    person.press(b"/ed\t\t");
    let edited = person.see("/edit ID TEXT");
    assert!(edited.contains("change a message"), "{edited}");
    person.enter("better");
    assert_eq!(page.wait("edit")["text"], "better");
    // fakechat has no reactions.
    person.enter("/react 1 x");
    person.see("no channel here can do that");
}

#[test]
fn the_terminal_is_given_back_as_it_was() {
    let home = Home::new();
    let program = home.command(["try", "fakechat", "--port", "0"]);
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "\"$@\"; stty -a", "sh"]).arg(program.get_program()).args(program.get_args());
    command.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut person = Person::before(command);
    person.see("/help for more");
    person.press(b"\x04");
    let screen = person.see("icanon");
    assert!(screen.contains(" icanon") && screen.contains(" echo "), "{screen}");
    assert!(!screen.contains("nobody has written yet>"), "{screen}");
}

/// Starts the bazaar, with a person at a terminal.
fn asked(home: &Home) -> (Person, Page) {
    let file = bazaar(home, "good");
    let load = "--dangerously-load-development-channels";
    let program = home.command(["try", load, file.to_str().unwrap()]);
    let person = Person::start_alone(home, &program);
    person.see("/help for more");
    let page = person.page();
    (person, page)
}

#[test]
fn a_stranger_who_asks_takes_nothing_from_what_is_typed() {
    let home = Home::new();
    home.access("bazaar", &json!({"dmPolicy": "pairing", "allowFrom": ["ada"]}));
    let (mut person, mut page) = asked(&home);
    write(&mut page, "ada", "hello?");
    person.see("reply to ada>");
    write(&mut page, "7", "let me in");
    let code = code(&mut page, "7");
    person.see("/pair CODE lets them in");
    person.enter("still to ada");
    assert_eq!(page.call("send")["text"], "still to ada");
    person.press(b"\r");
    person.enter("/accept");
    person.see("the open question takes something else");
    person.enter("/pair ZZZ");
    person.see("a code has six letters and digits");
    person.enter(&format!("/pair {}", other(&code)));
    person.see("4 more tries");
    person.enter(&format!("/pair {code}"));
    eventually("the pairing", || {
        let file = std::fs::read_to_string(home.path().join("bazaar/access.json")).unwrap();
        file.contains("\"7\"")
    });
    person.miss("A question is open");
    person.enter("/deny");
    person.see("no question is open");
}

#[test]
fn a_question_that_was_settled_elsewhere_goes_away() {
    let home = Home::new();
    home.access("bazaar", &json!({"dmPolicy": "pairing"}));
    let (mut person, mut page) = asked(&home);
    write(&mut page, "7", "let me in");
    let code = code(&mut page, "7");
    person.see("A question is open");
    done(&home, &["pair", &code]);
    person.see("settled elsewhere");
    person.miss("A question is open");
    write(&mut page, "7", "here I am");
    person.see("reply to 7>");
    person.enter("welcome");
    // Before it the stranger is told that they are paired.
    while page.call("send")["text"] != "welcome" {}
}

#[test]
fn what_the_log_says_stands_above_the_prompt() {
    let home = Home::new();
    let (mut person, mut page) = asked(&home);
    person.press(b"half a line");
    person.see("half a line");
    std::fs::write(home.path().join("bazaar/access.json"), "{").unwrap();
    write(&mut page, "ada", "hello?");
    let screen = person.see_above("access.json", "> half a line");
    assert_eq!(screen.matches("half a line").count(), 1, "{screen}");
}

#[test]
fn it_ends_with_its_terminal() {
    let home = Home::new();
    let (person, _page) = asked(&home);
    drop(person);
    eventually("the end", || Server::owner(&home, "bazaar").is_none());
}
