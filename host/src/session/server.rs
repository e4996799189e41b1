//! The MCP server: handshake, instructions, tools and permission requests.

use std::{
    borrow::Cow,
    sync::{Arc, OnceLock},
    time::Duration,
};

use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CallToolRequestParams, CallToolResponse, CustomNotification, CustomRequest, CustomResult, ErrorCode,
        ExperimentalCapabilities, Implementation, InitializeResult, ListToolsResult, PaginatedRequestParams,
        PingRequest, ProtocolVersion, ServerCapabilities, ServerConfig, ServerRequest,
    },
    service::{NotificationContext, Peer, RequestContext, ServiceError},
};
use serde_json::Value;
use tokio::sync::watch;

use super::{
    Dialogs, approval,
    contract::{CHANNEL_CAPABILITY, PERMISSION_CAPABILITY, PERMISSION_REQUEST, PROTOCOL_VERSION},
    instructions,
    roots::Roots,
    tools,
    wire::Wire,
};
use crate::{
    clock,
    gate::permission::Request,
    hub::{Hub, Inbox, Loaded},
};

const PRODUCT: &str = "tidegate";

/// How long the client may take to write its log. It writes the log once a second; a busy machine takes longer.
const LOG_DELAY: Duration = Duration::from_secs(5);

/// Returns how this process introduces itself in the handshake, as `NAME VERSION`. It identifies the client's log of
/// this connection.
pub fn introduction() -> String {
    format!("{PRODUCT} {}", version())
}

/// Returns the version, with build metadata that no other process has.
fn version() -> &'static str {
    static VERSION: OnceLock<String> = OnceLock::new();
    VERSION.get_or_init(|| {
        let mut nonce = [0; 4];
        // Without random bytes, the process id is used.
        let nonce = getrandom::fill(&mut nonce).map_or(std::process::id(), |()| u32::from_le_bytes(nonce));
        format!("{}+{nonce:08x}", env!("CARGO_PKG_VERSION"))
    })
}

/// The MCP server of one session.
pub(super) struct Server {
    hub: Hub,
    wire: Arc<Wire>,
    /// The folders that the client works in.
    roots: Roots,
    dialogs: Dialogs,
}

impl Server {
    fn inbox(&self) -> Arc<dyn Inbox> {
        Arc::clone(&self.wire) as Arc<dyn Inbox>
    }

    pub(super) fn new(hub: Hub, dialogs: Dialogs, wire: Arc<Wire>) -> Self {
        wire.set_several(hub.loaded().several());
        Self { hub, wire, roots: Roots::default(), dialogs }
    }
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        let mut capabilities = ServerCapabilities::default();
        let mut experimental = ExperimentalCapabilities::new();
        experimental.insert(CHANNEL_CAPABILITY.to_owned(), serde_json::Map::new());
        let loaded = self.hub.loaded();
        // A channel that is being prepared may have to pass prompts on.
        let prompts = loaded.channels().iter().any(|channel| channel.grants().permission_prompts);
        if prompts || !loaded.preparing().is_empty() {
            experimental.insert(PERMISSION_CAPABILITY.to_owned(), serde_json::Map::new());
        }
        capabilities.experimental = Some(experimental);
        if !tools::offered(&loaded).is_empty() {
            let mut offered = rmcp::model::ToolsCapability::default();
            offered.list_changed = (!loaded.preparing().is_empty()).then_some(true);
            capabilities.tools = Some(offered);
        }
        let mut info = InitializeResult::new(capabilities)
            .with_server_info(Implementation::new(PRODUCT, version()))
            .with_instructions(instructions::compose(&loaded));
        info.protocol_version = PROTOCOL_VERSION;
        info
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        Cow::Borrowed(ProtocolVersion::known_up_to(&PROTOCOL_VERSION))
    }

    async fn on_initialized(&self, context: NotificationContext<RoleServer>) {
        let client = context.peer.peer_info();
        let asks = client.is_some_and(|client| client.capabilities.elicitation.is_some());
        if asks && self.dialogs == Dialogs::Believed {
            tokio::spawn(approval::ask(context.peer.clone(), self.wire.take_approvals()));
        }
        self.hub.attach(&self.inbox());
        tokio::spawn(check_receipts(Arc::clone(&self.wire), context.peer.clone()));
        tokio::spawn(tell_changes(self.hub.changes(), context.peer));
    }

    async fn on_roots_list_changed(&self, _context: NotificationContext<RoleServer>) {
        self.roots.forget();
    }

    async fn on_custom_notification(
        &self,
        notification: CustomNotification,
        _context: NotificationContext<RoleServer>,
    ) {
        if notification.method != PERMISSION_REQUEST {
            return tracing::debug!("passed over {:?}", notification.method);
        }
        match serde_json::from_value::<Request>(notification.params.unwrap_or_default()) {
            Ok(request) => self.hub.ask(&request, self.inbox()),
            Err(error) => tracing::warn!("a permission request cannot be passed on: {error}"),
        }
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(tools::list(&self.hub.loaded()).await))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let arguments = request.arguments.unwrap_or_default();
        let loaded = self.hub.loaded();
        let offered = tools::offered(&loaded);
        let Some(tool) = offered.iter().copied().find(|tool| tool.as_str() == request.name) else {
            let names = offered.iter().map(|tool| tool.as_str()).collect::<Vec<_>>().join(", ");
            let text = format!("there is no tool {:?}; there is {names}", request.name);
            return Err(ErrorData::invalid_params(text, None));
        };
        let folders =
            if tools::sends_files(&arguments) { self.roots.folders(&context.peer).await } else { Vec::new() };
        Ok(tools::call(&loaded, tool, arguments, folders).await.into())
    }

    /// Rejects a request that is not part of MCP, or whose parameters have another shape.
    async fn on_custom_request(
        &self,
        request: CustomRequest,
        _context: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        let method = request.method;
        Err(if method == "tools/call" {
            let given = request.params.unwrap_or(Value::Null);
            let text = format!("tools/call needs {{\"name\": string, \"arguments\": object}}, not {given}");
            ErrorData::invalid_params(text, None)
        } else {
            ErrorData::new(ErrorCode::METHOD_NOT_FOUND, format!("there is no method {method:?}"), None)
        })
    }
}

/// Pings the client when a receipt is overdue. The client processes its input in order: if it answers and its log still
/// does not confirm the message, it gives no receipts. A client that is stopped does not answer.
async fn check_receipts(wire: Arc<Wire>, peer: Peer<RoleServer>) {
    loop {
        let oldest = wire.overdue().await;
        let asked = clock::now();
        match peer.send_request(ServerRequest::PingRequest(PingRequest::default())).await {
            // A client that does not know `ping` has read it all the same.
            Ok(_) | Err(ServiceError::McpError(_)) => {}
            Err(_) => return,
        }
        tokio::time::sleep(LOG_DELAY).await;
        wire.give_up(oldest, asked);
    }
}

/// Tells the client that the list of tools has changed, each time a channel that was being prepared runs or fails.
async fn tell_changes(mut changes: watch::Receiver<Arc<Loaded>>, peer: Peer<RoleServer>) {
    while !changes.borrow_and_update().preparing().is_empty() {
        if changes.changed().await.is_err() || peer.notify_tool_list_changed().await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use rmcp::ServiceExt as _;
    use serde_json::json;
    use tokio::io::{
        AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream, Lines, ReadHalf, WriteHalf,
    };

    use super::*;
    use crate::{
        claude::{Basis, Heard, Reception, log::Word},
        event::ChannelName,
        hub::Relay,
        session::{Attention, transport::Transport},
    };

    /// A client that has registered the channel, and its session.
    struct Client {
        lines: Lines<BufReader<ReadHalf<DuplexStream>>>,
        writer: WriteHalf<DuplexStream>,
        wire: Arc<Wire>,
    }

    impl Client {
        async fn start() -> Self {
            let (ours, theirs) = tokio::io::duplex(64 << 10);
            let (_, reception) = watch::channel(Reception::Open(Basis::Log));
            let (heard, hearing) = tokio::sync::mpsc::unbounded_channel();
            heard.send(Heard::Word(Word::Registered { at: 0 })).unwrap();
            let (reader, writer) = tokio::io::split(theirs);
            let wire = Wire::new(Attention { reception, hearing }, writer);
            let (transport, _) = Transport::new(reader, Arc::clone(&wire));
            tokio::spawn(Arc::clone(&wire).drive());
            tokio::spawn(Arc::clone(&wire).attend());
            let hub = Hub::new(Loaded::default(), Arc::<Relay>::default());
            let server = Server::new(hub, Dialogs::Doubted, Arc::clone(&wire));
            tokio::spawn(async move { server.serve(transport).await.unwrap().waiting().await });
            let (reader, writer) = tokio::io::split(ours);
            let mut client = Self { lines: BufReader::new(reader).lines(), writer, wire };
            let initialize = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "c", "version": "1"}});
            client
                .send(&json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": initialize}))
                .await;
            assert_eq!(client.next().await["id"], 1);
            client.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await;
            client
        }

        async fn send(&mut self, line: &Value) {
            self.writer.write_all(format!("{line}\n").as_bytes()).await.unwrap();
        }

        async fn next(&mut self) -> Value {
            serde_json::from_str(&self.lines.next_line().await.unwrap().unwrap()).unwrap()
        }

        /// Writes a message that the client's log does not confirm. Returns the task that waits for its receipt.
        async fn unconfirmed(&mut self) -> tokio::task::JoinHandle<bool> {
            let channel = ChannelName::new("fakechat").unwrap();
            self.wire.notice(&channel, "hello");
            assert_eq!(self.next().await["params"]["content"], "hello");
            let wire = Arc::clone(&self.wire);
            let ticket = self.wire.send(|_| {});
            tokio::spawn(async move { wire.received(ticket).await })
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_answers_and_confirms_nothing_gives_no_receipts() {
        let mut client = Client::start().await;
        let received = client.unconfirmed().await;
        let ping = client.next().await;
        assert_eq!(ping["method"], "ping");
        assert!(!received.is_finished());
        client.send(&json!({"jsonrpc": "2.0", "id": ping["id"], "result": {}})).await;
        assert!(received.await.unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn of_a_client_that_is_stopped_nothing_counts_as_received() {
        let mut client = Client::start().await;
        let received = client.unconfirmed().await;
        assert_eq!(client.next().await["method"], "ping");
        tokio::time::sleep(Duration::from_hours(2)).await;
        assert!(!received.is_finished());
    }
}
