//! Lets events in: one loop for each channel, by the kind of its source.

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

/// A web channel's way in: the lock of its folder, its port, its page.
pub struct WebIngress {
    channel: Arc<Channel>,
    folder: PathBuf,
    port: u16,
}

impl WebIngress {
    /// For this channel, whose folder and port these are.
    pub fn new(channel: Arc<Channel>, folder: PathBuf, port: u16) -> Self {
        Self { channel, folder, port }
    }

    /// Tries once to begin, and goes on trying in the background if that fails. Either way the channel's
    /// condition says where things are.
    pub fn start(self) {
        let begun = self.begin();
        tokio::spawn(async move {
            let mut begun = begun;
            loop {
                if let Some((lock, listener)) = begun {
                    web::serve(listener, &self.channel).await;
                    drop(lock);
                }
                tokio::time::sleep(RETRY).await;
                begun = self.begin();
            }
        });
    }

    fn begin(&self) -> Option<(Lock, web::Listener)> {
        let attempt = || -> Result<_, Condition> {
            let down = |reason| Condition::Down { reason };
            let lock = Lock::take(&self.folder).map_err(|error| match error {
                lock::Error::Held { .. } => Condition::Standby { reason: error.to_string() },
                lock::Error::File { .. } => down(error.to_string()),
            })?;
            let listener = web::Listener::bind(self.port, self.channel.name()).map_err(down)?;
            lock.describe(&listener.address());
            self.channel.resume().map_err(|error| down(error.to_string()))?;
            Ok((lock, listener))
        };
        let name = self.channel.name();
        match attempt() {
            Ok((lock, listener)) => {
                let address = listener.address();
                tracing::info!("{name}: {address}");
                self.channel.set_condition(Condition::Up { address: Some(address) });
                if let Some(link) = self.channel.link() {
                    // For whoever reads this, and in no file of ours: with it, a browser may decide.
                    tracing::info!(target: SECRET, "{name}: to answer permission prompts on the page, open {link}");
                }
                Some((lock, listener))
            }
            Err(condition) => {
                let reason = condition.reason().unwrap_or_default().to_owned();
                if self.channel.set_condition(condition) {
                    tracing::error!("{name} is down: {reason}");
                }
                None
            }
        }
    }
}
