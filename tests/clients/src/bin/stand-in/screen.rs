//! The terminal: its text, and its keys.

use std::{
    io::{Read as _, Stdout, Write as _},
    sync::mpsc::{Receiver, Sender},
    thread,
};

use anyhow::{Context as _, bail};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
use serde_json::{Value, json};

use crate::{Event, agent::Agent};

/// The meaning of a key.
pub(crate) enum Key {
    Up,
    Down,
    Enter,
    Text(String),
}

/// This program's terminal.
pub(crate) struct Screen {
    output: Stdout,
}

impl Screen {
    /// Opens the terminal: keys become events.
    pub(crate) fn take(events: Sender<Event>) -> anyhow::Result<Self> {
        let mut mode = tcgetattr(std::io::stdin()).context("this is no terminal")?;
        mode.make_raw();
        tcsetattr(std::io::stdin(), OptionalActions::Now, &mode)?;
        thread::spawn(move || {
            let mut bytes = [0; 1024];
            while let Ok(length @ 1..) = std::io::stdin().read(&mut bytes) {
                let text = String::from_utf8_lossy(bytes.get(..length).unwrap_or_default()).into_owned();
                for key in keys(&text) {
                    let _ = events.send(Event::Key(key));
                }
            }
            let _ = events.send(Event::Closed);
        });
        Ok(Self { output: std::io::stdout() })
    }

    pub(crate) fn draw(&self, lines: &[&str]) -> anyhow::Result<()> {
        let mut output = self.output.lock();
        write!(output, "\x1b[2J\x1b[H{}", lines.join("\r\n"))?;
        Ok(output.flush()?)
    }

    /// Shows options and returns the chosen one.
    pub(crate) fn choose(
        &self,
        events: &Receiver<Event>,
        question: &str,
        options: &[&str],
    ) -> anyhow::Result<usize> {
        let mut at = 0;
        loop {
            let marked = options.iter().enumerate().map(|(number, option)| {
                let cursor = if number == at { "❯" } else { " " };
                format!("{cursor} {}. {option}", number + 1)
            });
            let marked: Vec<String> = marked.collect();
            let lines: Vec<&str> =
                std::iter::once(question).chain(marked.iter().map(String::as_str)).collect();
            self.draw(&lines)?;
            match events.recv()? {
                Event::Key(Key::Up) => at = at.saturating_sub(1),
                Event::Key(Key::Down) => at = (at + 1).min(options.len() - 1),
                Event::Key(Key::Enter) => return Ok(at),
                Event::Closed => bail!("the terminal is gone"),
                Event::Key(Key::Text(_)) | Event::Server(..) => {}
            }
        }
    }

    /// Asks for the only field of a form; returns the result for the server's request.
    pub(crate) fn fill_in(&self, agent: &mut Agent, request: &Value) -> anyhow::Result<Value> {
        let message = request.pointer("/params/message").and_then(Value::as_str).unwrap_or_default();
        let fields = request.pointer("/params/requestedSchema/properties").and_then(Value::as_object);
        let field = fields.and_then(|fields| fields.keys().next()).context("a form without a field")?;
        let (mut typed, mut at_accept) = (String::new(), false);
        loop {
            let [field_cursor, accept_cursor] = if at_accept { [" ", "❯"] } else { ["❯", " "] };
            self.draw(&[
                "A server has a question",
                message,
                &format!("{field_cursor} {field}: {typed}"),
                &format!("{accept_cursor} Send"),
            ])?;
            match agent.key()? {
                Event::Key(Key::Up) => at_accept = false,
                Event::Key(Key::Down) => at_accept = true,
                Event::Key(Key::Enter) if at_accept => {
                    return Ok(json!({"action": "accept", "content": {(field.as_str()): typed}}));
                }
                Event::Key(Key::Text(text)) if !at_accept => typed.push_str(&text),
                Event::Closed => bail!("the terminal is gone"),
                _ => {}
            }
        }
    }
}

fn keys(mut text: &str) -> Vec<Key> {
    let mut keys = Vec::new();
    while !text.is_empty() {
        if let Some(rest) = text.strip_prefix("\x1b[A") {
            keys.push(Key::Up);
            text = rest;
        } else if let Some(rest) = text.strip_prefix("\x1b[B") {
            keys.push(Key::Down);
            text = rest;
        } else if let Some(rest) = text.strip_prefix('\r') {
            keys.push(Key::Enter);
            text = rest;
        } else {
            let end = text.find(['\r', '\x1b']).unwrap_or(text.len()).max(1);
            let (typed, rest) = text.split_at(end);
            keys.push(Key::Text(typed.to_owned()));
            text = rest;
        }
    }
    keys
}
