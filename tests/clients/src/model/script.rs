//! The model's answer as a pure function of the request.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::request::{ChannelTag, Message, Request, channel_tags};
use crate::description::{Search, fill_json};

/// The cue of calls that answer a message from a channel.
pub(crate) const PUSH: &str = "push";
/// The cue of calls that load a tool.
const LOAD: &str = "load";

/// A call of a tool.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Call {
    pub(crate) tool: String,
    pub(crate) input: Value,
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Answer {
    Text(String),
    /// `cue` is the cue that it answers.
    Call {
        cue: String,
        call: Call,
    },
}

/// The mapping from prompts to answers.
///
/// | the newest of these in the conversation | is answered by |
/// | --- | --- |
/// | a prompt that contains a cue | the call for that cue |
/// | a message from a channel | a reply that says `echo:` and the same text |
///
/// and by plain text once that call was made. If the model knows a tool only by its name, the tool is loaded first.
pub(crate) struct Script {
    cues: BTreeMap<String, Call>,
    /// The tool that answers a message from a channel.
    reply: String,
    search: Option<Search>,
}

impl Script {
    pub(crate) fn new(reply: String, search: Option<Search>) -> Self {
        Self { cues: BTreeMap::new(), reply, search }
    }

    pub(super) fn add(&mut self, cue: &str, call: Call) {
        self.cues.insert(cue.to_owned(), call);
    }

    pub(super) fn answer(&self, request: &Request) -> Answer {
        let text = |text: &str| Answer::Text(text.to_owned());
        if !request.has_tools() {
            return text("ok");
        }
        let mut called = Vec::new();
        for message in request.messages().rev() {
            called.extend(message.calls());
            let Some((cue, call)) = self.wanted(message) else { continue };
            if called.contains(&call.tool.as_str()) {
                return text("done");
            }
            return self.load(request, &call, &called).unwrap_or(Answer::Call { cue, call });
        }
        text("ok")
    }

    /// Returns the cue and the call that this message asks for.
    fn wanted(&self, message: Message) -> Option<(String, Call)> {
        if !message.is_from("user") {
            return None;
        }
        let said = message.said();
        if let Some(tag) = channel_tags(&said).last() {
            return Some((PUSH.to_owned(), Call { tool: self.reply.clone(), input: echo(tag) }));
        }
        let (cue, call) = self.cues.iter().find(|(cue, _)| said.contains(cue.as_str()))?;
        Some((cue.clone(), call.clone()))
    }

    /// Returns a call that loads the tool, if that is necessary and was not tried yet.
    fn load(&self, request: &Request, call: &Call, called: &[&str]) -> Option<Answer> {
        let search = self.search.as_ref().filter(|search| request.loads(&search.tool))?;
        if request.loads(&call.tool) || called.contains(&search.tool.as_str()) {
            return None;
        }
        let input = fill_json(&search.input, &[("tool", &call.tool)]);
        Some(Answer::Call { cue: LOAD.to_owned(), call: Call { tool: search.tool.clone(), input } })
    }
}

fn echo(tag: &ChannelTag) -> Value {
    let mut input = Map::new();
    if let Some(chat) = tag.attributes.get("chat_id") {
        input.insert("chat_id".into(), chat.as_str().into());
    }
    input.insert("text".into(), format!("echo: {}", tag.text).into());
    Value::Object(input)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn script() -> Script {
        let search = Search { tool: "Search".into(), input: json!({"query": "select:{tool}"}) };
        let mut script = Script::new("reply".into(), Some(search));
        script.add("do-edit", call("edit", json!({"n": 1})));
        script.add("do-run", call("run", json!({})));
        script
    }

    fn call(tool: &str, input: Value) -> Call {
        Call { tool: tool.into(), input }
    }

    fn answer(tools: &[&str], messages: &Value) -> Answer {
        let tools: Vec<Value> = tools.iter().map(|name| json!({"name": name, "input_schema": {}})).collect();
        script().answer(&Request::new(json!({"tools": tools, "messages": messages})))
    }

    fn user(text: &str) -> Value {
        json!({"role": "user", "content": [{"type": "text", "text": text}]})
    }

    fn uses(tool: &str) -> Value {
        json!({"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": tool, "input": {}}]})
    }

    fn result() -> Value {
        json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "do-run"}]})
    }

    const ALL: [&str; 4] = ["Search", "edit", "run", "reply"];

    #[test]
    fn a_cue_is_answered_once() {
        let asked = [user("hello do-edit"), uses("edit"), result()];
        let expected = Answer::Call { cue: "do-edit".into(), call: call("edit", json!({"n": 1})) };
        assert_eq!(answer(&ALL, &json!(asked[..1])), expected);
        assert_eq!(answer(&ALL, &json!(asked)), Answer::Text("done".into()));
        // A client may put its own messages behind the prompt.
        let system = json!({"role": "system", "content": "do-run"});
        assert_eq!(answer(&ALL, &json!([asked[0], system])), expected);
    }

    #[test]
    fn the_newest_cue_counts() {
        let asked = json!([user("do-edit"), uses("edit"), result(), user("now do-run")]);
        assert_eq!(answer(&ALL, &asked), Answer::Call { cue: "do-run".into(), call: call("run", json!({})) });
    }

    #[test]
    fn a_tool_that_is_not_loaded_is_loaded_first_and_only_once() {
        let few = ["Search", "run"];
        let input = json!({"query": "select:edit"});
        let load = Answer::Call { cue: "load".into(), call: call("Search", input) };
        assert_eq!(answer(&few, &json!([user("do-edit")])), load);
        let edit = Answer::Call { cue: "do-edit".into(), call: call("edit", json!({"n": 1})) };
        assert_eq!(answer(&few, &json!([user("do-edit"), uses("Search"), result()])), edit);
        // Without a way to load it, the client is to say what is wrong.
        assert_eq!(answer(&["run"], &json!([user("do-edit")])), edit);
        // What was loaded for an earlier prompt may have to be loaded again: the client knows.
        let again = json!([user("do-run"), uses("Search"), result(), user("do-edit")]);
        assert_eq!(answer(&few, &again), load);
    }

    #[test]
    fn a_message_from_a_channel_is_echoed_to_its_chat() {
        let tag = "<channel source=\"x\" chat_id=\"web\" user=\"web\">do-edit é</channel>";
        let input = json!({"chat_id": "web", "text": "echo: do-edit é"});
        assert_eq!(
            answer(&ALL, &json!([user("do-edit"), uses("edit"), result(), user(tag)])),
            Answer::Call { cue: PUSH.into(), call: call("reply", input) }
        );
        assert_eq!(answer(&ALL, &json!([user(tag), uses("reply"), result()])), Answer::Text("done".into()));
    }

    #[test]
    fn anything_else_has_a_plain_answer() {
        assert_eq!(answer(&ALL, &json!([user("hello")])), Answer::Text("ok".into()));
        assert_eq!(answer(&[], &json!([user("do-edit")])), Answer::Text("ok".into()));
        let reminder = user("<system-reminder>do-edit</system-reminder>");
        assert_eq!(answer(&ALL, &json!([reminder])), Answer::Text("ok".into()));
    }
}
