//! Tests of which addresses requests may reach.

use std::io::Write as _;

use serde_json::json;

use super::{
    Courier, at, granted,
    upstream::{Upstream, respond},
};
use crate::harness::{Home, free_port};

#[test]
fn a_denial_says_which_line_to_add_and_then_it_works() {
    let (first, second) = (Upstream::saying("first"), Upstream::saying("second"));
    let home = Home::new();
    let file = home.path().join("channels.toml").canonicalize().unwrap_or(home.path().join("channels.toml"));
    let reason = Courier::start(&home, "").denied(&json!({"url": first.url("/secret?query")}));
    let advice = format!(
        "127.0.0.1:{} is not one of the hosts that courier may reach: add network = [\"{}\"] under [courier] in {}",
        first.port,
        first.origin(),
        file.display()
    );
    assert_eq!(reason, advice);
    // Not only the guest is told, whatever it makes of it.
    let told = format!("a request was denied: {advice}");
    assert!(super::log(&home).contains(&told), "{}", super::log(&home));
    let status = home.run(["status", "courier", "--json"], "").stdout;
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status[0]["last_error"]["text"], told);
    let line = |reason: &str| {
        let line = reason.split(" network = ").nth(1).unwrap().split(" under ").next().unwrap();
        format!("[courier]\nnetwork = {line}\n")
    };
    let courier = Courier::start(&home, &line(&reason));
    assert_eq!(courier.get(&first.url("/"))["answer"]["body"], "first");
    // What was granted before is in the next advice too.
    let reason = courier.denied(&json!({"url": second.url("/")}));
    drop(courier);
    let courier = Courier::start(&home, &line(&reason));
    assert_eq!(courier.get(&first.url("/"))["answer"]["body"], "first");
    assert_eq!(courier.get(&second.url("/"))["answer"]["body"], "second");
}

#[test]
fn only_what_was_granted_is_reached() {
    let upstream = Upstream::saying("reached");
    let home = Home::new();
    let courier = granted(&home, &["http://[::1]:9", "http://127.0.0.1:9"]);
    let port = upstream.port;
    for url in [
        format!("http://127.0.0.1:{port}/"),
        format!("http://127.1:{port}/"),
        format!("http://2130706433:{port}/"),
        format!("http://0x7f000001:{port}/"),
        format!("http://0177.0.0.1:{port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
        format!("http://[::1]:{port}/"),
        format!("http://0.0.0.0:{port}/"),
        format!("http://localhost:{port}/"),
        format!("https://localhost:{port}/"),
        format!("http://localhost.:{port}/"),
        format!("http://127.0.0.1:9@127.0.0.1:{port}/"),
        format!("http://api.courier.test@127.0.0.1:{port}/"),
        format!("http:\\\\127.0.0.1:{port}/"),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "http://[fe80::1]/".to_owned(),
        "http://api.courier.test/".to_owned(),
        "https://files.courier.test/".to_owned(),
        "https://api.courier.test.evil.test/".to_owned(),
        "file:///etc/passwd".to_owned(),
        "ftp://api.courier.test/".to_owned(),
        "api.courier.test".to_owned(),
        String::new(),
    ] {
        let reason = courier.denied(&json!({"url": url}));
        assert!(!reason.contains("meta-data") && !reason.contains("passwd"), "{reason}");
    }
    assert!(upstream.seen().is_empty());
}

#[test]
fn a_granted_name_does_not_lead_to_this_machine() {
    let home = Home::new();
    let courier = Courier::start(&home, "");
    // The courier asks for this host, which is a name that resolves to a loopback address.
    let reason = courier.denied(&json!({"url": "https://localhost/"}));
    assert!(reason.starts_with("localhost is at "), "{reason}");
    assert!(reason.contains("which is a loopback address: if that is what you want, add network = [\"https://localhost\"] under [courier] in "), "{reason}");
    drop(courier);
    let upstream = Upstream::saying("by name");
    let origin = format!("http://localhost:{}", upstream.port);
    let courier = granted(&home, &[&origin]);
    assert_eq!(courier.get(&origin)["answer"]["body"], "by name");
    assert_eq!(upstream.last().header("host"), Some(&*format!("localhost:{}", upstream.port)));
    courier.denied(&json!({"url": "https://localhost/"}));
}

#[test]
fn each_redirect_is_judged_like_a_first_request() {
    let target = Upstream::saying("target");
    let home = Home::new();
    for (status, location) in [
        ("302 Found", "http://169.254.169.254/latest/meta-data/".to_owned()),
        ("307 Temporary Redirect", target.url("/x")),
        ("301 Moved Permanently", "https://localhost/".to_owned()),
        ("308 Permanent Redirect", "file:///etc/passwd".to_owned()),
        ("303 See Other", "http://user:swordfish@127.0.0.1/".to_owned()),
    ] {
        let upstream = Upstream::redirecting(status, location.clone());
        let reason = at(&home, &upstream).denied(&json!({"url": upstream.url("/")}));
        assert!(
            !reason.contains("swordfish") && !reason.contains("passwd") && !reason.contains("meta-data"),
            "{reason}"
        );
        assert_eq!(upstream.seen().len(), 1, "{location}");
    }
    assert!(target.seen().is_empty());
    let upstream = Upstream::redirecting("307 Temporary Redirect", target.url("/x?y"));
    let courier = granted(&home, &[&upstream.origin(), &target.origin()]);
    let errand = json!({"method": "PUT", "url": upstream.url("/"), "body": "hello", "headers":
        [["X-Mine", "1"], ["Authorization", "mine"], ["Cookie", "mine"]]});
    assert_eq!(courier.run(&errand)["answer"]["body"], "target");
    let seen = target.last();
    assert_eq!((seen.line.as_str(), seen.body.as_slice()), ("PUT /x?y HTTP/1.1", &b"hello"[..]));
    assert_eq!(
        (seen.header("x-mine"), seen.header("authorization"), seen.header("cookie")),
        (Some("1"), None, None)
    );
}

#[test]
fn a_redirect_changes_the_method_as_browsers_do_and_ends_somewhere() {
    let home = Home::new();
    let upstream = Upstream::new(|seen, stream| match seen.path() {
        "/post" => respond(stream, "302 Found", &["Location: there"], b""),
        "/there" => respond(stream, "200 OK", &[], seen.line.as_bytes()),
        _ => respond(stream, "302 Found", &["Location: /again"], b""),
    });
    let courier = at(&home, &upstream);
    let outcome = courier.run(&json!({"method": "POST", "url": upstream.url("/post"), "body": "x"}));
    assert_eq!(outcome["answer"]["body"], "GET /there HTTP/1.1");
    assert_eq!((upstream.last().body.len(), upstream.last().header("content-length")), (0, None));
    let before = upstream.seen().len();
    let outcome = courier.get(&upstream.url("/loop"));
    assert!(outcome["network"].as_str().unwrap().contains("redirects more than 5 times"), "{outcome}");
    assert_eq!(upstream.seen().len() - before, 6);
}

#[test]
fn a_request_says_nothing_that_is_the_hosts_to_say() {
    let home = Home::new();
    let upstream = Upstream::saying("fine");
    let courier = at(&home, &upstream);
    let url = upstream.url("/");
    for (name, value) in [
        ("Host", "api.courier.test"),
        ("Content-Length", "5"),
        ("Transfer-Encoding", "chunked"),
        ("Connection", "x"),
        ("Proxy-Authorization", "x"),
        ("Upgrade", "x"),
        ("X-Mine", "a\r\nX-Evil: 1"),
        ("X-Mine", "a\nb"),
        ("X-Mine\r\nX-Evil", "1"),
        ("X Mine", "1"),
        ("", "1"),
        ("X-Mine", "a\0b"),
    ] {
        courier.denied(&json!({"url": url, "headers": [[name, value]]}));
    }
    for method in ["CONNECT", "TRACE", "GET / HTTP/1.1\r\nX-Evil: 1\r\n\r\nGET", "", "G ET"] {
        courier.denied(&json!({"method": method, "url": url}));
    }
    assert!(upstream.seen().is_empty());
    // Line breaks in a URL are no line breaks of the request's.
    courier.get(&format!("{url}a\r\nX-Evil: 1\r\n\r\nb?c d"));
    assert_eq!(upstream.last().line, "GET /aX-Evil:%201b?c%20d HTTP/1.1");
    let outcome =
        courier.run(&json!({"method": "PATCH", "url": url, "headers": [["X-Mine", "ä"]], "body": "x"}));
    assert_eq!(outcome["answer"]["status"], 200);
    let seen = upstream.last();
    assert_eq!((seen.header("x-mine"), seen.body.as_slice()), (Some("ä"), &b"x"[..]));
    assert!(seen.header("user-agent").unwrap().starts_with("tidegate/"));
    assert_eq!(seen.header("accept-encoding"), None);
    assert_eq!(seen.connection, 1, "one connection is used again");
}

#[test]
fn a_setting_that_is_no_url_is_the_users_to_mend() {
    let home = Home::new();
    home.settings("[courier.settings]\nbase = \"127.0.0.1:8081\"\n");
    let file = home.path().join("courier.wasm");
    std::fs::write(&file, crate::harness::component("courier")).unwrap();
    let output = home.run(["serve", "--dangerously-load-development-channels", file.to_str().unwrap()], "");
    assert!(!output.status.success());
    assert!(output.stderr.contains("the setting \"base\" must be a URL, like https://"), "{}", output.stderr);
}

#[test]
fn a_server_that_speaks_no_tls_or_nothing_is_named_without_its_path() {
    let home = Home::new();
    let upstream = Upstream::new(|_, stream| {
        stream.write_all(b"nonsense\r\n\r\n").unwrap();
        false
    });
    let closed = free_port();
    let tls = format!("https://127.0.0.1:{}", upstream.port);
    let courier = granted(&home, &[&upstream.origin(), &tls, &format!("http://127.0.0.1:{closed}")]);
    for url in [
        upstream.url("/secret?path"),
        format!("{tls}/secret?path"),
        format!("http://127.0.0.1:{closed}/secret?path"),
    ] {
        let outcome = courier.get(&url);
        let reason = outcome["network"].as_str().unwrap_or_else(|| panic!("{outcome}"));
        assert!(
            reason.starts_with("127.0.0.1:") && !reason.contains("secret") && !reason.contains("path"),
            "{reason}"
        );
    }
}
