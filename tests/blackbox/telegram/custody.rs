//! Tests of the bot's ownership: one process at a time uses the bot, with a valid token, and only for a session that
//! receives messages. Also tests that the token is stored only where the user put it.

use std::{
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use fake_telegram::{Draft, Fault};
use serde_json::{Value, json};

use super::{
    faults::exchange,
    stage::{Stage, ada, event},
};
use crate::harness::{PATIENCE, Server, http};

/// The time for which an event must not happen, if there is no other sign that it will not.
const QUIET: Duration = Duration::from_millis(700);

fn says(stage: &Stage, text: &str) {
    stage.platform.says(&ada(), &ada().chat(), text);
}

/// Returns the next notice of the host.
fn notice(server: &mut Server) -> String {
    let (text, meta) = event(server);
    assert_eq!(meta, json!({"notice": "telegram"}), "{text}");
    text
}

/// Checks that Ada's next message arrives, with the notice that messages arrive again.
fn works_again(stage: &Stage, server: &mut Server) {
    says(stage, "after");
    let mut told = [server.content(), server.content()];
    told.sort();
    assert_eq!(told, ["after", "telegram: messages arrive again"]);
    server.no_event();
}

fn trouble(stage: &Stage) -> String {
    stage.status()["last_error"]["text"].as_str().unwrap_or_default().to_owned()
}

fn polls(stage: &Stage) -> usize {
    stage.platform.calls_of("getUpdates").len()
}

/// Another program that receives the bot's messages.
struct Rival {
    over: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<u32>>,
}

impl Rival {
    /// Polls, and polls again after each conflict.
    fn start(stage: &Stage) -> Self {
        let port = stage.platform.address().rsplit(':').next().unwrap().parse().unwrap();
        let path = format!("/bot{}/getUpdates?timeout=2", stage.platform.token());
        let over = Arc::new(AtomicBool::new(false));
        let end = Arc::clone(&over);
        let thread = thread::spawn(move || {
            let mut conflicts = 0;
            while !end.load(Ordering::Relaxed) {
                conflicts += u32::from(http(port, "GET", &path, &[], &[]).status == 409);
            }
            conflicts
        });
        Self { over, thread: Some(thread) }
    }

    /// Returns the number of conflicts.
    fn end(mut self) -> u32 {
        self.over.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap()
    }
}

#[test]
fn a_second_process_leaves_the_bot_to_the_first_until_it_ends() {
    let stage = Stage::new();
    let mut first = stage.serve();
    exchange(&stage, &mut first, "to the first");
    let mut second = stage.spawn();
    let instructions = second.initialize()["instructions"].as_str().unwrap().to_owned();
    let owner = format!("another session holds this channel (pid {}", first.child.id());
    assert!(instructions.contains(&owner), "{instructions}");
    // What its session has to say still goes out.
    let before = polls(&stage);
    let (text, is_error) = second.reply("42", "from the second");
    assert!(!is_error, "{text}");
    thread::sleep(QUIET);
    assert_eq!(polls(&stage), before, "the second one polls");
    says(&stage, "still to the first");
    assert_eq!(first.content(), "still to the first");
    second.no_event();
    first.close_stdin();
    assert!(first.end().0.success());
    says(&stage, "to the second");
    let (text, meta) = event(&mut second);
    assert_eq!((text.as_str(), &meta["redelivered"]), ("to the second", &Value::Null));
    second.no_event();
}

#[test]
fn nothing_is_asked_for_before_a_session_listens() {
    let stage = Stage::new();
    says(&stage, "early");
    let mut server = stage.spawn();
    assert!(stage.platform.try_wait_for("getUpdates", QUIET).is_none(), "nobody has initialized");
    let params = json!({"protocolVersion": "2025-11-25", "capabilities": {},
        "clientInfo": {"name": "t", "version": "0"}});
    let answer = server.request("initialize", &params);
    assert!(answer["result"]["instructions"].is_string(), "{answer}");
    assert!(stage.platform.try_wait_for("getUpdates", QUIET).is_none(), "it has not said that it is ready");
    server.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
    assert_eq!(server.content(), "early");
}

#[test]
fn without_the_users_word_nothing_is_asked_for() {
    let stage = Stage::new();
    says(&stage, "to nobody");
    let mut server = Server::start(stage.home.command(["serve", "telegram", "--opt-in", "never"]));
    server.initialize();
    let (text, is_error) = server.reply("42", "and yet it speaks");
    assert!(!is_error, "{text}");
    stage.platform.hears(&ada().chat(), PATIENCE);
    assert!(stage.platform.try_wait_for("getUpdates", QUIET).is_none());
    server.no_event();
    server.close_stdin();
    server.end();
    // It waits for a session that wants it.
    let mut server = stage.serve();
    assert_eq!(server.content(), "to nobody");
}

#[test]
fn another_program_with_the_same_token_is_named_and_given_way_to() {
    let stage = Stage::new();
    let mut server = stage.serve();
    exchange(&stage, &mut server, "before");
    let rival = Rival::start(&stage);
    let text = notice(&mut server);
    assert!(
        text.contains("another program receives this bot's messages") && text.contains("token"),
        "{text}"
    );
    assert!(trouble(&stage).contains("another program"), "{}", trouble(&stage));
    // The rival's polls ask for the whole of two seconds.
    let own = || {
        stage.platform.calls_of("getUpdates").iter().filter(|call| *call.parameter("timeout") == 50).count()
    };
    let before = own();
    thread::sleep(Duration::from_secs(5));
    let polled = own() - before;
    assert!(polled < 5, "{polled} polls in 5 s");
    // The session can speak all the while.
    assert!(!server.reply("42", "I am still here").1);
    assert!(rival.end() > 0, "nobody was in the rival's way");
    works_again(&stage, &mut server);
}

#[test]
fn a_predecessor_that_is_in_its_last_poll_is_no_news() {
    let stage = Stage::new();
    let mut server = stage.serve();
    stage.platform.wait_for("getUpdates", PATIENCE);
    stage
        .platform
        .fault(Fault::refusal(409, "Conflict: terminated by other getUpdates request").on("getUpdates"));
    for text in ["one", "two"] {
        says(&stage, text);
        assert_eq!(server.content(), text);
    }
    server.no_event();
}

#[test]
fn a_webhook_is_named_as_what_it_is() {
    let stage = Stage::new();
    let mut server = stage.serve();
    exchange(&stage, &mut server, "before");
    let description = "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the \
                       webhook first";
    stage.platform.fault(Fault::refusal(409, description).on("getUpdates").times(u32::MAX));
    says(&stage, "the last before");
    assert_eq!(server.content(), "the last before");
    assert!(notice(&mut server).contains("deleteWebhook"));
    // Unlike a rival, nothing slows it down here but itself.
    let before = polls(&stage);
    thread::sleep(Duration::from_secs(3));
    let polled = polls(&stage) - before;
    assert!(polled < 4, "{polled} polls in 3 s");
    stage.platform.clear_faults();
    works_again(&stage, &mut server);
}

#[test]
fn that_messages_arrive_again_is_told_though_nobody_writes() {
    let stage = Stage::new();
    let env = stage.folder().join(".env");
    std::fs::remove_file(&env).unwrap();
    let mut server = stage.serve();
    notice(&mut server);
    stage.token(&stage.platform.token());
    let taken_up = Instant::now();
    assert_eq!(notice(&mut server), "telegram: messages arrive again");
    assert!(taken_up.elapsed() < Duration::from_secs(10), "{:?}", taken_up.elapsed());
}

#[test]
fn a_token_that_is_revoked_is_told_and_a_new_one_is_taken_up() {
    let stage = Stage::new();
    let mut server = stage.serve();
    exchange(&stage, &mut server, "before");
    stage.platform.revoke();
    let text = notice(&mut server);
    assert!(text.contains("@BotFather") && text.contains("tidegate configure telegram"), "{text}");
    assert!(trouble(&stage).contains("does not accept the bot token"), "{}", trouble(&stage));
    let (text, is_error) = server.reply("42", "hello?");
    assert!(is_error && text.contains("tidegate configure telegram"), "{text}");
    says(&stage, "in between");

    // The platform counts no calls with a wrong token. So the old one is good again, and must not be tried.
    let before = polls(&stage);
    stage.platform.issue(fake_telegram::TOKEN);
    thread::sleep(Duration::from_secs(3));
    assert_eq!(polls(&stage), before, "it goes on asking with a token that was refused");

    stage.platform.issue("8086174200:another-token_of_the_same_bot_99999");
    stage.token(&stage.platform.token());
    let mut told = [server.content(), server.content()];
    told.sort();
    assert_eq!(told, ["in between", "telegram: messages arrive again"]);
    assert!(!server.reply("42", "here I am").1);
    server.no_event();
}

#[test]
fn without_a_token_the_session_starts_and_is_told_what_to_do() {
    for content in [None, Some(""), Some("TELEGRAM_BOT_TOKEN=\n"), Some("# TELEGRAM_BOT_TOKEN=1:x\n")] {
        let stage = Stage::new();
        says(&stage, "early");
        let env = stage.folder().join(".env");
        match content {
            Some(content) => std::fs::write(&env, content).unwrap(),
            None => std::fs::remove_file(&env).unwrap(),
        }
        let mut server = stage.serve();
        let text = notice(&mut server);
        assert!(
            text.contains("TELEGRAM_BOT_TOKEN") && text.contains("tidegate configure telegram"),
            "{content:?}: {text}"
        );
        assert!(text.contains(env.to_str().unwrap()), "{content:?}: {text}");
        let (text, is_error) = server.reply("42", "hello?");
        assert!(is_error && text.contains("TELEGRAM_BOT_TOKEN"), "{content:?}: {text}");
        stage.token(&stage.platform.token());
        let mut told = [server.content(), server.content()];
        told.sort();
        assert_eq!(told, ["early", "telegram: messages arrive again"], "{content:?}");
    }
}

#[test]
fn a_token_from_the_environment_stands_above_the_file() {
    let stage = Stage::new();
    stage.token("8086174200:an-old-one");
    let mut command = stage.command();
    command.env("TELEGRAM_BOT_TOKEN", stage.platform.token());
    let mut server = Server::start(command);
    server.initialize();
    says(&stage, "hello");
    assert_eq!(server.content(), "hello");
}

/// Collects all events up to the wanted one, and returns that.
fn until(server: &mut Server, told: &mut Vec<String>, wanted: impl Fn(&Value) -> bool) -> Value {
    loop {
        let event = server.event();
        told.push(event.to_string());
        if wanted(&event) {
            return event;
        }
    }
}

/// Returns all files below a folder, except one.
fn below(folder: &Path, but: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path != but {
                found.push((path.display().to_string(), std::fs::read(&path).unwrap_or_default()));
            }
        }
    }
    found
}

#[test]
fn the_token_is_nowhere_but_where_it_was_put() {
    let stage = Stage::new();
    let token = stage.platform.token();
    let program = stage.home.command(["serve", "telegram", "--opt-in", "always"]);
    let stderr = stage.home.path().join("stderr");
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", "exec \"$@\" 2>\"$STDERR\"", "sh"])
        .arg(program.get_program())
        .args(program.get_args());
    command.env_clear().envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env("TIDEGATE_LOG", "trace").env("STDERR", &stderr);
    let mut server = Server::start(command);
    let mut told = vec![server.initialize().to_string()];
    says(&stage, "hello");
    told.push(server.event().to_string());
    // Answers and errors that have it in them.
    let echo = json!({"ok": false, "error_code": 400, "description": format!("Bad Request: /bot{token}/sendMessage")});
    let address = stage.platform.address();
    let faults = [
        Fault::malformed(echo.to_string()),
        Fault::malformed(format!("https://api.telegram.org/bot{token}/sendMessage")),
        Fault::refusal(403, format!("Forbidden: {token}")),
        Fault::refusal(500, format!("Internal Server Error: bot{token}")),
        Fault::redirect(format!("{address}/bot{token}/elsewhere")),
        Fault::redirect(format!("http://127.0.0.1:1/bot{token}/sendMessage")),
        Fault::redirect(format!("http://127.0.0.1:1/?{}", token.replace(':', "%3A"))),
        Fault::status(502),
        Fault::reset(),
        Fault::cut(3),
    ];
    for (number, fault) in faults.into_iter().enumerate() {
        stage.platform.fault(fault.clone().on("sendMessage"));
        told.push(server.reply("42", "is it there?").0);
        stage.platform.fault(fault.on("getUpdates"));
        let next = format!("next {number}");
        says(&stage, &next);
        until(&mut server, &mut told, |event| event["content"] == next);
    }
    // As an update, which comes to the session as somebody's words, and as one that nobody understands.
    stage.platform.raw(&format!("{{\"update_id\": {{update_id}}, \"message\": {{\"text\": \"{token}\"}}}}"));
    told.push(server.event().to_string());
    says(&stage, &format!("is this it? {token}"));
    told.push(server.event().to_string());
    let document = stage.platform.says(&ada(), &ada().chat(), Draft::document("a.txt", "x"));
    let event = until(&mut server, &mut told, |event| event["meta"]["attachment_file_id"].is_string());
    for fault in
        [Fault::status(500), Fault::malformed(&token), Fault::redirect(format!("http://127.0.0.1:1/{token}"))]
    {
        stage.platform.fault(fault.on("file"));
        let arguments = json!({"chat_id": "42", "message_id": document.message_id.to_string(),
            "file_id": event["meta"]["attachment_file_id"]});
        told.push(server.call("download_attachment", &arguments).0);
    }
    stage.platform.revoke();
    until(&mut server, &mut told, |event| event["content"].as_str().unwrap().contains("@BotFather"));
    told.push(server.reply("42", "still?").0);
    server.close_stdin();
    server.end();
    told.extend(server.rest());
    for arguments in [
        &["status"][..],
        &["status", "--json"],
        &["doctor"],
        &["doctor", "--json"],
        &["report", "telegram"],
        &["report", "telegram", "--json"],
        &["list"],
        &["access", "telegram"],
        &["--log", "trace", "doctor", "telegram"],
    ] {
        let output = stage.home.run(arguments, "");
        told.extend([output.stdout, output.stderr]);
    }
    let secret = token.split_once(':').unwrap().1;
    for text in &told {
        assert!(!text.contains(secret), "{text}");
    }
    let files = below(stage.home.path(), &stage.folder().join(".env"));
    for expected in ["journal.db", ".log", "stderr"] {
        let written = |(name, bytes): &(String, Vec<u8>)| name.ends_with(expected) && bytes.len() > 1000;
        assert!(files.iter().any(written), "there is no {expected}");
    }
    for (name, bytes) in files {
        assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{name} has it");
    }
}
