//! Tests of a kill at any moment between a message's receipt and its delivery.

use std::{
    collections::HashSet,
    io::Write as _,
    process::Stdio,
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use fake_telegram::{Draft, Fault};
use rustix::process::Signal;
use serde_json::{Value, json};

use super::stage::{Stage, ada, event};
use crate::harness::{PATIENCE, Server};

/// The client's first messages, sent together.
const HANDSHAKE: &str = concat!(
    r#"{"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {"protocolVersion": "2025-11-25", "#,
    r#""capabilities": {}, "clientInfo": {"name": "t", "version": "0"}}}"#,
    "\n",
    r#"{"jsonrpc": "2.0", "method": "notifications/initialized"}"#,
    "\n"
);

/// Random moments that differ with each run. A failing run shows its seed.
struct Moments(u64);

impl Moments {
    fn new() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        Self(u64::from(now.subsec_nanos()) | 1)
    }

    /// Returns a duration of at most this.
    fn up_to(&mut self, most: Duration) -> Duration {
        // Xorshift, by Marsaglia.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        most * u32::try_from(self.0 % 1000).unwrap() / 1000
    }
}

/// Sends the handshake without waiting for the answer: a server that is about to be killed may never answer.
fn begin(stage: &Stage) -> Server {
    let mut server = stage.spawn();
    server.raw(HANDSHAKE.as_bytes());
    server
}

/// Kills the server and returns the events that it has written.
fn written(server: &mut Server) -> Vec<Value> {
    server.signal(Signal::KILL);
    server.end();
    let lines = server.rest();
    // The last line may have been cut.
    let messages = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let events = messages.filter(|message| message["method"] == "notifications/claude/channel");
    events.map(|mut message| message["params"].take()).collect()
}

#[test]
fn two_hundred_kills_lose_nothing_and_what_comes_again_is_marked() {
    const KILLS: u32 = 200;
    const EACH: u32 = 3;
    let stage = Stage::new();
    let (user, chat) = (ada(), ada().chat());
    let mut moments = Moments::new();
    let origin = moments.0;
    let mut said = 0;
    let mut say = || {
        said += 1;
        stage.platform.says(&user, &chat, format!("text {said}"));
    };
    say();
    let begun = Instant::now();
    let mut server = begin(&stage);
    let mut seen = vec![server.event()];
    // As long as it takes to get one through: half of the kills come before that.
    let life = begun.elapsed() * 2;
    seen.extend(written(&mut server));
    let mut with_events = 0;
    for _ in 0..KILLS {
        say();
        let mut server = begin(&stage);
        for _ in 1..EACH {
            thread::sleep(moments.up_to(life / EACH));
            say();
        }
        thread::sleep(moments.up_to(life / EACH));
        let events = written(&mut server);
        with_events += u32::from(!events.is_empty());
        seen.extend(events);
    }
    // Else it was always killed too early, or too late, to show anything.
    assert!(
        with_events > KILLS / 10 && with_events < KILLS,
        "seed {origin}: {with_events} have told something"
    );

    let mut server = stage.serve();
    say();
    let last = format!("text {said}");
    while seen.last().is_none_or(|event| event["content"] != *last) {
        seen.push(server.event());
    }
    server.no_event();
    let mut known = HashSet::new();
    let mut firsts = Vec::new();
    for event in &seen {
        let text = event["content"].as_str().unwrap();
        if known.insert(text) {
            firsts.push(text);
        } else {
            assert_eq!(event["meta"]["redelivered"], "true", "seed {origin}: {event} came again, unmarked");
        }
    }
    let expected: Vec<_> = (1..=said).map(|number| format!("text {number}")).collect();
    assert_eq!(firsts, expected, "seed {origin}");
}

#[test]
fn what_a_session_has_not_read_before_a_kill_is_not_lost() {
    const MESSAGES: usize = 300;
    let stage = Stage::new();
    // A hundred of them are more than a pipe holds.
    let text = |number: usize| format!("{number} {}", "x".repeat(4000));
    for number in 0..MESSAGES {
        stage.platform.says(&ada(), &ada().chat(), text(number));
    }
    let mut seen = Vec::new();
    for _ in 0..3 {
        let mut child = stage
            .command()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        child.stdin.as_mut().unwrap().write_all(HANDSHAKE.as_bytes()).unwrap();
        // Telegram has forgotten what is in the journal and was read by nobody.
        let start = Instant::now();
        while stage.platform.unconfirmed() > MESSAGES - 100 {
            assert!(start.elapsed() < PATIENCE, "{} wait at Telegram", stage.platform.unconfirmed());
            thread::sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        let output = child.wait_with_output().unwrap();
        let whole = String::from_utf8_lossy(&output.stdout);
        let events = whole.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        seen.extend(events.map(|mut event| event["params"]["content"].take()).filter(Value::is_string));
    }
    assert!(!seen.is_empty() && seen.len() < MESSAGES, "{} were read", seen.len());
    let mut server = stage.serve();
    while seen.last() != Some(&json!(text(MESSAGES - 1))) {
        seen.push(server.event()["content"].take());
    }
    server.no_event();
    let mut known = HashSet::new();
    let firsts = seen.iter().filter(|text| known.insert(text.to_string()));
    assert!(firsts.eq((0..MESSAGES).map(|number| json!(text(number))).collect::<Vec<_>>().iter()));
}

#[test]
fn after_an_orderly_end_nothing_comes_again() {
    let stage = Stage::new();
    let mut server = stage.serve();
    stage.platform.says(&ada(), &ada().chat(), "once");
    assert_eq!(server.content(), "once");
    server.close_stdin();
    assert!(server.end().0.success());
    let mut server = stage.serve();
    stage.platform.says(&ada(), &ada().chat(), "twice");
    let (text, meta) = event(&mut server);
    assert_eq!((text.as_str(), &meta["redelivered"]), ("twice", &Value::Null));
    server.no_event();
}

#[test]
fn a_picture_that_a_kill_has_interrupted_comes_with_the_next_session_and_once() {
    let stage = Stage::new();
    let mut server = stage.serve();
    stage.platform.fault(Fault::hang().on("file"));
    stage.platform.says(&ada(), &ada().chat(), Draft::photo("a picture").caption("look"));
    stage.platform.wait_for("file", PATIENCE);
    // It is Telegram's no more: only the journal has it.
    stage.platform.says(&ada(), &ada().chat(), "and this");
    assert_eq!(server.content(), "and this");
    assert_eq!(written(&mut server), Vec::<Value>::new());

    let mut server = stage.serve();
    let shown = loop {
        let (text, meta) = event(&mut server);
        if text == "look" {
            break meta;
        }
        // Written, and whether the mark of that was written too is chance.
        assert_eq!((text.as_str(), &meta["redelivered"]), ("and this", &json!("true")));
    };
    assert_eq!(shown["redelivered"], Value::Null, "nobody has seen it before");
    let path = shown["image_path"].as_str().unwrap();
    assert_eq!(std::fs::read(path).unwrap(), b"a picture");
    server.no_event();
}
