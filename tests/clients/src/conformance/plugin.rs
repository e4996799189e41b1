//! Checks the channel as a plugin of the client: first without the program, then with it.

use std::{
    collections::BTreeMap,
    env, fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use super::{CHANNEL, calls, check_end};
use crate::{
    client::Client,
    description::{Description, Plugin, fill},
    dialog::Dialog,
    model::{Call, Model, Request, Script, ToolResult},
    page::{self, Page},
    server::Server,
    session::{Interactive, Workplace},
    step::{Outcome, Results, Step},
    wait,
};

/// The only tool of a plugin without the program.
const MISSING: &str = "tidegate_is_not_installed";
/// The text that the model then gets, in the instructions and from that tool.
const SAID: &str = "tidegate is not installed";
const STEPS: [&str; 2] = ["cargo xtask build", "open /mcp, choose"];
/// The text that the model sends once the program runs.
const TEXT: &str = "sent through the plugin";

pub(super) fn run(
    client: &Client,
    program: &Path,
    work: &Path,
    patience: Duration,
    results: &mut Results,
) -> anyhow::Result<()> {
    let Some(plugin) = &client.description.plugin else {
        for step in Step::PLUGIN {
            results.note(step, Outcome::Unavailable("it takes no plugins".into()));
        }
        return Ok(());
    };
    let work = work.join("plugin");
    let (home, project) = (work.join("home"), work.join("project"));
    for folder in [&home, &project] {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let server = Server::new(program, CHANNEL, "auto", &work, "plugin")?;
    let plugin = filled(plugin)?;
    let client = prepared(client, &plugin, &server, program);
    let script =
        Script::new(client.description.tool_name(&plugin.tools, "reply"), client.description.search.clone());
    let model = Model::start(script, &work.join("requests.jsonl"))?;
    let workplace = Workplace {
        client: &client,
        home,
        project,
        logs: work,
        model: model.address(),
        server: plugin.server.clone(),
        patience,
    };
    if !results.note_result(Step::PluginInstalled, install(&workplace, &plugin)) {
        return Ok(());
    }
    let session = Interactive::onboard(&workplace).and_then(|()| Interactive::start(&workplace, "plugin"));
    let session = match session {
        Ok(session) => session,
        Err(error) => {
            results.note_result(Step::PluginWithoutProgram, Err(error));
            return Ok(());
        }
    };
    let mut run =
        Run { plugin: &plugin, program, server: &server, model: &model, workplace: &workplace, session };
    run.all(results);
    results.note_result(Step::End, check_end(run.session.end(), &server));
    Ok(())
}

/// Returns the description with its placeholders filled in.
fn filled(plugin: &Plugin) -> anyhow::Result<Plugin> {
    let marketplace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize()?;
    let marketplace = marketplace.to_string_lossy();
    let fill = |text: &String| fill(text, &[("marketplace", &marketplace), ("plugin", CHANNEL)]);
    let mut plugin = plugin.clone();
    for text in plugin.install.iter_mut().flatten().chain(&mut plugin.arguments) {
        *text = fill(text);
    }
    for text in [&mut plugin.server, &mut plugin.tools, &mut plugin.data, &mut plugin.reconnect.done] {
        *text = fill(text);
    }
    Ok(plugin)
}

/// Returns the client as it is started here: with the plugin's messages, and without a tidegate on its `PATH`.
fn prepared(client: &Client, plugin: &Plugin, server: &Server, program: &Path) -> Client {
    let mut description: Description = client.description.clone();
    description.interactive.arguments.clone_from(&plugin.arguments);
    description.environment.extend(server.environment());
    let name = program.file_name().unwrap_or_default();
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).filter(|folder| !folder.join(name).exists());
    let path = env::join_paths(folders).unwrap_or_default();
    description.environment.insert("PATH".to_owned(), path.to_string_lossy().into_owned());
    Client { name: client.name.clone(), description, program: client.program.clone() }
}

/// Checks that the client accepts the plugin, and installs it.
fn install(workplace: &Workplace, plugin: &Plugin) -> anyhow::Result<()> {
    for arguments in &plugin.install {
        let mut command = workplace.command(arguments, &BTreeMap::new(), "install");
        let output = command
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("cannot start the client with {}", arguments.join(" ")))?;
        if !output.status.success() {
            bail!(
                "{} has ended with {}: {}{}",
                arguments.join(" "),
                output.status,
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
        }
    }
    Ok(())
}

struct Run<'a> {
    plugin: &'a Plugin,
    program: &'a Path,
    server: &'a Server,
    model: &'a Model,
    workplace: &'a Workplace<'a>,
    session: Interactive<'a>,
}

impl Run<'_> {
    fn all(&mut self, results: &mut Results) {
        results.note_result(Step::PluginWithoutProgram, self.without_program());
        if !results.note_result(Step::PluginReconnected, self.reconnect()) {
            return;
        }
        let refused = match self.refused() {
            Ok(refused) => refused,
            Err(error) => {
                results.note_result(Step::PluginChannel, Err(error));
                return;
            }
        };
        let outcome = match &refused {
            None => Outcome::Pass,
            Some(reason) => Outcome::Unavailable(reason.clone()),
        };
        results.note(Step::PluginChannel, outcome);
        results.note_result(Step::PluginTools, self.reply(refused.as_deref()));
    }

    /// Checks that the session learns what is missing, from the instructions and from a tool that lists the steps.
    fn without_program(&mut self) -> anyhow::Result<()> {
        let tool = self.tool(MISSING);
        let says = |request: &Request| {
            request.mentions(SAID) && STEPS.into_iter().all(|step| request.mentions(step))
        };
        // The client does not wait for its servers before the first prompt, and what comes later need not be loaded.
        let (told, offered) =
            self.ask("hello-plugin", &(true, true), |request| (says(request), request.offers(&tool)))?;
        if !told {
            bail!("the model is not told that tidegate is not installed, and what to do");
        }
        if !offered {
            bail!("the model does not have the tool {tool}");
        }
        let result = self.call("what-is-missing", MISSING, json!({}))?;
        if result.is_error || !STEPS.into_iter().all(|step| result.text.contains(step)) {
            bail!("the model got {result:?}");
        }
        Ok(())
    }

    /// Checks that, once the program is installed, the client's own command is enough: the session continues with the
    /// channel's tools.
    fn reconnect(&mut self) -> anyhow::Result<()> {
        let data: PathBuf = self.workplace.home.join(&self.plugin.data);
        if !data.is_dir() {
            bail!("the client has made no folder for the plugin's data: {}", data.display());
        }
        symlink(self.program, data.join("tidegate"))?;
        let reconnect = &self.plugin.reconnect;
        let dialogs: &[Dialog] = &reconnect.dialogs;
        self.session.choose(&reconnect.command, dialogs, &reconnect.done)?;
        // A client may go on listing the tool that is gone.
        let reply = self.tool("reply");
        if !self.ask("hello-program", &true, |request| request.offers(&reply))? {
            bail!("the model does not have {reply}");
        }
        Ok(())
    }

    /// Returns the client's reason if it receives no messages from the plugin, as the program reports it. A reason from
    /// the program itself is an error: it has not recognised the entry on the command line, or the client's log.
    fn refused(&mut self) -> anyhow::Result<Option<String>> {
        let known = self.workplace.client.description.verdict.as_ref();
        let report = wait::until("the program's word on the session", self.workplace.patience, || {
            self.session.alive()?;
            let report = self.server.status(self.program)?;
            let said = report.get("owner").is_some_and(Value::is_string)
                || session(&report, "client_says").is_some();
            Ok(said.then_some(report))
        })?;
        let Some(reason) = session(&report, "client_says") else { return Ok(None) };
        let why = session(&report, "why").unwrap_or_default();
        if why.contains(". Also, ") {
            bail!("the program takes the command line for one without the plugin: {why}");
        }
        if !known.is_some_and(|verdict| verdict.unavailable.contains(&reason)) {
            bail!("the client takes no messages: {reason}");
        }
        Ok(Some(reason))
    }

    /// Checks that the model's call reaches the program. If the program may not send, it answers with the client's
    /// reason.
    fn reply(&mut self, refused: Option<&str>) -> anyhow::Result<()> {
        let mut page = match refused {
            None => {
                Some(Page::open(self.server.port, None, self.workplace.patience, || self.session.alive())?)
            }
            Some(_) => None,
        };
        let result = self.call("please-send", "reply", json!({"chat_id": "web", "text": TEXT}))?;
        let expected = refused.unwrap_or("sent (id: ");
        if result.is_error != refused.is_some() || !result.text.contains(expected) {
            bail!("the model got {result:?}");
        }
        if let Some(page) = &mut page {
            let shown = |frame: &Value| {
                let found = page::is(frame, "msg") && frame.get("text").is_some_and(|text| text == TEXT);
                found.then_some(())
            };
            page.wait("the reply on the page", self.workplace.patience, || self.session.alive(), shown)?;
        }
        Ok(())
    }

    fn tool(&self, tool: &str) -> String {
        self.workplace.client.description.tool_name(&self.plugin.tools, tool)
    }

    /// Sends prompts until the model gets the expected value with one, and returns the last value.
    fn ask<T: PartialEq>(
        &mut self,
        prompt: &str,
        expected: &T,
        look: impl Fn(&Request) -> T,
    ) -> anyhow::Result<T> {
        let mut round = 0;
        loop {
            let text = format!("{prompt}-{round}.");
            self.session.say(&text)?;
            let patience = self.workplace.patience;
            let found = self.model.wait(
                "the prompt at the model",
                patience,
                || self.session.alive(),
                |request| (request.has_tools() && request.mentions(&text)).then(|| look(request)),
            )?;
            round += 1;
            if found == *expected || round == calls::ROUNDS {
                return Ok(found);
            }
        }
    }

    /// Makes the model call one of the plugin's tools, and returns the result that it gets.
    fn call(&mut self, cue: &str, tool: &str, input: Value) -> anyhow::Result<ToolResult> {
        let tool = self.tool(tool);
        self.model.expect(cue, Call { tool: tool.clone(), input });
        self.session.say(cue)?;
        let what = format!("the result of {tool} at the model");
        let patience = self.workplace.patience;
        self.model.wait(&what, patience, || self.session.alive(), |request| request.result_of(cue))
    }
}

/// Returns a text of the only session in the program's report.
fn session(report: &Value, field: &str) -> Option<String> {
    let text = report.pointer("/sessions/0")?.get(field)?.as_str()?;
    Some(text.to_owned())
}
