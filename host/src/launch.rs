//! From the names that a user gives to channels that run.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    admission::Admission,
    builtin::{self, Builtin},
    capability::{
        Secrets, Surroundings, Unavailable,
        files::Files,
        http::{self, HostPattern, Network},
        web::Page,
    },
    claude::{self, ClaudeCode, OptIn, Policy, Verdict},
    contract::Source,
    event::ChannelName,
    gate::document::Document,
    guest::{Blueprint, LoadError},
    hub::{Channel, Condition, Grants, Hub, Relay},
    ingress::{self, Ingress},
    journal::{self, Journal},
    sandbox::Engine,
    settings::{self, Settings, nearest},
    state_root::{self, StateRoot},
};

/// What is to be run.
#[derive(Clone, Debug, Default)]
pub struct Order {
    /// Built-in channels, by name.
    pub names: Vec<String>,
    /// Components that nobody has approved, by path.
    pub development: Vec<PathBuf>,
    /// The loopback port of the only web channel.
    pub port: Option<u16>,
    /// Under which name the client has this server configured; without it, under its channel's.
    pub server: Option<String>,
    /// Does the session take messages?
    pub opt_in: OptIn,
}

/// Why nothing, or not everything, runs. Each says what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such channel.
    #[error(
        "there is no channel \"{name}\"{hint} (A channel in a file is loaded with --dangerously-load-development-channels FILE)"
    )]
    Unknown {
        /// As given.
        name: String,
        /// What may have been meant.
        hint: String,
    },
    /// Named twice.
    #[error("the channel {0} was named twice")]
    Twice(String),
    /// A file cannot be read.
    #[error("{} cannot be read: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Nobody has approved it.
    #[error(
        "{0} is a component that nobody has approved, so it is not loaded; to load it for this one run: --dangerously-load-development-channels {0}"
    )]
    Unapproved(String),
    /// A component cannot be loaded.
    #[error("{label} cannot be loaded: {source}")]
    Load {
        /// A name or a path.
        label: String,
        /// Why.
        source: LoadError,
    },
    /// A file claims to be a channel that it is not.
    #[error("{} says that it is \"{name}\", which is the name of another channel: it has to have a name of its own", path.display())]
    Claim {
        /// The file.
        path: PathBuf,
        /// The name that is taken.
        name: ChannelName,
    },
    /// No loop exists for this kind of source.
    #[error("{name} has a {kind} source; this version of tidegate runs poll and web channels only")]
    Source {
        /// Which channel.
        name: ChannelName,
        /// What it has.
        kind: Source,
    },
    /// `--port` says nothing about which channel it means.
    #[error("--port goes with exactly one web channel; give each its own in {}", .0.display())]
    Port(PathBuf),
    /// A variable is not a port.
    #[error("{variable} is \"{value}\", which is no port: give a number from 0 to 65535")]
    PortVariable {
        /// Its name.
        variable: String,
        /// Its value.
        value: String,
    },
    /// The settings are wrong.
    #[error(transparent)]
    Settings(#[from] settings::Error),
    /// There is no place for the state.
    #[error(transparent)]
    StateRoot(#[from] state_root::Error),
    /// The journal cannot be used.
    #[error(transparent)]
    Journal(#[from] journal::Error),
    /// The channel's files cannot be used.
    #[error("the files of {name} cannot be used: {source}")]
    Files {
        /// Which channel.
        name: ChannelName,
        /// Why.
        source: std::io::Error,
    },
    /// The channel's secrets cannot be read.
    #[error("the secrets of {name} cannot be read: {source}")]
    Secrets {
        /// Which channel.
        name: ChannelName,
        /// Why.
        source: Unavailable,
    },
    /// There are no random bytes.
    #[error("the system has no random bytes: {0}")]
    Random(#[from] getrandom::Error),
    /// The sandbox cannot be set up.
    #[error("the compile cache {} cannot be used: {source}. Set XDG_CACHE_HOME to another folder if need be", path.display())]
    Cache {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// Where channels are run.
pub struct Launcher {
    root: StateRoot,
    settings: Settings,
    engine: Arc<Engine>,
}

impl Launcher {
    /// Finds the state root, reads the settings, sets up the sandbox.
    pub fn new() -> Result<Self, Error> {
        let root = StateRoot::find()?;
        Ok(Self { settings: Settings::read(&root.settings())?, engine: engine()?, root })
    }

    /// Runs what can be run. One channel that cannot must not take the others with it, so what went wrong with a
    /// component is told to the session; only if there is nothing left, or the order itself makes no sense, is it
    /// an error.
    pub async fn launch(&self, order: &Order) -> Result<Hub, Error> {
        let consent = Consent::find(order);
        let relay = Arc::<Relay>::default();
        let (mut channels, mut errors) = (Vec::new(), Vec::new());
        for builtin in named(&order.names)? {
            match load(&self.engine, builtin.name, builtin.bytes).await {
                Ok(blueprint) => channels.push(blueprint),
                Err(error) => errors.push(error),
            }
        }
        for path in &order.development {
            match self.load_file(path, &channels).await {
                Ok(blueprint) => channels.push(blueprint),
                Err(error) => errors.push(error),
            }
        }
        let webs = channels.iter().filter(|blueprint| blueprint.source == Source::Web).count();
        if order.port.is_some() && webs != 1 {
            return Err(Error::Port(self.root.settings()));
        }
        let refusal = consent.refusal(&channels);
        let (mut running, mut ingresses) = (Vec::new(), Vec::new());
        for blueprint in channels {
            match self.furnish(blueprint, order.port, &relay) {
                Ok((channel, ingress)) => {
                    match &refusal {
                        Some(reason) => {
                            tracing::warn!("{}: {reason}", channel.name());
                            channel.set_condition(Condition::Standby { reason: reason.clone() });
                        }
                        None => ingresses.push(ingress),
                    }
                    running.push(channel);
                }
                // What the user has written is theirs to mend before anything runs.
                Err(error @ (Error::Settings(_) | Error::PortVariable { .. })) => return Err(error),
                Err(error) => errors.push(error),
            }
        }
        if running.is_empty() && !errors.is_empty() {
            let first = errors.remove(0);
            for error in errors {
                tracing::error!("{error}");
            }
            return Err(first);
        }
        let broken = errors.iter().map(|error| format!("A channel is missing: {error}.")).collect();
        for error in errors {
            tracing::error!("{error}");
        }
        for ingress in ingresses {
            ingress.start();
        }
        Ok(Hub::new(running, relay, broken))
    }

    async fn load_file(&self, path: &Path, others: &[Blueprint]) -> Result<Blueprint, Error> {
        let blueprint = read(&self.engine, path).await?;
        let name = &blueprint.descriptor.name;
        if builtin::find(name).is_some() || others.iter().any(|other| other.descriptor.name == *name) {
            return Err(Error::Claim { path: path.to_owned(), name: name.clone() });
        }
        Ok(blueprint)
    }

    fn furnish(
        &self,
        blueprint: Blueprint,
        port: Option<u16>,
        relay: &Arc<Relay>,
    ) -> Result<(Arc<Channel>, Ingress), Error> {
        let name = blueprint.descriptor.name.clone();
        let builtin = builtin::find(&name);
        let descriptor = &blueprint.descriptor;
        let settings = self.settings.channel(&name, &descriptor.settings)?;
        let folder = self.root.channel(&name)?;
        let failed = |source| Error::Files { name: name.clone(), source };
        let credentials = descriptor.credentials.iter().map(|one| (one.name.as_str(), one.env.as_str()));
        let source = match blueprint.source {
            Source::Web => ingress::Source::Web {
                port: match port {
                    Some(port) => port,
                    None => port_variable(&name)?.or(settings.port).or(descriptor.port).unwrap_or(0),
                },
            },
            Source::Poll => ingress::Source::Poll,
            Source::Socket => return Err(Error::Source { name, kind: blueprint.source }),
        };
        let secrets = Secrets::read(credentials, &folder.join(".env"))
            .map_err(|source| Error::Secrets { name: name.clone(), source })?;
        let setup = http::Setup {
            hosts: &descriptor.hosts,
            credentials: descriptor.credentials.iter().map(http::Credential::from).collect(),
            values: http::Values { all: &settings.values, given: &settings.given },
            proxy: settings.proxy,
            ca_file: settings.ca_file,
            largest: descriptor.max_upload,
            advice: http::Advice {
                channel: name.clone(),
                granted: settings.network,
                settings: self.root.settings(),
                secrets: folder.join(".env"),
            },
        };
        let places = descriptor.hosts.iter().filter_map(|host| match host {
            HostPattern::Setting(name) => Some(name.clone()),
            HostPattern::Name(_) | HostPattern::Below(_) => None,
        });
        let places = places.collect();
        let surroundings = Surroundings {
            network: Network::new(setup).map_err(|error| self.settings.error(error.to_string()))?,
            journal: Journal::open(&folder.join("journal.db"))?,
            files: Files::open(&folder, &self.root.all(&name), &settings.send_from).map_err(failed)?,
            page: Page::new()?,
            secrets,
            settings: settings.values,
            places,
            name: name.clone(),
        };
        let surroundings = Arc::new(surroundings);
        if surroundings.secrets.in_keyring() {
            // A keyring may be locked until a person comes: nothing else waits for that.
            let theirs = Arc::clone(&surroundings);
            std::thread::spawn(move || {
                if let Err(error) = theirs.secrets.refresh() {
                    tracing::warn!("{}: {error}", theirs.name);
                }
            });
        }
        let admission = admission(&folder, &surroundings.journal, builtin, settings.messages_per_minute);
        let guest = blueprint
            .furnish(surroundings, settings.limits)
            .map_err(|source| Error::Load { label: name.to_string(), source })?;
        let grants = Grants { permission_prompts: settings.permission_prompts.unwrap_or(builtin.is_some()) };
        let channel = Channel::new(guest, settings.keep, admission, Arc::clone(relay), grants);
        Ok((Arc::clone(&channel), Ingress::new(channel, folder, source)))
    }

    /// A built-in channel that takes nothing in: to ask it something.
    pub async fn open(&self, name: &str) -> Result<Arc<Channel>, Error> {
        let builtin = builtin::find(name).ok_or_else(|| unknown(name))?;
        let blueprint = load(&self.engine, builtin.name, builtin.bytes).await?;
        Ok(self.furnish(blueprint, None, &Arc::default())?.0)
    }

    /// Where the state is.
    pub fn root(&self) -> &StateRoot {
        &self.root
    }

    /// For looking at a channel without running it.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }
}

/// Who may speak through a channel that has this folder.
pub fn admission(
    folder: &Path,
    journal: &Arc<Journal>,
    builtin: Option<Builtin>,
    messages_per_minute: Option<u32>,
) -> Arc<Admission> {
    let initial = builtin.and_then(|builtin| builtin.page_user).map(Document::of_page).unwrap_or_default();
    Arc::new(Admission::new(folder, Arc::clone(journal), initial, messages_per_minute))
}

/// Does the session take messages, and does the organisation let it?
struct Consent<'a> {
    order: &'a Order,
    policy: Policy,
    client: ClaudeCode,
}

impl<'a> Consent<'a> {
    fn find(order: &'a Order) -> Self {
        Self { order, policy: Policy::read(), client: ClaudeCode::find() }
    }

    /// Why none of these channels takes anything in, if so.
    fn refusal(&self, channels: &[Blueprint]) -> Option<String> {
        // Without `--as`, the client may have named the server after any channel, also after one that did not load.
        let given = self.order.names.iter().map(String::as_str);
        let loaded = channels.iter().map(|blueprint| &*blueprint.descriptor.name);
        let mut servers: Vec<&str> = given.collect();
        for name in loaded {
            if !servers.contains(&name) {
                servers.push(name);
            }
        }
        if let Some(server) = &self.order.server {
            servers = vec![server];
        }
        match claude::judge(self.order.opt_in, &self.client, &servers, &self.policy) {
            Verdict::In => None,
            Verdict::Out(reason) => Some(reason.to_string()),
        }
    }
}

/// The sandbox, with the user's compile cache.
pub fn engine() -> Result<Arc<Engine>, Error> {
    let cache = state_root::cache()?;
    Engine::new(&cache).map(Arc::new).map_err(|source| Error::Cache { path: cache, source })
}

/// Loads a component from a file, to look at it.
pub async fn read(engine: &Arc<Engine>, path: &Path) -> Result<Blueprint, Error> {
    let bytes = std::fs::read(path).map_err(|source| Error::File { path: path.to_owned(), source })?;
    load(engine, &path.display().to_string(), &bytes).await
}

/// Loads a component from its bytes, to look at it.
pub async fn load(engine: &Arc<Engine>, label: &str, bytes: &[u8]) -> Result<Blueprint, Error> {
    Blueprint::load(Arc::clone(engine), label, bytes)
        .await
        .map_err(|source| Error::Load { label: label.to_owned(), source })
}

fn named(names: &[String]) -> Result<Vec<Builtin>, Error> {
    let mut found: Vec<Builtin> = Vec::new();
    for name in names {
        let builtin = builtin::find(name).ok_or_else(|| {
            if Path::new(name).is_file() { Error::Unapproved(name.clone()) } else { unknown(name) }
        })?;
        if found.iter().any(|other| other.name == builtin.name) {
            return Err(Error::Twice(name.clone()));
        }
        found.push(builtin);
    }
    Ok(found)
}

fn unknown(name: &str) -> Error {
    let hint = nearest(name, builtin::ALL.iter().map(|builtin| builtin.name));
    Error::Unknown { name: name.to_owned(), hint }
}

/// `FAKECHAT_PORT` and its like.
fn port_variable(name: &ChannelName) -> Result<Option<u16>, Error> {
    let variable = name.variable("PORT");
    match std::env::var(&variable) {
        Err(_) => Ok(None),
        Ok(value) => value.trim().parse().map(Some).map_err(|_| Error::PortVariable { variable, value }),
    }
}
