//! The host functions that guests import: one module for each interface of the contract.
//!
//! Every function gets the [`Tenant`] of the calling instance: the [`Surroundings`] of its own channel, beyond which it
//! cannot reach, and the effects of the current call. The host applies these only after the call has returned: see
//! [`Effects`].

mod environment;
pub mod files;
pub mod http;
mod journal;
mod key;
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

/// The host-side data of one channel that its guest's calls can reach.
#[derive(Debug)]
pub struct Surroundings {
    /// The channel's name, added to everything that the guest logs.
    pub name: ChannelName,
    /// The journal that holds the channel's state.
    pub journal: Arc<Journal>,
    /// The channel's inbox and outbox.
    pub files: files::Files,
    /// The browsers that have the channel's page open.
    pub page: web::Page,
    /// The values of the channel's settings, with defaults filled in.
    pub settings: BTreeMap<String, String>,
    /// The names of the settings that say where the channel's platform is.
    pub places: Vec<String>,
    /// The values of the channel's credentials.
    pub secrets: Secrets,
    /// The hosts that the channel may reach.
    pub network: http::Network,
}

impl Surroundings {
    /// Returns the variable of the first wanted credential that has no value, if any. `wanted` has pairs of name and
    /// variable.
    pub fn missing_credential<'a>(
        &self,
        wanted: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Option<&'a str> {
        wanted.into_iter().find(|(name, _)| !self.secrets.has(name)).map(|(_, variable)| variable)
    }

    /// Returns a digest of all credentials and of the settings in `places`. If it changes, the channel may use another
    /// account at the platform, or another platform.
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

/// The part of the store data that the host functions use.
#[derive(Debug, Default)]
pub struct Tenant {
    /// `None` while the guest runs `describe`, which must not call any import.
    surroundings: Option<Arc<Surroundings>>,
    /// The effects of the current call so far.
    effects: Effects,
    /// The log lines of the current call.
    lines: log::Lines,
    /// The size of the effects, in bytes.
    spent: usize,
    /// The files that the current call was given or has created.
    handles: files::Handles,
    /// The deadline of the current call.
    ends: Option<Instant>,
    /// The WASI state, for a component that imports WASI.
    wasi: Option<Box<wasi::Wasi>>,
}

/// The most that one call may set and push, in bytes.
const EFFECTS: usize = 16 << 20;

/// The changes that a call leaves for the host to apply. A call that fails leaves none.
#[derive(Debug, Default)]
pub struct Effects {
    /// The state values to set (`Some`) or to remove (`None`), by key.
    pub state: BTreeMap<String, Option<Vec<u8>>>,
    /// The frames to send to the page.
    pub pushes: Vec<web::Push>,
}

impl Effects {
    /// Returns whether there is nothing to apply.
    pub fn is_empty(&self) -> bool {
        self.state.is_empty() && self.pushes.is_empty()
    }

    /// Adds the effects of a later call.
    pub fn extend(&mut self, later: Self) {
        self.state.extend(later.state);
        self.pushes.extend(later.pushes);
    }

    /// Stores the state values in the journal.
    pub fn keep(&self, transaction: &mut Transaction<'_>) -> Result<(), Error> {
        self.state.iter().try_for_each(|(key, value)| transaction.set_state(key, value.as_deref()))
    }

    /// Restricts all frames to browsers that came through the link with the key.
    pub fn confine(&mut self) {
        for push in &mut self.pushes {
            push.confine();
        }
    }
}

impl Tenant {
    /// Returns the tenant of an instance that only runs `describe`.
    pub fn stranger() -> Self {
        Self::default()
    }

    /// Returns the tenant of an instance of this channel.
    pub fn of(surroundings: Arc<Surroundings>) -> Self {
        Self { surroundings: Some(surroundings), ..Self::default() }
    }

    /// Starts a call with these files. Discards everything that belongs to an earlier call.
    pub fn enter(&mut self, handles: files::Handles) {
        self.effects = Effects::default();
        self.lines.reset();
        self.spent = 0;
        self.handles = handles;
    }

    /// Returns the log lines that the instance's calls write.
    pub fn lines(&self) -> log::Lines {
        self.lines.clone()
    }

    /// Ends a call that has returned. Returns its effects and the files that it was given or has created.
    pub fn leave(&mut self) -> (Effects, files::Handles) {
        if let Some(wasi) = &self.wasi {
            wasi.flush();
        }
        self.lines
            .settle(self.surroundings.as_ref().map_or("a new channel", |surroundings| &surroundings.name));
        (std::mem::take(&mut self.effects), std::mem::take(&mut self.handles))
    }

    /// Counts bytes that the host has to keep until the call returns. Above [`EFFECTS`], the error ends the call.
    fn spend(&mut self, bytes: usize) -> wasmtime::Result<()> {
        // Each item counts 64 bytes more, because even an empty frame takes memory.
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

/// Returns a linker with everything that this component may import. A component with other imports does not link.
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
