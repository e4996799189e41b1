//! From the names that a user gives to channels that run.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    builtin,
    capability::{Secrets, Surroundings, files::Files, web::Page},
    contract::Source,
    event::ChannelName,
    guest::{Blueprint, LoadError},
    hub::{Channel, Hub},
    ingress::WebIngress,
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
    #[error("{name} has a {kind} source; this version of tidegate runs web channels only")]
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
        let (mut running, mut ingresses) = (Vec::new(), Vec::new());
        for blueprint in channels {
            match self.furnish(blueprint, order.port) {
                Ok((channel, ingress)) => {
                    running.push(channel);
                    ingresses.push(ingress);
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
        Ok(Hub::new(running, broken))
    }

    async fn load_file(&self, path: &Path, others: &[Blueprint]) -> Result<Blueprint, Error> {
        let blueprint = read(&self.engine, path).await?;
        let name = &blueprint.descriptor.name;
        if builtin::find(name).is_some() || others.iter().any(|other| other.descriptor.name == *name) {
            return Err(Error::Claim { path: path.to_owned(), name: name.clone() });
        }
        if blueprint.source != Source::Web {
            return Err(Error::Source { name: name.clone(), kind: blueprint.source });
        }
        Ok(blueprint)
    }

    fn furnish(&self, blueprint: Blueprint, port: Option<u16>) -> Result<(Arc<Channel>, WebIngress), Error> {
        let name = blueprint.descriptor.name.clone();
        let descriptor = &blueprint.descriptor;
        let settings = self.settings.channel(&name, &descriptor.settings)?;
        let folder = self.root.channel(&name)?;
        let failed = |source| Error::Files { name: name.clone(), source };
        let credentials = descriptor.credentials.iter().map(|one| (one.name.as_str(), one.env.as_str()));
        let port = match port {
            Some(port) => port,
            None => port_variable(&name)?.or(settings.port).or(descriptor.port).unwrap_or(0),
        };
        let surroundings = Surroundings {
            journal: Journal::open(&folder.join("journal.db"))?,
            files: Files::open(self.root.path(), &folder).map_err(failed)?,
            page: Page::default(),
            secrets: Secrets::read(credentials, &folder.join(".env")).map_err(failed)?,
            settings: settings.values,
            name: name.clone(),
        };
        let guest = blueprint
            .furnish(Arc::new(surroundings), settings.limits)
            .map_err(|source| Error::Load { label: name.to_string(), source })?;
        let channel = Channel::new(guest, settings.keep);
        Ok((Arc::clone(&channel), WebIngress::new(channel, folder, port)))
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

fn named(names: &[String]) -> Result<Vec<builtin::Builtin>, Error> {
    let mut found: Vec<builtin::Builtin> = Vec::new();
    for name in names {
        let builtin = builtin::find(name).ok_or_else(|| Error::Unknown {
            name: name.clone(),
            hint: nearest(name, builtin::ALL.iter().map(|builtin| builtin.name)),
        })?;
        if found.iter().any(|other| other.name == builtin.name) {
            return Err(Error::Twice(name.clone()));
        }
        found.push(builtin);
    }
    Ok(found)
}

/// `FAKECHAT_PORT` and its like.
fn port_variable(name: &ChannelName) -> Result<Option<u16>, Error> {
    let variable = name.variable("PORT");
    match std::env::var(&variable) {
        Err(_) => Ok(None),
        Ok(value) => value.trim().parse().map(Some).map_err(|_| Error::PortVariable { variable, value }),
    }
}
