//! Tests of Claude Code's log of a server, which a stand-in writes.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    os::unix::fs::symlink,
    path::PathBuf,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use fake_telegram::Server as Platform;
use serde_json::{Value, json};

use crate::{
    harness::{Home, PATIENCE, Page, Server, free_port, http, try_http},
    telegram::stage::{Stage, ada},
};

const DEVELOPMENT: &str = "--dangerously-load-development-channels";
const REGISTERED: &str = "Channel notifications registered";
const SKIPPED: &str = "Channel notifications skipped: channels feature is not currently available";
const RECEIPT: &str = "notifications/claude/channel (3 chars)";

/// A client that writes a log of its server.
struct Client {
    server: Server,
    log: PathBuf,
    /// The version that the server reports.
    version: String,
    /// The instructions for the session.
    instructions: String,
}

/// Returns a process of the client's name, with these arguments, that starts this server.
fn claude(home: &Home, arguments: &[&str], serve: &[&str]) -> Command {
    let link = home.path().join("claude");
    if !link.exists() {
        symlink("/bin/sh", &link).unwrap();
    }
    let project = home.path().join("my projéct");
    fs::create_dir_all(&project).unwrap();
    let program = home.command([""]);
    let mut command = Command::new(&link);
    let script = format!("\"$PROGRAM\" serve {}; exit $?", serve.join(" "));
    command
        .args(["-c", &script])
        .args(arguments)
        .env_clear()
        .envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .env("PROGRAM", program.get_program())
        .env("PATH", "/usr/bin:/bin")
        .env("CLAUDE_CODE_SESSION_ID", "11111111-aaaa")
        .current_dir(&project);
    command
}

impl Client {
    fn start(home: &Home, arguments: &[&str], serve: &[&str]) -> Self {
        let command = claude(home, arguments, serve);
        let caches = command
            .get_envs()
            .find_map(|(name, value)| (name == "XDG_CACHE_HOME").then_some(value?))
            .map(PathBuf::from)
            .unwrap();
        let project = command.get_current_dir().unwrap().to_str().unwrap().to_owned();
        let folder: String = project
            .encode_utf16()
            .map(|unit| char::from_u32(unit.into()).filter(char::is_ascii_alphanumeric).unwrap_or('-'))
            .collect();
        let log = caches
            .join("claude-cli-nodejs")
            .join(folder)
            .join("mcp-logs-fakechat/2026-11-24T10-00-00-000Z.jsonl");
        let mut server = Server::start(command);
        let answer = server.initialize();
        Self {
            server,
            log,
            version: answer["serverInfo"]["version"].as_str().unwrap().to_owned(),
            instructions: answer["instructions"].as_str().unwrap().to_owned(),
        }
    }

    /// Writes lines in the client's format.
    fn write(&self, lines: &[&str]) {
        fs::create_dir_all(self.log.parent().unwrap()).unwrap();
        let mut file = OpenOptions::new().create(true).append(true).open(&self.log).unwrap();
        let mut text = String::new();
        for line in lines {
            let line = json!({"debug": line, "timestamp": now(), "sessionId": "11111111-aaaa", "cwd": "/"});
            text.push_str(&line.to_string());
            text.push('\n');
        }
        file.write_all(text.as_bytes()).unwrap();
    }

    /// Writes the handshake's lines, and the client's verdict on channel messages.
    fn say(&self, verdict: &str) {
        let capabilities =
            json!({"hasTools": true, "serverVersion": {"name": "tidegate", "version": self.version}});
        let connected = format!("Connection established with capabilities: {capabilities}");
        self.write(&["Starting connection with timeout of 30000ms", &connected, verdict]);
    }

    /// Kills the client and its server at once, as a failing machine would.
    fn kill(self, home: &Home) {
        let sessions = status(home, "fakechat")["sessions"].clone();
        for session in sessions.as_array().unwrap() {
            let pid = i32::try_from(session["pid"].as_i64().unwrap()).unwrap();
            let pid = rustix::process::Pid::from_raw(pid).unwrap();
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        }
        drop(self);
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.log.parent().and_then(|folder| folder.parent()).map(fs::remove_dir_all);
    }
}

fn now() -> String {
    let output = Command::new("date").args(["-u", "+%Y-%m-%dT%H:%M:%S.%3NZ"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn status(home: &Home, channel: &str) -> Value {
    let output = home.run(["status", channel, "--json"], "");
    serde_json::from_str::<Value>(&output.stdout).unwrap_or_else(|_| panic!("{}", output.stderr))[0].take()
}

/// Waits until `look` returns a value.
fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(start.elapsed() < PATIENCE, "{what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Returns the state of the session as the page gets it.
fn state(port: u16) -> Option<Value> {
    let response = try_http(port, "GET", "/.well-known/tidegate", &[], b"")?;
    serde_json::from_slice(&response.body).ok()
}

fn polls(platform: &Platform) -> usize {
    platform.calls_of("getUpdates").len()
}

#[test]
fn nothing_is_taken_from_a_platform_before_the_client_has_registered_the_channel() {
    let stage = Stage::new();
    stage.platform.says(&ada(), &ada().chat(), "first");
    let mut client =
        Client::start(&stage.home, &[DEVELOPMENT, "server:telegram"], &["telegram", "--log", "debug"]);
    until("the session is noted", || {
        (status(&stage.home, "telegram")["sessions"][0]["state"] == "awaited").then_some(())
    });
    client.server.no_event();
    assert_eq!(polls(&stage.platform), 0);
    client.say(REGISTERED);
    assert_eq!(client.server.content(), "first");
    assert!(polls(&stage.platform) > 0);
    let session = status(&stage.home, "telegram")["sessions"][0].clone();
    assert_eq!(session["why"], "Claude Code has registered the channel", "{session}");
}

#[test]
fn nothing_is_taken_from_a_platform_after_the_client_has_refused() {
    let stage = Stage::new();
    stage.platform.says(&ada(), &ada().chat(), "first");
    let mut client =
        Client::start(&stage.home, &[DEVELOPMENT, "server:telegram"], &["telegram", "--log", "debug"]);
    client.say(SKIPPED);
    client.server.log("receives no messages: Claude Code refuses this server's messages");
    let session = until("the refusal is noted", || {
        let session = status(&stage.home, "telegram")["sessions"][0].clone();
        (session["state"] == "closed").then_some(session)
    });
    assert_eq!(session["client_says"], "channels feature is not currently available");
    assert_eq!(polls(&stage.platform), 0);
    // What the session sends goes out all the same.
    assert!(!client.server.reply("42", "hello").1);
    let doctor = stage.home.run(["doctor", "telegram"], "").stdout;
    assert!(doctor.contains("\"channels feature is not currently available\""), "{doctor}");
    // Another session takes the channel over.
    let mut other = stage.serve();
    assert_eq!(other.content(), "first");
}

/// Calls every tool, with valid and invalid arguments; returns the last block of each result, and the number of
/// successful calls.
fn call_everything(server: &mut Server, prefix: &str) -> (Vec<String>, usize) {
    let tools = server.request("tools/list", &json!({}))["result"]["tools"].clone();
    let chat = format!("{prefix}42");
    let (mut last, mut good) = (Vec::new(), 0);
    for tool in tools.as_array().unwrap() {
        let name = tool["name"].as_str().unwrap();
        let well = match name {
            "reply" => json!({"chat_id": chat, "text": "hello"}),
            "react" => json!({"chat_id": chat, "message_id": "1", "emoji": "👍"}),
            "edit_message" => json!({"chat_id": chat, "message_id": "1", "text": "better"}),
            "download_attachment" => json!({"chat_id": chat, "message_id": "1"}),
            other => panic!("{other}"),
        };
        for arguments in [well, json!({"strange": 1})] {
            let (mut blocks, is_error) = server.call_whole(name, &arguments);
            good += usize::from(!is_error);
            last.push(blocks.pop().unwrap());
        }
    }
    (last, good)
}

#[test]
fn every_result_of_a_tool_says_that_no_messages_are_received() {
    const NONE: &str = "This session receives no messages from";
    let stage = Stage::new();
    stage.platform.says(&ada(), &ada().chat(), "first");
    let mut client = Client::start(&stage.home, &[DEVELOPMENT, "server:telegram"], &["telegram"]);
    let (results, good) = call_everything(&mut client.server, "");
    assert!(good > 0 && results.iter().all(|text| !text.contains(NONE)), "still awaited: {results:?}");
    client.say(SKIPPED);
    client.server.event();
    let (results, good) = call_everything(&mut client.server, "");
    assert!(good > 0 && results.len() == 8, "{results:?}");
    for text in &results {
        assert!(text.starts_with(&format!("{NONE} telegram; tell your user: ")), "{text}");
        assert!(
            text.contains("channels feature is not currently available") && text.contains("/login"),
            "{text}"
        );
    }
    // The one that has it says nothing of the kind, and the other is then told who has it.
    let mut other = stage.serve();
    assert_eq!(other.content(), "first");
    let (results, _) = call_everything(&mut other, "");
    assert!(results.iter().all(|text| !text.contains(NONE)), "{results:?}");
    client.say(REGISTERED);
    let owner = format!("(pid {}, ", other.child.id());
    until("the session is told who has the channel", || {
        let (results, good) = call_everything(&mut client.server, "");
        let all = results.iter().all(|text| text.starts_with(NONE) && text.contains(&owner));
        (good > 0 && all).then_some(())
    });
}

#[test]
fn only_the_channel_that_a_call_is_about_is_spoken_of() {
    let (stage, port) = (Stage::new(), free_port());
    stage.platform.says(&ada(), &ada().chat(), "first");
    let _other = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    let mut command = stage.home.command(["serve", "fakechat", "telegram", "--opt-in", "always"]);
    command.env("FAKECHAT_PORT", port.to_string());
    let mut server = Server::start(command);
    server.initialize();
    assert_eq!(server.content(), "first");
    let (blocks, is_error) = server.call_whole("reply", &json!({"chat_id": "telegram:42", "text": "hello"}));
    assert!(!is_error && blocks.len() == 1, "{blocks:?}");
    let (blocks, is_error) = server.call_whole("reply", &json!({"chat_id": "fakechat:web", "text": "hello"}));
    assert!(is_error && blocks[0].contains(&port.to_string()), "{blocks:?}");
    assert_eq!(blocks[1], "This session receives no messages from fakechat; tell your user.");
    let (blocks, _) = server.call_whole("reply", &json!({"strange": 1}));
    assert!(
        blocks[1].starts_with("This session receives no messages from fakechat; tell your user: port "),
        "{blocks:?}"
    );
}

#[test]
fn a_page_says_that_nobody_listens_and_why() {
    let (home, port) = (Home::new(), free_port());
    let serve = ["fakechat", "--port", &port.to_string()];
    let mut client = Client::start(&home, &[DEVELOPMENT, "server:fakechat"], &serve);
    let awaited = until("the page is served", || state(port));
    assert_eq!(awaited["listening"], false);
    assert!(awaited["reason"].as_str().unwrap().contains("has not said yet"), "{awaited}");
    assert_eq!(http(port, "GET", "/", &[], b"").status, 200);
    let refused =
        http(port, "POST", "/upload", &[("Content-Type", "multipart/form-data; boundary=e")], b"--e--\r\n");
    assert_eq!(refused.status, 503);
    let (code, reason) = Page::open(port).closed();
    assert_eq!(code, 1013);
    assert!(reason.contains("has not said yet"), "{reason}");
    let (text, is_error) = client.server.reply("web", "hello");
    assert!(is_error && text.contains("has not said yet"), "{text}");

    client.say(SKIPPED);
    let reason = until("the page says why", || {
        let state = state(port)?;
        let reason = state["reason"].as_str()?.to_owned();
        reason.contains("channels feature is not currently available").then_some(reason)
    });
    let (text, is_error) = client.server.reply("web", "hello");
    assert!(is_error && text.contains(&reason), "{text}");
    assert_eq!(status(&home, "fakechat")["owner"], Value::Null);
    assert_eq!(client.server.event()["meta"], json!({"notice": "fakechat"}));
    client.server.no_event();

    // Another session that takes messages gets the port.
    let mut command = home.command(["serve", "fakechat", "--opt-in", "always", "--port", &port.to_string()]);
    command.current_dir(home.path());
    let mut other = Server::start(command);
    other.initialize();
    until("the other session serves the page", || (state(port)?["listening"] == true).then_some(()));
    Page::open(port).say("1", "hello");
    assert_eq!(other.content(), "hello");

    // The first one is asked again, as after /clear, and takes messages now: but the other has the channel.
    client.say(REGISTERED);
    until("it is opened", || {
        let sessions = status(&home, "fakechat")["sessions"].clone();
        sessions.as_array()?.iter().all(|session| session["state"] == "open").then_some(())
    });
    let (text, is_error) = client.server.reply("web", "hello");
    assert!(is_error && text.contains("another session holds this channel"), "{text}");
}

#[test]
fn a_session_that_is_refused_later_takes_nothing_more_and_goes_on_where_it_was() {
    let (home, port) = (Home::new(), free_port());
    let serve = ["fakechat", "--port", &port.to_string()];
    let mut client = Client::start(&home, &[DEVELOPMENT, "server:fakechat"], &serve);
    client.say(REGISTERED);
    let mut page = client.server.page("fakechat");
    page.say("1", "one");
    assert_eq!(client.server.content(), "one");
    client.say(SKIPPED);
    assert_eq!(page.closed().0, 1013);
    assert_eq!(client.server.event()["meta"], json!({"notice": "fakechat"}));
    client.server.no_event();
    client.say(REGISTERED);
    until("it listens again", || (state(port)?["listening"] == true).then_some(()));
    // Nobody has said that the first one was taken.
    let again = client.server.event();
    assert_eq!((&again["content"], &again["meta"]["redelivered"]), (&json!("one"), &json!("true")));
    Page::open(port).say("2", "two");
    assert_eq!(client.server.content(), "two");
}

#[test]
fn the_client_s_word_overrules_its_command_line() {
    let home = Home::new();
    let mut client = Client::start(&home, &[], &["fakechat", "--port", "0"]);
    assert!(client.instructions.contains("receives no messages from fakechat"), "{}", client.instructions);
    client.say(REGISTERED);
    client.server.page("fakechat").say("1", "hello");
    assert_eq!(client.server.content(), "hello");
}

#[test]
fn what_was_written_and_not_taken_comes_again() {
    let home = Home::new();
    let serve = ["fakechat", "--port", "0"];
    let named = [DEVELOPMENT, "server:fakechat"];
    let mut client = Client::start(&home, &named, &serve);
    client.say(REGISTERED);
    let mut page = client.server.page("fakechat");
    page.say("1", "one");
    page.say("2", "two");
    assert_eq!((client.server.content(), client.server.content()), ("one".to_owned(), "two".to_owned()));
    client.write(&[RECEIPT]);
    until("one message is taken", || {
        let session = &status(&home, "fakechat")["sessions"][0];
        (session["written"] == 2 && session["received"] == 1).then_some(())
    });
    client.kill(&home);

    let mut client = Client::start(&home, &named, &serve);
    client.say(REGISTERED);
    let again = client.server.event();
    assert_eq!((&again["content"], &again["meta"]["redelivered"]), (&json!("two"), &json!("true")));
    client.write(&[RECEIPT]);
    until("the other is taken", || {
        let session = &status(&home, "fakechat")["sessions"][0];
        (session["received"] == 1).then_some(())
    });
    client.kill(&home);

    let mut client = Client::start(&home, &named, &serve);
    client.say(REGISTERED);
    client.server.page("fakechat").say("3", "three");
    assert_eq!(client.server.content(), "three");
    client.server.no_event();
}

#[test]
fn where_the_log_is_silent_the_command_line_decides() {
    let home = Home::new();
    let mut client = Client::start(&home, &[DEVELOPMENT, "server:fakechat"], &["fakechat", "--port", "0"]);
    client.server.page("fakechat").say("1", "hello");
    assert_eq!(client.server.content(), "hello");
    let session = status(&home, "fakechat")["sessions"][0].clone();
    assert!(session["why"].as_str().unwrap().contains("by its command line"), "{session}");
}

#[test]
fn a_log_that_is_none_is_told_of_and_survived() {
    let home = Home::new();
    let mut client = Client::start(
        &home,
        &[DEVELOPMENT, "server:fakechat"],
        &["fakechat", "--port", "0", "--log", "debug"],
    );
    fs::create_dir_all(client.log.parent().unwrap()).unwrap();
    symlink("/etc/passwd", &client.log).unwrap();
    let line = client.server.log("tidegate cannot read Claude Code's log of this server");
    assert!(line.contains("it is not a regular file"), "{line}");
    client.server.page("fakechat").say("1", "hello");
    assert_eq!(client.server.content(), "hello");
}

#[test]
fn a_refusal_that_comes_late_brings_back_what_was_written_before_it() {
    let home = Home::new();
    let serve = ["fakechat", "--port", "0"];
    let named = [DEVELOPMENT, "server:fakechat"];
    let mut client = Client::start(&home, &named, &serve);
    let mut page = client.server.page("fakechat");
    page.say("1", "hello");
    assert_eq!(client.server.content(), "hello");
    client.say(SKIPPED);
    assert_eq!(page.closed().0, 1013);
    client.kill(&home);

    let mut client = Client::start(&home, &named, &serve);
    client.say(REGISTERED);
    let again = client.server.event();
    assert_eq!((&again["content"], &again["meta"]["redelivered"]), (&json!("hello"), &json!("true")));
}

/// Returns the next event that a person, and not tidegate itself, has written.
fn message(server: &mut Server) -> Value {
    loop {
        let event = server.event();
        if event["meta"]["chat_id"].is_string() {
            return event;
        }
    }
}

#[test]
fn messages_that_the_client_drops_between_two_verdicts_come_again_in_the_same_session() {
    let home = Home::new();
    let mut client = Client::start(&home, &[DEVELOPMENT, "server:fakechat"], &["fakechat", "--port", "0"]);
    client.say(REGISTERED);
    let mut page = client.server.page("fakechat");
    page.say("1", "one");
    page.say("2", "three");
    assert_eq!((client.server.content(), client.server.content()), ("one".to_owned(), "three".to_owned()));
    // All of it at once: nothing but the log's order tells what was dropped.
    client.write(&[RECEIPT, SKIPPED, REGISTERED]);
    let again = message(&mut client.server);
    assert_eq!((&again["content"], &again["meta"]["redelivered"]), (&json!("three"), &json!("true")));
    client.write(&["notifications/claude/channel (5 chars)"]);
    until("both were received", || {
        let session = &status(&home, "fakechat")["sessions"][0];
        (session["written"] == 2 && session["received"] == 2).then_some(())
    });
    client.server.page("fakechat").say("3", "next");
    let next = message(&mut client.server);
    assert_eq!((&next["content"], &next["meta"]["redelivered"]), (&json!("next"), &Value::Null));
    client.server.no_event();
}

#[test]
fn the_page_is_there_as_long_as_any_session_waits() {
    let (home, port) = (Home::new(), free_port());
    let serve = ["fakechat", "--port", &port.to_string()];
    let start = || Client::start(&home, &["--channels", "server:other"], &serve);
    let says_why = || state(port).filter(|state| state["listening"] == false && state["reason"].is_string());
    let first = start();
    until("the page says why", says_why);
    let _second = start();
    // The second one finds the port taken, until the first has gone.
    drop(first);
    until("the page is there again", says_why);

    // A session that receives messages has it, as long as it runs.
    let mut command = home.command(["serve", "fakechat", "--opt-in", "always", "--port", &port.to_string()]);
    command.current_dir(home.path());
    let mut open = Server::start(command);
    let instructions = open.initialize()["instructions"].to_string();
    assert!(!instructions.contains("takes nothing in"), "{instructions}");
    until("the open session serves the page", || (state(port)?["listening"] == true).then_some(()));
    drop(open);
    until("the page says why again", says_why);
}
