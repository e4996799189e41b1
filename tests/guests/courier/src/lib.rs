//! A guest that sends requests for a test: the test posts a request to its page, and the answer has the outcome.
//!
//! `POST /` takes an [`Errand`] and answers with an [`Outcome`], both JSON. A reply of the session is posted as a form,
//! with its files, to the URL in its text. `GET /wasi` reports what WASI provides, `GET /complain` writes many lines to
//! stderr, `GET /sleep` waits.

mod wasi;

use serde::{Deserialize, Serialize};
use tidegate_guest::{
    Answer, Body, Channel, Credential, Descriptor, Event, Fault, Features, Outgoing, Place, Request,
    Response, Sent, Setting, Signal, TextUnit, WebSource, http,
};

/// The maximum number of bytes of an answer's body that are shown.
const SHOWN: usize = 2000;

struct Courier;

tidegate_guest::web_channel!(Courier);

/// A request to send.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Errand {
    #[serde(default = "get")]
    method: String,
    url: String,
    #[serde(default)]
    headers: Vec<(String, String)>,
    body: Option<String>,
    /// The size of a large body, in bytes.
    fill: Option<usize>,
    credential: Option<String>,
    timeout_ms: Option<u32>,
    /// The name of the file in which the answer's body is stored.
    download: Option<String>,
}

fn get() -> String {
    "GET".to_owned()
}

/// The outcome of an errand.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Answer { status: u16, headers: Vec<(String, String)>, body: String, length: usize },
    Saved { name: String, media_type: String, size: u64 },
    Denied(String),
    Timeout(()),
    TooLarge(u64),
    Network(String),
}

impl Errand {
    fn run(self) -> Outcome {
        let body = match (self.body, self.fill) {
            (Some(text), _) => http::Body::Bytes(text.into_bytes()),
            (None, Some(length)) => http::Body::Bytes(vec![b'x'; length]),
            (None, None) => http::Body::Empty,
        };
        let request = http::Request {
            method: self.method,
            url: self.url,
            headers: self.headers,
            body,
            credential: self.credential,
            timeout_ms: self.timeout_ms,
        };
        match self.download {
            Some(name) => http::download(&request, &name).map(|saved| Outcome::Saved {
                name: saved.name,
                media_type: saved.media_type,
                size: saved.size,
            }),
            None => http::send(&request).map(|response| Outcome::Answer {
                status: response.status,
                headers: response.headers,
                length: response.body.len(),
                body: String::from_utf8_lossy(response.body.get(..SHOWN).unwrap_or(&response.body))
                    .into_owned(),
            }),
        }
        .unwrap_or_else(Outcome::from)
    }
}

impl From<http::Failure> for Outcome {
    fn from(failure: http::Failure) -> Self {
        match failure {
            http::Failure::Denied(reason) => Self::Denied(reason),
            http::Failure::Timeout => Self::Timeout(()),
            http::Failure::TooLarge(limit) => Self::TooLarge(limit),
            http::Failure::Network(reason) => Self::Network(reason),
        }
    }
}

fn credential(name: &str, env: &str, hosts: &[&str], place: Place) -> Credential {
    Credential {
        form: None,
        name: name.into(),
        env: env.into(),
        help: "Any text will do.".into(),
        hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
        place,
    }
}

impl Channel for Courier {
    fn describe() -> Descriptor {
        let header = || Place::Header(("X-Key".into(), "Key ".into()));
        Descriptor {
            name: "courier".into(),
            title: "Courier".into(),
            version: "1".into(),
            summary: "Sends the requests that a test asks for".into(),
            instructions: String::new(),
            hosts: ["api.courier.test", "*.files.courier.test", "localhost", "setting:base"]
                .map(str::to_owned)
                .to_vec(),
            credentials: vec![
                credential("path", "COURIER_TOKEN", &["setting:base"], Place::Path("/bot".into())),
                credential("header", "COURIER_TOKEN", &["setting:base"], header()),
                credential("elsewhere", "COURIER_TOKEN", &["api.courier.test"], header()),
                credential("frame", "COURIER_TOKEN", &["setting:base"], Place::Frame("/d/token".into())),
                credential("verify", "COURIER_TOKEN", &["setting:base"], Place::Verify),
                credential("missing", "COURIER_MISSING", &["setting:base"], header()),
            ],
            settings: vec![Setting {
                name: "base".into(),
                help: "Where the platform is.".into(),
                default: None,
                choices: Vec::new(),
            }],
            sender_ids: None,
            group_ids: None,
            reactions: Vec::new(),
            features: Features::REPLY | Features::UPLOADS,
            max_text: 1000,
            text_unit: TextUnit::Byte,
            max_upload: 1 << 20,
            max_uploads: 3,
            port: Some(0),
        }
    }

    fn send(outgoing: Outgoing) -> Sent {
        let part = |name: &str, filename: Option<String>, content| http::Part {
            name: name.to_owned(),
            filename,
            media_type: None,
            content,
        };
        let mut parts = vec![part("chat", None, http::Content::Bytes(outgoing.chat.into_bytes()))];
        for upload in outgoing.uploads {
            parts.push(part("file", None, http::Content::Upload(upload.clone())));
            let name = "a\"; name=\"b\r\nX-Evil: 1".to_owned();
            parts.push(part("again\"\r\n", Some(name), http::Content::Upload(upload)));
        }
        let request = http::Request {
            method: "POST".into(),
            url: outgoing.text,
            headers: Vec::new(),
            body: http::Body::Form(parts),
            credential: Some("path".into()),
            timeout_ms: None,
        };
        match http::send(&request).map_err(Outcome::from) {
            Ok(_) => Sent { ids: vec!["1".into()], fault: None },
            Err(outcome) => {
                let reason = serde_json::to_string(&outcome).unwrap_or_default();
                Sent { ids: Vec::new(), fault: Some(Fault::Rejected(reason)) }
            }
        }
    }
}

fn answer(status: u16, body: Vec<u8>) -> Answer {
    Answer { response: Response { status, headers: Vec::new(), body }, events: Vec::new() }
}

impl WebSource for Courier {
    fn handle(request: Request) -> Result<Answer, Fault> {
        let Body::Bytes(body) = request.body else { return Err(Fault::Unsupported) };
        match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/wasi") => {
                return Ok(answer(200, serde_json::to_vec(&wasi::explore()).unwrap_or_default()));
            }
            ("GET", "/complain") => wasi::complain(),
            ("GET", "/sleep") => wasi::sleep(60_000),
            _ => {}
        }
        let (status, body) = match serde_json::from_slice::<Errand>(&body) {
            Ok(errand) => (200, serde_json::to_vec(&errand.run()).unwrap_or_default()),
            Err(error) => (400, error.to_string().into_bytes()),
        };
        Ok(answer(status, body))
    }

    fn receive(_connection: u64, _signal: Signal) -> Result<Vec<Event>, Fault> {
        Ok(Vec::new())
    }
}
