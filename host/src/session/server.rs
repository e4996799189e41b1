use std::{borrow::Cow, sync::Arc};

use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CallToolRequestParams, CallToolResponse, CustomRequest, CustomResult, ErrorCode,
        ExperimentalCapabilities, Implementation, InitializeResult, ListToolsResult, PaginatedRequestParams,
        ProtocolVersion, ServerCapabilities, ServerConfig, Tool,
    },
    service::{NotificationContext, RequestContext},
};
use serde_json::Value;

use super::{
    contract::{CHANNEL_CAPABILITY, PROTOCOL_VERSION},
    instructions, tools,
    wire::Wire,
};
use crate::hub::{Hub, Inbox};

/// The MCP server of one session.
pub(super) struct Server {
    hub: Hub,
    wire: Arc<Wire>,
    tools: Vec<Tool>,
}

impl Server {
    pub(super) fn new(hub: Hub, wire: Arc<Wire>) -> Self {
        wire.set_several(hub.channels().len() > 1);
        let tools = tools::list(&hub);
        Self { hub, wire, tools }
    }
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        let mut capabilities = ServerCapabilities::default();
        let mut experimental = ExperimentalCapabilities::new();
        experimental.insert(CHANNEL_CAPABILITY.to_owned(), serde_json::Map::new());
        capabilities.experimental = Some(experimental);
        if !self.tools.is_empty() {
            capabilities.tools = Some(rmcp::model::ToolsCapability::default());
        }
        let mut info = InitializeResult::new(capabilities)
            .with_server_info(Implementation::new("tidegate", env!("CARGO_PKG_VERSION")))
            .with_instructions(instructions::compose(&self.hub));
        info.protocol_version = PROTOCOL_VERSION;
        info
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        Cow::Borrowed(ProtocolVersion::known_up_to(&PROTOCOL_VERSION))
    }

    async fn on_initialized(&self, _context: NotificationContext<RoleServer>) {
        let inbox: Arc<dyn Inbox> = Arc::clone(&self.wire) as Arc<dyn Inbox>;
        self.hub.attach(&inbox);
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(self.tools.clone()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let arguments = request.arguments.unwrap_or_default();
        let called = if self.tools.iter().any(|tool| tool.name == request.name) {
            tools::call(&self.hub, &request.name, arguments).await
        } else {
            None
        };
        called.map(CallToolResponse::from).ok_or_else(|| {
            let names = self.tools.iter().map(|tool| &*tool.name).collect::<Vec<_>>().join(", ");
            ErrorData::invalid_params(format!("there is no tool {:?}; there is {names}", request.name), None)
        })
    }

    /// A request that is none of MCP's, or one whose parameters are of another shape.
    async fn on_custom_request(
        &self,
        request: CustomRequest,
        _context: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        let method = request.method;
        Err(if method == "tools/call" {
            let given = request.params.unwrap_or(Value::Null);
            let text = format!("tools/call takes {{\"name\": string, \"arguments\": object}}, not {given}");
            ErrorData::invalid_params(text, None)
        } else {
            ErrorData::new(ErrorCode::METHOD_NOT_FOUND, format!("there is no method {method:?}"), None)
        })
    }
}
