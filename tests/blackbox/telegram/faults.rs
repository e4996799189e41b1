//! Tests of a Bot API that is down, fails, hangs, reports a wrong size, or asks for a pause.
//!
//! The host and these tests measure pauses and time limits with the monotonic clock: no test changes the clock.

use std::{
    io::Read as _,
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use fake_telegram::{Call, Fault};
use serde_json::json;

use super::stage::{Stage, ada, bob};
use crate::harness::{PATIENCE, Server};

/// The time limit for an immediate end, also on a busy machine.
const END: Duration = Duration::from_millis(500);

/// Sends this message as Ada.
fn says(stage: &Stage, text: &str) {
    stage.platform.says(&ada(), &ada().chat(), text);
}

/// Sends this message as Ada, waits until the session gets it and the next poll waits: a new fault then affects the
/// poll after that.
#[track_caller]
pub(super) fn exchange(stage: &Stage, server: &mut Server, text: &str) {
    let told = stage.platform.says(&ada(), &ada().chat(), text);
    assert_eq!(server.content(), text);
    let behind = told.update_id.unwrap() + 1;
    let start = Instant::now();
    let is_behind = |call: &Arc<Call>| *call.parameter("offset") == behind && !call.faulted;
    while !stage.platform.calls_of("getUpdates").iter().any(is_behind) {
        assert!(start.elapsed() < PATIENCE, "no poll waits behind {text:?}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Calls a tool without waiting for the result.
fn call_later(server: &mut Server, id: &str, chat: &str, text: &str) {
    server.send(&json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {
        "name": "reply", "arguments": {"chat_id": chat, "text": text}}}));
}

/// Counts the connections to a port, and closes each of them.
struct Void {
    asked: Arc<AtomicUsize>,
    over: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Void {
    fn at(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let (asked, over) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (count, end) = (Arc::clone(&asked), Arc::clone(&over));
        let thread = thread::spawn(move || {
            while !end.load(Ordering::Relaxed) {
                match listener.accept() {
                    Ok((mut stream, _)) => {
                        count.fetch_add(1, Ordering::Relaxed);
                        // What is unread when it closes would be a reset.
                        let _ = stream.set_nonblocking(true);
                        let _ = stream.read(&mut [0; 4096]);
                    }
                    Err(_) => thread::sleep(Duration::from_millis(2)),
                }
            }
        });
        Self { asked, over, thread: Some(thread) }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Drop for Void {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let _ = self.thread.take().unwrap().join();
    }
}

fn port(stage: &Stage) -> u16 {
    stage.platform.address().rsplit(':').next().unwrap().parse().unwrap()
}

/// Returns the peak memory of the server, in MiB.
fn peak(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.child.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

#[test]
fn after_an_outage_it_is_back_within_seconds_and_nothing_is_lost() {
    let stage = Stage::new();
    let mut server = stage.serve();
    exchange(&stage, &mut server, "before");
    stage.platform.stop();
    says(&stage, "during");
    let (text, is_error) = server.reply("42", "is anybody there?");
    assert!(is_error && text.contains("Telegram cannot be reached"), "{text}");
    thread::sleep(Duration::from_secs(1));
    let calls = stage.platform.calls_of("getUpdates").len();
    stage.platform.restart();
    let back = Instant::now();
    assert_eq!(server.content(), "during");
    assert!(back.elapsed() < Duration::from_secs(3), "back after {:?}", back.elapsed());
    says(&stage, "after");
    assert_eq!(server.content(), "after");
    assert!(!server.reply("42", "yes").1);
    server.no_event();
    // One for each message, one that waits, and one that the fake server slowed down.
    let calls = stage.platform.calls_of("getUpdates").len() - calls;
    assert!(calls <= 4, "{calls} polls after it was back");
    assert!(server.reply("42", "again").0.starts_with("sent"));
    assert_eq!(stage.platform.messages(&ada().chat()).len(), 2, "what failed was not sent later");
}

#[test]
fn an_outage_is_met_with_growing_patience() {
    let stage = Stage::new();
    let mut server = stage.serve();
    exchange(&stage, &mut server, "before");
    stage.platform.stop();
    let void = Void::at(port(&stage));
    thread::sleep(Duration::from_secs(3));
    let asked = void.asked();
    // After 0.25, 0.5, 1 and 2 s, each a quarter more or less; each may try twice, on a connection that was kept.
    assert!((2..=10).contains(&asked), "it asked {asked} times in 3 s");
    drop(void);
    says(&stage, "during");
    stage.platform.restart();
    assert_eq!(server.content(), "during");
    server.no_event();
}

#[test]
fn a_long_outage_is_told_once_and_so_is_its_end() {
    let stage = Stage::new();
    let mut server = stage.serve();
    exchange(&stage, &mut server, "before");
    stage.platform.stop();
    let down = Instant::now();
    let notice = server.event();
    assert!(down.elapsed() > Duration::from_secs(5), "a short one is no news");
    assert_eq!(notice["meta"], json!({"notice": "telegram"}));
    let text = notice["content"].as_str().unwrap();
    assert!(text.contains("nothing arrives at the moment") && text.contains("goes on trying"), "{text}");
    let trouble = stage.status()["last_error"]["text"].as_str().unwrap().to_owned();
    assert!(trouble.contains("cannot be reached"), "{trouble}");
    stage.platform.restart();
    says(&stage, "after");
    let mut told = [server.content(), server.content()];
    told.sort();
    assert_eq!(told, ["after", "telegram: messages arrive again"]);
    server.no_event();
}

#[test]
fn whatever_happens_to_a_poll_the_messages_come() {
    let stage = Stage::new();
    let mut server = stage.serve();
    exchange(&stage, &mut server, "begin");
    let faults = [
        ("502", Fault::status(502)),
        ("504", Fault::status(504)),
        ("413", Fault::status(413)),
        ("500", Fault::refusal(500, "Internal Server Error: restart")),
        ("reset", Fault::reset()),
        ("reset, after it took effect", Fault::reset().handled(true)),
        ("cut in the head of the JSON", Fault::cut(5)),
        ("cut in an update", Fault::cut(80)),
        ("cut at once", Fault::cut(0)),
        ("no JSON", Fault::malformed("<html>")),
        ("nothing", Fault::malformed("")),
        ("half a JSON", Fault::malformed("{\"ok\":true,\"result\":[")),
        ("no list", Fault::malformed("{\"ok\":true,\"result\":7}")),
        ("not an object", Fault::malformed("[]")),
        ("nested deeply", Fault::malformed("[".repeat(100_000))),
        ("slow", Fault::slow(16, Duration::from_millis(5))),
    ];
    for (name, fault) in faults {
        // The poll that waits already goes well; the next one is hit.
        stage.platform.fault(fault.on("getUpdates"));
        let before = format!("{name}: before");
        says(&stage, &before);
        assert_eq!(server.content(), before);
        exchange(&stage, &mut server, &format!("{name}: after"));
        server.no_event();
        stage.platform.clear_faults();
    }
    let polls = stage.platform.calls_of("getUpdates").len();
    // Two messages and a fault each, sometimes one more because the fake server slows down whoever asks again.
    assert!(polls <= 16 * 4 + 1, "{polls} polls");
}

#[test]
fn one_failure_is_followed_by_a_short_pause_and_not_by_a_hundred_tries() {
    let stage = Stage::new();
    let mut server = stage.serve();
    exchange(&stage, &mut server, "before");
    stage.platform.fault(Fault::status(502).on("getUpdates").times(u32::MAX));
    stage.platform.forget_calls();
    says(&stage, "the last before it fails");
    assert_eq!(server.content(), "the last before it fails");
    stage.platform.wait_for("getUpdates", PATIENCE);
    says(&stage, "during");
    thread::sleep(Duration::from_secs(2));
    let polls = stage.platform.calls_of("getUpdates").len();
    assert!((2..=5).contains(&polls), "{polls} polls in 2 s");
    stage.platform.clear_faults();
    let cleared = Instant::now();
    assert_eq!(server.content(), "during");
    assert!(cleared.elapsed() < Duration::from_secs(4), "{:?}", cleared.elapsed());
}

#[test]
fn a_server_that_holds_no_poll_or_always_says_the_same_is_not_asked_in_a_hot_loop() {
    for (name, result) in [
        ("nothing", "[]".to_owned()),
        (
            "the same",
            format!(
                "[{}]",
                r#"{"update_id":900000000,"message":{"message_id":1,"date":1,"text":"again",
            "chat":{"id":42,"type":"private"},"from":{"id":42,"is_bot":false,"first_name":"Ada"}}}"#
            ),
        ),
    ] {
        let stage = Stage::new();
        let mut server = stage.serve();
        exchange(&stage, &mut server, "before");
        let body = format!("{{\"ok\":true,\"result\":{result}}}");
        stage.platform.fault(Fault::malformed(body).on("getUpdates").times(u32::MAX));
        says(&stage, "the last before");
        assert_eq!(server.content(), "the last before");
        stage.platform.forget_calls();
        thread::sleep(Duration::from_secs(2));
        let polls = stage.platform.calls_of("getUpdates").len();
        assert!((1..=8).contains(&polls), "{name}: {polls} polls in 2 s");
        if name == "the same" {
            assert_eq!(server.content(), "again");
        }
        server.no_event();
    }
}

#[test]
fn a_call_that_hangs_keeps_nothing_else_waiting_and_does_not_keep_it_alive() {
    let stage = Stage::with(&json!({"dmPolicy": "allowlist", "allowFrom": ["42", "43"]}));
    let mut server = stage.serve();
    stage.platform.says(&bob(), &bob().chat(), "I am here too");
    assert_eq!(server.content(), "I am here too");
    stage.platform.fault(Fault::hang().on("sendMessage"));
    call_later(&mut server, "hangs", "42", "this is never answered");
    stage.platform.wait_for("sendMessage", PATIENCE);
    for text in ["one", "two", "three"] {
        says(&stage, text);
        assert_eq!(server.content(), text);
    }
    // Somebody else's chat does not wait for Ada's.
    assert!(!server.reply("43", "hello Bob").1);
    stage.platform.hears(&bob().chat(), PATIENCE);
    server.close_stdin();
    let (status, took) = server.end();
    assert!(status.success() && took < END, "{status} after {took:?}");
}

#[test]
fn a_poll_that_waits_does_not_keep_it_alive() {
    let stage = Stage::new();
    for signal in [None, Some(rustix::process::Signal::TERM), Some(rustix::process::Signal::INT)] {
        stage.platform.forget_calls();
        let mut server = stage.serve();
        stage.platform.wait_for("getUpdates", PATIENCE);
        match signal {
            Some(signal) => server.signal(signal),
            None => server.close_stdin(),
        }
        let (status, took) = server.end();
        assert!(status.success() && took < END, "{signal:?}: {status} after {took:?}");
    }
}

#[test]
fn a_server_that_answers_nothing_at_the_start_does_not_keep_the_session_waiting() {
    let stage = Stage::new();
    stage.platform.fault(Fault::hang().times(u32::MAX));
    let begun = Instant::now();
    let mut server = stage.serve();
    server.request("tools/list", &json!({}));
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    server.close_stdin();
    let (status, took) = server.end();
    assert!(status.success() && took < END, "{status} after {took:?}");
}

#[test]
fn a_send_that_fails_is_told_and_not_repeated() {
    let stage = Stage::new();
    let mut server = stage.serve();
    exchange(&stage, &mut server, "hello");
    for (name, fault, expected) in [
        ("502", Fault::status(502), "no answer of the Bot API"),
        ("500", Fault::refusal(500, "Internal Server Error"), "Telegram fails"),
        ("reset", Fault::reset(), "cannot be reached"),
        ("cut", Fault::cut(10), "cannot be reached"),
        ("malformed", Fault::malformed("{\"ok\":true}"), "no result"),
        ("large", Fault::large(1 << 30), "larger than"),
        ("blocked", Fault::refusal(403, "Forbidden: bot was blocked by the user"), "blocked the bot"),
    ] {
        stage.platform.forget_calls();
        stage.platform.fault(fault.on("sendMessage"));
        let (text, is_error) = server.reply("42", name);
        assert!(is_error && text.contains(expected), "{name}: {text}");
        assert_eq!(stage.platform.calls_of("sendMessage").len(), 1, "{name}: it may have been sent");
        assert!(!server.reply("42", "next").1, "{name}");
    }
}

#[test]
fn an_answer_without_an_end_takes_no_memory() {
    let stage = Stage::new();
    let mut server = stage.serve();
    exchange(&stage, &mut server, "before");
    let before = peak(&server);
    // For each size of batch that it tries, and then for the first of the next poll.
    stage.platform.fault(Fault::large(1 << 30).on("getUpdates").times(4));
    for text in ["the last before", "after"] {
        says(&stage, text);
        assert_eq!(server.content(), text);
    }
    let after = peak(&server);
    assert!(after < 100, "{after} MiB at the most, {before} MiB before");
    server.no_event();
}

#[test]
fn a_poll_waits_as_long_as_it_is_asked_to() {
    let stage = Stage::new();
    let mut server = stage.serve();
    exchange(&stage, &mut server, "before");
    stage.platform.fault(Fault::too_many_requests(2).on("getUpdates"));
    says(&stage, "the last before");
    assert_eq!(server.content(), "the last before");
    says(&stage, "after");
    assert_eq!(server.content(), "after");
    let polls = stage.platform.calls_of("getUpdates");
    let limited = polls.iter().position(|call| call.faulted).unwrap();
    let pause = polls[limited + 1].at - polls[limited].at;
    assert!(pause >= Duration::from_secs(2) && pause < Duration::from_secs(4), "{pause:?}");
    server.no_event();
}

#[test]
fn a_reply_waits_as_long_as_it_is_asked_to_and_is_sent_once() {
    let stage = Stage::new();
    let mut server = stage.serve();
    exchange(&stage, &mut server, "hello");
    stage.platform.fault(Fault::too_many_requests(1).on("sendMessage").times(2));
    let (text, is_error) = server.reply("42", "patience");
    assert!(!is_error, "{text}");
    let sends = stage.platform.calls_of("sendMessage");
    assert_eq!(sends.iter().map(|call| call.faulted).collect::<Vec<_>>(), [true, true, false]);
    for pair in sends.windows(2) {
        let pause = pair[1].at - pair[0].at;
        assert!(pause >= Duration::from_secs(1) && pause < Duration::from_secs(3), "{pause:?}");
    }
    assert_eq!(stage.platform.messages(&ada().chat()).len(), 1);
    // What comes from people does not wait for that.
    stage.platform.forget_calls();
    stage.platform.fault(Fault::too_many_requests(2).on("sendMessage"));
    call_later(&mut server, "waits", "42", "later");
    stage.platform.wait_for("sendMessage", PATIENCE);
    says(&stage, "meanwhile");
    let heard = Instant::now();
    assert_eq!(server.content(), "meanwhile");
    assert!(heard.elapsed() < Duration::from_secs(1), "{:?}", heard.elapsed());
}

#[test]
fn a_reply_that_would_have_to_wait_for_an_hour_is_refused_at_once() {
    let stage = Stage::new();
    let mut server = stage.serve();
    exchange(&stage, &mut server, "hello");
    stage.platform.fault(Fault::too_many_requests(3600).on("sendMessage"));
    let asked = Instant::now();
    let (text, is_error) = server.reply("42", "patience");
    assert!(is_error && text.contains("asks to wait 3"), "{text}");
    let (text, is_error) = server.reply("42", "again");
    assert!(is_error && text.contains("asks to wait 3"), "{text}");
    assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
    assert_eq!(stage.platform.calls_of("sendMessage").len(), 1, "it was asked to be quiet");
}

#[test]
fn ten_thousand_that_wait_at_the_start_come_all_and_in_order() {
    const WAITING: u32 = 10_000;
    let stage = Stage::new();
    for number in 0..WAITING {
        says(&stage, &format!("text {number}"));
    }
    let mut server = stage.serve();
    for number in 0..WAITING {
        let event = server.event();
        assert_eq!(event["content"], format!("text {number}"));
        assert!(event["meta"]["redelivered"].is_null(), "{event}");
    }
    server.no_event();
    // The poll behind the last one confirms it.
    let start = Instant::now();
    while stage.platform.unconfirmed() > 0 {
        assert!(start.elapsed() < PATIENCE, "{} are unconfirmed", stage.platform.unconfirmed());
        thread::sleep(Duration::from_millis(5));
    }
    let polls = stage.platform.calls_of("getUpdates").len();
    assert!(polls <= 110, "{polls} polls for {WAITING}");
}
