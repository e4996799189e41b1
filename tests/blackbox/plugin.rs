//! Tests of the plugins: their files agree, and their script starts the program, or reports in its place what is wrong.

mod files;
mod stand_in;

use std::{
    fs,
    os::unix::{
        fs::{PermissionsExt as _, symlink},
        process::ExitStatusExt as _,
    },
    path::{Path, PathBuf},
    process::Command,
};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Home, Server};

/// A program of this name in place of the real one. Asked for its version it reads its input, which is the session's.
/// Otherwise it prints its name and arguments, and repeats its input.
const ECHO: &str = "#!/bin/sh\n\
    case $1 in\n\
    --version) /bin/cat; echo 'tidegate VERSION' ;;\n\
    *) echo \"{\\\"jsonrpc\\\":\\\"2.0\\\",\\\"process\\\":$$,\\\"arguments\\\":\\\"$*\\\",\\\"version\\\":\\\"VERSION\\\"}\"; exec /bin/cat ;;\n\
    esac\n";

/// Returns the repository's folder.
fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn read_json(path: &Path) -> Value {
    serde_json::from_str(&read(path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A user with the plugin installed, and an empty `PATH`.
struct User {
    home: Home,
}

impl User {
    fn new() -> Self {
        let user = Self { home: Home::new() };
        for folder in ["path", "home/.local/bin", "home/.cargo/bin", "data"] {
            fs::create_dir_all(user.folder(folder)).unwrap();
        }
        user
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Returns the plugin's server, from its `.mcp.json`. The file is read as Claude Code reads it.
    fn command(&self) -> Command {
        let root = repository().join("plugins/fakechat");
        let entry = read_json(&root.join(".mcp.json"))["mcpServers"]["fakechat"].take();
        assert_eq!(entry["command"], "sh");
        let mut command = Command::new("/bin/sh");
        for argument in entry["args"].as_array().unwrap() {
            command.arg(argument.as_str().unwrap().replace("${CLAUDE_PLUGIN_ROOT}", root.to_str().unwrap()));
        }
        let program = self.home.command([""]);
        command
            .env_clear()
            .envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))))
            .env("PATH", self.folder("path"))
            .env("HOME", self.folder("home"))
            .env("CLAUDE_PLUGIN_ROOT", &root)
            .env("CLAUDE_PLUGIN_DATA", self.folder("data"))
            .env("FAKECHAT_PORT", "0")
            .current_dir(self.home.path());
        command
    }

    fn start(&self) -> Server {
        Server::start(self.command())
    }

    /// Writes a program of this version into a folder.
    fn put(&self, folder: &str, version: &str) {
        self.put_text(folder, &ECHO.replace("VERSION", version), 0o755);
    }

    fn put_text(&self, folder: &str, text: &str, mode: u32) {
        let file = self.folder(folder).join("tidegate");
        // Written elsewhere, so that nothing that is being written is executed.
        let new = self.folder(folder).join("new");
        fs::write(&new, text).unwrap();
        fs::set_permissions(&new, fs::Permissions::from_mode(mode)).unwrap();
        fs::rename(new, file).unwrap();
    }
}

#[test]
fn the_program_serves_the_session_in_the_scripts_place() {
    let user = User::new();
    symlink(env!("CARGO_BIN_EXE_tidegate"), user.folder("path").join("tidegate")).unwrap();
    // Claude Code with this command line: whoever runs these tests may be a session without this channel.
    let client = user.folder("claude");
    symlink("/bin/sh", &client).unwrap();
    let plugin = user.command();
    let mut command = Command::new(client);
    command
        .args(["-c", "/bin/sh $SERVER; exit $?"])
        .args(["--dangerously-load-development-channels", "plugin:fakechat@tidegate"])
        .env_clear()
        .envs(plugin.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .env("SERVER", plugin.get_args().collect::<Vec<_>>().join(" ".as_ref()))
        .env("CLAUDE_PLUGIN_DATA", user.folder("fakechat-tidegate"));
    let mut server = Server::start(command);
    let answer = server.initialize();
    assert!(answer["capabilities"]["experimental"]["claude/channel"].is_object(), "{answer}");
    server.page("fakechat").say("1", "is anybody there?");
    assert_eq!(server.content(), "is anybody there?");
    assert!(!server.reply("web", "yes").1);
}

#[test]
fn the_program_has_the_scripts_process_its_input_and_its_signals() {
    let user = User::new();
    user.put("path", "9.0.0");
    let mut server = user.start();
    server.raw(b"{\"jsonrpc\":\"2.0\",\"first\":true}\n");
    let started = server.next();
    assert_eq!(started["process"], server.child.id());
    assert_eq!(started["arguments"], "serve fakechat --as plugin:fakechat:fakechat");
    assert_eq!(server.next()["first"], true, "nothing else has read the first line");
    server.signal(Signal::TERM);
    assert_eq!(server.child.wait().unwrap().signal(), Some(Signal::TERM.as_raw()));
}

#[test]
fn the_first_program_that_is_fit_is_taken() {
    const PATH: &str = "path";
    const CARGO: &str = "home/.cargo/bin";
    const LOCAL: &str = "home/.local/bin";
    for (there, taken) in [
        (&[(PATH, "9.0.1"), (CARGO, "9.0.2"), (LOCAL, "9.0.3"), ("data", "9.0.4")][..], "9.0.1"),
        (&[(CARGO, "9.0.2"), (LOCAL, "9.0.3"), ("data", "9.0.4")], "9.0.2"),
        (&[(LOCAL, "9.0.3"), ("data", "9.0.4")], "9.0.3"),
        (&[("data", "9.0.4")], "9.0.4"),
        // One that is too old is passed over.
        (&[(PATH, "0.0.9"), (LOCAL, "9.0.3")], "9.0.3"),
        (&[(PATH, "0.0.9"), (CARGO, "0.0.9"), ("data", "0.1.0")], "0.1.0"),
        (&[(PATH, "0.1.0-rc.1+build.7"), (LOCAL, "9.0.3")], "0.1.0-rc.1+build.7"),
        (&[(PATH, "0.10.0"), (LOCAL, "9.0.3")], "0.10.0"),
        (&[(PATH, "1.0"), (LOCAL, "9.0.3")], "1.0"),
    ] {
        let user = User::new();
        for (folder, version) in there {
            user.put(folder, version);
        }
        assert_eq!(user.start().next()["version"], taken, "{there:?}");
    }
}

#[test]
fn the_working_folder_is_not_searched() {
    let user = User::new();
    user.put(".", "9.0.0");
    let mut command = user.command();
    command.env("PATH", ":.:").env_remove("HOME").env_remove("CLAUDE_PLUGIN_DATA");
    let answer = Server::start(command).initialize();
    assert_eq!(answer["serverInfo"]["title"], "tidegate is not installed");
}

/// Returns what the person and the model get: the instructions, the only tool, and its result.
fn told(server: &mut Server, tool: &str) -> [String; 3] {
    let answer = server.initialize();
    let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned();
    assert_eq!(answer["protocolVersion"], "2025-11-25");
    assert_eq!(answer["serverInfo"]["title"], tool.replace('_', " "));
    assert!(answer["capabilities"]["experimental"].is_null(), "it is no channel: {answer}");
    let listed = server.request("tools/list", &json!({}))["result"]["tools"].clone();
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed}");
    assert_eq!(listed[0]["name"], tool);
    assert_eq!(listed[0]["inputSchema"]["type"], "object");
    assert_eq!(listed[0]["_meta"]["anthropic/alwaysLoad"], true);
    let called = server.request("tools/call", &json!({"name": tool, "arguments": {}}))["result"].clone();
    assert_eq!(called["isError"], false);
    [text(&answer["instructions"]), text(&listed[0]["description"]), text(&called["content"][0]["text"])]
}

#[test]
fn what_keeps_the_program_from_starting_is_said_with_its_cure() {
    let user = User::new();
    let assert_told = |tool: &str, wrong: &str, cure: &str| {
        let mut server = user.start();
        let [instructions, description, steps] = told(&mut server, tool);
        for text in [&instructions, &description, &steps] {
            assert!(text.contains(wrong), "{wrong:?} is not in {text}");
        }
        for text in [&instructions, &steps] {
            assert!(text.contains(cure), "{cure:?} is not in {text}");
            assert!(text.contains("open /mcp, choose plugin:fakechat:fakechat, then Reconnect"), "{text}");
        }
        assert!(instructions.contains("The channel fakechat does not work at the moment"), "{instructions}");
        // The client's log shows it.
        server.log("a tool of this server says what to do");
        server.close_stdin();
        assert!(server.child.wait().unwrap().success(), "{tool}");
    };
    let install = "cargo xtask build\n2. ";
    let data = user.folder("data").display().to_string();
    assert_told("tidegate_is_not_installed", &data, install);
    assert_told(
        "tidegate_is_not_installed",
        "on the PATH of Claude Code nor in ~/.cargo/bin",
        "~/.local/bin/\n3. ",
    );

    let file = user.folder("data").join("tidegate").display().to_string();
    user.put("data", "0.0.12");
    let old = format!("{file} is tidegate 0.0.12, and this plugin needs ");
    assert_told("tidegate_is_too_old", &old, install);
    user.put("data", "9.0.0");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    assert_told("tidegate_is_not_executable", &file, &format!("1. Run: chmod +x '{file}'\n2. "));
    user.put_text("data", "#!/bin/sh\necho 'no \"tide\\gate\" here\t!' >&2\necho more\nexit 1\n", 0o755);
    assert_told("tidegate_does_not_run", "It says: no \"tide\\gate\" here!", install);
    user.put_text("data", "#!/no/such/interpreter\n", 0o755);
    assert_told("tidegate_does_not_run", &file, install);
    user.put_text("data", "", 0o755);
    assert_told("tidegate_does_not_run", "It says: nothing", install);
    // The first counts.
    user.put("path", "0.0.1");
    let first = format!("{} is tidegate 0.0.1,", user.folder("path").join("tidegate").display());
    assert_told("tidegate_is_too_old", &first, install);
}

#[test]
fn a_folder_may_have_any_name() {
    let user = User::new();
    let folder = "a \"quoted\\\" $(name)'s é*";
    fs::create_dir(user.folder(folder)).unwrap();
    user.put(folder, "0.0.1");
    let mut command = user.command();
    command.env("PATH", user.folder(folder));
    let [.., steps] = told(&mut Server::start(command), "tidegate_is_too_old");
    assert!(steps.contains(user.folder(folder).to_str().unwrap()), "{steps}");
    user.put(folder, "9.0.0");
    let mut command = user.command();
    command.env("PATH", user.folder(folder));
    assert_eq!(Server::start(command).next()["version"], "9.0.0");
}

#[test]
fn what_was_installed_since_is_noticed() {
    let user = User::new();
    let mut server = user.start();
    let tool = "tidegate_is_not_installed";
    told(&mut server, tool);
    user.put("data", "9.0.0");
    let call = |server: &mut Server| {
        server.request("tools/call", &json!({"name": tool}))["result"]["content"][0]["text"].clone()
    };
    let text = call(&mut server);
    assert!(
        text.as_str().unwrap().starts_with("tidegate is installed now. To use it: in Claude Code, open /mcp")
    );
    fs::set_permissions(user.folder("data").join("tidegate"), fs::Permissions::from_mode(0o600)).unwrap();
    let text = call(&mut server);
    assert!(text.as_str().unwrap().contains("is not executable"), "{text}");
}
