//! Permission requests of a session: the prompts that people see, and their answers.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::text::{TextUnit, abridge, fenced, visible};

/// The first part of a button's action. It marks the button as ours.
const ACTION: &str = "permission";

/// Maximum length of the request below a settled prompt, in characters.
const KEPT: usize = 1000;

/// The id of a request: five letters from a to z, without l.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct RequestId(String);

impl RequestId {
    /// Parses an id in upper or lower case. Returns `None` if the text is not a valid id.
    pub fn parse(text: &str) -> Option<Self> {
        let letters =
            text.bytes().all(|byte| byte.is_ascii_alphabetic() && !byte.eq_ignore_ascii_case(&b'l'));
        (text.len() == 5 && letters).then(|| Self(text.to_ascii_lowercase()))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A question of the session: may this tool run? The model has written the texts, and nobody has checked them.
#[derive(Clone, Debug, Deserialize)]
pub struct Request {
    /// The id of the request.
    #[serde(rename = "request_id", deserialize_with = "request_id")]
    pub id: RequestId,
    /// The name of the tool.
    pub tool_name: String,
    /// What the tool is needed for.
    #[serde(default)]
    pub description: String,
    /// The input that the tool would get.
    #[serde(default)]
    pub input_preview: String,
}

fn request_id<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<RequestId, D::Error> {
    let text = String::deserialize(deserializer)?;
    RequestId::parse(&text)
        .ok_or_else(|| serde::de::Error::custom("request_id must be five letters of a to z without l"))
}

/// The decision about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The tool may run.
    Allow,
    /// The tool may not run.
    Deny,
}

/// What an approver answers to a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The approver decides.
    Verdict(Verdict),
    /// The approver wants to see the details.
    Details,
}

/// The state of a request, as seen from one channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The request waits for an answer, which may come from this channel.
    Open,
    /// The request was answered, or has expired.
    Settled,
    /// Nobody in this channel was asked.
    Unknown,
}

/// A button below a prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Button {
    /// The action that the platform returns when the button is pressed.
    pub action: String,
    /// The text on the button.
    pub label: &'static str,
    /// What the button means.
    pub answer: Answer,
}

/// Parses a typed answer, such as `yes abcde` or `n abcde`, in upper or lower case.
pub fn typed(text: &str) -> Option<(Verdict, RequestId)> {
    let mut words = text.split_whitespace();
    let (first, second) = (words.next()?, words.next()?);
    if words.next().is_some() {
        return None;
    }
    let is = |word: &str| first.eq_ignore_ascii_case(word);
    let verdict = match () {
        () if is("y") || is("yes") => Verdict::Allow,
        () if is("n") || is("no") => Verdict::Deny,
        () => return None,
    };
    Some((verdict, RequestId::parse(second)?))
}

/// Parses the action of a pressed button. Returns `None` if the button is not ours.
pub fn pressed(action: &str) -> Option<(Answer, RequestId)> {
    let mut parts = action.split(':');
    if parts.next()? != ACTION {
        return None;
    }
    let answer = match parts.next()? {
        "allow" => Answer::Verdict(Verdict::Allow),
        "deny" => Answer::Verdict(Verdict::Deny),
        "details" => Answer::Details,
        _ => return None,
    };
    let id = RequestId::parse(parts.next()?)?;
    parts.next().is_none().then_some((answer, id))
}

impl Request {
    /// Returns the buttons of a prompt. `details` adds the button for the details; it is false once they are shown.
    pub fn buttons(&self, details: bool) -> Vec<Button> {
        let button = |word: &str, label, answer| Button {
            action: format!("{ACTION}:{word}:{}", self.id),
            label,
            answer,
        };
        let mut buttons = vec![
            button("allow", "Allow", Answer::Verdict(Verdict::Allow)),
            button("deny", "Deny", Answer::Verdict(Verdict::Deny)),
        ];
        if details {
            buttons.push(button("details", "Details", Answer::Details));
        }
        buttons
    }

    /// Returns true if the details contain more than the short form.
    pub fn has_details(&self) -> bool {
        !self.input_preview.trim().is_empty()
    }

    /// Returns the text of a prompt as Markdown, of at most `limit` units. The model's text is in a code block, with
    /// invisible characters made visible. If it is too long, its middle is left out.
    pub fn prompt(&self, details: bool, limit: usize, unit: TextUnit) -> String {
        let head = format!("🔐 Claude wants to use `{}`. Allow it?", self.tool());
        let tail = format!("Answer with `yes {id}` or `no {id}`.", id = self.id);
        framed(&head, &self.body(details), &tail, limit, unit).unwrap_or_else(|| format!("{head}\n\n{tail}"))
    }

    /// Returns the tool's name, escaped for inline code.
    fn tool(&self) -> String {
        abridge(&visible(&one_line(&self.tool_name)), 60, TextUnit::Scalar).replace('`', "'")
    }

    /// Returns the model's text, with invisible characters made visible.
    fn body(&self, details: bool) -> String {
        let mut body = visible(self.description.trim());
        if details && self.has_details() {
            if !body.is_empty() {
                body.push_str("\n\n");
            }
            body.push_str(&visible(self.input_preview.trim()));
        }
        body
    }
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A person decided.
    Decided(Verdict),
    /// Nobody decided.
    Expired,
}

impl Outcome {
    /// Returns one sentence as Markdown. `who` is the person who decided: a name, or `you`.
    pub fn headline(self, request: &Request, who: &str) -> String {
        let tool = request.tool();
        match self {
            Self::Decided(Verdict::Allow) => format!("✅ `{tool}` was allowed by {who}."),
            Self::Decided(Verdict::Deny) => format!("❌ `{tool}` was denied by {who}."),
            Self::Expired => format!("⌛ Nobody has answered about `{tool}` here; the question is closed."),
        }
    }

    /// Returns the final text of a prompt: the headline, and below it the request, as far as there is room.
    pub fn text(self, request: &Request, who: &str, limit: usize, unit: TextUnit) -> String {
        let headline = self.headline(request, who);
        let asked = abridge(&request.body(true), KEPT, TextUnit::Scalar);
        framed(&headline, &asked, "", limit, unit).unwrap_or(headline)
    }
}

/// Joins a head, a body in a code block, and a tail. If the result exceeds the limit, the body is shortened. Returns
/// `None` if nothing of the body is left.
fn framed(head: &str, body: &str, tail: &str, limit: usize, unit: TextUnit) -> Option<String> {
    if body.is_empty() {
        return None;
    }
    let whole = |body: &str| format!("{head}\n{}\n{tail}", fenced(body)).trim_end().to_owned();
    // The fence grows with the body, so the room for the body is found by trial.
    let mut room = limit.saturating_sub(unit.length(&whole(""))).saturating_sub(2);
    while room > 0 {
        let text = whole(&abridge(body, room, unit));
        let length = unit.length(&text);
        if length <= limit {
            return Some(text);
        }
        room = room.saturating_sub(length - limit);
    }
    None
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Request {
        serde_json::from_value(serde_json::json!({
            "request_id": "abcde", "tool_name": "Bash", "description": "List files", "input_preview": "{\"command\":\"ls\"}"
        }))
        .unwrap()
    }

    #[test]
    fn typed_answers_are_those_of_the_protocol() {
        let id = RequestId::parse("abcde").unwrap();
        for text in ["y abcde", "YES abcde", "  yes\tABCDE \n"] {
            assert_eq!(typed(text), Some((Verdict::Allow, id.clone())), "{text:?}");
        }
        for text in ["n abcde", "No AbCdE"] {
            assert_eq!(typed(text), Some((Verdict::Deny, id.clone())), "{text:?}");
        }
        for text in [
            "yes",
            "abcde",
            "yes abcd",
            "yes abcdef",
            "yes abcle",
            "yess abcde",
            "yes abcde!",
            "yes, abcde",
            "oh yes abcde",
            "",
        ] {
            assert_eq!(typed(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_button_means_what_it_was_made_for_and_nothing_else_does() {
        for button in request().buttons(true) {
            assert!(button.action.len() <= 64);
            assert_eq!(pressed(&button.action), Some((button.answer, request().id)));
        }
        for action in [
            "permission:allow",
            "permission:allow:abcde:x",
            "permission:allow:abcle",
            "allow:abcde",
            "other:allow:abcde",
            "",
        ] {
            assert_eq!(pressed(action), None, "{action:?}");
        }
    }

    #[test]
    fn a_request_without_a_proper_id_is_none() {
        for id in ["", "abcd", "abcle", "ab-de", "äbcd"] {
            let value = serde_json::json!({"request_id": id, "tool_name": "Bash"});
            assert!(serde_json::from_value::<Request>(value).is_err(), "{id}");
        }
    }

    #[test]
    fn a_prompt_fits_and_hides_nothing() {
        let mut request = request();
        request.description = format!("harmless ```\n\u{202e}evil\u{200b} {}", "x".repeat(4000));
        request.input_preview =
            format!("{{\"command\":\"rm -rf /\",\"filler\":\"{}\",\"end\":\"THE END\"}}", "y ".repeat(3000));
        for limit in [200, 400, 2000, 4096] {
            for unit in [TextUnit::Utf16, TextUnit::Scalar, TextUnit::Byte] {
                for details in [false, true] {
                    let text = request.prompt(details, limit, unit);
                    assert!(unit.length(&text) <= limit, "{limit} {unit:?}: {}", unit.length(&text));
                    assert!(text.contains("yes abcde") && text.contains("`Bash`"), "{text}");
                    assert!(!text.contains('\u{202e}') && !text.contains('\u{200b}'), "{text}");
                    if details && limit > 200 {
                        assert!(text.contains("THE END"), "{text}");
                    }
                    if limit > 200 {
                        assert!(text.contains("harmless"), "{text}");
                    }
                }
            }
        }
    }

    #[test]
    fn an_outcome_says_who() {
        let denied = Outcome::Decided(Verdict::Deny);
        assert_eq!(
            denied.text(&request(), "Ada", 4096, TextUnit::Scalar),
            "❌ `Bash` was denied by Ada.\n```\nList files\n\n{\"command\":\"ls\"}\n```"
        );
        // If there is no room for the request, the text is only the headline.
        assert_eq!(denied.text(&request(), "you", 30, TextUnit::Scalar), "❌ `Bash` was denied by you.");
        let long = Request { input_preview: "x".repeat(10_000), ..request() };
        let text = Outcome::Decided(Verdict::Allow).text(&long, "you", 100_000, TextUnit::Scalar);
        assert!(text.chars().count() < KEPT + 200, "{text}");
    }
}
