//! Parses the keys about channels in one file of managed settings.

use serde_json::{Map, Value};

pub(super) const ENABLED: &str = "channelsEnabled";
const ALLOWED: &str = "allowedChannelPlugins";

/// The content of one file. A key that the file does not have is `None`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Document {
    pub(super) enabled: Option<bool>,
    pub(super) plugins: Option<Vec<Plugin>>,
}

/// A plugin that `--channels` accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plugin {
    pub(super) name: String,
    pub(super) marketplace: String,
}

/// Why the text of a file is invalid.
#[derive(Debug, thiserror::Error)]
pub(super) enum Invalid {
    /// Not JSON.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// A value of the wrong type.
    #[error("{key} must be {expected}, and is {found}")]
    Type { key: String, expected: &'static str, found: &'static str },
}

impl Document {
    /// Parses the two keys about channels. Ignores a leading byte order mark.
    pub(super) fn parse(text: &str) -> Result<Self, Invalid> {
        let document: Value = serde_json::from_str(text.strip_prefix('\u{feff}').unwrap_or(text))?;
        let settings = object("the document", &document)?;
        let enabled = match settings.get(ENABLED) {
            None => None,
            Some(Value::Bool(enabled)) => Some(*enabled),
            Some(other) => return Err(wrong(quoted(ENABLED), "true or false", other)),
        };
        let plugins = match settings.get(ALLOWED) {
            None => None,
            Some(Value::Array(list)) => Some(
                list.iter()
                    .enumerate()
                    .map(|(index, entry)| Plugin::parse(&format!("{ALLOWED}[{index}]"), entry))
                    .collect::<Result<_, _>>()?,
            ),
            Some(other) => return Err(wrong(quoted(ALLOWED), "a list", other)),
        };
        Ok(Self { enabled, plugins })
    }
}

impl Plugin {
    fn parse(place: &str, entry: &Value) -> Result<Self, Invalid> {
        let fields = object(&quoted(place), entry)?;
        let field = |name: &str| match fields.get(name) {
            Some(Value::String(text)) => Ok(text.clone()),
            other => Err(Invalid::Type {
                key: quoted(&format!("{place}.{name}")),
                expected: "a text",
                found: other.map_or("missing", kind),
            }),
        };
        Ok(Self { name: field("plugin")?, marketplace: field("marketplace")? })
    }
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
mod tests {
    use super::*;

    #[test]
    fn the_two_keys_are_read_and_others_do_not_matter() {
        let plugin = |name: &str, marketplace: &str| Plugin {
            name: name.to_owned(),
            marketplace: marketplace.to_owned(),
        };
        for (text, enabled, plugins) in [
            ("{}", None, None),
            (r#"{"channelsenabled": true}"#, None, None),
            (r#"{"channelsEnabled": true}"#, Some(true), None),
            ("\u{feff}{\"channelsEnabled\": false}", Some(false), None),
            (r#"{"channelsEnabled": true, "permissions": {"deny": ["x"]}, "model": null}"#, Some(true), None),
            (r#"{"allowedChannelPlugins": []}"#, None, Some(vec![])),
            (
                r#"{"allowedChannelPlugins": [{"marketplace": "m", "plugin": "a", "note": 1}, {"plugin": "b", "marketplace": "n"}]}"#,
                None,
                Some(vec![plugin("a", "m"), plugin("b", "n")]),
            ),
        ] {
            assert_eq!(Document::parse(text).unwrap(), Document { enabled, plugins }, "{text}");
        }
    }

    #[test]
    fn a_text_that_is_not_understood_is_an_error_that_says_where() {
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
                r#"{"allowedChannelPlugins": {}}"#,
                r#""allowedChannelPlugins" must be a list, and is an object"#,
            ),
            (r#"{"allowedChannelPlugins": null}"#, r#""allowedChannelPlugins" must be a list, and is null"#),
            (
                r#"{"allowedChannelPlugins": ["fakechat"]}"#,
                r#""allowedChannelPlugins[0]" must be an object, and is a text"#,
            ),
            (
                r#"{"allowedChannelPlugins": [{"plugin": "a", "marketplace": "b"}, {"plugin": "a"}]}"#,
                r#""allowedChannelPlugins[1].marketplace" must be a text, and is missing"#,
            ),
            (
                r#"{"allowedChannelPlugins": [{"plugin": true, "marketplace": "b"}]}"#,
                r#""allowedChannelPlugins[0].plugin" must be a text, and is true or false"#,
            ),
        ] {
            let error = Document::parse(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
