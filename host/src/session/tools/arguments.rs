//! The arguments of a call, checked as they are read.

use rmcp::model::JsonObject;
use serde_json::Value;

use super::Refused;
use crate::event::Format;

/// The arguments of a call. They may not match the schema.
pub(super) struct Arguments(pub(super) JsonObject);

impl Arguments {
    pub(super) fn only(&self, known: &[&str]) -> Result<(), Refused> {
        match self.0.keys().find(|key| !known.contains(&key.as_str())) {
            Some(key) => {
                Err(Refused(format!("there is no argument \"{key}\"; there is {}", known.join(", "))))
            }
            None => Ok(()),
        }
    }

    pub(super) fn text(&self, name: &str) -> Result<&str, Refused> {
        self.optional(name)?.ok_or_else(|| Refused(format!("the argument \"{name}\" is missing")))
    }

    pub(super) fn optional(&self, name: &str) -> Result<Option<&str>, Refused> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(Refused(format!("\"{name}\" must be a string, not {other}"))),
        }
    }

    pub(super) fn texts(&self, name: &str) -> Result<Vec<String>, Refused> {
        let wrong = |other: &Value| Refused(format!("\"{name}\" must be an array of strings, not {other}"));
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Array(values)) => values
                .iter()
                .map(|value| value.as_str().map(str::to_owned).ok_or_else(|| wrong(value)))
                .collect(),
            Some(other) => Err(wrong(other)),
        }
    }

    pub(super) fn format(&self) -> Result<Format, Refused> {
        match self.optional("format")? {
            // CommonMark reads the backslashes in the official plugin's MarkdownV2 as the escapes that they are.
            None | Some("markdown" | "markdownv2") => Ok(Format::Markdown),
            Some("text" | "plain") => Ok(Format::Plain),
            Some(other) => {
                Err(Refused(format!("\"format\" must be \"markdown\" or \"text\", not \"{other}\"")))
            }
        }
    }
}
