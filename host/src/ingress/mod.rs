//! Takes events in while the session receives messages: one loop for each channel, which depends on the kind of its
//! source.

mod poll;
pub mod web;

use std::{path::PathBuf, sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

use self::web::link::Doorkeeper;
use crate::{
    claude::Reception,
    hub::{Channel, Condition},
    lock::{self, Lock},
};

/// The log target for secrets, which are written to stderr and to no file.
pub const SECRET: &str = "tidegate::secret";

/// The delay before the next try to take over a channel.
const RETRY: Duration = Duration::from_secs(3);

/// How often a session that serves its page only to say why nothing is taken in checks whether another process needs
/// the port.
const LOOK: Duration = Duration::from_millis(250);

/// The longest time that such a session holds the lock while it opens its page.
const BRIEF: Duration = Duration::from_millis(25);

/// How long the page of such a session may still hold the port when this session begins, and how often to try
/// meanwhile.
const YIELD: Duration = Duration::from_secs(2);
const TRY: Duration = Duration::from_millis(100);

/// The inbound side of a channel: the lock of its folder, and the loop that its kind of source needs.
pub struct Ingress {
    channel: Arc<Channel>,
    folder: PathBuf,
    source: Source,
    reception: watch::Receiver<Reception>,
    /// The page. It is also served while nothing is taken in, and then says why.
    page: Option<web::Server>,
    /// Gives the link to that page, with the key, to a person who asks for it.
    doorkeeper: Option<Doorkeeper>,
    /// The last process that served the channel before the page only said why nothing is taken in.
    last_owner: Option<String>,
}

/// Where a channel's events come from.
#[derive(Clone, Copy, Debug)]
pub enum Source {
    /// A page on this loopback port.
    Web {
        /// The port; 0 means any free one.
        port: u16,
    },
    /// The platform, which is polled.
    Poll,
}

impl Ingress {
    /// Returns the ingress of this channel. `folder` is the channel's folder; `reception` says whether the session
    /// receives messages.
    pub fn new(
        channel: Arc<Channel>,
        folder: PathBuf,
        source: Source,
        reception: watch::Receiver<Reception>,
    ) -> Self {
        Self { channel, folder, source, reception, page: None, doorkeeper: None, last_owner: None }
    }

    /// Starts to take events in if the session receives messages, and keeps trying in the background if that fails. In
    /// either case the channel's condition says what the state is.
    pub async fn start(mut self) {
        self.channel.note(&self.reception.borrow());
        let lock = if self.reception.borrow_and_update().is_open() {
            self.begin_patiently().await
        } else {
            self.stand_by();
            None
        };
        tokio::spawn(async move { self.run(lock).await });
    }

    async fn run(mut self, mut lock: Option<Lock>) {
        let mut noted = self.reception.borrow().clone();
        let mut opened: Option<Instant> = None;
        loop {
            let reception = self.reception.borrow().clone();
            if reception != noted {
                self.channel.note(&reception);
                noted = reception;
            }
            if !self.reception.borrow_and_update().is_open() {
                self.stand_by();
                self.wait_for_the_session().await;
                opened = Some(Instant::now());
                continue;
            }
            let patient = opened.is_some_and(|opened| opened.elapsed() < YIELD);
            if let Some(lock) = lock.take().or_else(|| self.begin(!patient)) {
                let condition = self.serve().await;
                self.doorkeeper = None;
                self.channel.pause(condition);
                self.last_owner = lock::introduction(&self.folder);
                drop(lock);
            }
            if self.reception.borrow().is_open() {
                tokio::select! {
                    () = sleep(if patient { TRY } else { RETRY }) => {}
                    () = changed(&mut self.reception) => {}
                }
            }
        }
    }

    /// Takes events in until the session receives no messages any more, or the source fails. Returns the condition of
    /// the channel after that.
    async fn serve(&mut self) -> Condition {
        let Self { channel, source, reception, page, .. } = self;
        let closed = async {
            loop {
                changed(reception).await;
                // The basis of an open reception may change, too.
                let now = reception.borrow().clone();
                channel.note(&now);
                if !now.is_open() {
                    return;
                }
            }
        };
        let taken_in = async {
            match (source, page) {
                (Source::Poll, _) => poll::run(channel).await,
                (Source::Web { .. }, Some(server)) => server.ended().await,
                (Source::Web { .. }, None) => {}
            }
        };
        tokio::select! {
            biased;
            () = closed => return Condition::Starting,
            () = taken_in => {}
        }
        self.page = None;
        Condition::Down { reason: "its page's socket has failed, and is opened again in a moment".to_owned() }
    }

    /// Reports why nothing is taken in, on the page too.
    fn stand_by(&mut self) {
        let name = self.channel.name();
        let condition = match &*self.reception.borrow() {
            Reception::Closed { reason, .. } => Condition::Standby { reason: reason.to_string() },
            Reception::Awaited | Reception::Open(_) => Condition::Starting,
        };
        let reason = condition.reason().map(str::to_owned);
        if self.channel.set_condition(condition)
            && let Some(reason) = reason
        {
            tracing::warn!("{name} receives no messages: {reason}");
            self.channel.notice(&format!("{name} receives no messages: {reason}"));
        }
        self.open_lobby();
    }

    /// Serves the page, so that it says that no session listens, and why. If another process serves the channel, that
    /// process has the page.
    fn open_lobby(&mut self) {
        let (Source::Web { port }, None) = (self.source, &self.page) else { return };
        // The lock is held for a moment, so that a process that takes it afterwards is noticed by its introduction.
        let Ok(_free) = Lock::look(&self.folder) else { return };
        self.last_owner = lock::introduction(&self.folder);
        let name = self.channel.name();
        // If the port is taken, most likely another session that waits has its page there.
        if let Ok(listener) = web::Listener::bind(port, name) {
            tracing::info!("{name}: nobody listens yet, and the page says so: {}", listener.address());
            self.page = Some(web::Server::start(listener, &self.channel));
        }
    }

    /// Waits until the session may receive messages after all. If another process takes over the channel meanwhile,
    /// that process gets the port; when it has ended, the page is served here again.
    async fn wait_for_the_session(&mut self) {
        let has_page = matches!(self.source, Source::Web { .. });
        loop {
            tokio::select! {
                () = changed(&mut self.reception) => return,
                () = sleep(if self.page.is_some() { LOOK } else { RETRY }), if has_page => {}
            }
            if self.page.is_none() {
                self.open_lobby();
            } else if lock::introduction(&self.folder) != self.last_owner {
                self.page = None;
            }
        }
    }

    /// Takes the channel over, with retries: the page of a session that waits may have the port, or such a session may
    /// hold the lock. Both take only a moment.
    async fn begin_patiently(&mut self) -> Option<Lock> {
        let start = Instant::now();
        while start.elapsed() < LOOK * 2 {
            match self.attempt() {
                Ok(lock) => return Some(lock),
                Err(Condition::Standby { .. }) if start.elapsed() > BRIEF => break,
                Err(_) => sleep(BRIEF).await,
            }
        }
        self.begin(true)
    }

    /// Takes the channel over. A failure is reported, unless `tell` is false and the failure may pass in a moment.
    fn begin(&mut self, tell: bool) -> Option<Lock> {
        match self.attempt() {
            Ok(lock) => Some(lock),
            Err(Condition::Down { .. }) if !tell => None,
            Err(condition) => {
                let reason = condition.reason().unwrap_or_default().to_owned();
                if self.channel.set_condition(condition) {
                    tracing::error!("{} is down: {reason}", self.channel.name());
                }
                None
            }
        }
    }

    fn attempt(&mut self) -> Result<Lock, Condition> {
        let down = |reason| Condition::Down { reason };
        let name = self.channel.name();
        let lock = Lock::take(&self.folder).map_err(|error| match error {
            lock::Error::Held { .. } => Condition::Standby { reason: error.to_string() },
            lock::Error::File { .. } => down(error.to_string()),
        })?;
        let address = match self.source {
            Source::Web { port } => {
                let server = match self.page.take() {
                    Some(server) => server,
                    None => web::Server::start(web::Listener::bind(port, name).map_err(down)?, &self.channel),
                };
                let address = server.address().to_owned();
                self.page = Some(server);
                lock.describe(&address);
                Some(address)
            }
            Source::Poll => None,
        };
        self.channel.resume().map_err(|error| down(error.to_string()))?;
        if let Some(address) = &address {
            tracing::info!("{name}: {address}");
        }
        self.channel.surroundings().page.key().take_over();
        self.channel.set_condition(Condition::Up { address });
        if let Some(link) = self.channel.link() {
            // Only for the person who reads stderr, and in no log file: a browser with this link may decide.
            tracing::info!(target: SECRET, "{name}: to answer permission prompts on the page, open {link}");
            self.doorkeeper = Doorkeeper::start(&self.folder, &self.channel)
                .inspect_err(|error| {
                    tracing::warn!(
                        "{name}: `tidegate open {name}` will not work, because there is no socket in {}: {error}",
                        self.folder.display()
                    );
                })
                .ok();
        }
        Ok(lock)
    }
}

/// Waits for the next change of the session's reception.
async fn changed(reception: &mut watch::Receiver<Reception>) {
    // An error means that the reception never changes again.
    if reception.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}
