//! Tests of where secrets are sent, and where they are not.

use std::io::Write as _;

use serde_json::json;

use super::{
    Courier, TOKEN, at, log,
    upstream::{Upstream, respond},
};
use crate::harness::Home;

#[test]
fn a_credential_is_put_where_the_channel_has_said() {
    let home = Home::new();
    let upstream = Upstream::saying("fine");
    let courier = at(&home, &upstream);
    courier.run(&json!({"url": upstream.url("/getMe?x=1"), "credential": "path"}));
    assert_eq!(upstream.last().path(), format!("/bot{TOKEN}/getMe?x=1"));
    courier
        .run(&json!({"url": upstream.url("/getMe"), "credential": "header", "headers": [["X-Other", "1"]]}));
    assert_eq!(upstream.last().header("x-key"), Some(&*format!("Key {TOKEN}")));
    assert_eq!(upstream.last().path(), "/getMe");
}

#[test]
fn a_credential_goes_to_its_own_hosts_only() {
    let home = Home::new();
    let (upstream, other) = (Upstream::saying("fine"), Upstream::saying("other"));
    let settings = format!(
        "[courier]\nnetwork = [\"{}\"]\n[courier.settings]\nbase = \"{}\"\n",
        other.origin(),
        upstream.origin()
    );
    let courier = Courier::start(&home, &settings);
    assert_eq!(courier.get(&other.url("/"))["answer"]["body"], "other");
    let before = (upstream.seen().len(), other.seen().len());
    let (mine, others) = (upstream.url("/"), other.url("/"));
    for (errand, expected) in [
        (
            json!({"url": others, "credential": "path"}),
            format!("goes to {} only, not to {}", upstream.origin(), other.origin()),
        ),
        (json!({"url": others, "credential": "header"}), format!("goes to {} only", upstream.origin())),
        (json!({"url": mine, "credential": "elsewhere"}), "goes to api.courier.test only".to_owned()),
        (json!({"url": mine, "credential": "frame"}), "it is for socket frames".to_owned()),
        (json!({"url": mine, "credential": "verify"}), "it is for checking signatures".to_owned()),
        (json!({"url": mine, "credential": "nobody"}), "declares no credential \"nobody\"".to_owned()),
        (
            json!({"url": mine, "credential": "header", "headers": [["x-KEY", "mine"]]}),
            "the header x-key is the credential's".to_owned(),
        ),
    ] {
        let reason = courier.denied(&errand);
        assert!(reason.contains(&expected), "{errand}: {reason}");
    }
    let reason = courier.denied(&json!({"url": mine, "credential": "missing"}));
    let file = home.path().canonicalize().unwrap().join("courier/.env");
    assert_eq!(
        reason,
        format!(
            "the credential \"missing\" of courier has no value: run `tidegate configure courier`, or put COURIER_MISSING=… into {}",
            file.display()
        )
    );
    assert_eq!((upstream.seen().len(), other.seen().len()), before, "nothing was sent");
}

#[test]
fn a_credential_stays_behind_when_a_redirect_leads_elsewhere() {
    let home = Home::new();
    let other = Upstream::saying("other");
    let (plain, leak) = (other.url("/plain"), other.url(&format!("/leak?t={}", TOKEN.replace(':', "%3A"))));
    let upstream = Upstream::new(move |seen, stream| {
        let location = match seen.path().rsplit('/').next().unwrap() {
            "elsewhere" => plain.clone(),
            "leak" => leak.clone(),
            "home" => "/home/sweet".to_owned(),
            _ => return respond(stream, "200 OK", &[], b"home"),
        };
        respond(stream, "302 Found", &[&format!("Location: {location}")], b"")
    });
    let settings = format!(
        "[courier]\nnetwork = [\"{}\"]\n[courier.settings]\nbase = \"{}\"\n",
        other.origin(),
        upstream.origin()
    );
    let courier = Courier::start(&home, &settings);
    for credential in ["path", "header"] {
        let outcome = courier.run(&json!({"url": upstream.url("/elsewhere"), "credential": credential}));
        assert_eq!(outcome["answer"]["body"], "other");
        let seen = other.last();
        assert!(!format!("{seen:?}").contains(TOKEN), "{seen:?}");
        let count = other.seen().len();
        let reason = courier.denied(&json!({"url": upstream.url("/leak"), "credential": credential}));
        assert!(reason.contains("redirects to another host with a credential in the URL"), "{reason}");
        assert_eq!(other.seen().len(), count);
        let outcome = courier.run(&json!({"url": upstream.url("/home"), "credential": credential}));
        assert_eq!(outcome["answer"]["body"], "home");
        let seen = upstream.last();
        assert_eq!(seen.path(), "/home/sweet");
        assert_eq!(seen.header("x-key").is_some(), credential == "header");
    }
}

#[test]
fn a_value_that_cannot_be_where_it_belongs_is_not_sent() {
    let home = Home::new();
    let upstream = Upstream::saying("fine");
    for (value, credential) in
        [("12:a/../b", "path"), ("12:a?b", "path"), ("12:a\u{1}b", "header"), ("ä-token", "header")]
    {
        let courier = Courier::start_with(
            &home,
            &format!("[courier.settings]\nbase = \"{}\"\n", upstream.origin()),
            |command| {
                command.env("COURIER_TOKEN", value);
            },
        );
        let reason = courier.denied(&json!({"url": upstream.url("/"), "credential": credential}));
        assert!(
            reason.contains("its value has characters that cannot be in") && !reason.contains(value),
            "{reason}"
        );
    }
    assert!(upstream.seen().is_empty());
}

#[test]
fn no_secret_comes_back_or_stands_in_a_log() {
    let home = Home::new();
    let upstream = Upstream::new(|seen, stream| {
        let echo = format!(
            "{} {} {} {}",
            seen.path(),
            TOKEN,
            TOKEN.replace(':', "%3a"),
            TOKEN.replace(':', "\\u003A")
        );
        match seen.path().rsplit('/').next().unwrap() {
            "teapot" => respond(stream, "418 I'm a teapot", &[], echo.as_bytes()),
            // In two pieces, the secret cut in the middle.
            "pieces" => {
                let (left, right) = TOKEN.split_at(5);
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n<{left}", TOKEN.len() + 2);
                stream.write_all(head.as_bytes()).unwrap();
                std::thread::sleep(std::time::Duration::from_millis(50));
                stream.write_all(format!("{right}>").as_bytes()).is_ok()
            }
            "nonsense" => {
                stream.write_all(format!("{TOKEN} {TOKEN}\r\n\r\n").as_bytes()).unwrap();
                false
            }
            _ => respond(
                stream,
                "200 OK",
                &[&format!("X-Echo: {echo}"), &format!("Content-Type: {TOKEN}/x")],
                echo.as_bytes(),
            ),
        }
    });
    let mut courier = at(&home, &upstream);
    let mut answers = String::new();
    for (path, download) in [
        ("/x", None),
        ("/pieces", None),
        ("/nonsense", None),
        ("/teapot", Some("a.txt")),
        ("/x", Some(TOKEN)),
    ] {
        let outcome =
            courier.run(&json!({"url": upstream.url(path), "credential": "path", "download": download}));
        answers += &outcome.to_string();
    }
    assert!(answers.contains("<[redacted]>") && answers.contains("/bot[redacted]/x"), "{answers}");
    assert!(answers.contains("HTTP 418 from"), "{answers}");
    let inbox = home.path().join("courier/inbox");
    for entry in std::fs::read_dir(inbox).unwrap() {
        answers += &std::fs::read_to_string(entry.unwrap().path()).unwrap();
    }
    let file = home.path().join("x.txt");
    std::fs::write(&file, "x").unwrap();
    let (text, is_error) = courier.server.reply("c", &upstream.url("/nonsense"));
    assert!(is_error, "{text}");
    answers += &text;
    courier.server.close_stdin();
    courier.server.end();
    let log = log(&home);
    assert!(log.contains("courier: GET http://127.0.0.1:"), "it is logged at all: {log}");
    for text in [&answers, &log] {
        for form in [TOKEN, &TOKEN.replace(':', "%3a"), &TOKEN.replace(':', "%3A"), "secret-token"] {
            // The name under which the guest itself wanted to save something is no secret of the host's.
            assert!(
                !text.replace(&format!("\"name\":\"12_{}\"", &TOKEN[3..]), "").contains(form),
                "{form} in {text}"
            );
        }
    }
}
