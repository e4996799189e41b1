//! A session that takes no messages must not consume any: what the client's command line, the user and the
//! organisation say about that.

use std::{
    ffi::OsString,
    io::Write as _,
    os::unix::fs::symlink,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use crate::harness::{Home, Server, bazaar};

const DEVELOPMENT: &str = "--dangerously-load-development-channels";

/// `tidegate serve fakechat` as Claude Code starts it: below a process of this name that has these arguments.
fn claude(home: &Home, client: &[&str], server: &str) -> Command {
    inside(home, &[], client, server)
}

/// The same, started by way of another program.
fn inside(home: &Home, outer: &[OsString], client: &[&str], server: &str) -> Command {
    let link = home.path().join("claude");
    if !link.exists() {
        symlink("/bin/sh", &link).unwrap();
    }
    let mut command = match outer.split_first() {
        Some((program, arguments)) => {
            let mut command = Command::new(program);
            command.args(arguments).arg(&link);
            command
        }
        None => Command::new(&link),
    };
    // The shell stays, as the client does: it does not become the server.
    command.args(["-c", &format!("\"$PROGRAM\" serve fakechat --port 0 {server}; exit $?")]).args(client);
    environment(home, &mut command);
    command
}

fn environment(home: &Home, command: &mut Command) {
    let program = home.command([""]);
    command
        .env_clear()
        .envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .env("PROGRAM", program.get_program())
        .env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin");
}

/// What the session is told at the beginning.
fn begin(command: Command) -> (Server, String) {
    let mut server = Server::start(command);
    let instructions = server.initialize()["instructions"].as_str().unwrap().to_owned();
    (server, instructions)
}

/// Messages arrive.
fn assert_served(mut server: Server, instructions: &str) {
    assert!(!instructions.contains("takes nothing in"), "{instructions}");
    server.page("fakechat").say("1", "is anybody there?");
    assert_eq!(server.content(), "is anybody there?");
    assert!(!server.reply("web", "yes").1);
}

/// The session works, is told why nothing comes, and leaves the channel to others.
fn assert_left_alone(home: &Home, mut server: Server, instructions: &str, reason: &str) {
    assert!(instructions.contains("The channel fakechat takes nothing in"), "{instructions}");
    assert!(instructions.contains(reason), "{reason:?} is not in {instructions}");
    let tools = server.request("tools/list", &json!({}))["result"]["tools"].clone();
    assert_eq!((&tools[0]["name"], &tools[1]["name"]), (&json!("reply"), &json!("edit_message")));
    let (text, is_error) = server.reply("web", "hello?");
    assert!(is_error && text.contains(reason), "{text}");
    assert_eq!(owner(home), Value::Null, "nobody has it");
    server.no_event();
}

/// Who serves fakechat, as `tidegate status` sees it.
fn owner(home: &Home) -> Value {
    let status = home.run(["status", "fakechat", "--json"], "");
    let reports: Value = serde_json::from_str(&status.stdout).unwrap_or_else(|_| panic!("{}", status.stderr));
    reports[0]["owner"].clone()
}

#[test]
fn a_session_that_names_the_channel_gets_its_messages() {
    for (client, server) in [
        (&[DEVELOPMENT, "server:fakechat"][..], ""),
        (&["-p", "hello", DEVELOPMENT, "server:other", "server:fakechat"], ""),
        (&["--dangerously-load-development-channels=server:fakechat"], ""),
        (&[DEVELOPMENT, "plugin:fakechat@elsewhere"], ""),
        (&["--channels", "plugin:fakechat@claude-plugins-official"], ""),
        (&["--channels", "server:fakechat", DEVELOPMENT, "server:fakechat"], ""),
        (&[DEVELOPMENT, "server:mine"], "--as mine"),
        (&[], "--opt-in always"),
        (&["--channels", "server:fakechat"], "--opt-in always"),
    ] {
        let home = Home::new();
        let (server, instructions) = begin(claude(&home, client, server));
        println!("{client:?}");
        assert_served(server, &instructions);
    }
}

#[test]
fn a_session_that_does_not_gets_none_and_is_told_why() {
    for (client, server, reason) in [
        (&[][..], "", "this session was not started with --channels or"),
        (&["-p", "--channels server:fakechat"], "", "start it with `claude --dangerously-load-development"),
        (&[DEVELOPMENT, "server:other"], "", "naming server:fakechat"),
        (&[DEVELOPMENT, "server:fakechat2"], "", "naming server:fakechat"),
        (&["--", DEVELOPMENT, "server:fakechat"], "", "naming server:fakechat"),
        (&["--channels", "server:fakechat"], "", "under --channels, which takes plugins alone"),
        (&["--channels", "plugin:fakechat@elsewhere"], "", "plugin:fakechat@elsewhere is not on the list"),
        (&[DEVELOPMENT, "server:fakechat"], "--as mine", "naming server:mine"),
        (&[DEVELOPMENT, "server:fakechat"], "--opt-in never", "`--opt-in never` is set"),
    ] {
        let home = Home::new();
        let (server, instructions) = begin(claude(&home, client, server));
        assert_left_alone(&home, server, &instructions, reason);
    }
}

#[test]
fn what_one_session_leaves_alone_another_takes() {
    let home = Home::new();
    let (mut idle, _) = begin(claude(&home, &[], ""));
    let mut busy = home.serve(["fakechat"]);
    busy.page("fakechat").say("1", "for whoever listens");
    assert_eq!(busy.content(), "for whoever listens");
    assert!(owner(&home).as_str().unwrap().contains(&format!("pid {}", busy.child.id())));
    // It goes on knowing why it is out: not because another is in.
    let (text, is_error) = idle.reply("web", "me too");
    assert!(is_error && text.contains("this session was not started with"), "{text}");
    idle.no_event();
}

#[test]
fn without_claude_code_above_it_there_is_nobody_to_ask() {
    let home = Home::new();
    let go = home.path().join("go");
    let mut command = Command::new("/bin/sh");
    // The outer shell ends at once, so that whatever runs these tests is no ancestor; only then the inner one, which
    // stays, starts the server.
    let inner = "until [ -e \"$GO\" ]; do sleep 0.01; done; \"$PROGRAM\" serve fakechat --port 0; exit $?";
    command.args(["-c", "exec 3<&0; /bin/sh -c \"$INNER\" <&3 3<&- &"]);
    environment(&home, &mut command);
    command.env("GO", &go).env("INNER", inner);
    let mut server = Server::start(command);
    assert!(server.child.wait().unwrap().success());
    std::fs::write(&go, "").unwrap();
    let instructions = server.initialize()["instructions"].as_str().unwrap().to_owned();
    assert_served(server, &instructions);
}

#[test]
fn an_opt_in_that_is_none_is_explained() {
    let home = Home::new();
    let output = home.run(["serve", "fakechat", "--opt-in", "perhaps"], "");
    assert!(!output.status.success());
    assert!(output.stderr.contains("\"auto\"") && output.stderr.contains("\"never\""), "{}", output.stderr);
}

/// What begins a program that finds this folder as `/etc`: it alone, and what it starts. None where the system does not
/// let us.
fn with_etc(folder: &Path) -> Option<Vec<OsString>> {
    let attempt = |flags: &[&str]| {
        let mut outer: Vec<OsString> = vec!["unshare".into()];
        outer.extend(flags.iter().map(OsString::from));
        outer.extend(["/bin/sh", "-c", "mount --bind \"$0\" /etc && exec \"$@\""].map(OsString::from));
        outer.push(folder.into());
        let mut probe = Command::new(&outer[0]);
        let output =
            probe.args(&outer[1..]).args(["/bin/sh", "-c", "ls /etc"]).stderr(Stdio::null()).output();
        let seen = output.is_ok_and(|output| output.status.success() && output.stdout == b"claude-code\n");
        seen.then_some(outer)
    };
    attempt(&["--mount"]).or_else(|| attempt(&["--map-root-user", "--mount"]))
}

#[test]
fn an_organisation_decides_before_anybody_else() {
    let etc = tempfile::tempdir().unwrap();
    let policy = etc.path().join("claude-code/managed-settings.json");
    std::fs::create_dir(policy.parent().unwrap()).unwrap();
    let Some(outer) = with_etc(etc.path()) else {
        // Past the harness, which shows only what a failed test has printed.
        let _ = writeln!(
            std::io::stderr(),
            "skipped: an_organisation_decides_before_anybody_else (the system permits no mount namespaces)"
        );
        return;
    };
    let development = &[DEVELOPMENT, "server:fakechat"][..];
    let official = &["--channels", "plugin:fakechat@claude-plugins-official"][..];
    let ours = &["--channels", "plugin:fakechat@ours"][..];
    let listed = r#"{"channelsEnabled": true, "allowedChannelPlugins": [{"marketplace": "ours", "plugin": "fakechat"}]}"#;
    let empty = r#"{"channelsEnabled": true, "allowedChannelPlugins": []}"#;
    let disabled = "your organisation has not enabled channels";
    for (text, client, server, reason) in [
        (None, development, "", None),
        (None, official, "", None),
        (Some("{}"), development, "", Some(disabled)),
        (Some("{}"), development, "--opt-in always", Some(disabled)),
        (Some("{\"channelsEnabled\": false}"), official, "", Some(disabled)),
        (Some("{\"channelsEnabled\": true}"), development, "", None),
        (Some("{\"channelsEnabled\": true}"), official, "", None),
        (Some("{\"channelsEnabled\": true}"), &[], "", Some("was not started with")),
        (Some(empty), official, "", Some("is not on the list of plugins")),
        (Some(empty), development, "", None),
        (Some(listed), ours, "", None),
        (Some(listed), official, "", Some("is not on the list of plugins")),
        (Some("{\"channelsEnabled\": true"), development, "", Some("policy for Claude Code is not valid")),
        (Some("{\"channelsEnabled\": \"true\"}"), development, "", Some("must be true or false")),
    ] {
        match text {
            Some(text) => std::fs::write(&policy, text).unwrap(),
            None => drop(std::fs::remove_file(&policy)),
        }
        let home = Home::new();
        println!("{text:?} {client:?}");
        let (server, instructions) = begin(inside(&home, &outer, client, server));
        match reason {
            None => assert_served(server, &instructions),
            Some(reason) => {
                assert!(
                    reason != disabled || instructions.contains("/etc/claude-code/managed-settings.json")
                );
                assert_left_alone(&home, server, &instructions, reason);
            }
        }
    }
}

#[test]
fn a_component_takes_more_than_its_path_to_be_loaded() {
    let home = Home::new();
    let file = bazaar(&home, "good");
    let file = file.to_str().unwrap();
    for arguments in [&["serve", file][..], &["serve", "fakechat", file], &["try", file]] {
        let output = home.run(arguments, "");
        assert!(!output.status.success() && output.stdout.is_empty(), "{arguments:?}: {}", output.stdout);
        let expected = format!(
            "{file} is a component that nobody has approved, so it is not loaded; to load it for this one run: \
             {DEVELOPMENT} {file}"
        );
        assert!(output.stderr.contains(&expected), "{arguments:?}: {}", output.stderr);
        assert!(!home.path().join("bazaar").exists(), "nothing was begun");
    }
    let mut server = home.serve([DEVELOPMENT, file]);
    server.port("bazaar");
}

#[test]
fn a_channel_has_one_owner_who_is_never_killed_for_it() {
    let home = Home::new();
    let file = bazaar(&home, "good");
    home.access("bazaar", &json!({"dmPolicy": "allowlist", "allowFrom": ["ada"]}));
    // What an owner has left who is long gone names a process that has nothing to do with it.
    let mut innocent = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
    std::fs::write(home.path().join("bazaar/lock"), format!("pid {}, since long ago", innocent.id()))
        .unwrap();
    let mut first = home.serve([DEVELOPMENT, file.to_str().unwrap()]);
    let hello = |text: &str| json!({"message": {"chat": "ada", "sender": "ada", "text": text}});
    first.page("bazaar").tell(&hello("to the first"));
    assert_eq!(first.content(), "to the first");

    let mut second = home.spawn([DEVELOPMENT, file.to_str().unwrap()]);
    let instructions = second.initialize()["instructions"].as_str().unwrap().to_owned();
    let owner = format!("another tidegate serves this channel (pid {}, since ", first.child.id());
    assert!(
        instructions.contains(&owner) && instructions.contains(", at http://127.0.0.1:"),
        "{instructions}"
    );
    let tools = second.request("tools/list", &json!({}))["result"]["tools"].clone();
    assert_eq!(tools.as_array().unwrap().len(), 5, "{tools}");
    let (text, is_error) = second.reply("ada", "from the second");
    assert!(is_error && text.contains(&owner), "{text}");
    second.no_event();
    // The first has not noticed.
    first.page("bazaar").tell(&hello("to the first again"));
    assert_eq!(first.content(), "to the first again");
    assert!(!first.reply("ada", "from the first").1);

    first.kill();
    second.page("bazaar").tell(&hello("to the second"));
    // The last event of the first may come again.
    while second.content() != "to the second" {}
    assert!(!second.reply("ada", "from the second").1);
    assert!(innocent.try_wait().unwrap().is_none(), "somebody else was killed");
    drop(innocent.stdin.take());
    innocent.wait().unwrap();
}
