//! Tests of requests through a proxy.

use serde_json::json;

use super::{
    Courier,
    upstream::{Upstream, respond},
};
use crate::harness::Home;

#[test]
fn a_proxy_in_the_environment_is_not_used() {
    let (proxy, upstream) = (Upstream::saying("proxy"), Upstream::saying("direct"));
    let home = Home::new();
    let settings = format!(
        "[courier]\nnetwork = [\"http://localhost:{}\"]\n[courier.settings]\nbase = \"{}\"\n",
        upstream.port,
        upstream.origin()
    );
    let courier = Courier::start_with(&home, &settings, |command| {
        for variable in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
            command.env(variable, proxy.origin());
        }
    });
    assert_eq!(courier.get(&upstream.url("/"))["answer"]["body"], "direct");
    assert_eq!(courier.get(&format!("http://localhost:{}/", upstream.port))["answer"]["body"], "direct");
    let outcome = courier.get("https://api.courier.test/");
    assert!(
        outcome["network"].as_str().unwrap().starts_with("api.courier.test cannot be reached: "),
        "{outcome}"
    );
    assert!(proxy.seen().is_empty());
}

#[test]
fn a_proxy_in_the_settings_looks_names_up_and_the_rules_hold() {
    let proxy = Upstream::new(|seen, stream| {
        if seen.line.starts_with("CONNECT") {
            return respond(stream, "502 Bad Gateway", &[], b"");
        }
        if seen.path().ends_with("/redirect") {
            return respond(stream, "302 Found", &["Location: http://169.254.169.254/"], b"");
        }
        respond(stream, "200 OK", &[], b"by the proxy")
    });
    let direct = Upstream::saying("direct");
    let home = Home::new();
    let settings = format!(
        "[default]\nproxy = \"http://me:word@localhost:{}\"\n[courier]\nnetwork = [\"http://inside.test\", \"http://10.0.0.5\", \"{}\"]\n",
        proxy.port,
        direct.origin()
    );
    let courier = Courier::start(&home, &settings);
    assert_eq!(courier.get("http://inside.test/a?b")["answer"]["body"], "by the proxy");
    let seen = proxy.last();
    assert_eq!(seen.line, "GET http://inside.test/a?b HTTP/1.1");
    assert_eq!(seen.header("proxy-authorization"), Some("Basic bWU6d29yZA=="));
    assert_eq!(courier.get("http://10.0.0.5/")["answer"]["body"], "by the proxy");
    let outcome = courier.get("https://api.courier.test/secret");
    let reason = outcome["network"].as_str().unwrap_or_else(|| panic!("{outcome}"));
    assert!(
        reason.starts_with("api.courier.test cannot be reached: ") && !reason.contains("word"),
        "{reason}"
    );
    assert_eq!(proxy.last().line, "CONNECT api.courier.test:443 HTTP/1.1");
    // What is checked without a name's address is checked as ever.
    let count = proxy.seen().len();
    for url in
        ["http://api.courier.test/", "http://127.0.0.1:1/", "http://169.254.169.254/", "http://10.0.0.6/"]
    {
        courier.denied(&json!({"url": url}));
    }
    assert_eq!(proxy.seen().len(), count);
    courier.denied(&json!({"url": "http://inside.test/redirect"}));
    // The proxy's own machine is another one.
    assert_eq!(courier.get(&direct.url("/"))["answer"]["body"], "direct");
    assert!(direct.last().header("proxy-authorization").is_none());
}
