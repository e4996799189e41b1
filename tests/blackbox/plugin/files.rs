//! Tests that the plugins' files agree with each other and with the program.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::{Value, json};

use super::{read, read_json, repository};
use crate::harness::Home;

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no {pointer} in {value}"))
}

fn folders(path: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(path).unwrap().map(Result::unwrap);
    let folders = entries.filter(|entry| entry.file_type().unwrap().is_dir());
    folders.map(|entry| entry.file_name().into_string().unwrap()).collect()
}

/// Returns the built-in channels.
fn channels() -> BTreeSet<String> {
    let list = Home::new().run(["list", "--json"], "");
    let channels: Value = serde_json::from_str(&list.stdout).unwrap_or_else(|_| panic!("{}", list.stderr));
    channels.as_array().unwrap().iter().map(|channel| text(channel, "/name").to_owned()).collect()
}

#[test]
fn each_channel_has_a_plugin_and_the_marketplace_has_each_plugin() {
    let root = repository();
    let marketplace = read_json(&root.join(".claude-plugin/marketplace.json"));
    assert_eq!(marketplace["name"], "tidegate");
    let named: BTreeSet<String> = marketplace["plugins"]
        .as_array()
        .unwrap()
        .iter()
        .map(|plugin| {
            let name = text(plugin, "/name");
            assert_eq!(text(plugin, "/source"), format!("./plugins/{name}"));
            let manifest = read_json(&root.join("plugins").join(name).join(".claude-plugin/plugin.json"));
            assert_eq!(plugin["description"], manifest["description"], "{name}");
            assert!(plugin["version"].is_null(), "the plugin says its version itself");
            name.to_owned()
        })
        .collect();
    assert_eq!(named, folders(&root.join("plugins")));
    assert_eq!(named, channels());
}

#[test]
fn a_plugin_says_the_programs_version_and_its_channels_name() {
    for name in channels() {
        let root = repository().join("plugins").join(&name);
        let manifest = read_json(&root.join(".claude-plugin/plugin.json"));
        assert_eq!(manifest["name"], *name);
        assert_eq!(manifest["version"], env!("CARGO_PKG_VERSION"), "{name}");
        assert_eq!(manifest["license"], "Apache-2.0");
        assert_eq!(manifest["channels"].as_array().map(Vec::len), Some(1));
        assert_eq!(manifest["channels"][0]["server"], *name);
        let scoped = format!("plugin:{name}:{name}");
        let arguments = json!(["${CLAUDE_PLUGIN_ROOT}/launch.sh", "serve", name, "--as", scoped]);
        let servers = json!({"mcpServers": {&name: {"command": "sh", "args": arguments}}});
        assert_eq!(read_json(&root.join(".mcp.json")), servers);
        assert!(read(&root.join("README.md")).contains(&format!("plugin:{name}@tidegate")));
    }
}

#[test]
fn all_plugins_have_the_same_script() {
    let scripts: BTreeSet<String> = channels()
        .iter()
        .map(|name| read(&repository().join("plugins").join(name).join("launch.sh")))
        .collect();
    assert_eq!(scripts.len(), 1);
    let script = scripts.first().unwrap();
    let minimum = script.lines().find_map(|line| line.strip_prefix("minimum=")).unwrap();
    let numbers =
        |version: &str| version.split('.').map(|number| number.parse().unwrap()).collect::<Vec<u32>>();
    assert!(
        numbers(minimum) <= numbers(env!("CARGO_PKG_VERSION")),
        "no program of this version would be started"
    );
}

/// Only a person can call the skills, and no permitted tool changes who may write.
#[test]
fn skills_are_for_persons_and_may_only_look() {
    for name in channels() {
        let skills = repository().join("plugins").join(&name).join("skills");
        for skill in folders(&skills) {
            let all = read(&skills.join(&skill).join("SKILL.md"));
            let (front, body) = all.strip_prefix("---\n").unwrap().split_once("\n---\n").unwrap();
            let field = |field: &str| {
                let prefix = format!("{field}: ");
                let line = front.lines().find_map(|line| line.strip_prefix(prefix.as_str()));
                line.unwrap_or_else(|| panic!("{name}:{skill} has no {field}"))
            };
            assert_eq!(field("name"), skill);
            assert_eq!(field("disable-model-invocation"), "true", "{name}:{skill}");
            for tool in field("allowed-tools").split(", ") {
                let looks = ["Bash(tidegate status:*)", "Bash(tidegate doctor:*)", "Bash(tidegate list:*)"];
                assert!(looks.contains(&tool), "{name}:{skill} allows {tool}");
            }
            assert!(body.contains(&format!("# /{name}:{skill}\n")), "{name}:{skill}");
        }
    }
}

/// Every command that a skill tells a person to type exists.
#[test]
fn what_skills_say_to_type_exists() {
    let home = Home::new();
    let mut commands = BTreeSet::new();
    for name in channels() {
        let skills = repository().join("plugins").join(&name).join("skills");
        for skill in folders(&skills) {
            let all = read(&skills.join(&skill).join("SKILL.md"));
            let quoted = all.split(['`', '\n']).map(str::trim);
            commands.extend(
                quoted
                    .filter(|text| text.starts_with("tidegate ") && text.contains(&name))
                    .map(str::to_owned),
            );
        }
    }
    assert!(commands.len() > 10, "{commands:?}");
    for command in commands {
        let words = command.split(' ').skip(1).map(|word| match word {
            "ID" => "1",
            "ID,ID" => "1,2",
            "CODE" => "ACD347",
            word => word,
        });
        // Help is given only for what can be parsed up to there.
        let parsed = home.run(words.clone().chain(["--no-such-option"]), "");
        assert!(
            parsed.stderr.contains("unexpected argument '--no-such-option'"),
            "{command}: {}",
            parsed.stderr
        );
    }
}
