//! Handles HTTP requests, and applies faults.

use std::{
    convert::Infallible,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{ConnectInfo, Request as HttpRequest, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use futures_util::stream;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};
use tokio::sync::watch;

use crate::{
    error::ApiError,
    fault::{Damage, Fault, Faults},
    method,
    poll::{Polled, Waiting, Wake},
    record::{Call, Record},
    request::Request,
    wire::Doom,
    world::World,
};

/// The name of downloads in faults and records.
const FILE: &str = "file";
/// The size of the pieces of a large answer, in bytes.
const PIECE: usize = 1 << 16;

/// The data that survive a restart.
pub(crate) struct Shared {
    world: Mutex<World>,
    faults: Mutex<Faults>,
    pub(crate) record: Record,
    /// The added round trip, in microseconds.
    latency: AtomicU64,
    /// Changes when held answers may be sent.
    released: watch::Sender<()>,
}

impl Shared {
    pub(crate) fn new(token: String) -> Self {
        Self {
            world: Mutex::new(World::new(token)),
            faults: Mutex::default(),
            record: Record::default(),
            latency: AtomicU64::new(0),
            released: watch::Sender::default(),
        }
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends every held answer.
    pub(crate) fn release(&self) {
        self.released.send_replace(());
    }

    pub(crate) fn set_latency(&self, latency: Duration) {
        self.latency.store(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Waits for half of the added round trip.
    async fn travel(&self) {
        let half = self.latency.load(Ordering::Relaxed) / 2;
        if half > 0 {
            tokio::time::sleep(Duration::from_micros(half)).await;
        }
    }

    fn authorise(&self, token: &str) -> Result<(), ApiError> {
        if self.world().token.as_deref() == Some(token) { Ok(()) } else { Err(ApiError::unauthorized()) }
    }
}

/// The target of a path.
enum Target {
    Method { token: String, name: String },
    File { token: String, path: String },
}

impl Target {
    fn parse(path: &str) -> Option<Self> {
        let path = percent_decode_str(path).decode_utf8().ok()?;
        if let Some(rest) = path.strip_prefix("/file/bot") {
            let (token, path) = rest.split_once('/')?;
            return Some(Self::File { token: token.to_owned(), path: path.to_owned() });
        }
        let (token, name) = path.strip_prefix("/bot")?.split_once('/')?;
        Some(Self::Method { token: token.to_owned(), name: name.trim_end_matches('/').to_owned() })
    }
}

pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new().fallback(serve).with_state(shared)
}

async fn serve(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(doom): ConnectInfo<Doom>,
    request: HttpRequest,
) -> Response {
    shared.travel().await;
    let (parts, body) = request.into_parts();
    let answer = match Target::parse(parts.uri.path()) {
        None => refused(&ApiError::new(404, "Not Found")),
        Some(Target::File { token, path }) => download(&shared, &doom, &token, &path).await,
        Some(Target::Method { token, name }) => {
            // All of it, whatever becomes of it: else the connection ends in a reset.
            match (Request::read(&parts, body).await, shared.authorise(&token)) {
                (_, Err(error)) | (Err(error), _) => refused(&error),
                (Ok(request), Ok(())) => match method::named(&name) {
                    None => refused(&ApiError::new(404, "Not Found: method not found")),
                    Some(method) => call(&shared, &doom, method, request).await,
                },
            }
        }
    };
    shared.travel().await;
    answer
}

async fn call(shared: &Shared, doom: &Doom, method: &'static str, request: Request) -> Response {
    let at = Instant::now();
    // Before it is noted: whoever has seen the note may release the answer.
    let released = shared.released.subscribe();
    let fault = shared.faults().next(method);
    let handled = fault.as_ref().is_none_or(Fault::is_handled);
    let faulted = fault.is_some();
    let note = |request: Request, error: Option<ApiError>, sent| {
        let Request { parameters, files } = request;
        shared.record.note(Call { method, parameters, files, at, faulted, error }, sent);
    };
    let result = if method == method::GET_UPDATES {
        let polled = if handled { Some(begin(shared, &request)) } else { None };
        // Whoever has seen the note can count on the wait.
        note(request, None, Vec::new());
        match polled {
            Some(polled) => finish(shared, polled).await,
            None => Ok(Bytes::new()),
        }
    } else if handled {
        let (result, sent) = {
            let mut world = shared.world();
            let result = method::call(&mut world, method, &request);
            (result, std::mem::take(&mut world.sent))
        };
        note(request, result.as_ref().err().cloned(), sent);
        result.map(|value| ok(&value))
    } else {
        note(request, None, Vec::new());
        Ok(Bytes::new())
    };
    let answer = match result {
        Ok(body) => json(StatusCode::OK, body),
        Err(error) => refused(&error),
    };
    match fault {
        Some(fault) => damaged(&fault.damage, doom, released, answer).await,
        None => answer,
    }
}

fn begin(shared: &Shared, request: &Request) -> Result<Polled, ApiError> {
    let allowed = request.json("allowed_updates").ok().flatten();
    let poll = &mut shared.world().poll;
    poll.allow(allowed.as_ref());
    poll.poll(request.number("offset"), request.number("limit"), request.number("timeout"))
}

async fn finish(shared: &Shared, polled: Result<Polled, ApiError>) -> Result<Bytes, ApiError> {
    let Waiting { wake, timeout, offset, limit } = match polled? {
        Polled::Updates(updates) => return Ok(list(&updates)),
        Polled::Wait(waiting) => waiting,
    };
    match tokio::time::timeout(timeout, wake).await {
        Ok(Ok(Wake::Updates)) => Ok(list(&shared.world().poll.queue.take(offset, limit))),
        Ok(Ok(Wake::Ended(error, pause))) => {
            tokio::time::sleep(pause).await;
            Err(error)
        }
        Ok(Err(_)) | Err(_) => Ok(list(&[])),
    }
}

/// Writes updates as the result; they are JSON already.
fn list(updates: &[Bytes]) -> Bytes {
    let mut body = Vec::with_capacity(32 + updates.iter().map(|update| update.len() + 1).sum::<usize>());
    body.extend_from_slice(br#"{"ok":true,"result":["#);
    for (number, update) in updates.iter().enumerate() {
        if number > 0 {
            body.push(b',');
        }
        body.extend_from_slice(update);
    }
    body.extend_from_slice(b"]}");
    body.into()
}

fn ok(result: &Value) -> Bytes {
    format!(r#"{{"ok":true,"result":{result}}}"#).into()
}

fn refused(error: &ApiError) -> Response {
    let status = StatusCode::from_u16(error.code).unwrap_or(StatusCode::BAD_REQUEST);
    let mut answer = json(status, error.body().to_string().into());
    if let Some(seconds) = error.retry_after {
        answer.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    answer
}

fn json(status: StatusCode, body: Bytes) -> Response {
    (status, [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], Body::from(body))
        .into_response()
}

async fn download(shared: &Shared, doom: &Doom, token: &str, path: &str) -> Response {
    let at = Instant::now();
    let released = shared.released.subscribe();
    if let Err(error) = shared.authorise(token) {
        return refused(&error);
    }
    let found = shared.world().files.at(path).ok_or_else(|| ApiError::new(404, "Not Found"));
    let fault = shared.faults().next(FILE);
    let mut parameters = Map::new();
    parameters.insert("file_path".into(), path.into());
    let (error, faulted) = (found.as_ref().err().cloned(), fault.is_some());
    shared.record.note(Call { method: FILE, parameters, files: Vec::new(), at, faulted, error }, Vec::new());
    let answer = match found {
        Ok(bytes) => {
            let kind = HeaderValue::from_static("application/octet-stream");
            ([(header::CONTENT_TYPE, kind)], Body::from(bytes)).into_response()
        }
        Err(error) => refused(&error),
    };
    match fault {
        Some(fault) => damaged(&fault.damage, doom, released, answer).await,
        None => answer,
    }
}

async fn damaged(
    damage: &Damage,
    doom: &Doom,
    mut released: watch::Receiver<()>,
    answer: Response,
) -> Response {
    match damage {
        Damage::TooManyRequests { retry_after } => refused(&ApiError::too_many_requests(*retry_after)),
        Damage::Refusal { code, description } => refused(&ApiError::new(*code, description)),
        Damage::Status { status } => {
            let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::BAD_GATEWAY);
            let page = format!(
                "<html>\r\n<head><title>{status}</title></head>\r\n<body>\r\n<center><h1>{status}</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
            );
            (status, [(header::CONTENT_TYPE, "text/html")], page).into_response()
        }
        Damage::Reset => {
            doom.reset();
            answer
        }
        Damage::Hang => std::future::pending().await,
        Damage::Hold => {
            // Only fails once the server is gone.
            let _ = released.changed().await;
            answer
        }
        Damage::Redirect { status, location } => {
            let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::FOUND);
            (status, [(header::LOCATION, location.as_str())]).into_response()
        }
        Damage::Malformed { text } => json(StatusCode::OK, text.clone().into()),
        Damage::Large { bytes } => large(*bytes),
        Damage::Slow { bytes, pause_ms } => {
            let (pause, piece) = (Duration::from_millis(*pause_ms), (*bytes).max(1));
            rewritten(answer, |body| {
                Body::from_stream(stream::unfold(body, move |mut rest| async move {
                    if rest.is_empty() {
                        return None;
                    }
                    let next = rest.split_to(piece.min(rest.len()));
                    if !rest.is_empty() {
                        tokio::time::sleep(pause).await;
                    }
                    Some((Ok::<_, Infallible>(next), rest))
                }))
            })
            .await
        }
        Damage::Cut { bytes } => {
            let bytes = *bytes;
            rewritten(answer, |body| {
                let part = body.slice(..bytes.min(body.len()));
                // The part has to be out before the connection breaks.
                let parts = stream::unfold(Some(part), |part| async {
                    let part = if let Some(part) = part {
                        Ok(part)
                    } else {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                        Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof))
                    };
                    Some((part, None))
                });
                Body::from_stream(parts)
            })
            .await
        }
    }
}

/// Replaces the body of an answer; keeps its stated length.
async fn rewritten(answer: Response, change: impl FnOnce(Bytes) -> Body) -> Response {
    let (mut parts, body) = answer.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    parts.headers.insert(header::CONTENT_LENGTH, body.len().into());
    Response::from_parts(parts, change(body))
}

/// Returns `{"ok":true,"result":"xxx…"}`, in pieces.
fn large(bytes: usize) -> Response {
    let head = Bytes::from_static(br#"{"ok":true,"result":""#);
    let filler = Bytes::from(vec![b'x'; PIECE]);
    let pieces = stream::unfold((Some(head), bytes), move |(head, left)| {
        let filler = filler.clone();
        async move {
            match head {
                Some(head) => Some((Ok::<_, Infallible>(head), (None, left + 1))),
                None if left == 0 => None,
                None if left == 1 => Some((Ok(Bytes::from_static(b"\"}")), (None, 0))),
                None => {
                    let next = filler.slice(..PIECE.min(left - 1));
                    let left = left - next.len();
                    Some((Ok(next), (None, left)))
                }
            }
        }
    });
    (StatusCode::OK, [(header::CONTENT_TYPE, "application/json")], Body::from_stream(pieces)).into_response()
}
