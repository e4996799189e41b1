//! Lets events in: one loop for each channel, by the kind of its source.

mod poll;
pub mod web;

use std::{path::PathBuf, sync::Arc, time::Duration};

use crate::{
    hub::{Channel, Condition},
    lock::{self, Lock},
};

/// What is logged under this goes to stderr and to no file.
pub const SECRET: &str = "tidegate::secret";

/// How long to wait before trying again to take over a channel.
const RETRY: Duration = Duration::from_secs(3);

/// A channel's way in: the lock of its folder, and the loop that its kind of source needs.
pub struct Ingress {
    channel: Arc<Channel>,
    folder: PathBuf,
    source: Source,
}

/// What brings news.
#[derive(Clone, Copy, Debug)]
pub enum Source {
    /// A page on this loopback port.
    Web {
        /// 0 for any.
        port: u16,
    },
    /// The platform is asked.
    Poll,
}

/// What is held as long as the channel is this process's.
enum Hold {
    Web(Lock, web::Listener),
    Poll(Lock),
}

impl Ingress {
    /// For this channel, whose folder that is.
    pub fn new(channel: Arc<Channel>, folder: PathBuf, source: Source) -> Self {
        Self { channel, folder, source }
    }

    /// Tries once to begin, and goes on trying in the background if that fails. Either way the channel's
    /// condition says where things are.
    pub fn start(self) {
        let begun = self.begin();
        tokio::spawn(async move {
            let mut begun = begun;
            loop {
                match begun {
                    Some(Hold::Web(lock, listener)) => {
                        web::serve(listener, &self.channel).await;
                        drop(lock);
                    }
                    Some(Hold::Poll(lock)) => {
                        poll::run(&self.channel).await;
                        drop(lock);
                    }
                    None => {}
                }
                tokio::time::sleep(RETRY).await;
                begun = self.begin();
            }
        });
    }

    fn begin(&self) -> Option<Hold> {
        let name = self.channel.name();
        match self.attempt() {
            Ok(hold) => Some(hold),
            Err(condition) => {
                let reason = condition.reason().unwrap_or_default().to_owned();
                if self.channel.set_condition(condition) {
                    tracing::error!("{name} is down: {reason}");
                }
                None
            }
        }
    }

    fn attempt(&self) -> Result<Hold, Condition> {
        let down = |reason| Condition::Down { reason };
        let name = self.channel.name();
        let lock = Lock::take(&self.folder).map_err(|error| match error {
            lock::Error::Held { .. } => Condition::Standby { reason: error.to_string() },
            lock::Error::File { .. } => down(error.to_string()),
        })?;
        match self.source {
            Source::Web { port } => {
                let listener = web::Listener::bind(port, name).map_err(down)?;
                let address = listener.address();
                lock.describe(&address);
                self.channel.resume().map_err(|error| down(error.to_string()))?;
                tracing::info!("{name}: {address}");
                self.channel.set_condition(Condition::Up { address: Some(address) });
                if let Some(link) = self.channel.link() {
                    // For whoever reads this, and in no file of ours: with it, a browser may decide.
                    tracing::info!(target: SECRET, "{name}: to answer permission prompts on the page, open {link}");
                }
                Ok(Hold::Web(lock, listener))
            }
            Source::Poll => {
                self.channel.resume().map_err(|error| down(error.to_string()))?;
                self.channel.set_condition(Condition::Up { address: None });
                Ok(Hold::Poll(lock))
            }
        }
    }
}
