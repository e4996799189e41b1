//! A web channel's server on loopback: the guest's page, its WebSocket, files in both directions.

mod files;
mod origin;
mod page;
mod socket;
mod state;
mod upload;

use std::{net::Ipv4Addr, sync::Arc};

use axum::{
    Router,
    middleware::{self},
    routing::{any, get},
    serve::ListenerExt as _,
};
use tokio::task::JoinHandle;

use self::origin::Hosts;
use crate::{event::ChannelName, hub::Channel};

/// Bytes of what a request says that are logged: any website can send one, as often and as long as it likes.
const LOGGED: usize = 200;

/// A socket that listens on loopback.
pub struct Listener {
    listener: tokio::net::TcpListener,
    port: u16,
}

impl Listener {
    /// Listens on this port; 0 takes a free one. The error says what to do.
    pub fn bind(port: u16, channel: &ChannelName) -> Result<Self, String> {
        let bind = || {
            let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
            listener.set_nonblocking(true)?;
            let port = listener.local_addr()?.port();
            Ok(Self { listener: tokio::net::TcpListener::from_std(listener)?, port })
        };
        bind().map_err(|error: std::io::Error| {
            let variable = channel.variable("PORT");
            match error.kind() {
                std::io::ErrorKind::AddrInUse => format!(
                    "port {port} is taken by another program: end that one, or give this channel another port \
                     with {variable} or --port"
                ),
                std::io::ErrorKind::PermissionDenied => format!(
                    "port {port} is reserved for the system: give this channel one above 1023 with {variable} or --port"
                ),
                _ => format!("port {port} cannot be opened: {error}"),
            }
        })
    }

    /// Where the page is.
    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
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

    /// Where the page is.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Waits until the socket fails.
    pub async fn ended(&mut self) {
        // The other way out is a task that was aborted.
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
        // Frames are small and somebody waits for each.
        let _ = stream.set_nodelay(true);
    });
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!("{}: the page is gone: {error}", channel.name());
    }
}

/// The beginning of a part of a request, for the log.
fn brief(text: &str) -> &str {
    text.get(..text.floor_char_boundary(LOGGED)).unwrap_or_default()
}
