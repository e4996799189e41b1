//! The requests of a client to the model.

use std::{collections::BTreeMap, sync::LazyLock};

use regex::Regex;
use serde_json::Value;

/// The body of one `POST /v1/messages`.
#[derive(Clone, Debug)]
pub(crate) struct Request(Value);

/// The result of a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ToolResult {
    pub(crate) text: String,
    pub(crate) is_error: bool,
}

/// A message from a channel in the form that the model sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ChannelTag {
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) text: String,
}

/// Returns the prefix of the ids of calls for a cue.
pub(super) fn id_prefix(cue: &str) -> String {
    format!("toolu_{cue}_")
}

impl Request {
    pub(super) fn new(body: Value) -> Self {
        Self(body)
    }

    pub(crate) fn body(&self) -> &Value {
        &self.0
    }

    /// Returns whether the request has tools. Clients also send requests without tools, for titles and similar texts.
    pub(crate) fn has_tools(&self) -> bool {
        self.tools().next().is_some()
    }

    /// Returns whether this tool is present with its schema, so that the model can call it at once.
    pub(crate) fn loads(&self, tool: &str) -> bool {
        let named = |offered: &&Value| offered.get("name").is_some_and(|name| name == tool);
        self.tools().find(named).is_some_and(|offered| {
            offered.get("input_schema").is_some_and(Value::is_object)
                && offered.get("defer_loading").is_none_or(|deferred| deferred != true)
        })
    }

    /// Returns whether this tool is present, with or without its schema.
    pub(crate) fn offers(&self, tool: &str) -> bool {
        self.tools().any(|offered| offered.get("name").is_some_and(|name| name == tool))
    }

    /// Returns whether this text is anywhere in the request.
    pub(crate) fn mentions(&self, text: &str) -> bool {
        fn search(value: &Value, text: &str) -> bool {
            match value {
                Value::String(string) => string.contains(text),
                Value::Array(list) => list.iter().any(|value| search(value, text)),
                Value::Object(fields) => fields.values().any(|value| search(value, text)),
                _ => false,
            }
        }
        search(&self.0, text)
    }

    fn tools(&self) -> impl Iterator<Item = &Value> {
        self.0.get("tools").and_then(Value::as_array).into_iter().flatten()
    }

    pub(super) fn messages(&self) -> impl DoubleEndedIterator<Item = Message<'_>> {
        self.0.get("messages").and_then(Value::as_array).into_iter().flatten().map(Message)
    }

    /// Returns the result of the call for this cue.
    pub(crate) fn result_of(&self, cue: &str) -> Option<ToolResult> {
        let prefix = id_prefix(cue);
        self.messages().flat_map(Message::blocks).find_map(|block| {
            let id = block.get("tool_use_id")?.as_str()?;
            id.starts_with(&prefix).then(|| ToolResult {
                text: text_of(block.get("content")),
                is_error: block.get("is_error").is_some_and(|error| error == true),
            })
        })
    }

    /// Returns all messages from channels so far, oldest first.
    pub(crate) fn channel_tags(&self) -> Vec<ChannelTag> {
        self.messages()
            .filter(|message| message.is_from("user"))
            .flat_map(|message| channel_tags(&message.said()))
            .collect()
    }
}

/// One message of a conversation.
#[derive(Clone, Copy)]
pub(super) struct Message<'a>(&'a Value);

impl<'a> Message<'a> {
    pub(super) fn is_from(self, role: &str) -> bool {
        self.0.get("role").is_some_and(|from| from == role)
    }

    pub(super) fn blocks(self) -> impl Iterator<Item = &'a Value> {
        self.0.get("content").and_then(Value::as_array).into_iter().flatten()
    }

    /// Returns its text, without results of tools and without the client's own reminders.
    pub(super) fn said(self) -> String {
        static REMINDER: LazyLock<Option<Regex>> =
            LazyLock::new(|| Regex::new("(?s)<system-reminder>.*?</system-reminder>").ok());
        let text = text_of(self.0.get("content"));
        REMINDER.as_ref().map_or(text.clone(), |reminder| reminder.replace_all(&text, "").into_owned())
    }

    /// Returns the names of the tools that it calls.
    pub(super) fn calls(self) -> impl Iterator<Item = &'a str> {
        let calls = self.blocks().filter(|block| block.get("type").is_some_and(|kind| kind == "tool_use"));
        calls.filter_map(|block| block.get("name")?.as_str())
    }
}

/// Returns a text, or the joined texts of a list of blocks.
fn text_of(content: Option<&Value>) -> String {
    match content {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(blocks)) => {
            let texts = blocks.iter().filter(|block| block.get("type").is_some_and(|kind| kind == "text"));
            texts.filter_map(|block| block.get("text")?.as_str()).collect::<Vec<_>>().join("\n")
        }
        _ => String::new(),
    }
}

/// Returns the messages from channels in a text.
pub(super) fn channel_tags(text: &str) -> Vec<ChannelTag> {
    static TAG: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"(?s)<channel\b([^>]*)>(.*?)</channel>").ok());
    static ATTRIBUTE: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r#"([A-Za-z_][\w:-]*)="([^"]*)""#).ok());
    let (Some(tag), Some(attribute)) = (&*TAG, &*ATTRIBUTE) else { return Vec::new() };
    let group = |captures: &regex::Captures, group: usize| {
        captures.get(group).map(|found| found.as_str().to_owned()).unwrap_or_default()
    };
    tag.captures_iter(text)
        .map(|captures| ChannelTag {
            attributes: attribute
                .captures_iter(&group(&captures, 1))
                .map(|captures| (group(&captures, 1), group(&captures, 2)))
                .collect(),
            text: group(&captures, 2).trim().to_owned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_tool_is_loaded_with_its_schema_only() {
        let request = Request::new(json!({"tools": [
            {"name": "here", "input_schema": {"type": "object"}},
            {"name": "later", "input_schema": {"type": "object"}, "defer_loading": true},
            {"name": "bare"}
        ]}));
        for (tool, loaded) in [("here", true), ("later", false), ("bare", false), ("other", false)] {
            assert_eq!(request.loads(tool), loaded, "{tool}");
            assert_eq!(request.offers(tool), tool != "other", "{tool}");
        }
        assert!(request.has_tools() && request.mentions("later") && !request.mentions("other"));
        assert!(!Request::new(json!({"tools": []})).has_tools());
    }

    #[test]
    fn a_result_is_found_by_its_cue() {
        let result = |id: &str, content: Value, is_error: bool| {
            json!({"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": id, "content": content, "is_error": is_error}]})
        };
        let request = Request::new(json!({"messages": [
            {"role": "user", "content": "toolu_b_3"},
            result("toolu_a_1", json!("sent (id: 1)"), false),
            result("toolu_b_2", json!([{"type": "text", "text": "no"}, {"type": "image"}]), true),
        ]}));
        let found = |text: &str, is_error| Some(ToolResult { text: text.into(), is_error });
        assert_eq!(request.result_of("a"), found("sent (id: 1)", false));
        assert_eq!(request.result_of("b"), found("no", true));
        assert_eq!(request.result_of("c"), None);
    }

    #[test]
    fn channel_tags_are_read_from_what_users_said() {
        let tag = "<channel source=\"x\" chat_id=\"web\">\nping é\n</channel>";
        let request = Request::new(json!({"messages": [
            {"role": "system", "content": tag},
            {"role": "user", "content": [
                {"type": "text", "text": format!("<system-reminder>\n{tag}</system-reminder>")},
                {"type": "text", "text": format!("before {tag} <channel>two</channel>")}]},
        ]}));
        let attributes = [("chat_id", "web"), ("source", "x")];
        let attributes = attributes.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        assert_eq!(
            request.channel_tags(),
            [
                ChannelTag { attributes, text: "ping é".into() },
                ChannelTag { attributes: BTreeMap::new(), text: "two".into() }
            ]
        );
    }
}
