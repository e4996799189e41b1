//! One request of a guest and its response: checks, sending, redirects and limits.

use std::{error::Error as _, str::FromStr as _};

use reqwest::{
    Method,
    header::{self, HeaderMap, HeaderName, HeaderValue},
};
use url::Url;

use super::{
    Kept, Network,
    body::Payload,
    client::Way,
    grant::Trust,
    origin::Origin,
    placement::is_the_hosts,
    redirect::{REDIRECTS, Redirect},
    resolver::Refused,
};
use crate::contract::imports::http::{Failure, Request};

/// The size limit of a response's headers, all together, in bytes.
const HEADERS: usize = 64 << 10;

/// One request of a guest, checked as far as possible before it is sent. Its failures are not scrubbed yet.
pub(super) struct Exchange<'a> {
    network: &'a Network,
    method: Method,
    url: Url,
    headers: HeaderMap,
    payload: Payload,
    credential: Option<(&'a Kept, &'a str)>,
}

impl<'a> Exchange<'a> {
    /// Checks a request. `secret` returns the value of a credential.
    pub(super) fn new(
        network: &'a Network,
        request: &Request,
        payload: Payload,
        secret: impl FnOnce(&str) -> Option<&'a str>,
    ) -> Result<Self, Failure> {
        let method = method(&request.method)?;
        let url =
            Url::parse(&request.url).map_err(|error| denied(format!("the request has no URL: {error}")))?;
        let credential =
            request.credential.as_deref().map(|name| network.credential(name, secret)).transpose()?;
        let taken = credential.and_then(|(kept, _)| kept.place.header());
        let mut headers = HeaderMap::new();
        for (name, value) in &request.headers {
            let (name, value) = field(name, value)?;
            if is_the_hosts(&name) {
                return Err(denied(format!("the header {name} is the host's, no request may set it")));
            }
            if credential.is_some() && matches!(name.as_str(), "range" | "if-range") {
                // The scrubber would not find a secret that arrives in pieces.
                return Err(denied(format!("the header {name} does not go along with a credential")));
            }
            if taken.as_ref() == Some(&name) {
                return Err(denied(format!(
                    "the header {name} is the credential's, the request may not set it too"
                )));
            }
            headers.append(name, value);
        }
        if let Some(media_type) = &payload.media_type {
            // The host chooses a form's boundary. The guest may know better than the host what a file is.
            let form = media_type.starts_with("multipart/");
            if (form || !headers.contains_key(header::CONTENT_TYPE))
                && let Ok(value) = HeaderValue::from_str(media_type)
            {
                headers.insert(header::CONTENT_TYPE, value);
            }
        }
        Ok(Self { network, method, url, headers, payload, credential })
    }

    /// Sends the request and follows its redirects. The returned response has headers within the limit, and its body
    /// has not been read yet.
    pub(super) async fn perform(mut self) -> Result<(Origin, reqwest::Response), Failure> {
        let mut left = REDIRECTS;
        let mut redirected = false;
        loop {
            let (origin, response) = self.once(redirected).await?;
            let size: usize =
                response.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
            if size > HEADERS {
                return Err(Failure::TooLarge(HEADERS as u64));
            }
            let location = response.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
            let Some(redirect) = Redirect::of(response.status(), location, &self.url, &self.method) else {
                return Ok((origin, response));
            };
            left = left.checked_sub(1).ok_or_else(|| {
                Failure::Network(format!("{} redirects more than {REDIRECTS} times", origin.authority()))
            })?;
            self.follow(&origin, redirect)?;
            redirected = true;
        }
    }

    /// Sends the request once, without following a redirect.
    async fn once(&self, redirected: bool) -> Result<(Origin, reqwest::Response), Failure> {
        let after = if redirected { "after a redirect: " } else { "" };
        let origin = Origin::of(&self.url)
            .map_err(|error| denied(format!("{after}the URL is none that can be used: {error}")))?;
        let advice = &self.network.advice;
        let trust = self
            .network
            .grants
            .trust(&origin)
            .ok_or_else(|| denied(format!("{after}{}", advice.not_granted(&origin))))?;
        let way = match trust {
            // The proxy's loopback is not ours: requests to loopback never go through the proxy.
            _ if self.network.clients.has_proxy() && !origin.is_loopback() => Way::Proxied,
            Trust::Public => Way::Public,
            Trust::User => Way::Granted,
        };
        let client = self.network.clients.get(way).map_err(|error| denied(error.to_string()))?;
        let (mut url, mut headers) = (self.url.clone(), self.headers.clone());
        if let Some((kept, value)) = self.credential {
            if kept.hosts.trust(&origin).is_none() {
                return Err(denied(advice.not_for(&kept.name, &kept.hosts, &origin)));
            }
            kept.place.put(value, &mut url, &mut headers).map_err(|error| {
                denied(format!(
                    "the credential \"{}\" of {} cannot be used: {error}",
                    kept.name, advice.channel
                ))
            })?;
        }
        let mut request = client.request(self.method.clone(), url).headers(headers);
        if let Some(body) = self.payload.body() {
            request = request.header(header::CONTENT_LENGTH, self.payload.length).body(body);
        }
        let started = std::time::Instant::now();
        let sent = request.send().await;
        let status = sent.as_ref().map(reqwest::Response::status);
        tracing::debug!(
            "{}: {} {origin}: {} after {} ms",
            advice.channel,
            self.method,
            status.as_ref().map_or("no answer", |status| status.as_str()),
            started.elapsed().as_millis()
        );
        match sent {
            Ok(response) => Ok((origin, response)),
            Err(error) => Err(self.network.failure(error, &origin)),
        }
    }

    /// Changes this request to the one that a redirect asks for. A credential stays with its origin.
    fn follow(&mut self, from: &Origin, redirect: Redirect) -> Result<(), Failure> {
        let elsewhere = Origin::of(&redirect.url).ok().as_ref() != Some(from);
        if elsewhere {
            if self.network.scrubber().finds(redirect.url.as_str()) {
                return Err(denied(format!("{from} redirects to another host with a credential in the URL")));
            }
            self.credential = None;
            for name in [header::AUTHORIZATION, header::COOKIE] {
                self.headers.remove(name);
            }
        } else if self.credential.is_some_and(|(kept, _)| kept.place.header().is_none()) {
            // The credential is in the path: a server that redirects to one of its own paths includes it where it is
            // needed.
            self.credential = None;
        }
        if redirect.with_body {
            if self.payload.has_files() {
                return Err(Failure::Network(format!("{from} redirects a file, which is sent once only")));
            }
        } else {
            self.payload = Payload::default();
            for name in [header::CONTENT_TYPE, header::CONTENT_ENCODING, header::CONTENT_LANGUAGE] {
                self.headers.remove(name);
            }
        }
        (self.url, self.method) = (redirect.url, redirect.method);
        Ok(())
    }
}

impl Network {
    /// Returns the failure for an error of the HTTP client, without the URL.
    pub(super) fn failure(&self, error: reqwest::Error, origin: &Origin) -> Failure {
        if error.is_timeout() {
            return Failure::Timeout;
        }
        let error = error.without_url();
        let (mut cause, mut refused) = (error.source(), None);
        let mut reason = error.to_string();
        while let Some(inner) = cause {
            refused = refused.or_else(|| inner.downcast_ref::<Refused>());
            reason = inner.to_string();
            cause = inner.source();
        }
        if let Some(refused) = refused {
            return denied(self.advice.refused(refused, origin));
        }
        if reason.contains("UnknownIssuer") {
            reason = format!("{reason}: {}", self.advice.unknown_authority());
        }
        let what = match () {
            () if error.is_connect() => "cannot be reached",
            () if error.is_body() || error.is_decode() => "broke off",
            () => "could not be asked",
        };
        Failure::Network(format!("{} {what}: {reason}", origin.authority()))
    }

    /// Removes secrets from the text of a failure.
    pub(super) fn scrubbed(&self, failure: Failure) -> Failure {
        let clean = |text: String| self.scrubber().text(&text).into_owned();
        match failure {
            Failure::Denied(text) => Failure::Denied(clean(text)),
            Failure::Network(text) => Failure::Network(clean(text)),
            failure @ (Failure::Timeout | Failure::TooLarge(_)) => failure,
        }
    }
}

pub(super) fn denied(reason: String) -> Failure {
    Failure::Denied(reason)
}

/// Parses the method. Rejects CONNECT and TRACE.
fn method(text: &str) -> Result<Method, Failure> {
    Method::from_str(text)
        .ok()
        .filter(|method| !matches!(*method, Method::CONNECT | Method::TRACE))
        .ok_or_else(|| denied("the request's method is none that can be used".to_owned()))
}

fn field(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), Failure> {
    let invalid = || denied("a header of the request has characters that no header may have".to_owned());
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid())?;
    let value = HeaderValue::from_str(value).map_err(|_| invalid())?;
    Ok((name, value))
}
