//! What a guest may ask of the host: one module for each import of the contract.
//!
//! Every function sees the [`Tenant`] of the instance that calls: the channel's own surroundings, which it
//! cannot leave, and what this one call has done so far. Nothing of that takes effect before the call has
//! returned: see [`Effects`].

mod environment;
pub mod files;
pub mod http;
mod journal;
mod key;
/// What guests say about themselves.
pub mod log;
mod secrets;
mod state;
mod wasi;
pub mod web;

use std::{collections::BTreeMap, sync::Arc, time::Instant};

pub use key::Key;
pub use secrets::{Secrets, Unavailable};
use wasmtime::component::{Component, HasSelf, Linker};

use crate::{
    contract::imports,
    event::ChannelName,
    journal::{Error, Journal, Transaction},
    sandbox::{Digest, Engine, Resident},
};

/// Everything of one channel that its guest's calls can reach.
#[derive(Debug)]
pub struct Surroundings {
    /// Stamped on whatever the guest says.
    pub name: ChannelName,
    /// Where its state is kept.
    pub journal: Arc<Journal>,
    /// Its inbox and outbox.
    pub files: files::Files,
    /// The browsers that have its page open.
    pub page: web::Page,
    /// The values of its settings, defaults filled in.
    pub settings: BTreeMap<String, String>,
    /// Which of them say where its platform is.
    pub places: Vec<String>,
    /// The values of its credentials.
    pub secrets: Secrets,
    /// The hosts that it may reach.
    pub network: http::Network,
}

impl Surroundings {
    /// The variable of a credential that has no value, if there is one.
    pub fn missing_credential<'a>(
        &self,
        wanted: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Option<&'a str> {
        wanted.into_iter().find(|(name, _)| !self.secrets.has(name)).map(|(_, variable)| variable)
    }

    /// Changes with whatever could make this another account at the platform, or the same at another platform.
    pub fn account(&self) -> String {
        let mut bytes = Vec::new();
        let secrets = self.secrets.values();
        let places = self.settings.iter().filter(|(name, _)| self.places.contains(name));
        for (name, value) in places.chain(secrets.iter()) {
            for part in [name, value] {
                bytes.extend((part.len() as u64).to_le_bytes());
                bytes.extend(part.bytes());
            }
        }
        Digest::of(&bytes).to_string()
    }
}

/// What one store holds for the host's functions.
#[derive(Debug, Default)]
pub struct Tenant {
    /// None while a guest describes itself: it must not call anything then.
    surroundings: Option<Arc<Surroundings>>,
    /// What this call has done so far.
    effects: Effects,
    /// Lines that this call has written to the log.
    lines: log::Lines,
    /// Bytes that wait in the effects.
    spent: usize,
    /// Files that this call was given.
    handles: files::Handles,
    /// When the call is cut off, whatever it does.
    ends: Option<Instant>,
    /// For a component that imports it.
    wasi: Option<Box<wasi::Wasi>>,
}

/// What one call may set and push, in bytes.
const EFFECTS: usize = 16 << 20;

/// What a call leaves behind for the host to carry out: after a call that failed there is nothing.
#[derive(Debug, Default)]
pub struct Effects {
    /// Values to set, or to remove.
    pub state: BTreeMap<String, Option<Vec<u8>>>,
    /// Frames for the page.
    pub pushes: Vec<web::Push>,
}

impl Effects {
    /// Is there nothing to carry out?
    pub fn is_empty(&self) -> bool {
        self.state.is_empty() && self.pushes.is_empty()
    }

    /// Adds what a later call has left.
    pub fn extend(&mut self, later: Self) {
        self.state.extend(later.state);
        self.pushes.extend(later.pushes);
    }

    /// Stores the values.
    pub fn keep(&self, transaction: &mut Transaction<'_>) -> Result<(), Error> {
        self.state.iter().try_for_each(|(key, value)| transaction.set_state(key, value.as_deref()))
    }

    /// Nobody sees it but browsers that came through the link with the key.
    pub fn confine(&mut self) {
        for push in &mut self.pushes {
            push.confine();
        }
    }
}

impl Tenant {
    /// For an instance that is only asked to describe itself.
    pub fn stranger() -> Self {
        Self::default()
    }

    /// For an instance of this channel.
    pub fn of(surroundings: Arc<Surroundings>) -> Self {
        Self { surroundings: Some(surroundings), ..Self::default() }
    }

    /// Hands the call its files. Whatever an earlier call had is gone.
    pub fn enter(&mut self, handles: files::Handles) {
        self.effects = Effects::default();
        self.lines.reset();
        self.spent = 0;
        self.handles = handles;
    }

    /// What its calls write to the log.
    pub fn lines(&self) -> log::Lines {
        self.lines.clone()
    }

    /// What the call has done, and which files it was given or made.
    pub fn leave(&mut self) -> (Effects, files::Handles) {
        if let Some(wasi) = &self.wasi {
            wasi.flush();
        }
        self.lines
            .settle(self.surroundings.as_ref().map_or("a new channel", |surroundings| &surroundings.name));
        (std::mem::take(&mut self.effects), std::mem::take(&mut self.handles))
    }

    /// Counts what the host has to keep until the call returns. Too much of it ends the call.
    fn spend(&mut self, bytes: usize) -> wasmtime::Result<()> {
        // An empty frame takes memory too.
        self.spent = self.spent.saturating_add(bytes).saturating_add(64);
        if self.spent > EFFECTS {
            return Err(wasmtime::Error::msg(format!(
                "it has set and pushed more than {} MiB in one call",
                EFFECTS >> 20
            )));
        }
        Ok(())
    }

    fn surroundings(&self) -> wasmtime::Result<&Arc<Surroundings>> {
        self.surroundings
            .as_ref()
            .ok_or_else(|| wasmtime::Error::msg("describe called an import, which it must not"))
    }
}

/// Everything that this component may import; if it wants more, it does not link.
pub fn linker(engine: &Engine, component: &Component) -> wasmtime::Result<Linker<Resident<Tenant>>> {
    fn tenant(resident: &mut Resident<Tenant>) -> &mut Tenant {
        resident.tenant.ends = resident.ends();
        &mut resident.tenant
    }
    let mut linker = Linker::new(engine.wasmtime());
    imports::types::add_to_linker::<_, HasSelf<Tenant>>(&mut linker, tenant)?;
    imports::http::add_to_linker::<_, HasSelf<Tenant>>(&mut linker, tenant)?;
    imports::state::add_to_linker::<_, HasSelf<Tenant>>(&mut linker, tenant)?;
    imports::journal::add_to_linker::<_, HasSelf<Tenant>>(&mut linker, tenant)?;
    imports::environment::add_to_linker::<_, HasSelf<Tenant>>(&mut linker, tenant)?;
    imports::log::add_to_linker::<_, HasSelf<Tenant>>(&mut linker, tenant)?;
    imports::web::add_to_linker::<_, HasSelf<Tenant>>(&mut linker, tenant)?;
    wasi::add_to_linker(&mut linker, component)?;
    Ok(linker)
}

impl imports::types::Host for Tenant {}
