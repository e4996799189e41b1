//! One MCP connection: what a client sees of the channels.
//!
//! It runs on any pair of byte streams. Requests go through rmcp. Channel notifications are written to the wire
//! directly, because rmcp's own send path is too slow for them and keeps them in order only if they are sent one at a
//! time.

mod approval;
mod contract;
mod instructions;
mod receipt;
mod roots;
mod server;
mod tools;
mod transport;
mod wire;

use std::{sync::Arc, time::Duration};

use rmcp::ServiceExt as _;
use tokio::io::{AsyncRead, AsyncWrite};

pub use self::{
    contract::{
        CHANNEL_NOTIFICATION, PERMISSION_CAPABILITY, PERMISSION_REQUEST, PERMISSION_VERDICT, PROTOCOL_VERSION,
    },
    server::introduction,
    wire::Attention,
};
use self::{server::Server, transport::Transport, wire::Wire};
use crate::hub::Hub;

/// How long pending requests may take once the client has closed its side. The client may be a script that has written
/// all its lines and still reads the answers.
const GRACE: Duration = Duration::from_millis(40);

/// Whether a person is known to be at the client, so that the answers in its dialogs count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialogs {
    /// A person gives the answers.
    Believed,
    /// A script or a model could give the answers.
    Doubted,
}

/// Serves a client on these streams until it closes them.
pub async fn serve<R, W>(hub: Hub, dialogs: Dialogs, attention: Attention, reader: R, writer: W)
where
    R: AsyncRead + Unpin + Send + 'static,
    W: AsyncWrite + Send + 'static,
{
    let wire = Wire::new(attention, writer);
    let (transport, pending) = Transport::new(reader, Arc::clone(&wire));
    let driver = tokio::spawn(Arc::clone(&wire).drive());
    let attendant = tokio::spawn(Arc::clone(&wire).attend());
    let server = Server::new(hub, dialogs, Arc::clone(&wire));
    // rmcp waits for its handlers at the end, up to five seconds. In a separate task, this delays nothing.
    let service = tokio::spawn(async move {
        match server.serve(transport).await {
            Ok(running) => drop(running.waiting().await),
            Err(error) => tracing::debug!("the client did not initialize: {error}"),
        }
    });
    pending.closed().await;
    let finish = async {
        pending.answered().await;
        wire.flushed().await;
    };
    if tokio::time::timeout(GRACE, finish).await.is_err() {
        tracing::debug!("the client went while requests were under way");
    }
    service.abort();
    driver.abort();
    attendant.abort();
}
