//! Permission requests of a session, as people are asked about them.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::text::{TextUnit, abridge, fenced, visible};

/// What marks a button as one of ours.
const ACTION: &str = "permission";

/// How much of what was asked stays below a prompt that is settled, in characters.
const KEPT: usize = 1000;

/// What a request is called: five letters of a to z, without l.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct RequestId(String);

impl RequestId {
    /// In any case; None if it cannot be one.
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

/// A session asks whether a tool may run. The texts are what the model wants to do: nobody's word but its own.
#[derive(Clone, Debug, Deserialize)]
pub struct Request {
    /// Five letters.
    #[serde(rename = "request_id", deserialize_with = "request_id")]
    pub id: RequestId,
    /// Which tool.
    pub tool_name: String,
    /// What for.
    #[serde(default)]
    pub description: String,
    /// What it would be given.
    #[serde(default)]
    pub input_preview: String,
}

fn request_id<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<RequestId, D::Error> {
    let text = String::deserialize(deserializer)?;
    RequestId::parse(&text)
        .ok_or_else(|| serde::de::Error::custom("request_id must be five letters of a to z without l"))
}

/// May the tool run?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Yes.
    Allow,
    /// No.
    Deny,
}

/// What an approver does about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Decides.
    Verdict(Verdict),
    /// Wants to see all of it.
    Details,
}

/// How a request stands, as far as one channel is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Waits for an answer, which may come from here.
    Open,
    /// Was answered, or has expired.
    Settled,
    /// Nobody here was asked.
    Unknown,
}

/// A button below a prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Button {
    /// What comes back when it is pressed.
    pub action: String,
    /// What stands on it.
    pub label: &'static str,
    /// What it does.
    pub answer: Answer,
}

/// A typed answer: `yes abcde`, `n abcde`, in any case.
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

/// What a pressed button means, if it is one of ours.
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
    /// The buttons of a prompt; without `details` once they are shown.
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

    /// Is there more to see than the short form has?
    pub fn has_details(&self) -> bool {
        !self.input_preview.trim().is_empty()
    }

    /// The text of a prompt as Markdown, no longer than this. What the model wrote stands in code, with whatever is
    /// invisible made visible; where it is too long, both of its ends are there.
    pub fn prompt(&self, details: bool, limit: usize, unit: TextUnit) -> String {
        let head = format!("🔐 Claude wants to use `{}`. Allow it?", self.tool());
        let tail = format!("Answer with `yes {id}` or `no {id}`.", id = self.id);
        framed(&head, &self.body(details), &tail, limit, unit).unwrap_or_else(|| format!("{head}\n\n{tail}"))
    }

    /// The tool's name, as it can stand in code.
    fn tool(&self) -> String {
        abridge(&visible(&one_line(&self.tool_name)), 60, TextUnit::Scalar).replace('`', "'")
    }

    /// What the model wrote, with everything invisible made visible.
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

/// How a request has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Somebody has decided.
    Decided(Verdict),
    /// Nobody has.
    Expired,
}

impl Outcome {
    /// One sentence, as Markdown. `who` has decided: a name, or `you`.
    pub fn headline(self, request: &Request, who: &str) -> String {
        let tool = request.tool();
        match self {
            Self::Decided(Verdict::Allow) => format!("✅ `{tool}` was allowed by {who}."),
            Self::Decided(Verdict::Deny) => format!("❌ `{tool}` was denied by {who}."),
            Self::Expired => format!("⌛ Nobody has answered about `{tool}` here; the question is closed."),
        }
    }

    /// What a prompt says from then on: the headline, and below it what was asked, as far as there is room.
    pub fn text(self, request: &Request, who: &str, limit: usize, unit: TextUnit) -> String {
        let headline = self.headline(request, who);
        let asked = abridge(&request.body(true), KEPT, TextUnit::Scalar);
        framed(&headline, &asked, "", limit, unit).unwrap_or(headline)
    }
}

/// A head, a body in code, and a tail, no longer than the limit: the body gives way. None where nothing is left of it.
fn framed(head: &str, body: &str, tail: &str, limit: usize, unit: TextUnit) -> Option<String> {
    if body.is_empty() {
        return None;
    }
    let whole = |body: &str| format!("{head}\n{}\n{tail}", fenced(body)).trim_end().to_owned();
    // The fence grows with what it fences, so that the room for the body is found by trying.
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
        // Where there is no room for what was asked, the outcome is all.
        assert_eq!(denied.text(&request(), "you", 30, TextUnit::Scalar), "❌ `Bash` was denied by you.");
        let long = Request { input_preview: "x".repeat(10_000), ..request() };
        let text = Outcome::Decided(Verdict::Allow).text(&long, "you", 100_000, TextUnit::Scalar);
        assert!(text.chars().count() < KEPT + 200, "{text}");
    }
}
