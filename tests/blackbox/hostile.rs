//! Tests of hostile guests: each is refused or contained, and the other channels continue.

use std::{path::Path, time::Duration};

use crate::harness::{Home, Page, Server, chameleon, component, http};

/// Loads only this file and returns the program's error.
fn refused(home: &Home, file: &Path) -> String {
    // `try` waits for what has to be compiled, which a session does not.
    let output = home.run(["try", "--dangerously-load-development-channels", file.to_str().unwrap()], "");
    assert!(!output.status.success(), "{}", output.stderr);
    assert!(output.stdout.is_empty(), "{}", output.stdout);
    let last = output.stderr.lines().last().unwrap().to_owned();
    assert!(last.starts_with("tidegate: ") && last.contains(file.to_str().unwrap()), "{}", output.stderr);
    last
}

#[test]
fn files_that_are_no_channels_are_refused_with_a_reason() {
    let home = Home::new();
    let file = home.path().join("x.wasm");
    let good = component("chameleon");
    for (bytes, expected) in [
        (b"hello".to_vec(), "not a valid WebAssembly component"),
        (Vec::new(), "not a valid WebAssembly component"),
        (good[..good.len() / 2].to_vec(), "not a valid WebAssembly component"),
        (b"\0asm\x01\0\0\0".to_vec(), "not a valid WebAssembly component"),
        (b"\0asm\x0d\0\x01\0".to_vec(), "exports no tidegate:channel/channel"),
    ] {
        std::fs::write(&file, bytes).unwrap();
        let complaint = refused(&home, &file);
        assert!(complaint.contains(expected), "{complaint}");
    }
    std::fs::remove_file(&file).unwrap();
    assert!(refused(&home, &file).contains("cannot be read: No such file"));
}

#[test]
fn another_version_of_the_contract_is_named() {
    let home = Home::new();
    let file = home.path().join("future.wasm");
    let text: Vec<u8> = component("chameleon");
    let mut bytes = Vec::new();
    let mut rest = text.as_slice();
    // Every name in the component carries the version; the length stays the same.
    while let Some(at) = rest.windows(6).position(|window| window == b"@0.1.0") {
        bytes.extend_from_slice(&rest[..at]);
        bytes.extend_from_slice(b"@0.7.0");
        rest = &rest[at + 6..];
    }
    bytes.extend_from_slice(rest);
    std::fs::write(&file, bytes).unwrap();
    let complaint = refused(&home, &file);
    assert!(complaint.contains("version 0.7.0") && complaint.contains("speaks 0.1.0"), "{complaint}");
}

#[test]
fn guests_that_misbehave_when_asked_what_they_are_are_refused() {
    let home = Home::new();
    for (behaviour, expected) in [
        ("trap", "it failed when asked what it is: it crashed"),
        ("loop", "it failed when asked what it is: it did not finish within 2 s"),
        ("grow", "it ran out of its 64 MiB of memory"),
        ("import", "describe called an import"),
        ("huge", "it failed when asked what it is"),
        ("path", "cannot be a channel's name"),
        ("claim", "says that it is \"fakechat\", which is the name of another channel"),
    ] {
        let complaint = refused(&home, &chameleon(&home, behaviour));
        assert!(complaint.contains(expected), "{behaviour}: {complaint}");
    }
}

#[test]
fn a_broken_guest_does_not_take_the_others_with_it() {
    let home = Home::new();
    let broken = chameleon(&home, "trap");
    let mut command =
        home.command(["serve", "fakechat", "--port", "0", "--dangerously-load-development-channels"]);
    command.arg(&broken);
    let mut server = Server::start(command);
    let instructions = server.initialize()["instructions"].as_str().unwrap().to_owned();
    assert!(
        instructions.contains("A channel is missing") && instructions.contains("trap.wasm"),
        "{instructions}"
    );
    server.page("fakechat").say("1", "hello");
    assert_eq!(server.content(), "hello");
}

fn chameleon_server(home: &Home) -> Server {
    home.settings("[chameleon]\ndeadline_seconds = 1\n");
    let file = chameleon(home, "good");
    home.serve(["--dangerously-load-development-channels", file.to_str().unwrap()])
}

#[test]
fn a_call_that_fails_is_thrown_away_with_all_that_it_did() {
    let home = Home::new();
    let mut server = chameleon_server(&home);
    for (frame, logged) in [
        ("trap", "as it was told"),
        ("loop", "it did not finish within 1 s"),
        ("grow", "it ran out of its 64 MiB of memory"),
        ("hoard", "it has set and pushed more than 16 MiB in one call"),
    ] {
        let mut page = server.page("chameleon");
        page.text(frame);
        let (code, reason) = page.closed();
        assert!(code == 1011 && reason.contains("failed on a frame"), "{frame}: {code} {reason}");
        server.log(logged);
    }
    let mut page = server.page("chameleon");
    page.text("trapped?");
    // Nothing that the trapped call had pushed or stored is there.
    assert_eq!(page.next().to_text().unwrap(), "no");
    page.text("alive");
    assert_eq!(server.content(), "alive");
    for text in ["trap", "loop"] {
        let (answer, is_error) = server.reply("c", text);
        assert!(is_error && answer.contains("the channel chameleon failed"), "{answer}");
    }
    let (answer, is_error) = server.reply("c", "partial");
    assert!(
        is_error && answer.contains("sent only in part (id: 1), then: unavailable: the second half"),
        "{answer}"
    );
    let port = server.port("chameleon");
    for (path, status) in [("/trap", 502), ("/loop", 502), ("/status", 502), ("/", 200)] {
        assert_eq!(http(port, "GET", path, &[], b"").status, status, "{path}");
    }
    let response = http(port, "POST", "/framing", &[], b"longer than five");
    assert_eq!(response.text(), "longer than five", "how bytes travel is the host's business");
    assert_eq!(server.reply("c", "fine"), ("sent (id: 1)".to_owned(), false));
}

#[test]
fn a_guest_that_computes_for_ever_holds_up_nobody() {
    let home = Home::new();
    home.settings("[chameleon]\ndeadline_seconds = 5\n");
    let file = chameleon(&home, "good");
    let mut command = home.command(["serve", "fakechat", "--dangerously-load-development-channels"]);
    command.arg(&file).env("FAKECHAT_PORT", "0");
    let mut server = Server::start(command);
    server.initialize();
    let mut page = server.page("fakechat");
    let mut looping = server.page("chameleon");
    looping.text("loop");
    let start = std::time::Instant::now();
    for number in 0..20 {
        page.say(&number.to_string(), "meanwhile");
        assert_eq!(server.content(), "meanwhile");
    }
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    // And it ends at once, loop or no loop.
    server.close_stdin();
    let (_, took) = server.end();
    assert!(took < Duration::from_millis(500), "{took:?}");
}

#[test]
fn a_guest_cannot_speak_for_the_host() {
    let home = Home::new();
    let mut server = chameleon_server(&home);
    let mut page = server.page("chameleon");
    page.text("keys");
    let event = server.event();
    let meta = event["meta"].as_object().unwrap();
    assert_eq!(meta["chat_id"], "c");
    assert_eq!(meta["weather"], "fine");
    assert!(!meta.contains_key("file_path") && !meta.contains_key("Bad Key"), "{meta:?}");
    page.text("huge state");
    assert!(page.next().to_text().unwrap().contains("262144 are allowed"));
    page.text("twice");
    assert_eq!(server.content(), "twice");
    server.no_event();
}

#[test]
fn a_flood_from_one_call_arrives_whole_and_its_log_is_cut() {
    let home = Home::new();
    let mut server = chameleon_server(&home);
    let mut page = Page::open(server.port("chameleon"));
    page.text("flood");
    for number in 0..500 {
        assert_eq!(server.content(), format!("flood {number}"));
    }
    server.log("more than 64 lines in one call");
    server.no_event();
}
