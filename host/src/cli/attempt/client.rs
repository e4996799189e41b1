//! The client's side of the stream.
#![expect(deprecated, reason = "a later revision of MCP drops roots; the one that carries channels has them")]

use rmcp::{
    ClientHandler, ErrorData, RoleClient,
    model::{
        ClientCapabilities, ClientConfig, CustomNotification, ElicitRequestParams, ElicitResult,
        ElicitationAction, Implementation, ListRootsResult, PrimitiveSchemaDefinition, Root,
    },
    service::{NotificationContext, RequestContext},
};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use crate::session::{CHANNEL_NOTIFICATION, PERMISSION_VERDICT, PROTOCOL_VERSION};

/// The client's side: it takes what a session would take.
pub(in crate::cli) struct Client(pub(in crate::cli) mpsc::UnboundedSender<Arrival>);

/// Something that came from the server.
pub(in crate::cli) enum Arrival {
    /// An event.
    Event(Value),
    /// A person on a channel has answered a permission request.
    Verdict(Value),
    /// The person here is asked something. Only one question is open at a time.
    Question(Question),
    /// The question that was open needs no answer any more.
    Settled,
}

/// It stays open until it is answered or settled.
pub(in crate::cli) struct Question {
    pub(in crate::cli) message: String,
    pub(in crate::cli) field: String,
    /// Yes or no is wanted, rather than a text.
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
        // Nobody listens any more when the conversation has ended.
        let _ = self.0.send(arrival);
    }
}
