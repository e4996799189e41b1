//! Checks that messages and verdicts from the channel reach the client.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use serde_json::Value;

use super::{check_end, dialogs};
use crate::{
    description::fill_json,
    model::{Call, Model, PUSH},
    page::{self, Page},
    server::{self, Server},
    session::{Interactive, Workplace},
    step::{Outcome, Results, Step},
};

/// The message of the person at the page.
const TEXT: &str = "ping é😀 one";

pub(super) fn run(
    workplace: &Workplace,
    server: &Server,
    program: &Path,
    model: &Model,
    results: &mut Results,
) -> anyhow::Result<()> {
    let platform = dialogs::Platform::start(program, &workplace.logs)?;
    server::configure(&workplace.project.join(".mcp.json"), &[server, platform.server()])?;
    let mut session = match start(workplace) {
        Ok(session) => session,
        Err(error) => {
            results.note_result(Step::Push, Err(error));
            return Ok(());
        }
    };
    let mut channel = Channel { workplace, server, model, session: &mut session, answered: Vec::new() };
    channel.all(results);
    results.note(Step::Dialogs, platform.step(workplace, &mut session));
    let ended = session.end();
    results.note_result(Step::End, check_end(ended, server));
    Ok(())
}

fn start<'a>(workplace: &'a Workplace) -> anyhow::Result<Interactive<'a>> {
    // A client that cannot do without a terminal has had its first start before.
    if workplace.client.description.headless.is_some() {
        Interactive::onboard(workplace).context("the client's first start")?;
    }
    Interactive::start(workplace, "channel")
}

struct Channel<'a, 's> {
    workplace: &'a Workplace<'a>,
    server: &'a Server,
    model: &'a Model,
    session: &'a mut Interactive<'s>,
    /// The ids of the answered permission prompts.
    answered: Vec<Value>,
}

impl Channel<'_, '_> {
    fn all(&mut self, results: &mut Results) {
        if let Some(outcome) = self.refused() {
            for step in [Step::Push, Step::ReplyToPush, Step::Permission] {
                results.note(step, outcome.clone());
            }
            return;
        }
        let mut page = match self.page() {
            Ok(page) => page,
            Err(error) => {
                results.note_result(Step::Push, Err(error));
                return;
            }
        };
        if results.note_result(Step::Push, self.push(&mut page)) {
            results.note_result(Step::ReplyToPush, self.reply_to_push(&mut page));
        }
        results.note_result(Step::Permission, self.permission(&mut page));
    }

    /// Returns the outcome of all steps if the client does not receive messages from the channel.
    fn refused(&mut self) -> Option<Outcome> {
        let verdict = self.workplace.client.description.verdict.as_ref()?;
        match self.session.verdict(verdict) {
            Ok(Ok(())) => None,
            Ok(Err(reason)) if verdict.unavailable.contains(&reason) => Some(Outcome::Unavailable(reason)),
            Ok(Err(reason)) => Some(Outcome::Fail(format!("the client takes no messages: {reason}"))),
            Err(error) => Some(Outcome::Fail(format!("{error:#}"))),
        }
    }

    /// Opens the page of a person who may answer permission prompts.
    fn page(&mut self) -> anyhow::Result<Page> {
        let patience = self.workplace.patience;
        let key = self.server.key(patience, || self.session.alive());
        key.and_then(|key| Page::open(self.server.port, Some(&key), patience, || self.session.alive()))
            .with_context(|| format!("the server's log: {}", self.server.log_text()))
    }

    /// Checks that a message from the page reaches the model, with its chat.
    fn push(&mut self, page: &mut Page) -> anyhow::Result<()> {
        page.say("u1", TEXT)?;
        let tag = self.model.wait(
            "the message at the model",
            self.workplace.patience,
            || self.session.alive(),
            |request| request.channel_tags().into_iter().find(|tag| tag.text == TEXT),
        )?;
        for name in ["chat_id", "message_id", "user", "ts", "source"] {
            if tag.attributes.get(name).is_none_or(String::is_empty) {
                bail!("the attribute {name} is missing: the model got {tag:?}");
            }
        }
        Ok(())
    }

    /// Checks that the model's answer to the message appears on the page.
    fn reply_to_push(&mut self, page: &mut Page) -> anyhow::Result<()> {
        let expected = format!("echo: {TEXT}");
        page.wait(
            "the answer on the page",
            self.workplace.patience,
            || self.session.alive(),
            |frame| {
                let answers =
                    page::is(frame, "msg") && frame.get("text").is_some_and(|text| *text == expected);
                answers.then_some(())
            },
        )?;
        let result = self.model.wait(
            "the result of the reply at the model",
            self.workplace.patience,
            || self.session.alive(),
            |request| request.result_of(PUSH),
        )?;
        if result.is_error {
            bail!("the model got {result:?}");
        }
        Ok(())
    }

    /// Checks that a person at the page decides whether a tool runs: a denied call does not run, an allowed call runs.
    fn permission(&mut self, page: &mut Page) -> anyhow::Result<()> {
        let denied = self.decide(page, "please-deny-it", "Deny")?;
        let allowed = self.decide(page, "please-allow-it", "Allow")?;
        // A client may tell the model of a denial with the next prompt only: by now it has.
        let (deny, allow) = self.model.wait(
            "the result of the allowed call at the model",
            self.workplace.patience,
            || self.session.alive(),
            |request| Some((request.result_of("please-deny-it"), request.result_of("please-allow-it")?)),
        )?;
        if allow.is_error || !fs::exists(&allowed)? {
            bail!("what was allowed did not run: the model got {allow:?}");
        }
        if fs::exists(&denied)? || deny.as_ref().is_none_or(|result| !result.is_error) {
            bail!("what was denied is not taken as denied: the model got {deny:?}");
        }
        Ok(())
    }

    /// Makes the model call a tool that needs permission, and presses a button of the prompt on the page. Returns the
    /// file that the call creates if it runs.
    fn decide(&mut self, page: &mut Page, cue: &str, label: &str) -> anyhow::Result<PathBuf> {
        let file = self.workplace.project.join(format!("{cue}.txt"));
        let tool = &self.workplace.client.description.permission;
        let name = file.to_string_lossy();
        let input = fill_json(&tool.input, &[("file", &name)]);
        self.model.expect(cue, Call { tool: tool.tool.clone(), input });
        self.session.say(cue)?;
        // The prompt names the tool.
        let asks = |frame: &Value| {
            let text = frame.get("text").and_then(Value::as_str).unwrap_or_default();
            let new = frame.get("id").is_some_and(|id| !self.answered.contains(id));
            (page::is(frame, "prompt") && new && text.contains(&tool.tool)).then(|| frame.clone())
        };
        let patience = self.workplace.patience;
        let prompt =
            page.wait("the permission prompt on the page", patience, || self.session.alive(), asks)?;
        page.press(&prompt, label)?;
        // A prompt that was answered has no buttons.
        let answered = |frame: &Value| {
            let same = page::is(frame, "prompt") && frame.get("id") == prompt.get("id");
            let buttons = frame.get("buttons").and_then(Value::as_array);
            (same && buttons.is_none_or(Vec::is_empty)).then_some(())
        };
        page.wait("the answered prompt on the page", patience, || self.session.alive(), answered)?;
        self.answered.extend(prompt.get("id").cloned());
        Ok(file)
    }
}
