//! Tests of the command line: a person's input and the output.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    os::unix::fs::PermissionsExt as _,
    process::Stdio,
};

use serde_json::{Value, json};

use crate::harness::{Home, Page, chameleon};

/// Returns the one line that a person reads after a failure.
fn complaint(home: &Home, arguments: &[&str]) -> String {
    let output = home.run(arguments, "");
    assert_eq!(output.status.code(), Some(1), "{}", output.stderr);
    assert_eq!(output.stdout, "");
    let lines: Vec<&str> = output.stderr.lines().collect();
    assert_eq!(lines.len(), 1, "{}", output.stderr);
    lines[0].to_owned()
}

#[test]
fn a_name_that_is_no_channel_is_answered_with_what_was_meant() {
    let home = Home::new();
    let text = complaint(&home, &["serve", "fakchat"]);
    assert!(
        text.starts_with("tidegate: there is no channel \"fakchat\"; did you mean \"fakechat\"?"),
        "{text}"
    );
    let text = complaint(&home, &["try", "zzz"]);
    assert!(text.contains("there is fakechat"), "{text}");
    assert!(complaint(&home, &["serve", "fakechat", "fakechat"]).contains("named twice"));
}

#[test]
fn settings_that_make_no_sense_are_named() {
    let home = Home::new();
    home.settings("[fakechat]\nprot = 1\n");
    let text = complaint(&home, &["serve", "fakechat"]);
    assert!(
        text.contains("channels.toml: [fakechat] has no field \"prot\"; did you mean \"port\"?"),
        "{text}"
    );
    home.settings("[fakechat]\nport = 0\n");
    let output = home.command(["serve", "fakechat"]).env("FAKECHAT_PORT", "many").output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("FAKECHAT_PORT is \"many\", which is no port"), "{text}");
    // What only the channel knows: which values a setting takes.
    home.settings("[telegram.settings]\nparse = \"MarkdownV2\"\n");
    let text = complaint(&home, &["serve", "telegram"]);
    assert!(
        text.contains(
            "\"parse\" of [telegram.settings] is \"MarkdownV2\", but must be one of markdown, plain"
        ),
        "{text}"
    );
    // What is for no channel is said, and stops nothing.
    home.settings("[fakchat]\nport = 1\n");
    let output = home.run(["serve", "fakechat", "--port", "0"], "");
    assert!(output.status.success(), "{}", output.stderr);
    assert!(
        output
            .stderr
            .contains("has a table [fakchat], and there is no such channel; did you mean \"fakechat\"?"),
        "{}",
        output.stderr
    );
}

#[test]
fn a_state_root_that_cannot_be_used_is_named_with_its_cure() {
    let home = Home::new();
    let file = home.path().join("file");
    std::fs::write(&file, "").unwrap();
    let output = home.command(["serve", "fakechat"]).env("TIDEGATE_HOME", &file).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains(&format!("the state root {} cannot be used", file.display())), "{text}");
    assert!(text.contains("with --home or TIDEGATE_HOME") && text.lines().count() == 1, "{text}");
    // Root may read and write everything.
    if !rustix::process::geteuid().is_root() {
        std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o000)).unwrap();
        assert!(complaint(&home, &["serve", "fakechat"]).contains("cannot be used"));
        std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    }
}

#[test]
fn list_and_inspect_tell_people_and_scripts_the_same() {
    let home = Home::new();
    home.settings("[fakechat]\nport = 4321\n");
    let text = home.run(["list"], "").stdout;
    assert!(text.contains("fakechat") && text.contains("http://127.0.0.1:4321"), "{text}");
    let list: Value = serde_json::from_str(&home.run(["list", "--json"], "").stdout).unwrap();
    assert_eq!(list[0]["name"], "fakechat");
    assert_eq!(list[0]["port"], 4321);
    assert_eq!(list[0]["owner"], Value::Null);

    let text = home.run(["inspect", "fakechat"], "").stdout;
    assert!(text.contains("no host at all") && text.contains("reply, edit, typing, uploads"), "{text}");
    assert!(!text.contains('\u{1b}'), "no colours for a script");
    let file = chameleon(&home, "good");
    let inspected = home.run(["inspect", "--json", file.to_str().unwrap()], "");
    let report: Value = serde_json::from_str(&inspected.stdout).unwrap();
    assert_eq!(report["descriptor"]["name"], "chameleon");
    assert_eq!(report["source"], "web");
    assert_eq!(report["contract"], "0.1.0");
    assert_eq!(report["digest"].as_str().unwrap().len(), 64);
    let text = complaint(&home, &["inspect", "/no/such/file.wasm"]);
    assert!(text.contains("/no/such/file.wasm cannot be read"), "{text}");
}

#[test]
fn help_and_completions_are_there_for_every_command() {
    let home = Home::new();
    let help = home.run(["--help"], "").stdout;
    for command in ["serve", "try", "list", "inspect", "forget", "completions"] {
        assert!(help.contains(command), "{help}");
        let own = home.run([command, "--help"], "").stdout;
        assert!(own.contains("Usage: tidegate"), "{own}");
    }
    assert!(!help.contains("compile-component"), "what is no command for people is not shown");
    for shell in ["bash", "zsh", "fish"] {
        assert!(home.run(["completions", shell], "").stdout.contains("tidegate"), "{shell}");
    }
    assert!(home.run(["--version"], "").stdout.starts_with("tidegate "));
}

#[test]
fn try_reads_lines_and_ends_at_their_end() {
    let home = Home::new();
    let mut child = home
        .command(["try", "fakechat", "--port", "0"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let link = lines.next().unwrap();
    let port = link.rsplit(':').next().unwrap().split("/#key=").next().unwrap().parse().unwrap();
    lines.next();
    stdin.write_all(b"too early\n").unwrap();
    assert!(lines.next().unwrap().contains("nobody has written yet"));
    let mut page = Page::open(port);
    page.say("u1", "hello\u{1b}[31m there");
    let open = lines.next().unwrap();
    assert!(open.starts_with("<channel chat_id=\"web\"") && open.contains("message_id=\"u1\""), "{open}");
    assert_eq!(lines.next().unwrap(), "hello\u{fffd}[31m there");
    assert_eq!(lines.next().unwrap(), "</channel>");
    stdin.write_all(b"hello back\n").unwrap();
    let sent = lines.next().unwrap();
    assert_eq!(page.wait("msg")["text"], "hello back");
    let id = sent.trim_start_matches("sent (id: ").trim_end_matches(')');
    stdin.write_all(format!("/edit {id} better\n").as_bytes()).unwrap();
    assert!(lines.next().unwrap().starts_with("edited"));
    assert_eq!(page.wait("edit")["text"], "better");
    stdin.write_all(b"/tools\n/nonsense\n/call reply {\"chat_id\": \"web\"}\n").unwrap();
    assert!(lines.next().unwrap().starts_with("reply text [chat_id]"));
    assert!(lines.next().unwrap().starts_with("edit_message "));
    assert!(lines.next().unwrap().contains("no command /nonsense"));
    assert!(lines.next().unwrap().contains("\"text\" is missing"));
    drop(stdin);
    assert!(child.wait().unwrap().success());
}

#[test]
fn try_says_who_has_the_port_or_the_channel() {
    let home = Home::new();
    // Before it there may be a line of the log.
    let last = |home: &Home, port: &str| {
        let output = home.run(["try", "fakechat", "--port", port], "");
        assert!(output.status.code() == Some(1) && output.stdout.is_empty(), "{}", output.stdout);
        output.stderr.lines().last().unwrap().to_owned()
    };
    let occupied = |home: &Home, port: u16, holder: &str| {
        let text = last(home, &port.to_string());
        let expected = format!("tidegate: Fakechat cannot run, because port {port} is in use by {holder}");
        assert!(text.starts_with(&expected), "{text}");
        let cure = format!("`tidegate try fakechat --port {}`", port + 1);
        assert!(text.contains(&cure) && text.matches(": ").count() == 1, "{text}");
    };
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    let own = format!("(pid {}). End that program", std::process::id());
    if cfg!(target_os = "linux") {
        let text = last(&home, &port.to_string());
        assert!(text.contains(&own) && !text.contains("tidegate (pid"), "{text}");
    }
    occupied(&home, port, "");
    drop(socket);

    let mut server = home.serve(["fakechat"]);
    let port = server.port("fakechat");
    occupied(&Home::new(), port, "another tidegate");
    let text = last(&home, "0");
    let expected = format!(
        "tidegate: Fakechat cannot run, because another session holds this channel (pid {}",
        server.child.id()
    );
    assert!(text.starts_with(&expected) && text.contains("End that session"), "{text}");
}

#[test]
fn every_line_of_the_doctor_that_is_not_good_says_what_to_do() {
    let home = Home::new();
    home.settings("[fakechatt]\nport = 1\n");
    home.access("fakechat", &json!({"dmPolicy": "disabled"}));
    // Somebody has begun with Telegram, and not ended.
    home.access("telegram", &json!({"dmPolicy": "pairing"}));
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port().to_string();
    let output = home.command(["doctor", "--json"]).env("FAKECHAT_PORT", &port).output().unwrap();
    drop(socket);
    let checks: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let of =
        |what: &str| checks.iter().find(|check| check["what"] == what).unwrap_or_else(|| panic!("{what}"));
    for (what, state, found, cure) in [
        ("settings", "notice", "[fakechatt]", "Rename the table"),
        ("owner", "notice", "no session serves it at the moment", "`tidegate try fakechat`"),
        (
            "port",
            "bad",
            &format!("port {port} is in use by "),
            "another port with --port, FAKECHAT_PORT or channels.toml",
        ),
        ("access", "notice", "dmPolicy is disabled", "`tidegate access fakechat policy pairing`"),
        ("credential", "bad", "TELEGRAM_BOT_TOKEN is not set", "Run `tidegate configure telegram`"),
    ] {
        let check = of(what);
        assert_eq!(check["state"], state, "{check}");
        assert!(check["found"].as_str().unwrap().contains(found), "{check}");
        assert!(check["cure"].as_str().unwrap().contains(cure), "{check}");
    }
    for check in checks.iter().filter(|check| check["state"] != "good") {
        let cure = check["cure"].as_str().unwrap_or_else(|| panic!("{check}"));
        assert!(!cure.contains("said") && cure.split(' ').count() > 2, "{check}");
    }
}

#[test]
fn the_log_is_kept_in_the_state_root_at_the_level_that_was_asked_for() {
    let home = Home::new();
    let run = |level: &str| {
        home.run(["serve", "fakechat", "--port", "0", "--log", level], "");
        let mut logs = std::fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().path());
        let log = logs.find(|path| path.extension().is_some_and(|extension| extension == "log"));
        log.map(|path| std::fs::read_to_string(path).unwrap()).unwrap_or_default()
    };
    assert_eq!(run("error"), "");
    assert!(run("info").contains("fakechat: http://127.0.0.1:"));
    let output = home.run(["serve", "fakechat", "--log", "loud"], "");
    assert!(output.stderr.contains("there is off, error, warn"), "{}", output.stderr);
}

#[test]
fn lines_that_are_piped_into_try_approve_nothing() {
    let home = Home::new();
    home.access("fakechat", &json!({"dmPolicy": "allowlist", "allowFrom": ["web"]}));
    let withheld = || {
        let status = home.run(["status", "fakechat", "--json"], "");
        serde_json::from_str::<Value>(&status.stdout).unwrap()[0]["withheld"].clone()
    };
    assert_eq!(withheld(), json!([]), "what is there first is the baseline");
    home.access("fakechat", &json!({"dmPolicy": "allowlist", "allowFrom": ["web", "eve"]}));
    let mut child = home
        .command(["try", "fakechat", "--port", "0"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut tools = || {
        // Whatever there was to ask has been asked by the time that this is answered.
        stdin.write_all(b"/tools\n").unwrap();
        while !lines.next().unwrap().starts_with("edit_message") {}
        stdin.write_all(b"yes\n").unwrap();
    };
    tools();
    tools();
    drop(stdin);
    assert!(child.wait().unwrap().success());
    assert_eq!(withheld(), json!(["eve may write directly"]));
}

#[test]
fn doctor_calls_wrong_what_a_session_refuses() {
    for (setting, key) in [
        ("keep_days = -1", "keep_days"),
        ("send_from = [\"relative\"]", "send_from"),
        ("network = [\"not an origin\"]", "network"),
        ("port = 123456", "port"),
    ] {
        let home = Home::new();
        home.settings(&format!("[fakechat]\n{setting}\n"));
        let refused = complaint(&home, &["try", "fakechat"]);
        assert!(refused.contains(key), "{setting}: {refused}");
        let doctor = home.run(["doctor", "fakechat"], "");
        assert_eq!(doctor.status.code(), Some(1), "{}", doctor.stdout);
        let reason = refused.trim_start_matches("tidegate: ");
        assert!(doctor.stdout.contains(reason), "{reason}\n{}", doctor.stdout);
    }
}

#[test]
fn a_channel_in_the_place_of_a_command_is_pointed_to_one() {
    let home = Home::new();
    let output = home.run(["fakechat"], "");
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stderr.contains("`tidegate try fakechat`"), "{}", output.stderr);
    let output = home.run(["nonsense"], "");
    assert!(
        output.status.code() == Some(2) && output.stderr.contains("Usage: tidegate"),
        "{}",
        output.stderr
    );
}
