//! Permission prompts, which have buttons. They are sent only to browsers that may answer them, so they are not part of
//! the history.

use serde::{Deserialize, Serialize};
use tidegate_guest::{Audience, Button, Fault, Format, Outgoing, environment, page, state};

use crate::frame::{self, Prompt, ToPage};

/// The maximum number of stored prompts, including decided ones.
const KEPT: usize = 32;

/// The maximum size of the stored prompts, in bytes of JSON: the limit of one value of a channel's state.
const ROOM: usize = 256 << 10;

const KEY: &str = "prompts";

/// Shows a new prompt and returns its id.
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

/// Changes a prompt; returns false if there is none with this id. A prompt without buttons is decided, and its text
/// gives the decision.
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

/// Sends all open and decided prompts to the browsers that may answer. An empty list is sent too: it tells the page
/// that it may answer prompts.
pub(crate) fn show_all() {
    page::push(Audience::Owner, &ToPage::Prompts { prompts: &Prompts::load().0 }.encode());
}

/// The stored prompts, oldest first.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
struct Prompts(Vec<Prompt>);

impl Prompts {
    /// Loads the prompts. A value of another version that cannot be read counts as empty.
    fn load() -> Self {
        state::get(KEY).and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    /// Stores the prompts. Fails if a single prompt is larger than [`ROOM`].
    fn store(mut self) -> Result<(), Fault> {
        let bytes = self.encode().map_err(|error| Fault::Rejected(error.to_string()))?;
        state::set(KEY, &bytes)
            .map_err(|reason| Fault::Rejected(format!("the prompt cannot be kept: {reason}")))
    }

    fn find(&mut self, id: &str) -> Option<&mut Prompt> {
        self.0.iter_mut().rev().find(|prompt| prompt.id == id)
    }

    /// Encodes the newest prompts that fit.
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
            // The host refuses this one, and the caller gets the error.
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
