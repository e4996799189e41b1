//! A response as the guest gets it, or streamed into the inbox.

use reqwest::header;
use tokio::io::AsyncWriteExt as _;

use super::{Network, origin::Origin, scrub::Scrubbing};
use crate::{
    capability::files::{Files, LocalFile},
    contract::imports::http::{Failure, Response},
};

/// The largest body that a guest is handed, in bytes.
const BODY: u64 = 8 << 20;
/// How much of an answer that is no success is told, in characters.
const EXCERPT: usize = 200;
/// The longest media type that is believed.
const MEDIA_TYPE: usize = 100;

impl Network {
    /// The whole answer, for the guest.
    pub(super) async fn whole(
        &self,
        origin: &Origin,
        response: reqwest::Response,
    ) -> Result<Response, Failure> {
        let status = response.status().as_u16();
        let headers = response
            .headers()
            .iter()
            .map(|(name, value)| {
                let value = String::from_utf8_lossy(value.as_bytes());
                let scrubber = self.scrubber();
                (scrubber.text(name.as_str()).into_owned(), scrubber.text(&value).into_owned())
            })
            .collect();
        let (mut pieces, mut body) = (self.pieces(origin, response, BODY)?, Vec::new());
        while let Some(piece) = pieces.next().await? {
            body.extend(piece);
        }
        Ok(Response { status, headers, body })
    }

    /// Brings a successful answer's body into the inbox. Whatever goes wrong leaves nothing there.
    pub(super) async fn save(
        &self,
        origin: &Origin,
        response: reqwest::Response,
        name: &str,
        files: &Files,
    ) -> Result<LocalFile, Failure> {
        if !response.status().is_success() {
            return Err(self.refusal(origin, response).await);
        }
        let failed = |error: std::io::Error| Failure::Network(format!("the file cannot be kept: {error}"));
        let media_type = media_type(&response);
        let mut pieces = self.pieces(origin, response, self.largest)?;
        let mut incoming = files.receive(name).await.map_err(failed)?;
        let writer =
            incoming.writer().ok_or_else(|| failed(std::io::Error::other("it is already being written")))?;
        let mut writer = tokio::fs::File::from_std(writer);
        let mut size = 0;
        while let Some(piece) = pieces.next().await? {
            size += piece.len() as u64;
            writer.write_all(&piece).await.map_err(failed)?;
        }
        writer.flush().await.map_err(failed)?;
        files.finish(incoming, media_type, size).await.map_err(failed)
    }

    fn pieces<'a>(
        &'a self,
        origin: &'a Origin,
        response: reqwest::Response,
        limit: u64,
    ) -> Result<Pieces<'a>, Failure> {
        if response.content_length().is_some_and(|length| length > limit) {
            return Err(Failure::TooLarge(limit));
        }
        Ok(Pieces {
            network: self,
            origin,
            response,
            scrubbing: Some(self.scrubber().begin()),
            read: 0,
            limit,
        })
    }

    /// What the platform says instead of a file.
    async fn refusal(&self, origin: &Origin, mut response: reqwest::Response) -> Failure {
        let status = response.status();
        let mut scrubbing = self.scrubber().begin();
        let mut body = Vec::new();
        // A secret that the end of the excerpt cuts is gone before it is cut.
        while body.len() < EXCERPT * 4 {
            match response.chunk().await {
                Ok(Some(chunk)) => body.extend(scrubbing.push(&chunk)),
                _ => break,
            }
        }
        let text: String = String::from_utf8_lossy(&body)
            .chars()
            .map(|character| if character.is_control() { ' ' } else { character })
            .take(EXCERPT)
            .collect();
        Failure::Network(format!("HTTP {} from {}: {}", status.as_str(), origin.authority(), text.trim()))
    }
}

/// A body without its secrets, as it comes, until it is larger than it may be.
struct Pieces<'a> {
    network: &'a Network,
    origin: &'a Origin,
    response: reqwest::Response,
    /// Gone once the end has come.
    scrubbing: Option<Scrubbing>,
    read: u64,
    limit: u64,
}

impl Pieces<'_> {
    async fn next(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        let Some(scrubbing) = &mut self.scrubbing else { return Ok(None) };
        let chunk = self.response.chunk().await.map_err(|error| self.network.failure(error, self.origin))?;
        let Some(chunk) = chunk else {
            return Ok(self.scrubbing.take().map(Scrubbing::finish));
        };
        self.read += chunk.len() as u64;
        if self.read > self.limit {
            return Err(Failure::TooLarge(self.limit));
        }
        Ok(Some(scrubbing.push(&chunk)))
    }
}

/// What the platform says that it is, without parameters, if that looks like a media type.
fn media_type(response: &reqwest::Response) -> Option<String> {
    let text = response.headers().get(header::CONTENT_TYPE)?.to_str().ok()?;
    let text = text.split(';').next()?.trim().to_ascii_lowercase();
    let token = |text: &str| {
        !text.is_empty()
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
    };
    let (kind, subtype) = text.split_once('/')?;
    // "Some bytes" says less than the file's name does.
    (token(kind) && token(subtype) && text.len() <= MEDIA_TYPE && text != "application/octet-stream")
        .then_some(text)
}
