//! A web channel's server on loopback: the guest's page, its WebSocket, and files in both directions.

mod files;
pub mod link;
mod origin;
mod page;
mod socket;
mod state;
mod upload;

use std::{fmt, io, net::Ipv4Addr, sync::Arc};

use axum::{
    Router,
    middleware::{self},
    routing::{any, get},
    serve::ListenerExt as _,
};
use tokio::task::JoinHandle;

use self::origin::Hosts;
use crate::{event::ChannelName, hub::Channel};

/// The most bytes of a part of a request that are logged: any website can send a request, as often and as long as it
/// likes.
const LOGGED: usize = 200;

/// A socket that listens on loopback.
pub struct Listener {
    listener: tokio::net::TcpListener,
    port: u16,
}

impl Listener {
    /// Listens on this port; 0 means any free one. The error says what to do.
    pub fn bind(port: u16, channel: &ChannelName) -> Result<Self, String> {
        Self::open(port).map_err(|error| Unusable::new(port, channel, &error).to_string())
    }

    /// Checks whether this port could be listened on.
    pub fn check(port: u16, channel: &ChannelName) -> Result<(), Unusable> {
        Self::open(port).map(drop).map_err(|error| Unusable::new(port, channel, &error))
    }

    fn open(port: u16) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        Ok(Self { listener: tokio::net::TcpListener::from_std(listener)?, port })
    }

    /// Returns the address of the page.
    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

/// A port that cannot be listened on. The texts are sentences without a full stop at the end.
#[derive(Debug)]
pub struct Unusable {
    /// What is wrong.
    pub found: String,
    /// What a person can do about it.
    pub cure: String,
    /// Another program uses the port at the moment.
    pub in_use: bool,
}

impl Unusable {
    fn new(port: u16, channel: &ChannelName, error: &io::Error) -> Self {
        let give = format!("with --port, {} or channels.toml", channel.variable("PORT"));
        let (found, cure) = match error.kind() {
            io::ErrorKind::AddrInUse => (
                format!("port {port} is in use by another program"),
                format!("End that program, or give this channel another port {give}"),
            ),
            io::ErrorKind::PermissionDenied => (
                format!("port {port} is reserved for the system"),
                format!("Give this channel a port above 1023 {give}"),
            ),
            _ => (
                format!("port {port} cannot be opened ({error})"),
                format!("Give this channel another port {give}"),
            ),
        };
        Self { found, cure, in_use: error.kind() == io::ErrorKind::AddrInUse }
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}. {}", self.found, self.cure)
    }
}

/// A page that is being served.
pub struct Server {
    address: String,
    task: JoinHandle<()>,
}

impl Server {
    /// Serves a channel's page until this is dropped or the socket fails.
    pub fn start(listener: Listener, channel: &Arc<Channel>) -> Self {
        let address = listener.address();
        let channel = Arc::clone(channel);
        Self { address, task: tokio::spawn(async move { serve(listener, &channel).await }) }
    }

    /// Returns the address of the page.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Waits until the socket fails.
    pub async fn ended(&mut self) {
        // An error means that the task was aborted.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves the page until the socket fails.
async fn serve(listener: Listener, channel: &Arc<Channel>) {
    let Listener { listener, port } = listener;
    let hosts = Arc::new(Hosts::of(port));
    let router = Router::new()
        .route("/ws", any(socket::upgrade))
        .route("/files/{name}", get(files::serve))
        .route(state::PATH, get(state::show))
        .fallback(page::handle)
        .layer(middleware::from_fn_with_state(hosts, origin::check))
        .with_state(Arc::clone(channel));
    let listener = listener.tap_io(|stream| {
        // Frames are small, and a person waits for each.
        let _ = stream.set_nodelay(true);
    });
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!("{}: the page is gone: {error}", channel.name());
    }
}

/// Returns the beginning of a part of a request, for the log.
fn brief(text: &str) -> &str {
    text.get(..text.floor_char_boundary(LOGGED)).unwrap_or_default()
}
