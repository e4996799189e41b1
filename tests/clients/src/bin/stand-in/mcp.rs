//! A running MCP server, controlled through lines of JSON-RPC.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{self, Receiver, Sender},
    thread,
};

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::Event;

pub(crate) struct Server {
    pub(crate) name: String,
    pub(crate) instructions: String,
    pub(crate) tools: Vec<Value>,
    child: Child,
    input: ChildStdin,
    answers: Receiver<Value>,
    last_id: u64,
}

impl Server {
    /// Starts it, does the handshake, and requests its tools. Its requests and notifications become events.
    pub(crate) fn start(name: &str, entry: &Value, events: Sender<Event>) -> anyhow::Result<Self> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let list = |field: &str| entry.get(field).and_then(Value::as_array).into_iter().flatten();
        let environment = entry.get("env").and_then(Value::as_object).into_iter().flatten();
        let mut child = Command::new(entry.get("command").map(text).context("a server has no command")?)
            .args(list("args").map(text))
            .envs(environment.map(|(name, value)| (name, text(value))))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let input = child.stdin.take().context("no input")?;
        let output = BufReader::new(child.stdout.take().context("no output")?);
        let (sender, answers) = mpsc::channel();
        let own = name.to_owned();
        thread::spawn(move || {
            for message in output.lines().map_while(|line| serde_json::from_str::<Value>(&line.ok()?).ok()) {
                // Nobody hears it once the client ends.
                if message.get("method").is_some() {
                    let _ = events.send(Event::Server(own.clone(), message));
                } else {
                    let _ = sender.send(message);
                }
            }
        });
        let mut server = Self {
            name: name.to_owned(),
            instructions: String::new(),
            tools: Vec::new(),
            child,
            input,
            answers,
            last_id: 0,
        };
        let own = json!({"name": "stand-in", "version": env!("CARGO_PKG_VERSION")});
        let hello = server.request(
            "initialize",
            &json!({"protocolVersion": "2025-11-25", "capabilities": {"elicitation": {}}, "clientInfo": own}),
        )?;
        server.instructions = hello.get("instructions").map(text).unwrap_or_default();
        server.notify("notifications/initialized", &json!({}))?;
        server.list_tools()?;
        Ok(server)
    }

    /// Requests its tools, which may have changed.
    pub(crate) fn list_tools(&mut self) -> anyhow::Result<()> {
        let tools = self.request("tools/list", &json!({}))?;
        self.tools = tools.get("tools").and_then(Value::as_array).cloned().unwrap_or_default();
        Ok(())
    }

    /// Sends a request and returns the result, or the error object.
    pub(crate) fn request(&mut self, method: &str, params: &Value) -> anyhow::Result<Value> {
        self.last_id += 1;
        let id = self.last_id;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))?;
        loop {
            let answer = self.answers.recv().with_context(|| format!("{} has gone", self.name))?;
            if answer.get("id").is_some_and(|found| *found == id) {
                return Ok(answer.get("result").or(answer.get("error")).cloned().unwrap_or_default());
            }
        }
    }

    pub(crate) fn notify(&mut self, method: &str, params: &Value) -> anyhow::Result<()> {
        self.send(&json!({"jsonrpc": "2.0", "method": method, "params": params}))
    }

    pub(crate) fn send(&mut self, message: &Value) -> anyhow::Result<()> {
        Ok(self.input.write_all(format!("{message}\n").as_bytes())?)
    }

    /// Closes its input, and waits for its end.
    pub(crate) fn end(self) -> anyhow::Result<()> {
        let Self { mut child, input, .. } = self;
        drop(input);
        child.wait()?;
        Ok(())
    }
}
