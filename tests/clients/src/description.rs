//! The description of a client, one entry of `clients.toml`: how it is found, started and controlled.

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
    /// The display name.
    pub(crate) title: String,
    /// The environment variable that may name the program.
    pub(crate) variable: Option<String>,
    /// Its name on `PATH`, or a path.
    pub(crate) program: String,
    /// The npm package that contains it.
    pub(crate) package: Option<String>,
    /// The arguments that make it print its version and end.
    pub(crate) version: Vec<String>,
    /// The model's name for a server's tool.
    pub(crate) tool: String,
    /// The tool that loads tools which the model knows only by their names.
    pub(crate) search: Option<Search>,
    /// `--opt-in` of the server whose messages are pushed.
    #[serde(default = "auto")]
    pub(crate) opt_in: String,
    /// Its environment, besides `HOME`, `PATH`, `TERM` and `LANG`.
    #[serde(default)]
    pub(crate) environment: BTreeMap<String, String>,
    /// How it runs without a terminal; if it cannot, all parts use the terminal.
    pub(crate) headless: Option<Headless>,
    pub(crate) interactive: Interactive,
    /// The client's statement on whether it receives the channel's messages.
    pub(crate) verdict: Option<Verdict>,
    /// A tool that needs a permission, and its input.
    pub(crate) permission: Tool,
    /// How it shows a form that a server asks to be filled in.
    pub(crate) form: Option<Form>,
    /// How it installs plugins.
    pub(crate) plugin: Option<Plugin>,
    /// Its dialogs before the prompt appears.
    #[serde(default)]
    pub(crate) dialogs: Vec<Dialog>,
}

fn auto() -> String {
    "auto".into()
}

/// A run without a terminal: a JSON object per line on standard input for each prompt, as with `--input-format
/// stream-json`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Headless {
    pub(crate) arguments: Vec<String>,
    #[serde(default)]
    pub(crate) environment: BTreeMap<String, String>,
}

/// A run in a terminal.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Interactive {
    pub(crate) arguments: Vec<String>,
    /// Texts of which one is on the screen when it waits for a prompt.
    pub(crate) ready: Vec<String>,
    /// The mark before the option that Enter would choose.
    pub(crate) cursor: String,
    /// The text to type to end it.
    pub(crate) exit: String,
    /// The environment of a first start that only answers dialogs. An empty value removes a variable.
    pub(crate) onboarding: Option<BTreeMap<String, String>>,
}

/// A line of the client's log.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Verdict {
    /// A regular expression. Its group `reason` matches only if the client does not receive messages.
    pub(crate) pattern: String,
    /// Reasons that do not depend on tidegate. Any other reason is a failure.
    pub(crate) unavailable: Vec<String>,
}

/// One of the client's own tools.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tool {
    pub(crate) tool: String,
    /// The input. In its texts, `{file}` stands for a file that the call must create.
    pub(crate) input: serde_json::Value,
}

/// A tool that loads others, and the text that asks for one of them.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Search {
    pub(crate) tool: String,
    /// The input. In its texts, `{tool}` stands for the tool to load.
    pub(crate) input: serde_json::Value,
}

/// A form: a text is typed into its one field, then an option is chosen.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Form {
    /// The text on the screen that identifies the form.
    pub(crate) shows: String,
    /// The option that sends it.
    pub(crate) accept: String,
}

/// The installation of plugins from a marketplace. `{marketplace}` is its folder, `{plugin}` the plugin's name.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Plugin {
    /// The arguments of one run each, which check the plugin and install it.
    pub(crate) install: Vec<Vec<String>>,
    /// The client's name for the plugin's server, and its form in the names of tools.
    pub(crate) server: String,
    pub(crate) tools: String,
    /// The arguments of a session in a terminal that receives the plugin's messages.
    pub(crate) arguments: Vec<String>,
    /// The folder for the plugin's data, in the home folder.
    pub(crate) data: String,
    /// The steps to restart a server.
    pub(crate) reconnect: Reconnect,
}

/// The command and choices to restart a server, and the text on the screen afterwards.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reconnect {
    pub(crate) command: String,
    pub(crate) dialogs: Vec<Dialog>,
    pub(crate) done: String,
}

impl Description {
    /// Reads a file of descriptions; the default is this repository's own.
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

    /// Says where the client was searched, and what to do.
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

    /// Returns the model's name for a server's tool.
    pub(crate) fn tool_name(&self, server: &str, tool: &str) -> String {
        fill(&self.tool, &[("server", server), ("tool", tool)])
    }
}

/// Replaces each `{name}` by its value.
pub(crate) fn fill(text: &str, values: &[(&str, &str)]) -> String {
    values.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&["{", name, "}"].concat(), value))
}

/// Replaces each `{name}` in all texts of a JSON value.
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
