//! Tests of whether a session has opted in.

use std::path::PathBuf;

use proptest::prelude::*;

use super::*;
use crate::claude::{ancestors::Why, managed::Blocked};

const DEVELOPMENT: &str = "--dangerously-load-development-channels";

/// Splits at white space; `''` is an empty argument, `DEV` the development option.
fn split(line: &str) -> Vec<String> {
    line.replace("DEV", DEVELOPMENT).split_whitespace().map(|argument| argument.replace("''", "")).collect()
}

/// Returns a client with this command line that passes no variables.
fn claude(arguments: Vec<String>) -> ClaudeCode {
    ClaudeCode { process: Ok(Some(Process { pid: 7, arguments })), entrypoint: None, plugin: None }
}

/// Judges the session for a server that the client calls `fakechat`.
fn judged(line: &str, policy: &Policy) -> Verdict {
    judge(OptIn::Auto, &claude(split(line)), &["fakechat"], policy)
}

fn not_named() -> Reason {
    Reason::NotNamed { entries: vec!["server:fakechat".into()] }
}

fn under_channels() -> Reason {
    Reason::ServerUnderChannels { name: "fakechat".into() }
}

fn not_allowed(marketplace: &str) -> Reason {
    Reason::PluginNotAllowed { name: "fakechat".into(), marketplace: marketplace.into() }
}

fn first_decides(entry: &str) -> Reason {
    Reason::FirstDecides { entry: entry.into() }
}

fn not_interactive(entry: &str) -> Reason {
    Reason::NotInteractive { entry: entry.into() }
}

fn other_plugin(marketplace: &str) -> Reason {
    Reason::OtherPlugin {
        entry: format!("plugin:fakechat@{marketplace}"),
        installed: Some("plugin:fakechat@tidegate".into()),
    }
}

#[test]
fn a_session_that_names_the_server_is_in() {
    for line in [
        "claude DEV server:fakechat",
        "claude DEV=server:fakechat",
        "claude DEV server:other server:fakechat",
        "claude DEV server:other,server:fakechat",
        "claude DEV server:a DEV server:fakechat",
        "claude --model opus DEV server:fakechat",
        "claude --channels server:other DEV server:fakechat",
        "claude DEV server:fakechat --channels server:other plugin:a@b",
        "claude DEV plugin:fakechat@elsewhere",
        "claude DEV plugin:fakechat@claude-plugins-official",
        "claude --channels plugin:fakechat@claude-plugins-official",
        "claude --channels=plugin:fakechat@claude-plugins-official",
        "claude --channels plugin:telegram@claude-plugins-official plugin:fakechat@claude-plugins-official",
        "claude --channels plugin:a@b,plugin:fakechat@claude-plugins-official",
        // The first entry counts, so later entries do not matter.
        "claude --channels plugin:fakechat@claude-plugins-official server:fakechat",
        "claude --channels plugin:fakechat@claude-plugins-official plugin:fakechat@elsewhere",
        "claude DEV server:fakechat --channels plugin:fakechat@claude-plugins-official",
        // Entries of --channels count in print mode too.
        "claude -p hello --channels plugin:fakechat@claude-plugins-official",
        "claude -p --channels plugin:fakechat@claude-plugins-official DEV server:fakechat",
        "claude DEV server:fakechat --append-system-prompt -p",
        "claude DEV server:fakechat -c hello",
        "claude DEV server:fakechat -- -p",
        "node /usr/bin/claude DEV server:fakechat",
        "node -- /usr/bin/claude DEV server:fakechat",
        // Options of the interpreter.
        "bun -r ./x.js /usr/bin/claude DEV server:fakechat",
        "claude DEV server:fakechat -- --channels",
    ] {
        assert_eq!(judged(line, &Policy::default()), Verdict::In, "{line}");
    }
}

#[test]
fn a_session_that_does_not_is_out_with_the_reason() {
    for (line, reason) in [
        ("claude", not_named()),
        ("claude ''", not_named()),
        ("claude server:fakechat", not_named()),
        ("claude DEV server:other", not_named()),
        ("claude DEV server:fakechat2", not_named()),
        ("claude DEV server:Fakechat", not_named()),
        ("claude DEV plugin:other@fakechat", not_named()),
        ("claude DEV server:plugin:fakechat:fakechat", not_named()),
        ("claude -- DEV server:fakechat", not_named()),
        ("claude -p --append-system-prompt DEV server:fakechat", not_named()),
        ("node DEV=server:fakechat /usr/bin/claude", not_named()),
        ("claude --channels server:fakechat", under_channels()),
        ("claude --channels=server:fakechat", under_channels()),
        ("claude DEV server:other --channels server:fakechat", under_channels()),
        ("claude --channels server:fakechat DEV server:other", under_channels()),
        ("claude --channels server:fakechat plugin:fakechat@x", under_channels()),
        ("claude --channels plugin:fakechat@elsewhere", not_allowed("elsewhere")),
        ("claude DEV plugin:a@b --channels plugin:fakechat@elsewhere", not_allowed("elsewhere")),
        ("claude --channels plugin:fakechat@x server:fakechat", not_allowed("x")),
        // Only the first entry counts, and entries of `--channels` come first.
        ("claude --channels plugin:fakechat@x plugin:fakechat@claude-plugins-official", not_allowed("x")),
        ("claude --channels server:fakechat plugin:fakechat@claude-plugins-official", under_channels()),
        ("claude --channels server:fakechat DEV server:fakechat", first_decides("server:fakechat")),
        ("claude DEV server:fakechat --channels server:fakechat", first_decides("server:fakechat")),
        ("claude DEV=server:fakechat --channels=server:fakechat", first_decides("server:fakechat")),
        ("claude --channels plugin:fakechat@x DEV server:fakechat", first_decides("plugin:fakechat@x")),
        ("claude --channels plugin:fakechat@x DEV plugin:fakechat@x", first_decides("plugin:fakechat@x")),
        // Entries of the development option do not count if its dialog cannot be shown.
        ("claude -p hello DEV server:fakechat", not_interactive("server:fakechat")),
        ("claude DEV server:fakechat -p hello", not_interactive("server:fakechat")),
        ("claude --print DEV=server:fakechat", not_interactive("server:fakechat")),
        ("claude DEV plugin:fakechat@x -cp hello", not_interactive("plugin:fakechat@x")),
        (
            "claude --output-format stream-json --verbose --input-format stream-json DEV server:fakechat",
            not_interactive("server:fakechat"),
        ),
        ("claude -p --channels server:fakechat DEV server:fakechat", under_channels()),
        ("claude -p --channels plugin:fakechat@x DEV plugin:fakechat@x", not_allowed("x")),
        ("claude -p --channels server:other DEV server:fakechat", not_interactive("server:fakechat")),
        ("claude '' '' ''", Reason::Renamed),
    ] {
        assert_eq!(judged(line, &Policy::default()), Verdict::Out(reason), "{line}");
    }
}

#[test]
fn the_entrypoint_tells_an_interactive_session_from_others() {
    let line = "claude DEV server:fakechat";
    for (line, entrypoint, interactive) in [
        (line, None, true),
        (line, Some("cli"), true),
        (line, Some("sdk-cli"), false),
        (line, Some("sdk-py"), false),
        (line, Some("sdk-ts"), false),
        (line, Some("claude-vscode"), false),
        (line, Some(""), false),
        // The variable can be inherited from a session further up.
        ("claude -p DEV server:fakechat", Some("cli"), false),
    ] {
        let entrypoint = entrypoint.map(str::to_owned);
        let claude = ClaudeCode { entrypoint, ..claude(split(line)) };
        let verdict = judge(OptIn::Auto, &claude, &["fakechat"], &Policy::default());
        let expected =
            if interactive { Verdict::In } else { Verdict::Out(not_interactive("server:fakechat")) };
        assert_eq!(verdict, expected, "{line} {:?}", claude.entrypoint);
    }
    let other = ClaudeCode { process: Ok(None), entrypoint: Some("sdk-ts".into()), plugin: None };
    assert_eq!(
        judge(OptIn::Auto, &other, &["fakechat"], &Policy::default()),
        Verdict::In,
        "what it inherits says nothing about a client that is not Claude Code"
    );
}

#[test]
fn one_server_has_one_of_several_names() {
    let two = &["fakechat", "telegram"][..];
    let scoped = &["plugin:chat:fakechat"][..];
    let out = |reason| Verdict::Out(reason);
    for (line, servers, expected) in [
        ("claude DEV server:telegram", two, Verdict::In),
        ("claude DEV server:fakechat", two, Verdict::In),
        ("claude DEV server:other server:telegram", two, Verdict::In),
        (
            "claude DEV server:other",
            two,
            out(Reason::NotNamed { entries: vec!["server:fakechat".into(), "server:telegram".into()] }),
        ),
        // The first entry that names any of the servers counts.
        ("claude --channels server:telegram DEV server:fakechat", two, out(first_decides("server:telegram"))),
        ("claude --channels plugin:telegram@claude-plugins-official server:fakechat", two, Verdict::In),
        ("claude -p DEV server:telegram server:fakechat", two, out(not_interactive("server:telegram"))),
        ("claude DEV plugin:chat@anywhere", scoped, Verdict::In),
        ("claude DEV server:plugin:chat:fakechat", scoped, Verdict::In),
        (
            "claude DEV server:fakechat plugin:fakechat@x",
            scoped,
            out(Reason::NotNamed { entries: vec!["plugin:chat@MARKETPLACE".into()] }),
        ),
        ("claude DEV server:fakechat", &[], out(Reason::NotNamed { entries: vec![] })),
    ] {
        let verdict = judge(OptIn::Auto, &claude(split(line)), servers, &Policy::default());
        assert_eq!(verdict, expected, "{line} {servers:?}");
    }
}

#[test]
fn a_plugins_server_is_named_by_the_plugin_of_its_own_marketplace() {
    let plugin = Plugin::new(&PathBuf::from("/home/a/.claude/plugins/data/fakechat-tidegate"));
    let ours = Policy::allowing(&[("fakechat", "tidegate"), ("fakechat", "x")]);
    let out = Verdict::Out;
    for (line, expected) in [
        ("claude DEV plugin:fakechat@tidegate", Verdict::In),
        ("claude --channels plugin:fakechat@tidegate", Verdict::In),
        ("claude -p --channels plugin:fakechat@tidegate", Verdict::In),
        ("claude --channels plugin:other@x DEV plugin:fakechat@tidegate", Verdict::In),
        ("claude DEV server:other plugin:fakechat@tidegate", Verdict::In),
        ("claude DEV plugin:fakechat@x", out(other_plugin("x"))),
        // Only the first entry counts.
        ("claude DEV plugin:fakechat@x plugin:fakechat@tidegate", out(other_plugin("x"))),
        ("claude --channels plugin:fakechat@x", out(other_plugin("x"))),
        (
            "claude --channels plugin:fakechat@x DEV plugin:fakechat@tidegate",
            out(first_decides("plugin:fakechat@x")),
        ),
        ("claude -p DEV plugin:fakechat@x", out(not_interactive("plugin:fakechat@x"))),
        // The entry names a server that is configured elsewhere.
        (
            "claude DEV server:fakechat",
            out(Reason::NotNamed { entries: vec!["plugin:fakechat@tidegate".into()] }),
        ),
        (
            "claude --channels server:fakechat",
            out(Reason::NotNamed { entries: vec!["plugin:fakechat@tidegate".into()] }),
        ),
    ] {
        let claude = ClaudeCode { plugin: plugin.clone(), ..claude(split(line)) };
        let verdict = judge(OptIn::Auto, &claude, &["plugin:fakechat:fakechat"], &ours);
        assert_eq!(verdict, expected, "{line}");
    }
    // A plugin that is not on the list, and one of another marketplace if only the channel's name is known.
    for (line, server, expected) in [
        ("claude --channels plugin:fakechat@tidegate", "plugin:fakechat:fakechat", not_allowed("tidegate")),
        ("claude DEV plugin:fakechat@x", "fakechat", other_plugin("x")),
    ] {
        let claude = ClaudeCode { plugin: plugin.clone(), ..claude(split(line)) };
        let verdict = judge(OptIn::Auto, &claude, &[server], &Policy::default());
        assert_eq!(verdict, out(expected), "{line}");
    }
}

#[test]
fn an_organisations_list_decides_for_channels_and_not_for_development() {
    let ours = Policy::allowing(&[("fakechat", "ours")]);
    let none = Policy::allowing(&[]);
    for (line, policy, expected) in [
        ("claude --channels plugin:fakechat@ours", &ours, Verdict::In),
        (
            "claude --channels plugin:fakechat@claude-plugins-official",
            &ours,
            Verdict::Out(not_allowed("claude-plugins-official")),
        ),
        ("claude --channels plugin:fakechat@ours", &none, Verdict::Out(not_allowed("ours"))),
        ("claude DEV plugin:fakechat@x", &none, Verdict::In),
        ("claude DEV server:fakechat", &none, Verdict::In),
    ] {
        assert_eq!(judged(line, policy), expected, "{line}");
    }
}

#[test]
fn the_setting_goes_before_the_policy_and_the_policy_before_the_rest() {
    let unreadable = Unreadable { pid: 7, why: Why::Gone };
    let seen = |process| ClaudeCode { process, entrypoint: None, plugin: None };
    let named = claude(split("claude DEV server:fakechat"));
    let silent = claude(split("claude"));
    let renamed = claude(split("claude '' ''"));
    let hidden = seen(Err(unreadable.clone()));
    let other = seen(Ok(None));
    let why = || Blocked { found: "no channels here".into(), cure: "Ask" };
    let blocked = Policy::of(ChannelPolicy::Blocked(why()));
    let unsaid = Policy::of(ChannelPolicy::Unsaid("/etc/x.json".into()));
    let enabled = Policy::default();
    let no = || Verdict::Out(Reason::Blocked(why()));
    let unsaid_reason = Reason::PolicyUnsaid("/etc/x.json".into());
    for (claude, policy, auto) in [
        (&named, &enabled, Verdict::In),
        (&named, &unsaid, Verdict::Out(unsaid_reason)),
        (&named, &blocked, no()),
        (&silent, &enabled, Verdict::Out(not_named())),
        (&silent, &unsaid, Verdict::Out(not_named())),
        (&silent, &blocked, no()),
        (&renamed, &unsaid, Verdict::Out(Reason::Renamed)),
        (&hidden, &enabled, Verdict::Out(Reason::Unreadable(unreadable.clone()))),
        (&hidden, &unsaid, Verdict::Out(Reason::Unreadable(unreadable))),
        (&hidden, &blocked, no()),
        // The client is not Claude Code, so only a policy that blocks channels counts.
        (&other, &enabled, Verdict::In),
        (&other, &unsaid, Verdict::In),
        (&other, &blocked, no()),
    ] {
        let judged = |setting| judge(setting, claude, &["fakechat"], policy);
        assert_eq!(judged(OptIn::Auto), auto, "{claude:?} {policy:?}");
        assert_eq!(judged(OptIn::Always), Verdict::In, "{claude:?} {policy:?}");
        assert_eq!(judged(OptIn::Never), Verdict::Out(Reason::Never), "{claude:?} {policy:?}");
    }
}

#[test]
fn every_reason_says_what_to_do() {
    assert_eq!(
        not_named().to_string(),
        "this session was not started with --channels or --dangerously-load-development-channels naming \
         server:fakechat, so it receives no messages. Start it with \
         `claude --dangerously-load-development-channels server:fakechat`"
    );
    let unreadable = Unreadable { pid: 7, why: Why::Gone };
    for (reason, parts) in [
        (under_channels(), ["server:fakechat under --channels", "-development-channels server:fakechat`"]),
        (not_allowed("x"), ["Ask an administrator", "-development-channels plugin:fakechat@x`"]),
        (first_decides("server:a"), ["only the first entry", "Remove server:a from --channels"]),
        (not_interactive("server:a"), ["-p or through the SDK", "Start an interactive session with `claude"]),
        (
            Reason::NotNamed { entries: vec!["server:a".into(), "plugin:b@MARKETPLACE".into()] },
            ["naming server:a or plugin:b@MARKETPLACE,", "-development-channels server:a`"],
        ),
        (other_plugin("x"), ["belongs to plugin:fakechat@tidegate,", "-channels plugin:fakechat@tidegate`"]),
        (
            Reason::OtherPlugin { entry: "plugin:a@b".into(), installed: None },
            ["names plugin:a@b", "belongs to another plugin,"],
        ),
        (Reason::PolicyUnsaid(PathBuf::from("/etc/x\n.json")), ["(/etc/x\\n.json)", "`--opt-in always`"]),
        (Reason::Blocked(Blocked { found: "because".into(), cure: "Ask" }), ["because", ". Ask"]),
        (Reason::Unreadable(unreadable), ["process 7", "`--opt-in always`"]),
        (Reason::Renamed, ["title", "`--opt-in always`"]),
        (Reason::Never, ["`--opt-in never`", "Remove it"]),
    ] {
        let text = reason.to_string();
        for part in parts {
            assert!(text.contains(part), "{text}");
        }
        assert_eq!(text, format!("{}. {}", reason.found(), reason.cure()));
        assert!(!text.contains('\n') && !text.ends_with('.'), "{text}");
        assert!(reason.cure().starts_with(char::is_uppercase), "{text}");
    }
}

#[test]
fn a_setting_is_read_as_it_is_written() {
    for setting in [OptIn::Auto, OptIn::Always, OptIn::Never] {
        assert_eq!(setting.to_string().parse(), Ok(setting));
    }
    for bad in ["", "Auto", "yes", " always", "al\nways"] {
        let error = bad.parse::<OptIn>().unwrap_err().to_string();
        assert!(error.contains("is not a valid value of --opt-in") && error.contains("\"auto\""), "{error}");
        assert!(!error.contains('\n'), "{error}");
    }
}

/// Generates known options and entries, and other arguments.
fn argument() -> impl Strategy<Value = String> {
    let known = [
        "",
        "-",
        "--",
        "-p",
        "--print",
        "-cp",
        "-n",
        "-d",
        "--model",
        "--append-system-prompt",
        "--output-format",
        "stream-json",
        "--output-format=stream-json",
        "--channels",
        "--channels=",
        DEVELOPMENT,
        "claude",
        "node",
        "server:",
        "plugin:@",
        "server:fakechat",
        "plugin:fakechat@m",
        "server:telegram",
        "plugin:a@b,server:c",
        "plugin:fakechat@claude-plugins-official",
        "--channels=plugin:telegram@claude-plugins-official",
        "--dangerously-load-development-channels=server:fakechat",
    ];
    prop_oneof![
        8 => prop::sample::select(known.to_vec()).prop_map(str::to_owned),
        1 => any::<String>(),
    ]
}

proptest! {
    #[test]
    fn no_session_is_in_without_an_entry_for_the_server(
        arguments in prop::collection::vec(argument(), 0..12),
        servers in prop::sample::subsequence(vec!["fakechat", "telegram", "plugin:a:x", "", "server:"], 0..=5),
        entrypoint in prop::option::of(prop::sample::select(vec!["cli", "sdk-ts", ""])),
        empty in any::<bool>(),
    ) {
        let policy = if empty { Policy::allowing(&[]) } else { Policy::default() };
        let entrypoint = entrypoint.map(str::to_owned);
        let mut arguments = arguments;
        arguments.insert(0, "claude".to_owned());
        let matches = arguments.iter().any(|argument| servers.iter().any(|server| {
            let server = server.strip_prefix("plugin:").and_then(|rest| rest.split(':').next()).unwrap_or(server);
            argument.contains(&format!("server:{server}")) || argument.contains(&format!("plugin:{server}@"))
        }));
        let option = arguments.iter().any(|argument| argument.contains("channels"));
        let claude = ClaudeCode { entrypoint, ..claude(arguments) };
        let verdict = judge(OptIn::Auto, &claude, &servers, &policy);
        if !matches || !option {
            prop_assert!(verdict != Verdict::In);
        }
        if let Verdict::Out(reason) = verdict {
            prop_assert!(!reason.to_string().contains(char::is_control));
        }
    }

    #[test]
    fn no_command_line_is_a_panic(arguments in prop::collection::vec(argument(), 0..12), server in any::<String>()) {
        for setting in [OptIn::Auto, OptIn::Always, OptIn::Never] {
            judge(setting, &claude(arguments.clone()), &[&server], &Policy::default());
        }
    }

    #[test]
    fn entries_of_the_development_option_never_let_a_print_session_in(
        before in prop::collection::vec(argument(), 0..6),
        after in prop::collection::vec(argument(), 0..6),
    ) {
        let unrelated = |argument: &String| !argument.starts_with("--channels") && argument != "--";
        let mut arguments = vec!["claude".to_owned(), "--print".to_owned()];
        arguments.extend(before.into_iter().chain(after).filter(unrelated));
        let verdict = judge(OptIn::Auto, &claude(arguments), &["fakechat", "telegram"], &Policy::default());
        prop_assert!(verdict != Verdict::In);
    }
}
