//! The loop of a coding agent: a prompt, the model's answer, the call of a tool, and so on.

use std::{
    collections::VecDeque,
    env,
    io::{Read as _, Write as _},
    net::TcpStream,
    process::Command,
    sync::mpsc::{Receiver, Sender},
};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use crate::{Event, Flaw, mcp::Server};

pub(crate) const CHANNEL_EVENT: &str = "notifications/claude/channel";
const PERMISSION_REQUEST: &str = "notifications/claude/channel/permission_request";
const PERMISSION_VERDICT: &str = "notifications/claude/channel/permission";

/// The tool that needs a permission.
const SHELL: &str = "Shell";
/// Five letters of a to z without l.
const REQUEST_IDS: [&str; 2] = ["abcde", "fghij"];

pub(crate) struct Agent {
    servers: Vec<Server>,
    events: Receiver<Event>,
    /// Events that arrived during the wait for another one.
    backlog: VecDeque<Event>,
    messages: Vec<Value>,
    channel: String,
    flaw: Option<Flaw>,
    /// `HOST:PORT` of the model.
    model: String,
    permissions: usize,
}

impl Agent {
    pub(crate) fn new(
        servers: Vec<Server>,
        events: Receiver<Event>,
        channel: String,
        flaw: Option<Flaw>,
    ) -> anyhow::Result<Self> {
        let address = env::var("STAND_IN_MODEL").context("STAND_IN_MODEL is not set")?;
        let model =
            address.strip_prefix("http://").context("the model is not at an http address")?.to_owned();
        let (backlog, messages) = (VecDeque::new(), Vec::new());
        Ok(Self { servers, events, backlog, messages, channel, flaw, model, permissions: 0 })
    }

    /// Ends all servers, and starts those of these names and entries.
    pub(crate) fn restart(
        &mut self,
        entries: &[(String, Value)],
        events: &Sender<Event>,
    ) -> anyhow::Result<()> {
        self.servers.drain(..).try_for_each(Server::end)?;
        for (name, entry) in entries {
            self.servers.push(Server::start(name, entry, events.clone())?);
        }
        Ok(())
    }

    /// Returns the next event.
    pub(crate) fn next(&mut self) -> anyhow::Result<Event> {
        match self.backlog.pop_front() {
            Some(event) => Ok(event),
            None => Ok(self.events.recv()?),
        }
    }

    /// Returns the next key. Events of servers in the meantime are kept for later.
    pub(crate) fn key(&mut self) -> anyhow::Result<Event> {
        loop {
            match self.events.recv()? {
                event @ Event::Server(..) => self.backlog.push_back(event),
                key => return Ok(key),
            }
        }
    }

    /// Answers a server's request.
    pub(crate) fn answer(&mut self, server: &str, request: &Value, result: &Value) -> anyhow::Result<()> {
        let answer = json!({"jsonrpc": "2.0", "id": request.get("id"), "result": result});
        self.server(server)?.send(&answer)
    }

    /// Sends a prompt, and handles all answers of the model.
    pub(crate) fn turn(&mut self, prompt: &str) -> anyhow::Result<()> {
        self.servers.iter_mut().try_for_each(Server::list_tools)?;
        self.messages.push(json!({"role": "user", "content": [{"type": "text", "text": prompt}]}));
        loop {
            let answer = self.ask()?;
            let block = answer.pointer("/content/0").context("the model says nothing")?.clone();
            self.messages.push(json!({"role": "assistant", "content": [block]}));
            if block.get("type").is_none_or(|kind| kind != "tool_use") {
                return Ok(());
            }
            let name = block.get("name").and_then(Value::as_str).context("no name")?;
            let (content, is_error) = self.call(name, block.get("input").unwrap_or(&Value::Null))?;
            let is_error = is_error && self.flaw != Some(Flaw::Rosy);
            let result = json!({
                "type": "tool_result", "tool_use_id": block.get("id"), "content": content, "is_error": is_error
            });
            self.messages.push(json!({"role": "user", "content": [result]}));
        }
    }

    fn server(&mut self, name: &str) -> anyhow::Result<&mut Server> {
        self.servers
            .iter_mut()
            .find(|server| server.name == name)
            .with_context(|| format!("no server {name}"))
    }

    /// Calls a tool; returns its result, and whether that is an error.
    fn call(&mut self, name: &str, input: &Value) -> anyhow::Result<(Value, bool)> {
        if name == SHELL {
            return self.run(input.get("command").and_then(Value::as_str).unwrap_or_default());
        }
        let Some((server, tool)) = name.split_once('/') else { bail!("no tool {name}") };
        let (server, tool) = (server.to_owned(), tool.to_owned());
        let result =
            self.server(&server)?.request("tools/call", &json!({"name": tool, "arguments": input}))?;
        let is_error = result.get("isError").is_some_and(|error| error == true);
        Ok((result.get("content").cloned().unwrap_or(result), is_error))
    }

    /// Runs a command, if a person on the channel allows it.
    fn run(&mut self, command: &str) -> anyhow::Result<(Value, bool)> {
        let id = *REQUEST_IDS.get(self.permissions).context("too many permissions")?;
        self.permissions += 1;
        let request = json!({
            "request_id": id, "tool_name": SHELL, "description": "Runs a command",
            "input_preview": json!({"command": command}).to_string()
        });
        let channel = self.channel.clone();
        self.server(&channel)?.notify(PERMISSION_REQUEST, &request)?;
        let behavior = loop {
            let event = self.events.recv()?;
            if let Event::Server(_, message) = &event
                && message.get("method").is_some_and(|method| method == PERMISSION_VERDICT)
                && message.pointer("/params/request_id").is_some_and(|answered| answered == id)
            {
                break message.pointer("/params/behavior").cloned().unwrap_or_default();
            }
            self.backlog.push_back(event);
        };
        if behavior != "allow" && self.flaw != Some(Flaw::Disobedient) {
            return Ok(("the user does not want this".into(), true));
        }
        let status = Command::new("/bin/sh").args(["-c", command]).status()?;
        Ok(("done".into(), !status.success()))
    }

    /// Sends one request to the model, over HTTP/1.0: the answer ends with the connection.
    fn ask(&self) -> anyhow::Result<Value> {
        let instructions: Vec<&str> =
            self.servers.iter().map(|server| server.instructions.as_str()).collect();
        let system = if self.flaw == Some(Flaw::Unread) { String::new() } else { instructions.join("\n\n") };
        let body = json!({
            "model": "any", "system": system, "tools": self.tools(), "messages": self.messages
        })
        .to_string();
        let mut stream = TcpStream::connect(&self.model)?;
        write!(stream, "POST /v1/messages HTTP/1.0\r\ncontent-length: {}\r\n\r\n{body}", body.len())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (_, body) = answer.split_once("\r\n\r\n").context("no answer from the model")?;
        Ok(serde_json::from_str(body)?)
    }

    fn tools(&self) -> Vec<Value> {
        let tools =
            self.servers.iter().flat_map(|server| server.tools.iter().map(move |tool| (server, tool)));
        let mut tools: Vec<Value> = tools
            .map(|(server, tool)| {
                let name = tool.get("name").and_then(Value::as_str).unwrap_or_default();
                let name = format!("{}/{name}", server.name);
                let deferred = self.flaw == Some(Flaw::Unloaded);
                json!({"name": name, "input_schema": tool.get("inputSchema"), "defer_loading": deferred})
            })
            .collect();
        tools.push(json!({"name": SHELL, "input_schema": {"type": "object"}}));
        tools
    }

    /// Ends all servers.
    pub(crate) fn end(self) -> anyhow::Result<()> {
        self.servers.into_iter().try_for_each(Server::end)
    }
}
