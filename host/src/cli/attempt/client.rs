//! The client side of the stream.
#![expect(deprecated, reason = "a later revision of MCP drops roots; the one that carries channels has them")]

use rmcp::{
    ClientHandler, ErrorData, RoleClient, ServiceExt as _,
    model::{
        ClientCapabilities, ClientConfig, CustomNotification, ElicitRequestParams, ElicitResult,
        ElicitationAction, Implementation, ListRootsResult, PrimitiveSchemaDefinition, Root,
    },
    service::{NotificationContext, Peer, RequestContext, RunningService},
};
use serde_json::Value;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

use crate::{
    hub::Hub,
    session::{self, Attention, CHANNEL_NOTIFICATION, Dialogs, PERMISSION_VERDICT, PROTOCOL_VERSION},
};

/// The client side, which receives what a session would receive.
struct Client(mpsc::UnboundedSender<Arrival>);

/// The capacity of the stream between client and server, in bytes.
const STREAM: usize = 64 << 10;

/// A session within this process: a server, and a client that speaks to it like Claude Code. The session ends when this
/// is dropped.
pub(in crate::cli) struct LocalSession {
    client: RunningService<RoleClient, Client>,
    server: JoinHandle<()>,
}

impl LocalSession {
    /// Starts a session. The receiver yields what the server sends.
    pub(in crate::cli) async fn begin(
        hub: &Hub,
        dialogs: Dialogs,
        attention: Attention,
    ) -> anyhow::Result<(Self, mpsc::UnboundedReceiver<Arrival>)> {
        let (theirs, ours) = tokio::io::duplex(STREAM);
        let (reader, writer) = tokio::io::split(theirs);
        let server = tokio::spawn(session::serve(hub.clone(), dialogs, attention, reader, writer));
        let (events, arrived) = mpsc::unbounded_channel();
        let client = Client(events).serve(tokio::io::split(ours)).await?;
        Ok((Self { client, server }, arrived))
    }

    /// Returns the peer for calls to the server.
    pub(in crate::cli) fn peer(&self) -> Peer<RoleClient> {
        self.client.peer().clone()
    }
}

impl Drop for LocalSession {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// A message from the server.
pub(in crate::cli) enum Arrival {
    /// An event.
    Event(Value),
    /// A person on a channel has answered a permission request.
    Verdict(Value),
    /// A question for the person at this terminal. Only one question is open at a time.
    Question(Question),
    /// The open question no longer needs an answer.
    Settled,
}

/// A question that stays open until it is answered or settled.
pub(in crate::cli) struct Question {
    pub(in crate::cli) message: String,
    pub(in crate::cli) field: String,
    /// True if the answer is yes or no, false if it is a text.
    pub(in crate::cli) choice: bool,
    pub(in crate::cli) answer: oneshot::Sender<ElicitResult>,
}

impl ClientHandler for Client {
    fn get_info(&self) -> ClientConfig {
        let capabilities = ClientCapabilities::builder().enable_elicitation().enable_roots().build();
        ClientConfig::new(capabilities, Implementation::new("tidegate try", env!("CARGO_PKG_VERSION")))
            .with_protocol_version(PROTOCOL_VERSION)
    }

    async fn list_roots(&self, _context: RequestContext<RoleClient>) -> Result<ListRootsResult, ErrorData> {
        let folder = std::env::current_dir().unwrap_or_default();
        Ok(ListRootsResult::new(vec![Root::new(format!("file://{}", folder.display()))]))
    }

    async fn create_elicitation(
        &self,
        request: ElicitRequestParams,
        context: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        let ElicitRequestParams::FormElicitationParams { message, requested_schema, .. } = request else {
            return Ok(ElicitResult::new(ElicitationAction::Cancel));
        };
        let Some((field, schema)) = requested_schema.properties.into_iter().next() else {
            return Ok(ElicitResult::new(ElicitationAction::Cancel));
        };
        let choice = matches!(schema, PrimitiveSchemaDefinition::Boolean(_));
        let (answer, answered) = oneshot::channel();
        let _ = self.0.send(Arrival::Question(Question { message, field, choice, answer }));
        tokio::select! {
            answer = answered => Ok(answer.unwrap_or_else(|_| ElicitResult::new(ElicitationAction::Cancel))),
            () = context.ct.cancelled() => {
                let _ = self.0.send(Arrival::Settled);
                Ok(ElicitResult::new(ElicitationAction::Cancel))
            }
        }
    }

    async fn on_custom_notification(
        &self,
        notification: CustomNotification,
        _context: NotificationContext<RoleClient>,
    ) {
        let params = notification.params.unwrap_or_default();
        let arrival = match notification.method.as_str() {
            CHANNEL_NOTIFICATION => Arrival::Event(params),
            PERMISSION_VERDICT => Arrival::Verdict(params),
            _ => return,
        };
        // Fails only after the conversation has ended.
        let _ = self.0.send(arrival);
    }
}
