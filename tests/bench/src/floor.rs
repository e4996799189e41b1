//! Minimal servers for comparison: no sandbox, no journal, no checks. Their figures are the cost of the machine itself;
//! the benchmark shows them beside tidegate's figures.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::{Mutex, PoisonError},
};

use anyhow::Context as _;
use clap::Subcommand;
use serde_json::{Value, json};
use tungstenite::{Message, WebSocket, protocol::Role};

/// The kind of minimal server.
#[derive(Clone, Copy, Subcommand)]
pub(crate) enum Kind {
    /// A page
    Fakechat,
    /// A bot
    Telegram,
}

pub(crate) fn run(kind: Kind) -> anyhow::Result<()> {
    match kind {
        Kind::Fakechat => fakechat(),
        Kind::Telegram => telegram(),
    }
}

/// The environment variables of a bot's floor: `http://127.0.0.1:PORT`, and the token.
pub(crate) const ADDRESS: &str = "FLOOR_ADDRESS";
pub(crate) const TOKEN: &str = "FLOOR_TOKEN";

fn telegram() -> anyhow::Result<()> {
    let mut replies = Connection::open()?;
    let mut polls = None;
    for line in std::io::stdin().lock().lines() {
        let message: Value = serde_json::from_str(&line?)?;
        let Some(id) = message.get("id") else {
            // Nobody polls before there is a session.
            polls.get_or_insert_with(|| std::thread::spawn(poll));
            continue;
        };
        let result = if message.get("method").is_some_and(|method| method == "tools/call") {
            let arguments = message.pointer("/params/arguments").context("no arguments")?;
            let sent = replies.call(
                "sendMessage",
                &json!({"chat_id": arguments.get("chat_id"), "text": arguments.get("text")}),
            )?;
            json!({"content": [{"type": "text", "text": format!("sent (id: {})", sent.pointer("/result/message_id").context("no id")?)}]})
        } else {
            json!({"protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": {"name": "floor", "version": "0"}})
        };
        say(&json!({"jsonrpc": "2.0", "id": id, "result": result}))?;
    }
    Ok(())
}

fn poll() -> anyhow::Result<()> {
    let mut connection = Connection::open()?;
    let mut offset = 0;
    loop {
        let answer =
            connection.call("getUpdates", &json!({"offset": offset, "timeout": 50, "limit": 100}))?;
        let mut lines = String::new();
        for update in answer.get("result").and_then(Value::as_array).into_iter().flatten() {
            offset = update.get("update_id").and_then(Value::as_i64).context("no id")? + 1;
            let message = update.get("message").context("no message")?;
            let line = json!({
                "jsonrpc": "2.0", "method": "notifications/claude/channel",
                "params": {"content": message.get("text"), "meta": {"chat_id": message.pointer("/chat/id"), "message_id": message.get("message_id")}}
            });
            lines.push_str(&line.to_string());
            lines.push('\n');
        }
        std::io::stdout().lock().write_all(lines.as_bytes())?;
    }
}

fn say(line: &Value) -> anyhow::Result<()> {
    Ok(std::io::stdout().lock().write_all(format!("{line}\n").as_bytes())?)
}

/// An HTTP/1.1 connection with only the features that are needed here.
struct Connection {
    stream: BufReader<TcpStream>,
    token: String,
}

impl Connection {
    fn open() -> anyhow::Result<Self> {
        let address = std::env::var(ADDRESS)?;
        let stream = TcpStream::connect(address.trim_start_matches("http://"))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream), token: std::env::var(TOKEN)? })
    }

    fn call(&mut self, method: &str, body: &Value) -> anyhow::Result<Value> {
        let body = body.to_string();
        let request = format!(
            "POST /bot{}/{method} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.token,
            body.len()
        );
        self.stream.get_mut().write_all(request.as_bytes())?;
        let mut length = 0;
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line)?;
            if line.trim().is_empty() {
                break;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse()?;
            }
        }
        let mut answer = vec![0; length];
        self.stream.read_exact(&mut answer)?;
        Ok(serde_json::from_slice(&answer)?)
    }
}

fn fakechat() -> anyhow::Result<()> {
    let port: u16 = std::env::var("FAKECHAT_PORT")?.parse()?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    let page: &'static Mutex<Option<WebSocket<TcpStream>>> = Box::leak(Box::default());
    std::thread::spawn(move || listen(&listener, page));
    for line in std::io::stdin().lock().lines() {
        let message: Value = serde_json::from_str(&line?)?;
        let Some(id) = message.get("id") else { continue };
        let result = if message.get("method").is_some_and(|method| method == "tools/call") {
            let frame = json!({"type": "msg", "id": "m", "from": "assistant", "text": message.pointer("/params/arguments/text"), "ts": 0});
            if let Some(page) = page.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
                page.send(Message::text(frame.to_string()))?;
            }
            json!({"content": [{"type": "text", "text": "sent (id: m)"}]})
        } else {
            json!({"protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": {"name": "floor", "version": "0"}})
        };
        let mut line = json!({"jsonrpc": "2.0", "id": id, "result": result}).to_string();
        line.push('\n');
        std::io::stdout().lock().write_all(line.as_bytes())?;
    }
    Ok(())
}

fn listen(listener: &TcpListener, page: &Mutex<Option<WebSocket<TcpStream>>>) -> anyhow::Result<()> {
    loop {
        let (stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        let other = stream.try_clone()?;
        let mut socket = tungstenite::accept(stream).ok().context("no WebSocket")?;
        *page.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(WebSocket::from_raw_socket(other, Role::Server, None));
        while let Ok(message) = socket.read() {
            let Message::Text(text) = message else { continue };
            let frame: Value = serde_json::from_str(&text)?;
            let mut line = json!({
                "jsonrpc": "2.0", "method": "notifications/claude/channel",
                "params": {"content": frame.get("text"), "meta": {"chat_id": "web", "message_id": frame.get("id"), "user": "web"}}
            })
            .to_string();
            line.push('\n');
            std::io::stdout().lock().write_all(line.as_bytes())?;
        }
    }
}
