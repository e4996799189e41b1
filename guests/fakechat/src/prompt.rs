//! Questions with buttons: may the session do this? They go to those who may answer and to nobody else, so
//! the history has none of them.

use serde::{Deserialize, Serialize};
use tidegate_guest::{Audience, Button, Fault, Format, Outgoing, environment, page, state};

use crate::frame::{self, Prompt, ToPage};

/// How many are kept, decided ones among them.
const KEPT: usize = 32;

/// What those may have together, in bytes of JSON: the most that one value of a channel's state holds.
const ROOM: usize = 256 << 10;

const KEY: &str = "prompts";

/// Asks; the answer is the new prompt's id.
pub(crate) fn ask(outgoing: Outgoing) -> Result<String, Fault> {
    if !outgoing.uploads.is_empty() {
        return Err(Fault::Rejected("a fakechat message has either buttons or files: send two".into()));
    }
    let now = environment::now();
    let prompt = Prompt {
        id: frame::new_id('p', now, &environment::random(4)),
        text: outgoing.text,
        ts: now,
        plain: outgoing.format == Format::Plain,
        buttons: outgoing.buttons.into_iter().map(Into::into).collect(),
        decided: None,
    };
    let id = prompt.id.clone();
    let frame = ToPage::Prompt(&prompt).encode();
    let mut prompts = Prompts::load();
    prompts.0.push(prompt);
    prompts.store()?;
    page::push(Audience::Owner, &frame);
    Ok(id)
}

/// Changes a prompt; false where none has this id. Without buttons it is decided, and the text says how.
pub(crate) fn revise(id: &str, text: &str, format: Format, buttons: Vec<Button>) -> Result<bool, Fault> {
    let mut prompts = Prompts::load();
    let Some(prompt) = prompts.find(id) else {
        return Ok(false);
    };
    text.clone_into(&mut prompt.text);
    prompt.plain = format == Format::Plain;
    prompt.buttons = buttons.into_iter().map(Into::into).collect();
    prompt.decided = prompt.buttons.is_empty().then(environment::now);
    let frame = ToPage::Prompt(prompt).encode();
    prompts.store()?;
    page::push(Audience::Owner, &frame);
    Ok(true)
}

/// Shows whoever may answer what there is to answer, and what was. That there is nothing is news as well:
/// the page learns from it that it may.
pub(crate) fn show_all() {
    page::push(Audience::Owner, &ToPage::Prompts { prompts: &Prompts::load().0 }.encode());
}

/// Those that are kept, oldest first.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
struct Prompts(Vec<Prompt>);

impl Prompts {
    /// What another version has left and this one cannot read is gone.
    fn load() -> Self {
        state::get(KEY).and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    /// Fails where a single prompt is larger than [`ROOM`].
    fn store(mut self) -> Result<(), Fault> {
        let bytes = self.encode().map_err(|error| Fault::Rejected(error.to_string()))?;
        state::set(KEY, &bytes)
            .map_err(|reason| Fault::Rejected(format!("the prompt cannot be kept: {reason}")))
    }

    fn find(&mut self, id: &str) -> Option<&mut Prompt> {
        self.0.iter_mut().rev().find(|prompt| prompt.id == id)
    }

    /// The newest that fit.
    fn encode(&mut self) -> serde_json::Result<Vec<u8>> {
        loop {
            let bytes = serde_json::to_vec(self)?;
            let fits = self.0.len() <= KEPT && bytes.len() <= ROOM;
            if fits || self.0.len() <= 1 {
                return Ok(bytes);
            }
            self.0.remove(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prompts(count: usize, text: &str) -> Prompts {
        let prompt = |number| Prompt {
            id: format!("p{number}"),
            text: text.into(),
            ts: 0,
            plain: false,
            buttons: Vec::new(),
            decided: None,
        };
        Prompts((0..count).map(prompt).collect())
    }

    #[test]
    fn the_newest_that_fit_are_kept() {
        let half = "x".repeat(ROOM / 2);
        let whole = "x".repeat(ROOM);
        for (count, text, kept) in [
            (0, "short", 0),
            (1, "short", 1),
            (KEPT, "short", KEPT),
            (KEPT + 3, "short", KEPT),
            (3, &half, 1),
            // The host says no to this one: somebody is to hear of it.
            (3, &whole, 1),
        ] {
            let mut prompts = prompts(count, text);
            let bytes = prompts.encode().unwrap();
            let stored: Prompts = serde_json::from_slice(&bytes).unwrap();
            assert_eq!(stored, prompts);
            assert_eq!(stored.0.len(), kept, "of {count} with {} bytes", text.len());
            let newest = count.checked_sub(1).map(|number| format!("p{number}"));
            assert_eq!(stored.0.last().map(|prompt| prompt.id.clone()), newest);
        }
    }

    #[test]
    fn a_prompt_is_found_by_its_id() {
        let mut prompts = prompts(3, "text");
        assert_eq!(prompts.find("p1").map(|prompt| prompt.id.clone()).as_deref(), Some("p1"));
        assert_eq!(prompts.find("m1"), None);
    }
}
