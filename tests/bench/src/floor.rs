//! The least that a fakechat server can be: no sandbox, no journal, no checks. What it takes, the machine takes;
//! the benchmark shows it beside tidegate's figures.

use std::{
    io::{BufRead as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::{Mutex, PoisonError},
};

use anyhow::Context as _;
use serde_json::{Value, json};
use tungstenite::{Message, WebSocket, protocol::Role};

pub(crate) fn run() -> anyhow::Result<()> {
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
