//! A client in a terminal: the run answers its dialogs and types prompts, like a person.

use std::{collections::BTreeMap, fs, process::ExitStatus, time::Duration};

use anyhow::{Context as _, bail};
use regex::Regex;
use terminal::Terminal;

use super::Workplace;
use crate::{
    description::{Form, Verdict, fill},
    dialog::{self, Dialog, Key},
    wait,
};

/// The time without any effect after which a key is pressed again: the client was not yet ready for it.
const UNHEARD: Duration = Duration::from_secs(5);

/// A client that waits for a prompt.
pub(crate) struct Interactive<'a> {
    workplace: &'a Workplace<'a>,
    terminal: Terminal,
    run: String,
}

impl<'a> Interactive<'a> {
    /// Starts the client, and answers its dialogs until it waits for a prompt.
    pub(crate) fn start(workplace: &'a Workplace, run: &str) -> anyhow::Result<Self> {
        Self::start_with(workplace, run, &BTreeMap::new())
    }

    /// Starts the client once and ends it, if its description requires a first start.
    pub(crate) fn onboard(workplace: &'a Workplace) -> anyhow::Result<()> {
        let Some(environment) = &workplace.client.description.interactive.onboarding else { return Ok(()) };
        let status = Self::start_with(workplace, "onboarding", environment)?.end()?;
        if !status.success() {
            bail!("the client's first start has ended with {status}");
        }
        Ok(())
    }

    fn start_with(
        workplace: &'a Workplace,
        run: &str,
        environment: &BTreeMap<String, String>,
    ) -> anyhow::Result<Self> {
        let description = &workplace.client.description;
        let command = workplace.command(&description.interactive.arguments, environment, run);
        let mut session = Self { workplace, terminal: Terminal::start(command)?, run: run.to_owned() };
        let ready = &description.interactive.ready;
        session.wait("the client's prompt", |session, screen| {
            if let Some(dialog) = dialog::open(&description.dialogs, screen) {
                session.answer(dialog)?;
                return Ok(None);
            }
            Ok(ready.iter().any(|text| screen.contains(text.as_str())).then_some(()))
        })?;
        Ok(session)
    }

    /// Chooses a dialog's answer, key by key: waits for the effect of each before the next.
    fn answer(&mut self, dialog: &Dialog) -> anyhow::Result<()> {
        let cursor = &self.workplace.client.description.interactive.cursor;
        let screen = self.terminal.screen();
        let Some(key) = dialog.key(&screen, cursor) else { return Ok(()) };
        let before = dialog::cursor_line(&screen, cursor);
        self.terminal.send(key.bytes())?;
        let moved = wait::until("the effect of a key", UNHEARD, || {
            let now = self.terminal.screen();
            let done = match key {
                Key::Enter => !now.contains(&dialog.shows),
                Key::Up | Key::Down => dialog::cursor_line(&now, cursor) != before,
            };
            Ok((done || self.terminal.ended()?.is_some()).then_some(()))
        });
        // Without an effect, the dialog is still there and is answered again.
        drop(moved);
        Ok(())
    }

    /// Checks the screen until `look` returns a value; the error shows the screen.
    fn wait<T>(
        &mut self,
        what: &str,
        mut look: impl FnMut(&mut Self, &str) -> anyhow::Result<Option<T>>,
    ) -> anyhow::Result<T> {
        let patience = self.workplace.patience;
        wait::until(what, patience, || {
            self.alive()?;
            let screen = self.terminal.screen();
            look(self, &screen)
        })
        .with_context(|| format!("the client's screen:\n{}", self.terminal.screen()))
    }

    /// Types a text and, once it is on the screen, Enter: a client treats Enter that arrives with the text as pasted.
    pub(crate) fn say(&mut self, text: &str) -> anyhow::Result<()> {
        self.write(text)?;
        self.terminal.send(Key::Enter.bytes())
    }

    /// Types a text, and waits until it is on the screen.
    fn write(&mut self, text: &str) -> anyhow::Result<()> {
        self.terminal.send(text.as_bytes())?;
        self.wait("what was typed", |_, screen| Ok(screen.contains(text).then_some(())))
    }

    /// Fills in a form of a server: waits for it, types the text, and accepts.
    pub(crate) fn fill_in(&mut self, form: &Form, text: &str) -> anyhow::Result<()> {
        self.wait("the form on the screen", |_, screen| Ok(screen.contains(&form.shows).then_some(())))?;
        self.write(text)?;
        let accept = Dialog { shows: form.shows.clone(), choose: Some(form.accept.clone()) };
        self.wait("the end of the form", |session, screen| {
            if !screen.contains(&form.shows) {
                return Ok(Some(()));
            }
            session.answer(&accept).map(|()| None)
        })
    }

    /// Types a command, and answers its dialogs until this text is on the screen.
    pub(crate) fn choose(&mut self, command: &str, dialogs: &[Dialog], done: &str) -> anyhow::Result<()> {
        self.say(command)?;
        self.wait(done, |session, screen| {
            if screen.contains(done) {
                return Ok(Some(()));
            }
            if let Some(dialog) = dialog::open(dialogs, screen) {
                session.answer(dialog)?;
            }
            Ok(None)
        })
    }

    /// Fails if the client has ended.
    pub(crate) fn alive(&mut self) -> anyhow::Result<()> {
        match self.terminal.ended()? {
            None => Ok(()),
            Some(status) => bail!("the client has ended with {status}"),
        }
    }

    /// Returns whether the client receives the channel's messages, from its log. The inner error is its reason if it
    /// does not.
    pub(crate) fn verdict(&mut self, verdict: &Verdict) -> anyhow::Result<Result<(), String>> {
        let pattern = fill(&verdict.pattern, &[("server", &self.workplace.server)]);
        let pattern = Regex::new(&pattern).context("verdict.pattern is not a regular expression")?;
        let log = self.workplace.log(&self.run);
        self.wait("the client's word on the channel in its log", |_, _| {
            let text = fs::read_to_string(&log).unwrap_or_default();
            Ok(pattern.captures_iter(&text).last().map(|found| match found.name("reason") {
                Some(reason) => Err(reason.as_str().trim().to_owned()),
                None => Ok(()),
            }))
        })
    }

    /// Ends the client through its own command.
    pub(crate) fn end(mut self) -> anyhow::Result<ExitStatus> {
        let exit = self.workplace.client.description.interactive.exit.clone();
        self.say(&exit)?;
        let patience = self.workplace.patience;
        self.terminal
            .wait_for_end(patience)
            .with_context(|| format!("the client's screen:\n{}", self.terminal.screen()))
    }
}
