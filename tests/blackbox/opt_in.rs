//! Tests that a session that receives no messages consumes none, according to the client's command line, its
//! environment, the user and the organisation.

use std::{
    ffi::OsString,
    fmt::Debug,
    io::Write as _,
    os::unix::fs::symlink,
    path::Path,
    process::{Command, Stdio},
    thread,
};

use serde_json::{Value, json};

use crate::harness::{Home, Server, bazaar};

const DEVELOPMENT: &str = "--dangerously-load-development-channels";

/// Returns `tidegate serve fakechat` as Claude Code starts it: below a process of this name with these arguments.
fn claude(home: &Home, client: &[&str], server: &str) -> Command {
    inside(home, &[], client, server)
}

/// Returns the same command, started through another program.
fn inside(home: &Home, outer: &[OsString], client: &[&str], server: &str) -> Command {
    running(home, outer, client, &format!("\"$PROGRAM\" serve fakechat {server}"))
}

/// Returns a process of the client's name that runs this script.
fn running(home: &Home, outer: &[OsString], client: &[&str], script: &str) -> Command {
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
    command.args(["-c", &format!("{script}; exit $?")]).args(client);
    environment(home, &mut command);
    command
}

fn environment(home: &Home, command: &mut Command) {
    let program = home.command([""]);
    command
        .env_clear()
        .envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .env("PROGRAM", program.get_program())
        .env("FAKECHAT_PORT", "0")
        .env("BAZAAR_PORT", "0")
        .env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin");
}

/// Starts the server and returns its instructions.
fn begin(command: Command) -> (Server, String) {
    let mut server = Server::start(command);
    let instructions = server.initialize()["instructions"].as_str().unwrap().to_owned();
    (server, instructions)
}

/// Checks that messages arrive.
fn assert_served(mut server: Server, instructions: &str) {
    assert!(!instructions.contains("receives no messages from"), "{instructions}");
    server.page("fakechat").say("1", "is anybody there?");
    assert_eq!(server.content(), "is anybody there?");
    assert!(!server.reply("web", "yes").1);
}

/// Checks that the session works, gets the reason why no messages arrive, and leaves the channel to other sessions.
fn assert_left_alone(home: &Home, mut server: Server, instructions: &str, reason: &str) {
    assert!(instructions.contains("This session receives no messages from fakechat"), "{instructions}");
    assert!(instructions.contains(reason), "{reason:?} is not in {instructions}");
    let tools = server.request("tools/list", &json!({}))["result"]["tools"].clone();
    assert_eq!((&tools[0]["name"], &tools[1]["name"]), (&json!("reply"), &json!("edit_message")));
    let (text, is_error) = server.reply("web", "hello?");
    assert!(is_error && text.contains(reason), "{text}");
    assert_eq!(owner(home), Value::Null, "nobody has it");
    server.no_event();
}

/// Returns the session that serves fakechat, according to `tidegate status`.
fn owner(home: &Home) -> Value {
    let status = home.run(["status", "fakechat", "--json"], "");
    let reports: Value = serde_json::from_str(&status.stdout).unwrap_or_else(|_| panic!("{}", status.stderr));
    reports[0]["owner"].clone()
}

/// Checks every case at the same time: most of each is the wait for a log that no client writes.
fn each<Case: Debug + Sync>(cases: &[Case], check: impl Fn(&Case) + Sync) {
    let check = &check;
    thread::scope(|scope| {
        let started: Vec<_> = cases.iter().map(|case| (case, scope.spawn(move || check(case)))).collect();
        let finished = started.into_iter().map(|(case, thread)| (case, thread.join()));
        let failed: Vec<_> = finished.filter(|(_, result)| result.is_err()).map(|(case, _)| case).collect();
        assert!(failed.is_empty(), "these cases failed: {failed:#?}");
    });
}

#[test]
fn a_session_that_names_the_channel_gets_its_messages() {
    let cases: &[(&[&str], &str)] = &[
        (&[DEVELOPMENT, "server:fakechat"], ""),
        (&["hello", DEVELOPMENT, "server:other", "server:fakechat"], ""),
        (&["--dangerously-load-development-channels=server:fakechat"], ""),
        (&[DEVELOPMENT, "plugin:fakechat@elsewhere"], ""),
        (&[DEVELOPMENT, "server:fakechat", "--append-system-prompt", "-p"], ""),
        (&["--channels", "plugin:fakechat@claude-plugins-official"], ""),
        (&["-p", "hello", "--channels", "plugin:fakechat@claude-plugins-official"], ""),
        (&["--channels", "server:other", DEVELOPMENT, "server:fakechat"], ""),
        (&[DEVELOPMENT, "server:mine"], "--as mine"),
        (&[DEVELOPMENT, "plugin:mine@elsewhere"], "--as plugin:mine:server"),
        (&[], "--opt-in always"),
        (&["--channels", "server:fakechat"], "--opt-in always"),
        (&["-p", "hello", DEVELOPMENT, "server:fakechat"], "--opt-in always"),
    ];
    each(cases, |(client, server)| {
        let home = Home::new();
        let (server, instructions) = begin(claude(&home, client, server));
        assert_served(server, &instructions);
    });
}

#[test]
fn a_session_that_does_not_gets_none_and_is_told_why() {
    let cases: &[(&[&str], &str, &str)] = &[
        (&[], "", "this session was not started with --channels or"),
        (&["-p", "--channels server:fakechat"], "", "Start it with `claude --dangerously-load-development"),
        (&[DEVELOPMENT, "server:other"], "", "naming server:fakechat"),
        (&[DEVELOPMENT, "server:fakechat2"], "", "naming server:fakechat"),
        (&["--", DEVELOPMENT, "server:fakechat"], "", "naming server:fakechat"),
        (&["--channels", "server:fakechat"], "", "under --channels, which accepts only plugins"),
        (
            &["--channels", "server:fakechat", DEVELOPMENT, "server:fakechat"],
            "",
            "Remove server:fakechat from --channels",
        ),
        (
            &[DEVELOPMENT, "plugin:fakechat@x", "--channels", "plugin:fakechat@x"],
            "",
            "Remove plugin:fakechat@x from --channels",
        ),
        (&["-p", "hello", DEVELOPMENT, "server:fakechat"], "", "Start an interactive session"),
        (&[DEVELOPMENT, "server:fakechat", "-cp", "hello"], "", "Start an interactive session"),
        (
            &["--output-format", "stream-json", DEVELOPMENT, "server:fakechat"],
            "",
            "Start an interactive session",
        ),
        (&["--channels", "plugin:fakechat@elsewhere"], "", "plugin:fakechat@elsewhere is not on the list"),
        (&[DEVELOPMENT, "server:fakechat"], "--as mine", "naming server:mine"),
        (&[DEVELOPMENT, "server:fakechat"], "--opt-in never", "`--opt-in never` is set"),
    ];
    each(cases, |(client, server, reason)| {
        let home = Home::new();
        let (server, instructions) = begin(claude(&home, client, server));
        assert_left_alone(&home, server, &instructions, reason);
    });
}

#[test]
fn a_plugins_server_is_known_by_its_plugin_and_marketplace() {
    let cases: &[(&[&str], Option<&str>)] = &[
        (&[DEVELOPMENT, "plugin:fakechat@tidegate"], None),
        (
            &["--channels", "plugin:fakechat@tidegate"],
            Some(
                "start the session with `claude --dangerously-load-development-channels plugin:fakechat@tidegate`",
            ),
        ),
        (
            &[],
            Some("Start it with `claude --dangerously-load-development-channels plugin:fakechat@tidegate`"),
        ),
        (
            &[DEVELOPMENT, "server:fakechat"],
            Some("naming plugin:fakechat@tidegate, so it receives no messages"),
        ),
        (
            &[DEVELOPMENT, "plugin:fakechat@elsewhere"],
            Some("names plugin:fakechat@elsewhere, and this server belongs to plugin:fakechat@tidegate,"),
        ),
    ];
    each(cases, |(client, reason)| {
        let home = Home::new();
        let mut command = claude(&home, client, "--as plugin:fakechat:fakechat");
        command.env("CLAUDE_PLUGIN_DATA", "/home/a/.claude/plugins/data/fakechat-tidegate");
        let (server, instructions) = begin(command);
        match reason {
            None => assert_served(server, &instructions),
            Some(reason) => assert_left_alone(&home, server, &instructions, reason),
        }
    });
}

#[test]
fn the_clients_environment_tells_an_sdk_session_from_an_interactive_one() {
    let client = &[DEVELOPMENT, "server:fakechat"];
    for (entrypoint, interactive) in [("cli", true), ("sdk-cli", false), ("sdk-ts", false)] {
        let home = Home::new();
        let mut command = claude(&home, client, "");
        command.env("CLAUDE_CODE_ENTRYPOINT", entrypoint);
        let (server, instructions) = begin(command);
        println!("{entrypoint}");
        if interactive {
            assert_served(server, &instructions);
        } else {
            assert_left_alone(&home, server, &instructions, "Start an interactive session");
        }
    }
}

/// Returns a client that does not pass its variables to its servers.
fn secretive(home: &Home, client: &[&str]) -> Command {
    let unset = "unset CLAUDE_CODE_ENTRYPOINT CLAUDE_CODE_MANAGED_SETTINGS_PATH";
    running(home, &[], client, &format!("{unset}; \"$PROGRAM\" serve fakechat"))
}

#[test]
#[cfg(target_os = "linux")]
fn what_the_client_does_not_pass_on_is_looked_up_in_its_own_environment() {
    let home = Home::new();
    let mut command = secretive(&home, NAMED);
    command.env("CLAUDE_CODE_ENTRYPOINT", "sdk-ts");
    let (server, instructions) = begin(command);
    assert_left_alone(&home, server, &instructions, "Start an interactive session");

    let home = Home::new();
    std::fs::write(home.path().join(FIRST), OFF).unwrap();
    let mut command = secretive(&home, NAMED);
    command.env("CLAUDE_CODE_MANAGED_SETTINGS_PATH", home.path().join(FIRST));
    let (server, instructions) = begin(command);
    assert_left_alone(&home, server, &instructions, "your organisation has disabled channels");

    let home = Home::new();
    let mut command = secretive(&home, NAMED);
    command.env("CLAUDE_CODE_ENTRYPOINT", "cli").env("CLAUDE_CODE_MANAGED_SETTINGS_PATH", "");
    let (server, instructions) = begin(command);
    assert_served(server, &instructions);
}

#[test]
fn one_server_with_several_channels_is_named_by_any_of_them() {
    for (client, reason) in [
        ("server:fakechat", None),
        ("server:bazaar", None),
        ("server:other", Some("naming server:fakechat or server:bazaar")),
    ] {
        let home = Home::new();
        let channel = bazaar(&home, "good");
        let server = format!("{DEVELOPMENT} '{}'", channel.display());
        let (mut server, instructions) = begin(claude(&home, &[DEVELOPMENT, client], &server));
        println!("{client}");
        match reason {
            None => {
                assert!(!instructions.contains("receives no messages from"), "{instructions}");
                server.port("bazaar");
                server.page("fakechat").say("1", "is anybody there?");
                assert_eq!(server.content(), "is anybody there?");
            }
            Some(reason) => {
                assert!(instructions.contains(reason), "{instructions}");
                assert!(
                    instructions.contains("This session receives no messages from bazaar"),
                    "{instructions}"
                );
                assert!(
                    instructions.contains("This session receives no messages from fakechat"),
                    "{instructions}"
                );
                server.no_event();
            }
        }
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
    let inner = "until [ -e \"$GO\" ]; do sleep 0.01; done; \"$PROGRAM\" serve fakechat; exit $?";
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
fn an_opt_in_that_is_not_valid_is_explained() {
    let home = Home::new();
    let output = home.run(["serve", "fakechat", "--opt-in", "perhaps"], "");
    assert!(!output.status.success());
    for part in ["\"perhaps\" is not a valid value of --opt-in", "\"auto\"", "\"always\"", "\"never\""] {
        assert!(output.stderr.contains(part), "{part}: {}", output.stderr);
    }
}

/// Returns the command prefix that makes a program and its children see this folder as `/etc`. `None` if the system
/// does not allow this.
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

/// An organisation's policy files, by their names, and the expected effect on a session.
#[derive(Debug)]
struct Organisation {
    files: &'static [(&'static str, &'static str)],
    client: &'static [&'static str],
    server: &'static str,
    /// Parts of the reason why it gets no messages.
    reason: Option<&'static [&'static str]>,
}

const FIRST: &str = "managed-settings.json";
const ON: &str = r#"{"channelsEnabled": true}"#;
const OFF: &str = r#"{"channelsEnabled": false}"#;
const EMPTY: &str = r#"{"channelsEnabled": true, "allowedChannelPlugins": []}"#;
const LISTED: &str =
    r#"{"channelsEnabled": true, "allowedChannelPlugins": [{"marketplace": "ours", "plugin": "fakechat"}]}"#;
const NAMED: &[&str] = &[DEVELOPMENT, "server:fakechat"];
const OFFICIAL: &[&str] = &["--channels", "plugin:fakechat@claude-plugins-official"];
const OURS: &[&str] = &["--channels", "plugin:fakechat@ours"];

const ORGANISATIONS: &[Organisation] = &[
    Organisation { files: &[], client: NAMED, server: "", reason: None },
    Organisation { files: &[], client: OFFICIAL, server: "", reason: None },
    Organisation {
        files: &[(FIRST, "{}")],
        client: NAMED,
        server: "",
        reason: Some(&[FIRST, "do not say whether channels are enabled", "`--opt-in always`"]),
    },
    Organisation {
        files: &[(FIRST, OFF)],
        client: NAMED,
        server: "",
        reason: Some(&[FIRST, "your organisation has disabled channels"]),
    },
    Organisation {
        files: &[(FIRST, OFF)],
        client: OFFICIAL,
        server: "",
        reason: Some(&["has disabled channels"]),
    },
    // The user's word about what the client does.
    Organisation { files: &[(FIRST, "{}")], client: NAMED, server: "--opt-in always", reason: None },
    Organisation { files: &[(FIRST, OFF)], client: &[], server: "--opt-in always", reason: None },
    Organisation { files: &[(FIRST, "{")], client: NAMED, server: "--opt-in always", reason: None },
    Organisation {
        files: &[(FIRST, ON)],
        client: NAMED,
        server: "--opt-in never",
        reason: Some(&["`--opt-in never` is set"]),
    },
    Organisation { files: &[(FIRST, ON)], client: NAMED, server: "", reason: None },
    Organisation { files: &[(FIRST, ON)], client: OFFICIAL, server: "", reason: None },
    Organisation { files: &[(FIRST, ON)], client: &[], server: "", reason: Some(&["was not started with"]) },
    Organisation {
        files: &[(FIRST, EMPTY)],
        client: OFFICIAL,
        server: "",
        reason: Some(&["is not on the list of plugins"]),
    },
    Organisation { files: &[(FIRST, EMPTY)], client: NAMED, server: "", reason: None },
    Organisation { files: &[(FIRST, LISTED)], client: OURS, server: "", reason: None },
    Organisation {
        files: &[(FIRST, LISTED)],
        client: OFFICIAL,
        server: "",
        reason: Some(&["is not on the list of plugins"]),
    },
    // Further files, in the order of their names.
    Organisation {
        files: &[("managed-settings.d/10-a.json", OFF), ("managed-settings.d/9-b.json", ON)],
        client: NAMED,
        server: "",
        reason: None,
    },
    Organisation {
        files: &[(FIRST, ON), ("managed-settings.d/a.json", OFF)],
        client: NAMED,
        server: "",
        reason: Some(&["managed-settings.d/a.json", "has disabled channels"]),
    },
    Organisation {
        files: &[(FIRST, ON), ("managed-settings.d/.a.json", OFF), ("managed-settings.d/a.txt", "{")],
        client: NAMED,
        server: "",
        reason: None,
    },
    Organisation {
        files: &[(FIRST, ON), ("managed-settings.d/a.json", LISTED)],
        client: OURS,
        server: "",
        reason: None,
    },
    Organisation {
        files: &[(FIRST, "{\"channelsEnabled\": true")],
        client: NAMED,
        server: "",
        reason: Some(&[FIRST, "policy for Claude Code is not valid"]),
    },
    Organisation {
        files: &[(FIRST, "{\"channelsEnabled\": \"true\"}")],
        client: NAMED,
        server: "",
        reason: Some(&[FIRST, "must be true or false"]),
    },
    Organisation {
        files: &[(FIRST, ON), ("managed-settings.d/a.json", "")],
        client: NAMED,
        server: "",
        reason: Some(&["managed-settings.d/a.json", "policy for Claude Code is not valid"]),
    },
];

impl Organisation {
    /// Writes the files into this folder, and checks a session that finds them there.
    fn check(&self, folder: &Path, start: impl Fn(&Home, &[&str], &str) -> Command) {
        std::fs::create_dir(folder.join("managed-settings.d")).unwrap();
        for (name, text) in self.files {
            std::fs::write(folder.join(name), text).unwrap();
        }
        let home = Home::new();
        let (server, instructions) = begin(start(&home, self.client, self.server));
        match self.reason {
            None => assert_served(server, &instructions),
            Some(parts) => {
                for part in parts {
                    assert!(instructions.contains(part), "{part:?} is not in {instructions}");
                }
                assert_left_alone(&home, server, &instructions, parts[0]);
            }
        }
    }
}

#[test]
fn an_organisation_decides_where_the_user_does_not() {
    each(ORGANISATIONS, |organisation| {
        let folder = tempfile::tempdir().unwrap();
        organisation.check(folder.path(), |home, client, server| {
            let mut command = claude(home, client, server);
            command.env("CLAUDE_CODE_MANAGED_SETTINGS_PATH", folder.path().join(FIRST));
            command
        });
    });
}

#[test]
fn an_organisations_files_are_the_systems() {
    let etc = tempfile::tempdir().unwrap();
    let folder = etc.path().join("claude-code");
    std::fs::create_dir(&folder).unwrap();
    let Some(outer) = with_etc(etc.path()) else {
        // Past the harness, which shows only what a failed test has printed.
        let _ = writeln!(
            std::io::stderr(),
            "skipped: an_organisations_files_are_the_systems (the system permits no mount namespaces)"
        );
        return;
    };
    let path = "/etc/claude-code/managed-settings";
    for (name, text, reason) in [
        ("managed-settings.json", ON, None),
        ("managed-settings.json", OFF, Some(format!("({path}.json has"))),
        ("managed-settings.json", "{}", Some(format!("({path}.json) do not say"))),
        ("managed-settings.d/a.json", OFF, Some(format!("({path}.d/a.json has"))),
    ] {
        std::fs::remove_dir_all(&folder).unwrap();
        std::fs::create_dir_all(folder.join("managed-settings.d")).unwrap();
        std::fs::write(folder.join(name), text).unwrap();
        let home = Home::new();
        println!("{name} {text}");
        let (server, instructions) = begin(inside(&home, &outer, NAMED, ""));
        match reason {
            None => assert_served(server, &instructions),
            Some(reason) => assert_left_alone(&home, server, &instructions, &reason),
        }
    }
    // The variable takes the place of the system's file.
    std::fs::write(folder.join("managed-settings.json"), OFF).unwrap();
    let home = Home::new();
    let mut command = inside(&home, &outer, NAMED, "");
    command.env("CLAUDE_CODE_MANAGED_SETTINGS_PATH", home.path().join(FIRST));
    std::fs::write(home.path().join(FIRST), ON).unwrap();
    let (server, instructions) = begin(command);
    assert_served(server, &instructions);
}

#[test]
fn a_policy_that_is_not_a_readable_file_keeps_nobody_waiting() {
    for (make, reason) in [("mkfifo", "it is not a regular file"), ("mkdir", "it is not a regular file")] {
        for name in [FIRST, "managed-settings.d/a.json"] {
            let home = Home::new();
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            assert!(Command::new(make).arg(&path).status().unwrap().success());
            let mut command = claude(&home, NAMED, "");
            command.env("CLAUDE_CODE_MANAGED_SETTINGS_PATH", folder.path().join(FIRST));
            let (server, instructions) = begin(command);
            println!("{make} {name}");
            assert!(instructions.contains(&path.display().to_string()), "{instructions}");
            assert_left_alone(&home, server, &instructions, reason);
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
             --load {file}"
        );
        assert!(output.stderr.contains(&expected), "{arguments:?}: {}", output.stderr);
        assert!(!home.path().join("bazaar").exists(), "nothing was begun");
    }
    let mut server = home.serve(["--load", file]);
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
    let owner = format!("another session holds this channel (pid {}, since ", first.child.id());
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
