//! Turns the names that a user gives into running channels.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use futures_util::future::join_all;
use tokio::{
    sync::{mpsc, watch},
    task::{JoinError, JoinHandle},
    time::{Instant, timeout, timeout_at},
};

use crate::{
    admission::Admission,
    builtin::{self, Builtin},
    capability::{
        Key, Secrets, Surroundings, Unavailable,
        files::Files,
        http::{self, HostPattern, Network},
        web::Page,
    },
    claude::{
        self, Basis, ClaudeCode, Judge, OptIn, Policy, Reception, Verdict,
        log::{Query, Traits},
    },
    contract::Source,
    event::ChannelName,
    gate::document::Document,
    guest::{Blueprint, Descriptor, LoadError},
    hub::{Channel, Grants, Hub, Loaded, Preparing, Relay},
    ingress::{self, Ingress},
    journal::{self, Journal},
    sandbox::Engine,
    session::{self, Attention},
    settings::{self, ChannelSettings, Settings, nearest},
    state_root::{self, StateRoot},
};

/// How long the start waits for components. This is enough to compile small components, and a channel's instructions
/// can only be sent in the answer to the handshake. A component that takes longer (a JavaScript component of 12 MB:
/// 10 s) is added when it is ready, so that no client gives up.
const AT_ONCE: Duration = Duration::from_secs(1);

/// How long a start waits for an access file that another process is changing.
const LOOK: Duration = Duration::from_secs(1);

/// The channels to run, and how.
#[derive(Clone, Debug, Default)]
pub struct Order {
    /// Built-in channels, by name.
    pub names: Vec<String>,
    /// Paths of components that nobody has approved.
    pub development: Vec<PathBuf>,
    /// The loopback port, if there is exactly one web channel.
    pub port: Option<u16>,
    /// The name under which the client has this server configured. Without it, the name of the channel is used.
    pub server: Option<String>,
    /// Whether the session takes messages.
    pub opt_in: OptIn,
    /// Whether the session is a person at this terminal.
    pub at_terminal: bool,
}

/// The parts of an order that each channel needs.
#[derive(Clone, Copy, Default)]
struct Wish {
    port: Option<u16>,
    at_terminal: bool,
}

/// Why nothing runs, or not everything. Each text says what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such channel.
    #[error("there is no channel \"{name}\"{hint} (A channel in a file is loaded with --load FILE)")]
    Unknown {
        /// The name as the user gave it.
        name: String,
        /// The name that the user may have meant.
        hint: String,
    },
    /// A channel was named twice.
    #[error("the channel {0} was named twice")]
    Twice(String),
    /// A file cannot be read.
    #[error("{} cannot be read: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// Nobody has approved this component.
    #[error(
        "{0} is a component that nobody has approved, so it is not loaded; to load it for this one run: --load {0}"
    )]
    Unapproved(String),
    /// A component cannot be loaded.
    #[error("{label} cannot be loaded: {source}")]
    Load {
        /// The name or the path of the component.
        label: String,
        /// The cause.
        source: LoadError,
    },
    /// Loading the component did not finish.
    #[error("{label} could not be loaded: {source}")]
    Unfinished {
        /// The name or the path of the component.
        label: String,
        /// The cause.
        source: JoinError,
    },
    /// A component in a file has the name of another channel.
    #[error("{} says that it is \"{name}\", which is the name of another channel: it has to have a name of its own", path.display())]
    Claim {
        /// The file.
        path: PathBuf,
        /// The name that is taken.
        name: ChannelName,
    },
    /// This version cannot run this kind of source.
    #[error("{name} has a {kind} source; this version of tidegate runs poll and web channels only")]
    Source {
        /// The channel.
        name: ChannelName,
        /// The kind of its source.
        kind: Source,
    },
    /// It is unclear which channel `--port` means.
    #[error("--port goes with exactly one web channel; give each its own in {}", .0.display())]
    Port(PathBuf),
    /// An environment variable does not contain a port.
    #[error("{variable} is \"{value}\", which is no port: give a number from 0 to 65535")]
    PortVariable {
        /// The name of the variable.
        variable: String,
        /// The value of the variable.
        value: String,
    },
    /// The settings are invalid.
    #[error(transparent)]
    Settings(#[from] settings::Error),
    /// There is no usable state root.
    #[error(transparent)]
    StateRoot(#[from] state_root::Error),
    /// The journal cannot be used.
    #[error(transparent)]
    Journal(#[from] journal::Error),
    /// The channel's files cannot be used.
    #[error("the files of {name} cannot be used: {source}")]
    Files {
        /// The channel.
        name: ChannelName,
        /// The cause.
        source: std::io::Error,
    },
    /// The channel's secrets cannot be read.
    #[error("the secrets of {name} cannot be read: {source}")]
    Secrets {
        /// The channel.
        name: ChannelName,
        /// The cause.
        source: Unavailable,
    },
    /// The system has no random bytes.
    #[error("the system has no random bytes: {0}")]
    Random(#[from] getrandom::Error),
    /// The compile cache of the sandbox cannot be used.
    #[error("the compile cache {} cannot be used: {source}. Set XDG_CACHE_HOME to another folder if need be", path.display())]
    Cache {
        /// The folder.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
}

/// The state root, the settings and the sandbox with which channels run.
pub struct Launcher {
    root: StateRoot,
    settings: Settings,
    engine: Arc<Engine>,
}

impl Launcher {
    /// Finds the state root, which `home` may name. Reads the settings, and sets up the sandbox.
    pub fn new(home: Option<&Path>) -> Result<Self, Error> {
        let root = StateRoot::find(home)?;
        Ok(Self { settings: Settings::read(&root.settings())?, engine: engine()?, root })
    }

    /// Runs all channels that can run. One channel that fails must not stop the others, so the session is told what
    /// went wrong with a component. Returns an error only if no channel is left, or if the order or the settings are
    /// invalid. A component that takes longer to prepare is added when it is ready, so that the client does not wait
    /// for it.
    pub async fn launch(self: &Arc<Self>, order: &Order) -> Result<Launched, Error> {
        let relay = Arc::<Relay>::default();
        let (mut channels, mut late, mut errors) = (Vec::new(), Vec::new(), Vec::new());
        let deadline = Instant::now() + AT_ONCE;
        for mut load in self.loads(order)? {
            let Ok(loaded) = timeout_at(deadline, &mut load.task).await else {
                late.push(load);
                continue;
            };
            match load.complete(loaded).and_then(|blueprint| unclaimed(blueprint, &load, &channels)) {
                Ok(blueprint) => channels.push(blueprint),
                Err(error) => errors.push(error),
            }
        }
        let webs = channels.iter().filter(|blueprint| blueprint.source == Source::Web).count();
        // It is not known yet whether the late components are web channels.
        if order.port.is_some() && (webs > 1 || webs == 0 && late.is_empty()) {
            return Err(Error::Port(self.root.settings()));
        }
        let (judge, query) = judge(order, &channels, &late);
        let (reception, known) = watch::channel(judge.begin());
        let (heard, hearing) = mpsc::unbounded_channel();
        let (mut running, mut ingresses) = (Vec::new(), Vec::new());
        let wish = Wish { port: order.port, at_terminal: order.at_terminal };
        for blueprint in channels {
            match self.furnish(blueprint, wish, &relay, &known) {
                Ok((channel, ingress)) => {
                    ingresses.push(ingress);
                    running.push(channel);
                }
                // Nothing runs until the user has corrected the settings.
                Err(error @ (Error::Settings(_) | Error::PortVariable { .. })) => return Err(error),
                Err(error) => errors.push(error),
            }
        }
        if running.is_empty() && late.is_empty() && !errors.is_empty() {
            let first = errors.remove(0);
            for error in errors {
                tracing::error!("{error}");
            }
            return Err(first);
        }
        let missing = errors.iter().map(missing).collect();
        for error in errors {
            tracing::error!("{error}");
        }
        join_all(ingresses.into_iter().map(Ingress::start)).await;
        // The session's instructions say what keeps a channel shut. A channel that does not know yet tells it later.
        for channel in &running {
            let _ = timeout(LOOK, channel.admits()).await;
        }
        self.name_unknown_tables(&running, &late);
        let since = std::time::Instant::now();
        let preparing = late.iter().map(|load| Preparing { label: load.label.clone(), since }).collect();
        let hub = Hub::new(Loaded::new(running, preparing, missing), Arc::clone(&relay));
        for load in late {
            let (launcher, hub) = (Arc::clone(self), hub.clone());
            let (relay, known) = (Arc::clone(&relay), known.clone());
            tokio::spawn(async move { launcher.add(load, wish, &relay, &known, &hub).await });
        }
        let judging = judge.follow(query, hub.attached(), reception, heard);
        let attention = Attention { reception: known, hearing };
        Ok(Launched { hub, attention, judging: Box::pin(judging) })
    }

    /// Starts loading all components at once.
    fn loads(&self, order: &Order) -> Result<Vec<Load>, Error> {
        let builtins = named(&order.names)?.into_iter().map(|builtin| {
            let engine = Arc::clone(&self.engine);
            let task = tokio::spawn(async move { load(&engine, builtin.name, builtin.bytes).await });
            Load { label: builtin.name.to_owned(), file: None, task }
        });
        let files = order.development.iter().map(|path| {
            let (engine, file) = (Arc::clone(&self.engine), path.clone());
            let task = tokio::spawn(async move { read(&engine, &file).await });
            Load { label: path.display().to_string(), file: Some(path.clone()), task }
        });
        Ok(builtins.chain(files).collect())
    }

    /// Logs which tables in the settings belong to no channel, because their names may be misspelled.
    fn name_unknown_tables(&self, running: &[Arc<Channel>], late: &[Load]) {
        let builtins = builtin::ALL.iter().map(|builtin| builtin.name.to_owned());
        let running = running.iter().map(|channel| channel.name().to_string());
        let late = late.iter().map(Load::likely_name);
        let known: Vec<String> = builtins.chain(running).chain(late).chain(self.root.used()).collect();
        for line in self.settings.unknown(&known.iter().map(String::as_str).collect::<Vec<_>>()) {
            tracing::warn!("{line}");
        }
    }

    /// Adds a channel that took longer to prepare.
    async fn add(
        &self,
        mut load: Load,
        wish: Wish,
        relay: &Arc<Relay>,
        reception: &watch::Receiver<Reception>,
        hub: &Hub,
    ) {
        let loaded = (&mut load.task).await;
        let added = load.complete(loaded).and_then(|blueprint| {
            let name = &blueprint.descriptor.name;
            if load.claims(name, hub.loaded().channels().iter().map(|channel| channel.name())) {
                return Err(load.claim(name));
            }
            let others = hub.loaded();
            let has_page = |channel: &Arc<Channel>| channel.guest().source() == Source::Web;
            if wish.port.is_some()
                && blueprint.source == Source::Web
                && others.channels().iter().any(has_page)
            {
                return Err(Error::Port(self.root.settings()));
            }
            self.furnish(blueprint, wish, relay, reception)
        });
        match added {
            Ok((channel, ingress)) => {
                tracing::info!("{} is ready", channel.name());
                ingress.start().await;
                hub.add(&load.label, channel);
            }
            Err(error) => {
                tracing::error!("{error}");
                hub.give_up(&load.label, missing(&error));
            }
        }
    }

    fn furnish(
        &self,
        blueprint: Blueprint,
        wish: Wish,
        relay: &Arc<Relay>,
        reception: &watch::Receiver<Reception>,
    ) -> Result<(Arc<Channel>, Ingress), Error> {
        let name = blueprint.descriptor.name.clone();
        let builtin = builtin::find(&name);
        let descriptor = &blueprint.descriptor;
        let settings = self.settings.channel(&name, &descriptor.settings)?;
        let folder = self.root.channel(&name)?;
        let failed = |source| Error::Files { name: name.clone(), source };
        let credentials = descriptor.credentials.iter().map(|one| (one.name.as_str(), one.env.as_str()));
        let source = match blueprint.source {
            Source::Web => ingress::Source::Web { port: page_port(wish.port, &settings, descriptor)? },
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
            page: Page::new(Key::of(&folder, !claude::in_models_shell())?),
            secrets,
            settings: settings.values,
            places,
            name: name.clone(),
        };
        let surroundings = Arc::new(surroundings);
        if surroundings.secrets.in_keyring() {
            // A keyring may stay locked until a person comes, so only this thread waits for it.
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
        let grants = Grants {
            permission_prompts: settings.permission_prompts.unwrap_or(builtin.is_some()),
            visitors_are_owner: wish.at_terminal
                && builtin.is_none()
                && matches!(source, ingress::Source::Web { .. }),
        };
        let channel = Channel::new(guest, settings.keep, admission, Arc::clone(relay), grants);
        Ok((Arc::clone(&channel), Ingress::new(channel, folder, source, reception.clone())))
    }

    /// Opens a built-in channel without its ingress, in order to ask it something.
    pub async fn open(&self, name: &str) -> Result<Arc<Channel>, Error> {
        let builtin = builtin::find(name).ok_or_else(|| unknown(name))?;
        let blueprint = load(&self.engine, builtin.name, builtin.bytes).await?;
        let (_, reception) = watch::channel(Reception::Awaited);
        Ok(self.furnish(blueprint, Wish::default(), &Arc::default(), &reception)?.0)
    }

    /// Returns the port of a channel's page. `given` is the port on the command line.
    pub fn page_port(&self, given: Option<u16>, descriptor: &Descriptor) -> Result<u16, Error> {
        page_port(given, &self.settings.channel(&descriptor.name, &descriptor.settings)?, descriptor)
    }

    /// Returns the state root.
    pub fn root(&self) -> &StateRoot {
        &self.root
    }

    /// Returns the sandbox, which is used to inspect a channel without running it.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }
}

/// Creates the admission of the channel with this folder.
pub fn admission(
    folder: &Path,
    journal: &Arc<Journal>,
    builtin: Option<Builtin>,
    messages_per_minute: Option<u32>,
) -> Arc<Admission> {
    let initial = builtin.and_then(|builtin| builtin.page_user).map(Document::of_page).unwrap_or_default();
    Arc::new(Admission::new(folder, Arc::clone(journal), initial, messages_per_minute))
}

/// A component that is being loaded.
struct Load {
    /// The name or the path of the component.
    label: String,
    /// The file of the component. `None` if it is built in.
    file: Option<PathBuf>,
    task: JoinHandle<Result<Blueprint, Error>>,
}

impl Load {
    /// Returns the result of loading.
    fn complete(&self, loaded: Result<Result<Blueprint, Error>, JoinError>) -> Result<Blueprint, Error> {
        loaded.unwrap_or_else(|error| Err(Error::Unfinished { label: self.label.clone(), source: error }))
    }

    /// Returns the channel's name, as far as it can be guessed before the component is loaded.
    fn likely_name(&self) -> String {
        let stem = self.file.as_ref().and_then(|file| Some(file.file_stem()?.to_string_lossy().into_owned()));
        stem.unwrap_or_else(|| self.label.clone())
    }

    /// Returns true if a component in a file has the name of another channel.
    fn claims<'a>(&self, name: &ChannelName, mut others: impl Iterator<Item = &'a ChannelName>) -> bool {
        self.file.is_some() && (builtin::find(name).is_some() || others.any(|other| other == name))
    }

    fn claim(&self, name: &ChannelName) -> Error {
        Error::Claim { path: self.file.clone().unwrap_or_default(), name: name.clone() }
    }
}

fn unclaimed(blueprint: Blueprint, load: &Load, others: &[Blueprint]) -> Result<Blueprint, Error> {
    let name = &blueprint.descriptor.name;
    if load.claims(name, others.iter().map(|other| &other.descriptor.name)) {
        return Err(load.claim(name));
    }
    Ok(blueprint)
}

fn missing(error: &Error) -> String {
    format!("A channel is missing: {error}.")
}

/// The running channels, and the task that finds out about the session.
pub struct Launched {
    /// All channels.
    pub hub: Hub,
    /// What is known about the session.
    pub attention: Attention,
    /// Keeps `attention` up to date. Ends when there is nothing more to find out.
    pub judging: Pin<Box<dyn Future<Output = ()> + Send>>,
}

/// Returns whether the session takes messages, as far as this can be known before the client says so, and how to
/// recognise the client's log of this server.
fn judge(order: &Order, channels: &[Blueprint], late: &[Load]) -> (Judge, Query) {
    let names = if let Some(name) = &order.server {
        vec![name.clone()]
    } else {
        // The client may have named the server after any channel, even after one that failed to load.
        let mut names = order.names.clone();
        names.extend(channels.iter().map(|channel| channel.descriptor.name.to_string()));
        names.extend(late.iter().map(Load::likely_name));
        let mut seen = HashSet::new();
        names.retain(|name| seen.insert(name.clone()));
        names
    };
    let claude = ClaudeCode::find();
    let servers: Vec<&str> = names.iter().map(String::as_str).collect();
    let expectation = match claude::judge(order.opt_in, &claude, &servers, &Policy::read()) {
        Verdict::In if order.at_terminal => Ok(Basis::Terminal),
        Verdict::In if matches!(claude.process, Ok(None)) => Ok(Basis::OtherClient),
        Verdict::In => Ok(Basis::CommandLine),
        Verdict::Out(reason) => Err(reason.to_string()),
    };
    let entry = claude.entry_for(names.first().map_or("NAME", String::as_str));
    let known = claude.process.as_ref().ok().and_then(Option::as_ref);
    let traits = Traits::find(names, session::introduction(), known);
    // Even if the client's process cannot be seen, the client may have said that it is Claude Code.
    let by_claude_code =
        !matches!(claude.process, Ok(None)) || traits.session.is_some() && !claude::in_models_shell();
    (Judge { setting: order.opt_in, expectation, by_claude_code, entry }, Query::new(traits))
}

/// Creates the sandbox with the user's compile cache.
pub fn engine() -> Result<Arc<Engine>, Error> {
    let cache = state_root::cache()?;
    Engine::new(&cache).map(Arc::new).map_err(|source| Error::Cache { path: cache, source })
}

/// Loads a component from a file, to inspect it.
pub async fn read(engine: &Arc<Engine>, path: &Path) -> Result<Blueprint, Error> {
    let bytes =
        tokio::fs::read(path).await.map_err(|source| Error::File { path: path.to_owned(), source })?;
    load(engine, &path.display().to_string(), &bytes).await
}

/// Loads a component from its bytes, to inspect it.
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

/// Returns the port of a channel's page. 0 means any free port.
fn page_port(given: Option<u16>, settings: &ChannelSettings, descriptor: &Descriptor) -> Result<u16, Error> {
    Ok(match given {
        Some(port) => port,
        None => port_variable(&descriptor.name)?.or(settings.port).or(descriptor.port).unwrap_or(0),
    })
}

/// Reads the port from the channel's environment variable, such as `FAKECHAT_PORT`.
fn port_variable(name: &ChannelName) -> Result<Option<u16>, Error> {
    let variable = name.variable("PORT");
    match std::env::var(&variable) {
        Err(_) => Ok(None),
        Ok(value) => value.trim().parse().map(Some).map_err(|_| Error::PortVariable { variable, value }),
    }
}
