//! HTTP for guests: to granted hosts only, with credentials that the guest never sees.
//!
//! A request passes these in turn, and so does each redirect: what it says ([`exchange`]), where it may go
//! ([`grant`]), which credential it carries ([`placement`]), which addresses the host's name may have ([`resolver`]),
//! how much may come back ([`answer`]), and that no secret is in it ([`scrub`]).
//!
//! **Proxies.** The environment's are ignored. With `proxy` in `channels.toml` everything but this machine itself is
//! asked for through that one, which then looks names up: host patterns, origins, literal addresses, credentials and
//! redirects are checked as ever, the addresses of names are not. The proxy's own address is the user's word.

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

use std::{
    collections::HashSet,
    fmt,
    path::PathBuf,
    sync::{Mutex, PoisonError, RwLock},
    time::Duration,
};

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

/// A request ends so long before its call does that the guest can still say what happened.
const MARGIN: Duration = Duration::from_millis(200);

/// Of how many different denials the user is told, so that a guest cannot fill the log with them.
const DENIALS: usize = 32;

/// What a channel's network is made of.
#[derive(Debug)]
pub struct Setup<'a> {
    /// What the channel asks for.
    pub hosts: &'a [HostPattern],
    /// The secrets that its requests can carry.
    pub credentials: Vec<Credential>,
    /// Its settings.
    pub values: Values<'a>,
    /// The user's proxy.
    pub proxy: Option<Proxy>,
    /// Certificates of authorities that the user trusts, beside the usual ones.
    pub ca_file: Option<PathBuf>,
    /// The largest file that comes in, in bytes.
    pub largest: u64,
    /// What to say when something is denied, and what the user has granted.
    pub advice: Advice,
}

/// What one channel can reach.
pub struct Network {
    grants: Grants,
    credentials: Vec<Kept>,
    /// Knows the values that were there when the last request began, and all before.
    scrubber: RwLock<Scrubber>,
    clients: Clients,
    largest: u64,
    advice: Advice,
    denials: Denials,
}

/// What the user was told of already.
#[derive(Default)]
struct Denials(Mutex<HashSet<String>>);

impl Denials {
    /// Notes the reason of a denial. The answer is whether it is new; after [`DENIALS`] others none is.
    fn note(&self, reason: &str) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.len() < DENIALS && known.insert(reason.to_owned())
    }
}

/// A credential whose hosts are known.
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
    /// Fails where the user has set something that cannot be a host.
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

    /// What must never come back.
    fn learn<'a>(&self, secrets: impl Iterator<Item = &'a str> + Clone) {
        let known = self.scrubber();
        if !secrets.clone().all(|secret| known.knows(secret)) {
            *self.scrubber.write().unwrap_or_else(PoisonError::into_inner) = known.with(secrets);
        }
    }

    fn scrubber(&self) -> Scrubber {
        self.scrubber.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The credential that a guest calls by this name, and its value.
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
    /// When a request has to be over.
    fn until(&self, wanted: Option<u32>) -> Instant {
        let left = self.ends.map(|ends| ends.saturating_duration_since(std::time::Instant::now()));
        let left = left.unwrap_or_default().saturating_sub(MARGIN);
        let wanted = wanted.map_or(left, |wanted| Duration::from_millis(wanted.into()));
        Instant::now() + left.min(wanted)
    }
}

/// Sends a request. The answer's body has not been read yet.
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

/// What the guest is told of a failure. What was denied, the user is told as well, once, in the host's own words: what the
/// guest makes of it need not be what has to be written into `channels.toml`.
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
