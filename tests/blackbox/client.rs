//! Tests with rmcp's client on the program's stdio.

use std::process::Stdio;

use rmcp::{
    ClientHandler, RoleClient, ServiceExt as _,
    model::{CallToolRequestParams, ClientConfig, CustomNotification, ProtocolVersion},
    service::NotificationContext,
};
use serde_json::{Value, json};
use tokio::{io::AsyncBufReadExt as _, sync::mpsc};

use crate::harness::{Home, Page};

struct Client(mpsc::UnboundedSender<Value>);

impl ClientHandler for Client {
    fn get_info(&self) -> ClientConfig {
        ClientConfig::default().with_protocol_version(ProtocolVersion::V_2025_11_25)
    }

    async fn on_custom_notification(&self, event: CustomNotification, _: NotificationContext<RoleClient>) {
        assert_eq!(event.method, "notifications/claude/channel");
        self.0.send(event.params.unwrap()).unwrap();
    }
}

#[tokio::test]
async fn a_message_goes_from_the_page_to_the_session_and_a_reply_back() {
    let home = Home::new();
    let mut command = tokio::process::Command::from(home.command(["serve", "fakechat", "--port", "0"]));
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut log = tokio::io::BufReader::new(child.stderr.take().unwrap()).lines();
    let port = loop {
        let line = log.next_line().await.unwrap().unwrap();
        if let Some((_, port)) = line.rsplit_once("http://127.0.0.1:") {
            break port.parse().unwrap();
        }
    };
    let (sender, mut events) = mpsc::unbounded_channel();
    let streams = (child.stdout.take().unwrap(), child.stdin.take().unwrap());
    let client = Client(sender).serve(streams).await.unwrap();

    let server = client.peer_info().unwrap();
    assert_eq!(server.protocol_version, ProtocolVersion::V_2025_11_25);
    assert_eq!(server.capabilities.experimental.as_ref().unwrap()["claude/channel"], serde_json::Map::new());
    assert!(server.instructions.as_ref().unwrap().contains("reply tool"));
    let tools = client.list_all_tools().await.unwrap();
    let names: Vec<&str> = tools.iter().map(|tool| &*tool.name).collect();
    assert_eq!(names, ["reply", "edit_message"], "just what fakechat can do");

    let mut page = tokio::task::spawn_blocking(move || {
        let mut page = Page::open(port);
        page.say("u1", "hello from the page");
        page
    })
    .await
    .unwrap();
    let event = events.recv().await.unwrap();
    assert_eq!(event["content"], "hello from the page");
    assert_eq!(event["meta"]["chat_id"], "web");
    assert_eq!(event["meta"]["message_id"], "u1");
    assert_eq!(event["meta"]["user"], "web");

    let arguments = json!({"chat_id": "web", "text": "hello from the session", "reply_to": "u1"});
    let call = CallToolRequestParams::new("reply").with_arguments(arguments.as_object().unwrap().clone());
    let result = client.call_tool(call).await.unwrap();
    let text = result.content[0].as_text().unwrap().text.clone();
    assert!(text.starts_with("sent (id: m") && result.is_error != Some(true), "{text}");

    let frame = tokio::task::spawn_blocking(move || page.wait("msg")).await.unwrap();
    assert_eq!(frame["text"], "hello from the session");
    assert_eq!(frame["from"], "assistant");
    assert_eq!(frame["replyTo"], "u1");

    client.cancel().await.unwrap();
    assert!(child.wait().await.unwrap().success());
}
