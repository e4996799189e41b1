//! The WebSocket of a channel's page.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{
        RawQuery, State, WebSocketUpgrade,
        ws::{CloseFrame, Message, Utf8Bytes, WebSocket, close_code},
    },
    response::Response,
};
use futures_util::{
    FutureExt as _, SinkExt as _, StreamExt as _,
    stream::{SplitSink, SplitStream},
};
use tokio_util::sync::CancellationToken;

use super::state;
use crate::{
    capability::web::{Frames, Visit},
    gate::Origin,
    guest::WebSignal,
    hub::{Channel, Intake},
};

/// The largest frame that is passed to a guest, in bytes. Files are uploaded in another way.
const FRAME: usize = 1 << 20;

/// The largest frame that is read at all, in bytes. A browser that sends a frame between the two limits is told so; a
/// connection that ends while bytes are still arriving cannot tell the browser a reason.
const READ: usize = 16 << 20;

/// How long to wait until the browser has been told why its connection ends.
const FAREWELL: Duration = Duration::from_secs(1);

/// The most frames that are taken in together, with one commit and one write to the session.
const BATCH: usize = 256;

pub(super) async fn upgrade(
    State(channel): State<Arc<Channel>>,
    RawQuery(query): RawQuery,
    upgrade: WebSocketUpgrade,
) -> Response {
    // The query has `?key=…`, which the page takes from its link, and `host` if the page understands the host's own
    // frames.
    let query = query.unwrap_or_default();
    let replacements = channel.surroundings().page.replacements();
    let key = query.split('&').find_map(|pair| pair.strip_prefix("key="));
    let visit = Visit {
        owner: key.is_some_and(|key| channel.surroundings().page.key().matches(key)),
        hears_host: query.split('&').any(|pair| pair == "host"),
    };
    upgrade
        .max_message_size(READ)
        .max_frame_size(READ)
        .read_buffer_size(16 << 10)
        .on_upgrade(move |socket| async move { converse(&channel, socket, visit, replacements).await })
}

async fn converse(channel: &Arc<Channel>, socket: WebSocket, visit: Visit, replacements: u64) {
    if let Some(reason) = channel.deaf() {
        // A close frame may hold only a part of the reason. The page requests all of it: see `state`.
        let mut socket = socket;
        let farewell = Message::Close(Some(again(&reason)));
        let _ = tokio::time::timeout(FAREWELL, socket.send(farewell)).await;
        return;
    }
    let (connection, frames, cut_off) = channel.surroundings().page.open(visit);
    let is_outdated = || visit.owner && channel.surroundings().page.replacements() != replacements;
    if is_outdated() {
        // The key was replaced after it was checked.
        cut_off.cancel();
    }
    let origin = if visit.owner { Origin::Trusted } else { Origin::Visitor };
    let (sink, stream) = socket.split();
    let mut writer = tokio::spawn({
        let cut_off = cut_off.clone();
        async move {
            let mut sink = sink;
            // Without the cancellation, a browser that does not read would block this forever.
            let _ = cut_off.run_until_cancelled(write(&mut sink, frames)).await;
            sink
        }
    });
    signal(channel, connection, origin, [WebSignal::Opened]).await;
    let farewell = read(channel, connection, origin, stream, &cut_off).await;
    let farewell =
        if is_outdated() { Some(close(close_code::RESTART, "the key was replaced")) } else { farewell };
    signal(channel, connection, origin, [WebSignal::Closed]).await;
    channel.surroundings().page.close(connection);
    // The last frames go out, unless the browser does not read them.
    let written = tokio::time::timeout(FAREWELL, &mut writer).await;
    let sink = if let Ok(sink) = written {
        sink
    } else {
        cut_off.cancel();
        writer.await
    };
    if let Ok(mut sink) = sink
        && let Some(farewell) = farewell
    {
        let _ = tokio::time::timeout(FAREWELL, sink.send(Message::Close(Some(farewell)))).await;
    }
}

/// Sends frames until there are no more.
async fn write(sink: &mut SplitSink<WebSocket, Message>, mut frames: Frames) -> Result<(), axum::Error> {
    while let Some(frame) = frames.next().await {
        sink.feed(Message::Text(frame)).await?;
        while let Some(frame) = frames.ready() {
            sink.feed(Message::Text(frame)).await?;
        }
        sink.flush().await?;
    }
    Ok(())
}

/// Takes in frames until the connection ends. Returns the close frame to send, if any.
async fn read(
    channel: &Arc<Channel>,
    connection: u64,
    origin: Origin,
    mut stream: SplitStream<WebSocket>,
    cut_off: &CancellationToken,
) -> Option<CloseFrame> {
    let mut batch = Vec::new();
    loop {
        let Some(mut next) = cut_off.run_until_cancelled(stream.next()).await else {
            return Some(match channel.deaf() {
                Some(reason) => again(&reason),
                None => close(close_code::POLICY, "this browser reads too slowly"),
            });
        };
        let farewell = loop {
            match next {
                Some(Ok(Message::Text(text))) if text.len() > FRAME => break Some(Some(too_large())),
                Some(Ok(Message::Text(text))) => batch.push(WebSignal::Frame(text.as_str().to_owned())),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Binary(_))) => {
                    break Some(Some(close(
                        close_code::UNSUPPORTED,
                        "this channel accepts text frames only",
                    )));
                }
                Some(Ok(Message::Close(_))) | None => break Some(None),
                Some(Err(error)) => break Some(Some(explain(&error))),
            }
            if batch.len() == BATCH {
                break None;
            }
            match stream.next().now_or_never() {
                Some(ready) => next = ready,
                None => break None,
            }
        };
        let failed = signal(channel, connection, origin, batch.drain(..)).await;
        match (failed, farewell) {
            (Some(failed), _) => return Some(failed),
            (None, Some(farewell)) => return farewell,
            (None, None) => {}
        }
    }
}

/// Passes signals to the guest, one after the other. Stores what they bring, together, and waits until the session has
/// taken it. A signal that the guest fails on is left out; the close frame that tells the browser so is returned.
async fn signal(
    channel: &Arc<Channel>,
    connection: u64,
    origin: Origin,
    signals: impl IntoIterator<Item = WebSignal>,
) -> Option<CloseFrame> {
    channel.breathe().await;
    let mut intake = Intake::default();
    let mut failed = None;
    // Frames that arrive while no message can be taken in stay with the browser, which tries again.
    let refusal = state::refusal(channel).await;
    for signal in signals {
        if let Some(reason) = &refusal
            && matches!(signal, WebSignal::Frame(_))
        {
            failed = Some(again(reason));
            break;
        }
        match channel.guest().receive(connection, signal).await {
            Ok((news, fault)) => {
                if let Some(fault) = fault {
                    tracing::warn!("{}: a frame was refused: {fault}", channel.name());
                }
                intake.add(news);
                if intake.is_due()
                    && let Err(failure) = store(channel, origin, std::mem::take(&mut intake)).await
                {
                    return Some(failure);
                }
            }
            Err(error) => {
                tracing::warn!("{}: a frame was left out: {error}", channel.name());
                failed = Some(close(close_code::ERROR, "the channel failed on a frame"));
            }
        }
    }
    store(channel, origin, intake).await.err().or(failed)
}

/// Stores what has arrived, and waits until the session has taken it.
async fn store(channel: &Arc<Channel>, origin: Origin, intake: Intake) -> Result<(), CloseFrame> {
    match channel.take_in(origin, intake).await {
        Ok(deliveries) => {
            channel.deliver(deliveries).await;
            Ok(())
        }
        Err(error) => {
            tracing::error!("{}: {error}", channel.name());
            Err(close(close_code::ERROR, "a frame could not be stored"))
        }
    }
}

fn explain(error: &axum::Error) -> CloseFrame {
    let text = error.to_string();
    if text.contains("too long") || text.contains("too big") {
        too_large()
    } else if text.to_ascii_lowercase().contains("utf-8") {
        close(close_code::INVALID, "a frame was not UTF-8")
    } else {
        close(close_code::PROTOCOL, "a frame was malformed")
    }
}

fn too_large() -> CloseFrame {
    close(close_code::SIZE, "a frame may have 1 MiB: use /upload for files")
}

/// Returns the close frame that tells the browser to come back later, when this reason no longer holds.
fn again(reason: &str) -> CloseFrame {
    CloseFrame { code: close_code::AGAIN, reason: state::short(reason).into() }
}

fn close(code: u16, reason: &'static str) -> CloseFrame {
    CloseFrame { code, reason: Utf8Bytes::from_static(reason) }
}
