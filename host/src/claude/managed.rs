//! The organisation's managed settings: are channels enabled, and for which plugins?
//!
//! Claude Code itself drops the messages that the policy forbids, and tells the server nothing. Reading the same
//! file lets the host leave them with the platform, and say why.
//!
//! Only the file is seen. A policy that an account's server or a device's management delivers is not.

use std::{fs, io, path::Path};

use serde_json::{Map, Value};

/// Where an administrator puts the file. Only the system may write there.
#[cfg(target_os = "macos")]
const FILE: &str = "/Library/Application Support/ClaudeCode/managed-settings.json";
/// Where an administrator puts the file. Only the system may write there.
#[cfg(not(target_os = "macos"))]
const FILE: &str = "/etc/claude-code/managed-settings.json";

const ENABLED: &str = "channelsEnabled";
const ALLOWED: &str = "allowedChannelPlugins";

/// The marketplace, and its plugins that `--channels` takes where no list says otherwise.
const DEFAULT_MARKETPLACE: &str = "claude-plugins-official";
const DEFAULT_PLUGINS: [&str; 4] = ["telegram", "discord", "imessage", "fakechat"];

/// What the organisation allows. The default is what holds without one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    blocked: Option<String>,
    /// Takes the default list's place.
    plugins: Option<Vec<Plugin>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Plugin {
    name: String,
    marketplace: String,
}

/// Why no message may arrive.
#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error(
        "your organisation has not enabled channels for Claude Code ({}): messages do not arrive; ask an \
         administrator to set \"{ENABLED}\": true there",
        .0.display()
    )]
    NotEnabled(Box<Path>),
    #[error(
        "your organisation's policy for Claude Code cannot be read ({}: {problem}), so channels are off and messages \
         do not arrive; ask an administrator to make the file readable for you",
        file.display()
    )]
    Unreadable { file: Box<Path>, problem: io::Error },
    #[error(
        "your organisation's policy for Claude Code is not valid ({}: {problem}), so channels are off and messages \
         do not arrive; ask an administrator to correct the file",
        file.display()
    )]
    Invalid { file: Box<Path>, problem: Invalid },
}

/// What is wrong with the file's text.
#[derive(Debug, thiserror::Error)]
enum Invalid {
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    #[error("{key} must be {expected}, and is {found}")]
    Type { key: String, expected: &'static str, found: &'static str },
}

/// What the file's text says.
#[derive(Debug, PartialEq, Eq)]
struct Rules {
    enabled: bool,
    plugins: Option<Vec<Plugin>>,
}

impl Policy {
    /// Reads the system's file. Where there is none, there is no policy. One that cannot be read or understood
    /// blocks: it must not pass for one that is not there.
    pub fn read() -> Self {
        Self::read_from(Path::new(FILE))
    }

    fn read_from(file: &Path) -> Self {
        check(file)
            .unwrap_or_else(|problem| Self { blocked: Some(problem.to_string()), plugins: Some(Vec::new()) })
    }

    /// Why no channel's messages arrive, where that is so, and what to do: one sentence for a person. Nothing
    /// that a session opts into changes it.
    pub fn blocked(&self) -> Option<&str> {
        self.blocked.as_deref()
    }

    /// Is this plugin on the list that `--channels` takes?
    pub fn allows_plugin(&self, name: &str, marketplace: &str) -> bool {
        match &self.plugins {
            None => marketplace == DEFAULT_MARKETPLACE && DEFAULT_PLUGINS.contains(&name),
            Some(plugins) => {
                plugins.iter().any(|plugin| plugin.name == name && plugin.marketplace == marketplace)
            }
        }
    }
}

fn check(file: &Path) -> Result<Policy, Problem> {
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound && is_absent(file) => {
            return Ok(Policy::default());
        }
        Err(problem) => return Err(Problem::Unreadable { file: file.into(), problem }),
    };
    match parse(&text) {
        Ok(Rules { enabled: true, plugins }) => Ok(Policy { blocked: None, plugins }),
        Ok(Rules { enabled: false, .. }) => Err(Problem::NotEnabled(file.into())),
        Err(problem) => Err(Problem::Invalid { file: file.into(), problem }),
    }
}

/// A link that leads nowhere is a policy which cannot be read.
fn is_absent(file: &Path) -> bool {
    fs::symlink_metadata(file).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

fn parse(text: &str) -> Result<Rules, Invalid> {
    let document: Value = serde_json::from_str(text.strip_prefix('\u{feff}').unwrap_or(text))?;
    let settings = object("the document", &document)?;
    let enabled = match settings.get(ENABLED) {
        None => false,
        Some(Value::Bool(enabled)) => *enabled,
        Some(other) => return Err(wrong(quoted(ENABLED), "true or false", other)),
    };
    let plugins = match settings.get(ALLOWED) {
        None => None,
        Some(Value::Array(list)) => Some(
            list.iter()
                .enumerate()
                .map(|(index, entry)| plugin(&format!("{ALLOWED}[{index}]"), entry))
                .collect::<Result<_, _>>()?,
        ),
        Some(other) => return Err(wrong(quoted(ALLOWED), "a list", other)),
    };
    Ok(Rules { enabled, plugins })
}

fn plugin(place: &str, entry: &Value) -> Result<Plugin, Invalid> {
    let fields = object(&quoted(place), entry)?;
    let field = |name: &str| match fields.get(name) {
        Some(Value::String(text)) => Ok(text.clone()),
        other => Err(Invalid::Type {
            key: quoted(&format!("{place}.{name}")),
            expected: "a text",
            found: other.map_or("missing", kind),
        }),
    };
    Ok(Plugin { name: field("plugin")?, marketplace: field("marketplace")? })
}

fn object<'a>(key: &str, value: &'a Value) -> Result<&'a Map<String, Value>, Invalid> {
    value.as_object().ok_or_else(|| wrong(key.to_owned(), "an object", value))
}

fn quoted(key: &str) -> String {
    format!("\"{key}\"")
}

fn wrong(key: String, expected: &'static str, value: &Value) -> Invalid {
    Invalid::Type { key, expected, found: kind(value) }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
impl Policy {
    /// What a file with this list would say.
    pub(super) fn allowing(plugins: &[(&str, &str)]) -> Self {
        let plugin = |&(name, marketplace): &(&str, &str)| Plugin {
            name: name.into(),
            marketplace: marketplace.into(),
        };
        Self { blocked: None, plugins: Some(plugins.iter().map(plugin).collect()) }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use tempfile::TempDir;

    use super::*;

    /// A policy from a file of this text, and the file's path.
    fn policy(text: impl AsRef<[u8]>) -> (Policy, String) {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("managed-settings.json");
        fs::write(&file, text).unwrap();
        (Policy::read_from(&file), file.display().to_string())
    }

    #[test]
    fn without_a_file_channels_are_on_with_the_default_plugins() {
        let folder = TempDir::new().unwrap();
        for file in ["managed-settings.json", "no/such/folder.json"] {
            let policy = Policy::read_from(&folder.path().join(file));
            assert_eq!(policy.blocked(), None);
            for plugin in ["telegram", "discord", "imessage", "fakechat"] {
                assert!(policy.allows_plugin(plugin, "claude-plugins-official"), "{plugin}");
                assert!(!policy.allows_plugin(plugin, "elsewhere"), "{plugin}");
            }
            assert!(!policy.allows_plugin("matrix", "claude-plugins-official"));
        }
    }

    #[test]
    fn a_file_must_say_that_channels_are_enabled() {
        for text in [
            "{}",
            r#"{"channelsEnabled": false}"#,
            r#"{"allowedChannelPlugins": [], "channelsenabled": true}"#,
        ] {
            let (policy, file) = policy(text);
            assert_eq!(
                policy.blocked().unwrap(),
                format!(
                    "your organisation has not enabled channels for Claude Code ({file}): messages do not \
                     arrive; ask an administrator to set \"channelsEnabled\": true there"
                )
            );
            assert!(!policy.allows_plugin("fakechat", "claude-plugins-official"));
        }
        for text in [
            r#"{"channelsEnabled": true}"#,
            "\u{feff}{\"channelsEnabled\": true}",
            r#"{"channelsEnabled": true, "permissions": {"deny": ["x"]}, "model": null}"#,
        ] {
            let (policy, _) = policy(text);
            assert_eq!(policy.blocked(), None, "{text}");
            assert!(policy.allows_plugin("fakechat", "claude-plugins-official"), "{text}");
        }
    }

    #[test]
    fn a_list_takes_the_default_ones_place() {
        let (policy, _) = policy(
            r#"{"channelsEnabled": true, "allowedChannelPlugins": [
                {"marketplace": "ours", "plugin": "fakechat", "note": "unknown keys do not matter"},
                {"plugin": "matrix", "marketplace": "theirs"}]}"#,
        );
        assert_eq!(policy, Policy::allowing(&[("fakechat", "ours"), ("matrix", "theirs")]));
        for (plugin, marketplace, allowed) in [
            ("fakechat", "ours", true),
            ("matrix", "theirs", true),
            ("matrix", "ours", false),
            ("fakechat", "claude-plugins-official", false),
        ] {
            assert_eq!(policy.allows_plugin(plugin, marketplace), allowed, "{plugin}@{marketplace}");
        }
    }

    #[test]
    fn an_empty_list_allows_no_plugin() {
        let (policy, _) = policy(r#"{"channelsEnabled": true, "allowedChannelPlugins": []}"#);
        assert_eq!(policy.blocked(), None);
        assert!(!policy.allows_plugin("fakechat", "claude-plugins-official"));
    }

    #[test]
    fn a_file_that_is_not_understood_blocks_and_says_where() {
        for (text, part) in [
            ("", "EOF while parsing"),
            ("{", "EOF while parsing"),
            ("{\"channelsEnabled\": true} // on", "trailing characters at line 1"),
            ("/* on */ {\"channelsEnabled\": true}", "expected value at line 1"),
            ("{\"channelsEnabled\": true,}", "trailing comma"),
            ("[]", "the document must be an object, and is a list"),
            ("null", "the document must be an object, and is null"),
            (r#"{"channelsEnabled": "true"}"#, r#""channelsEnabled" must be true or false, and is a text"#),
            (r#"{"channelsEnabled": null}"#, r#""channelsEnabled" must be true or false, and is null"#),
            (r#"{"channelsEnabled": 1}"#, r#""channelsEnabled" must be true or false, and is a number"#),
            (
                r#"{"channelsEnabled": true, "allowedChannelPlugins": {}}"#,
                r#""allowedChannelPlugins" must be a list, and is an object"#,
            ),
            (
                r#"{"channelsEnabled": true, "allowedChannelPlugins": null}"#,
                r#""allowedChannelPlugins" must be a list, and is null"#,
            ),
            (
                r#"{"channelsEnabled": true, "allowedChannelPlugins": ["fakechat"]}"#,
                r#""allowedChannelPlugins[0]" must be an object, and is a text"#,
            ),
            (
                r#"{"channelsEnabled": true, "allowedChannelPlugins":
                    [{"plugin": "a", "marketplace": "b"}, {"plugin": "a"}]}"#,
                r#""allowedChannelPlugins[1].marketplace" must be a text, and is missing"#,
            ),
            (
                r#"{"channelsEnabled": true, "allowedChannelPlugins": [{"plugin": true, "marketplace": "b"}]}"#,
                r#""allowedChannelPlugins[0].plugin" must be a text, and is true or false"#,
            ),
        ] {
            let (policy, file) = policy(text);
            let blocked = policy.blocked().unwrap_or_else(|| panic!("{text} is allowed"));
            assert!(blocked.contains(part), "{text}: {blocked}");
            assert!(blocked.contains(&file) && blocked.contains("not valid"), "{blocked}");
            assert!(!policy.allows_plugin("fakechat", "claude-plugins-official"));
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_is_not_one_that_is_absent() {
        let folder = TempDir::new().unwrap();
        let dangling = folder.path().join("dangling");
        symlink("nowhere", &dangling).unwrap();
        let (not_text, _) = policy(b"{\"channelsEnabled\": true, \"a\": \"\xff\"}");
        for policy in [Policy::read_from(folder.path()), Policy::read_from(&dangling), not_text] {
            let blocked = policy.blocked().unwrap();
            assert!(blocked.contains("cannot be read") && blocked.contains("administrator"), "{blocked}");
            assert!(!policy.allows_plugin("fakechat", "claude-plugins-official"));
        }
    }
}
