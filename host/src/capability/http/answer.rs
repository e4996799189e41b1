//! Responses: returned to the guest, or streamed into the inbox.

use reqwest::header;
use tokio::io::AsyncWriteExt as _;

use super::{Network, origin::Origin, scrub::Scrubbing};
use crate::{
    capability::files::{Files, LocalFile},
    contract::imports::http::{Failure, Response},
};

/// The largest body that a guest gets, in bytes.
const BODY: u64 = 8 << 20;
/// The length of the excerpt from an unsuccessful response's body, in characters.
const EXCERPT: usize = 200;
/// The longest media type that is accepted, in bytes.
const MEDIA_TYPE: usize = 100;

impl Network {
    /// Returns the whole response for the guest, without secrets.
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

    /// Streams the body of a successful response into the inbox. A failure leaves nothing there.
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

    /// Returns the failure for an unsuccessful response, with an excerpt of its body.
    async fn refusal(&self, origin: &Origin, mut response: reqwest::Response) -> Failure {
        let status = response.status();
        let mut scrubbing = self.scrubber().begin();
        let mut body = Vec::new();
        // Secrets are removed before the excerpt is cut, so that no part of one is left at its end.
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

/// The chunks of a body, without secrets, up to a size limit.
struct Pieces<'a> {
    network: &'a Network,
    origin: &'a Origin,
    response: reqwest::Response,
    /// `None` after the end of the body.
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

/// Returns the media type that the platform declares, without parameters, if it is well-formed.
fn media_type(response: &reqwest::Response) -> Option<String> {
    let text = response.headers().get(header::CONTENT_TYPE)?.to_str().ok()?;
    let text = text.split(';').next()?.trim().to_ascii_lowercase();
    let token = |text: &str| {
        !text.is_empty()
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
    };
    let (kind, subtype) = text.split_once('/')?;
    // `application/octet-stream` says less than the file's name does.
    (token(kind) && token(subtype) && text.len() <= MEDIA_TYPE && text != "application/octet-stream")
        .then_some(text)
}
