//! How a client is found, started and spoken to: one entry of `clients.toml`.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::Context as _;
use serde::Deserialize;

use crate::dialog::Dialog;

/// The descriptions in this repository. `README.md` beside the file explains the fields.
const OWN: &str = include_str!("../clients.toml");

/// One client.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Description {
    /// For people.
    pub(crate) title: String,
    /// The environment variable that may name the program.
    pub(crate) variable: Option<String>,
    /// Its name on `PATH`, or a path.
    pub(crate) program: String,
    /// The package of the npm registry that brings it.
    pub(crate) package: Option<String>,
    /// Arguments that make it print its version and end.
    pub(crate) version: Vec<String>,
    /// What the model knows a server's tool as.
    pub(crate) tool: String,
    /// The tool that loads tools which the model knows by name only.
    pub(crate) search: Option<Search>,
    /// `--opt-in` of the server whose messages are pushed.
    #[serde(default = "auto")]
    pub(crate) opt_in: String,
    /// All that it gets beside `HOME`, `PATH`, `TERM` and `LANG`.
    #[serde(default)]
    pub(crate) environment: BTreeMap<String, String>,
    /// How it runs without a terminal; if it cannot, the terminal is used throughout.
    pub(crate) headless: Option<Headless>,
    pub(crate) interactive: Interactive,
    /// The client's own word on the channel.
    pub(crate) verdict: Option<Verdict>,
    /// A tool that needs a permission, and what it is called with.
    pub(crate) permission: Tool,
    /// How it shows a form that a server asks to be filled in.
    pub(crate) form: Option<Form>,
    /// How it installs plugins.
    pub(crate) plugin: Option<Plugin>,
    /// What it asks before its prompt appears.
    #[serde(default)]
    pub(crate) dialogs: Vec<Dialog>,
}

fn auto() -> String {
    "auto".into()
}

/// Without a terminal: a JSON object a line on its standard input for each prompt, as with `--input-format stream-json`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Headless {
    pub(crate) arguments: Vec<String>,
    #[serde(default)]
    pub(crate) environment: BTreeMap<String, String>,
}

/// In a terminal.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Interactive {
    pub(crate) arguments: Vec<String>,
    /// Texts of which one is on the screen when it waits for a prompt.
    pub(crate) ready: Vec<String>,
    /// What stands before the option that Enter would choose.
    pub(crate) cursor: String,
    /// What is typed to end it.
    pub(crate) exit: String,
    /// Environment of a first start that only answers dialogs. An empty value takes a variable away.
    pub(crate) onboarding: Option<BTreeMap<String, String>>,
}

/// A line of the client's log.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Verdict {
    /// A regular expression. Its group `reason` matches only if the client does not take messages.
    pub(crate) pattern: String,
    /// Reasons that are the client's own affair. Any other is a failure.
    pub(crate) unavailable: Vec<String>,
}

/// A tool of the client's own.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tool {
    pub(crate) tool: String,
    /// In its texts, `{file}` stands for a file that the call must make.
    pub(crate) input: serde_json::Value,
}

/// A tool that loads others, and the text that asks for one of them.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Search {
    pub(crate) tool: String,
    /// In its texts, `{tool}` stands for the tool to be loaded.
    pub(crate) input: serde_json::Value,
}

/// A form: a text is typed into its one field, then an option is chosen.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Form {
    /// What is on the screen with it.
    pub(crate) shows: String,
    /// The option that sends it.
    pub(crate) accept: String,
}

/// Plugins, which a marketplace brings. `{marketplace}` is the folder of that, `{plugin}` the plugin's name.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Plugin {
    /// Arguments of one run each, which check the plugin and install it.
    pub(crate) install: Vec<Vec<String>>,
    /// What the client calls the plugin's server, and what stands for that in the names of tools.
    pub(crate) server: String,
    pub(crate) tools: String,
    /// Arguments of a session in a terminal that takes the plugin's messages.
    pub(crate) arguments: Vec<String>,
    /// The folder for the plugin's data, in the home folder.
    pub(crate) data: String,
    /// How a server is started again.
    pub(crate) reconnect: Reconnect,
}

/// What is typed and chosen to start a server again, and what is on the screen afterwards.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reconnect {
    pub(crate) command: String,
    pub(crate) dialogs: Vec<Dialog>,
    pub(crate) done: String,
}

impl Description {
    /// Reads a file of descriptions; this repository's own, if none is given.
    pub(crate) fn read(file: Option<&Path>) -> anyhow::Result<BTreeMap<String, Self>> {
        match file {
            None => toml::from_str(OWN).context("clients.toml is not valid"),
            Some(file) => {
                let text =
                    fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
                toml::from_str(&text).with_context(|| format!("{} is not valid", file.display()))
            }
        }
    }

    /// Where it was looked for, and what to do.
    pub(crate) fn where_to_find(&self, name: &str) -> String {
        let mut text = format!("{} is not installed (no {} on PATH", self.title, self.program);
        if let Some(variable) = &self.variable {
            text.push_str(", nor in $");
            text.push_str(variable);
        }
        if self.package.is_some() {
            text.push_str("; `cargo xtask clients --install ");
            text.push_str(name);
            text.push_str("` gets it");
        }
        text.push(')');
        text
    }

    /// What the model knows a server's tool as.
    pub(crate) fn tool_name(&self, server: &str, tool: &str) -> String {
        fill(&self.tool, &[("server", server), ("tool", tool)])
    }
}

/// Puts values in place of `{name}`.
pub(crate) fn fill(text: &str, values: &[(&str, &str)]) -> String {
    values.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&["{", name, "}"].concat(), value))
}

/// The same in all texts of a JSON value.
pub(crate) fn fill_json(value: &serde_json::Value, values: &[(&str, &str)]) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::String(text) => Value::String(fill(text, values)),
        Value::Array(list) => list.iter().map(|value| fill_json(value, values)).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (name.clone(), fill_json(value, values))).collect()
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn this_repositorys_descriptions_are_valid() {
        let descriptions = Description::read(None).unwrap();
        let claude = &descriptions["claude-code"];
        assert_eq!(claude.tool_name("fakechat", "reply"), "mcp__fakechat__reply");
        for (name, description) in &descriptions {
            if let Some(verdict) = &description.verdict {
                let pattern = regex::Regex::new(&fill(&verdict.pattern, &[("server", "x")])).unwrap();
                assert!(pattern.capture_names().flatten().any(|group| group == "reason"), "{name}");
            }
        }
    }

    #[test]
    fn an_unknown_field_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("clients.toml");
        fs::write(&file, OWN.replacen("title", "titel", 1)).unwrap();
        let error = format!("{:#}", Description::read(Some(&file)).unwrap_err());
        assert!(error.contains("titel") && error.contains("clients.toml"), "{error}");
    }

    #[test]
    fn values_are_put_in_place() {
        assert_eq!(fill("{a}-{b}-{c}", &[("a", "1"), ("b", "{c}")]), "1-{c}-{c}");
        let filled = fill_json(&json!({"x": ["touch {file}", 7]}), &[("file", "/f")]);
        assert_eq!(filled, json!({"x": ["touch /f", 7]}));
    }
}
