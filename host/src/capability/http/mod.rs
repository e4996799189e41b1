//! HTTP for guests: to granted hosts only, with credentials that the guest never sees.
//!
//! Each request, and each redirect, passes these modules in turn: [`exchange`] checks what it contains, [`grant`] where
//! it may go, [`placement`] adds the credential, [`resolver`] checks the addresses of the host's name, [`answer`]
//! limits how much comes back, and [`scrub`] removes secrets from it.
//!
//! **Proxies.** The host ignores proxies of the environment. With `proxy` in `channels.toml`, all requests except those
//! to this machine itself go through that proxy, which then resolves names. Host patterns, origins, literal addresses,
//! credentials and redirects are checked as before; the addresses of names are not. The proxy's own address is not
//! checked, because the user has set it.

mod address;
mod advice;
mod answer;
mod body;
mod client;
mod exchange;
mod form;
mod grant;
mod host;
mod origin;
mod placement;
mod redirect;
mod resolver;
mod scrub;

use std::{collections::HashSet, fmt, path::PathBuf, time::Duration};

use parking_lot::{Mutex, RwLock};
use tokio::time::{Instant, timeout_at};

pub use self::{
    advice::Advice,
    client::Proxy,
    grant::{InvalidSetting, Values},
    host::{HostPattern, InvalidHost},
    origin::{InvalidOrigin, Origin},
    placement::{Credential, Place},
};
use self::{
    body::Payload,
    client::Clients,
    exchange::{Exchange, denied},
    grant::Grants,
    scrub::Scrubber,
};
use super::{Surroundings, Tenant, files::Handles};
use crate::{
    clock,
    contract::imports::{
        http::{Body, Failure, Host, Request, Response},
        types::Saved,
    },
};

/// How long before the deadline of its call a request ends, so that the guest can still report what happened.
const MARGIN: Duration = Duration::from_millis(200);

/// How many different denials are reported to the user. The limit prevents a guest from filling the log with them.
const DENIALS: usize = 32;

/// The parameters of a channel's network.
#[derive(Debug)]
pub struct Setup<'a> {
    /// The hosts that the channel asks for.
    pub hosts: &'a [HostPattern],
    /// The credentials that its requests can carry.
    pub credentials: Vec<Credential>,
    /// The values of its settings.
    pub values: Values<'a>,
    /// The user's proxy.
    pub proxy: Option<Proxy>,
    /// A file with certificates of authorities that the user trusts, in addition to the built-in ones.
    pub ca_file: Option<PathBuf>,
    /// The largest file to receive, in bytes.
    pub largest: u64,
    /// The data for messages about denials, with the origins that the user has granted.
    pub advice: Advice,
}

/// The hosts that one channel can reach, with its credentials and HTTP clients.
pub struct Network {
    grants: Grants,
    credentials: Vec<Kept>,
    /// Knows the values at the start of the last request, and all earlier ones.
    scrubber: RwLock<Scrubber>,
    clients: Clients,
    largest: u64,
    advice: Advice,
    denials: Denials,
}

/// The denials that have been reported to the user.
#[derive(Default)]
struct Denials(Mutex<HashSet<String>>);

impl Denials {
    /// Records the reason of a denial. Returns whether it is new; always false after [`DENIALS`] different reasons.
    fn note(&self, reason: &str) -> bool {
        let mut known = self.0.lock();
        known.len() < DENIALS && known.insert(reason.to_owned())
    }
}

/// A credential with the grants of its hosts.
struct Kept {
    name: String,
    variable: String,
    hosts: Grants,
    place: Place,
}

impl fmt::Debug for Network {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Network").field("grants", &self.grants).finish_non_exhaustive()
    }
}

impl Network {
    /// Creates the network of a channel. Fails if the user has set a value that cannot be a host.
    pub fn new(setup: Setup<'_>) -> Result<Self, InvalidSetting> {
        let kept = |credential: Credential| {
            Ok(Kept {
                hosts: Grants::of(&credential.hosts, &[], setup.values)?,
                name: credential.name,
                variable: credential.variable,
                place: credential.place,
            })
        };
        Ok(Self {
            grants: Grants::of(setup.hosts, &setup.advice.granted, setup.values)?,
            credentials: setup.credentials.into_iter().map(kept).collect::<Result<_, _>>()?,
            scrubber: RwLock::default(),
            clients: Clients::new(setup.proxy, setup.ca_file),
            largest: setup.largest,
            advice: setup.advice,
            denials: Denials::default(),
        })
    }

    /// Adds secrets that the scrubber removes from responses.
    fn learn<'a>(&self, secrets: impl Iterator<Item = &'a str> + Clone) {
        let known = self.scrubber();
        if !secrets.clone().all(|secret| known.knows(secret)) {
            *self.scrubber.write() = known.with(secrets);
        }
    }

    fn scrubber(&self) -> Scrubber {
        self.scrubber.read().clone()
    }

    /// Returns the credential with the guest's name for it, and its value.
    fn credential<'a>(
        &'a self,
        name: &str,
        secret: impl FnOnce(&str) -> Option<&'a str>,
    ) -> Result<(&'a Kept, &'a str), Failure> {
        let kept =
            self.credentials.iter().find(|kept| kept.name == name).ok_or_else(|| {
                denied(format!("{} declares no credential \"{name}\"", self.advice.channel))
            })?;
        let value = secret(name).ok_or_else(|| denied(self.advice.missing(name, &kept.variable)))?;
        Ok((kept, value))
    }
}

impl Tenant {
    /// Returns the time at which a request has to end.
    fn until(&self, wanted: Option<u32>) -> Instant {
        let left = self.ends.map(|ends| ends.saturating_duration_since(std::time::Instant::now()));
        let left = left.unwrap_or_default().saturating_sub(MARGIN);
        let wanted = wanted.map_or(left, |wanted| Duration::from_millis(wanted.into()));
        Instant::now() + left.min(wanted)
    }
}

/// Sends a request. The body of the returned response has not been read yet.
async fn ask(
    surroundings: &Surroundings,
    handles: &Handles,
    mut request: Request,
) -> Result<(Origin, reqwest::Response), Failure> {
    let body = std::mem::replace(&mut request.body, Body::Empty);
    let payload = Payload::new(body, &surroundings.files, handles)
        .await
        .map_err(|error| denied(format!("the request cannot be sent: {error}")))?;
    let secrets = surroundings.secrets.values();
    surroundings.network.learn(secrets.values().map(String::as_str));
    let secret = |name: &str| secrets.get(name).map(String::as_str);
    Exchange::new(&surroundings.network, &request, payload, secret)?.perform().await
}

/// Returns the failure to report to the guest, without secrets. A denial is also reported to the user, once and in the
/// host's own words, because the guest may not pass on what has to be added to `channels.toml`.
fn tell(surroundings: &Surroundings, failure: Failure) -> Failure {
    let network = &surroundings.network;
    let failure = network.scrubbed(failure);
    if let Failure::Denied(reason) = &failure
        && network.denials.note(reason)
    {
        let text = format!("a request was denied: {reason}");
        tracing::warn!("{}: {text}", network.advice.channel);
        surroundings.journal.store_soon(move |transaction| transaction.set_trouble(&text, clock::now()));
    }
    failure
}

impl Host for Tenant {
    async fn send(&mut self, request: Request) -> wasmtime::Result<Result<Response, Failure>> {
        let (surroundings, handles) = (self.surroundings()?, &self.handles);
        let network = &surroundings.network;
        let work = timeout_at(self.until(request.timeout_ms), async {
            let (origin, response) = ask(surroundings, handles, request).await?;
            network.whole(&origin, response).await
        });
        Ok(work.await.unwrap_or(Err(Failure::Timeout)).map_err(|failure| tell(surroundings, failure)))
    }

    async fn download(&mut self, request: Request, name: String) -> wasmtime::Result<Result<Saved, Failure>> {
        let (surroundings, handles) = (self.surroundings()?, &self.handles);
        let network = &surroundings.network;
        let work = timeout_at(self.until(request.timeout_ms), async {
            let (origin, response) = ask(surroundings, handles, request).await?;
            network.save(&origin, response, &name, &surroundings.files).await
        });
        let file = work.await.unwrap_or(Err(Failure::Timeout)).map_err(|failure| tell(surroundings, failure));
        Ok(file.map(|file| {
            let (name, media_type, size) = (file.name.clone(), file.media_type.clone(), file.size);
            Saved { handle: self.handles.add(file), name, media_type, size }
        }))
    }
}
