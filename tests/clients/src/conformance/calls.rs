//! Checks the client's tool calls, at the model and at the page.

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use super::{CHANNEL, check_end};
use crate::{
    model::{Call, Model, Request, ToolResult},
    page::{self, Page},
    server::{self, Server},
    session::{Interactive, Session, Workplace},
    step::{Results, Step},
    wait,
};

/// fakechat's only chat.
const CHAT: &str = "web";
/// A text with characters beyond ASCII, and with characters that are special in JSON, HTML and Markdown.
const TEXT: &str = "hi <&> \"é😀\"\nline two";
const EDITED: &str = "edited";
/// A file that does not exist: sending it fails.
const MISSING: &str = "no-such-file.txt";
/// The maximum number of prompts until the client must know that the tools have changed.
pub(super) const ROUNDS: u32 = 20;
/// A part of the server's instructions.
const INSTRUCTIONS: &str = "Messages from outside arrive as <channel";

pub(super) fn run(workplace: &Workplace, server: &Server, model: &Model, results: &mut Results) {
    let session = start(workplace, server);
    let mut session = match session {
        Ok(session) => session,
        Err(error) => {
            results.note_result(Step::Handshake, Err(error));
            return;
        }
    };
    let mut calls = Calls { workplace, server, model, session: &mut session };
    if results.note_result(Step::Handshake, calls.handshake()) {
        results.note_result(Step::Tools, calls.tools());
        calls.all(results);
    }
    let ended = session.end(workplace.patience);
    results.note_result(Step::End, check_end(ended, server));
}

fn start<'a>(workplace: &'a Workplace, server: &Server) -> anyhow::Result<Session<'a>> {
    server::configure(&workplace.config(), &[server])?;
    if workplace.client.description.headless.is_none() {
        server::configure(&workplace.project.join(".mcp.json"), &[server])?;
        Interactive::onboard(workplace)?;
    }
    Session::start(workplace, "calls")
}

struct Calls<'a, 's> {
    workplace: &'a Workplace<'a>,
    server: &'a Server,
    model: &'a Model,
    session: &'a mut Session<'s>,
}

impl Calls<'_, '_> {
    /// Checks that the client has read the server's answer to `initialize`: its instructions reach the model.
    fn handshake(&mut self) -> anyhow::Result<()> {
        self.session.say("hello-there")?;
        let asked = |request: &Request| request.mentions("hello-there") && request.has_tools();
        let instructed = self.model.wait(
            "the first prompt at the model",
            self.workplace.patience,
            || self.session.alive(),
            |request| asked(request).then(|| request.mentions(INSTRUCTIONS)),
        )?;
        if !instructed {
            bail!(
                "the server's instructions did not reach the model; the server's log: {}",
                self.server.log_text()
            );
        }
        Ok(())
    }

    /// Checks that the model knows the tools' names, and has the schema of the tool for replies.
    ///
    /// A server that still compiles its channel lists more tools later and notifies the client
    /// (`notifications/tools/list_changed`): the tools after that count.
    fn tools(&mut self) -> anyhow::Result<()> {
        wait::until("the channel's page", self.workplace.patience, || {
            self.session.alive()?;
            Ok(self.server.is_listening().then_some(()))
        })
        .with_context(|| format!("the server's log: {}", self.server.log_text()))?;
        let mut outcome = Ok(());
        for round in 0..ROUNDS {
            outcome = self.listed(&format!("hello-again-{round}."));
            if outcome.is_ok() {
                break;
            }
            self.session.alive()?;
        }
        outcome
    }

    /// Sends a prompt, and checks the tools that the model gets with it.
    fn listed(&mut self, prompt: &str) -> anyhow::Result<()> {
        let description = &self.workplace.client.description;
        let [reply, edit] = ["reply", "edit_message"].map(|tool| description.tool_name(CHANNEL, tool));
        self.session.say(prompt)?;
        let (missing, loaded) = self.model.wait(
            "a prompt at the model",
            self.workplace.patience,
            || self.session.alive(),
            |request| {
                let missing = [&reply, &edit].into_iter().find(|tool| !request.mentions(tool)).cloned();
                (request.has_tools() && request.mentions(prompt)).then(|| (missing, request.loads(&reply)))
            },
        )?;
        if let Some(tool) = missing {
            bail!("the model is not told of {tool}");
        }
        if !loaded {
            bail!(
                "{reply} is listed but not loaded: the model has to search for it before it can answer a message. \
                 A tool whose `_meta` has \"anthropic/alwaysLoad\": true is loaded from the start"
            );
        }
        Ok(())
    }

    fn all(&mut self, results: &mut Results) {
        let page = Page::open(self.server.port, None, self.workplace.patience, || self.session.alive())
            .with_context(|| format!("the server's log: {}", self.server.log_text()));
        let mut page = match page {
            Ok(page) => page,
            Err(error) => {
                results.note_result(Step::Reply, Err(error));
                return;
            }
        };
        let replied = self.reply(&mut page);
        if let Ok(id) = &replied {
            results.note_result(Step::Edit, self.edit(&mut page, id));
        }
        results.note_result(Step::Reply, replied.map(drop));
        results.note_result(Step::FailingCall, self.failing_call());
    }

    /// Sends a reply and returns the message's id.
    fn reply(&mut self, page: &mut Page) -> anyhow::Result<String> {
        let result = self.call("please-reply", "reply", json!({"chat_id": CHAT, "text": TEXT}))?;
        if result.is_error || !result.text.contains("sent (id: ") {
            bail!("the model got {result:?}");
        }
        let shown = |frame: &Value| {
            let found = page::is(frame, "msg") && frame.get("text").is_some_and(|text| text == TEXT);
            found.then(|| frame.get("id").and_then(Value::as_str).map(str::to_owned))?
        };
        page.wait("the reply on the page", self.workplace.patience, || self.session.alive(), shown)
    }

    fn edit(&mut self, page: &mut Page, id: &str) -> anyhow::Result<()> {
        let input = json!({"chat_id": CHAT, "message_id": id, "text": EDITED});
        let result = self.call("please-edit", "edit_message", input)?;
        if result.is_error {
            bail!("the model got {result:?}");
        }
        let shown = |frame: &Value| {
            let edits = page::is(frame, "edit") && frame.get("id").is_some_and(|edited| edited == id);
            (edits && frame.get("text").is_some_and(|text| text == EDITED)).then_some(())
        };
        page.wait("the edit on the page", self.workplace.patience, || self.session.alive(), shown)
    }

    /// Checks that a refused call reaches the model as an error that says what failed.
    fn failing_call(&mut self) -> anyhow::Result<()> {
        let file = self.workplace.project.join(MISSING);
        let result =
            self.call("please-fail", "reply", json!({"chat_id": CHAT, "text": "x", "files": [file]}))?;
        if !result.is_error || !result.text.contains(MISSING) {
            bail!("the model got {result:?}");
        }
        Ok(())
    }

    /// Makes the model call one of the server's tools, and returns the result that it gets.
    fn call(&mut self, cue: &str, tool: &str, input: Value) -> anyhow::Result<ToolResult> {
        let tool = self.workplace.client.description.tool_name(CHANNEL, tool);
        self.model.expect(cue, Call { tool: tool.clone(), input });
        self.session.say(cue)?;
        self.model.wait(
            &format!("the result of {tool} at the model"),
            self.workplace.patience,
            || self.session.alive(),
            |request| request.result_of(cue),
        )
    }
}
