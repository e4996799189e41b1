//! Brings channels and sessions together.
//!
//! A session knows the hub by [`Hub`] and its [`Channel`]s; the hub knows a session by [`Inbox`] alone.
//! Neither assumes that it is the only one of its kind.

mod aside;
mod channel;
mod delivery;
mod held;
mod intake;
mod outbound;
mod pace;
mod pairing;
mod permission;
mod receipt;
mod whole;
mod working;

use std::{pin::Pin, sync::Arc, time::Duration};

pub use self::{
    channel::{Channel, Condition, Grants},
    delivery::Delivery,
    intake::{Intake, IntakeError},
    outbound::{Failure, History, Reply},
    permission::Relay,
    whole::erase_all_but,
};
use crate::{
    admission::Rules,
    event::ChannelName,
    gate::{
        pairing::Pending,
        permission::{RequestId, Verdict},
    },
};

/// How often channels are tidied up.
const UPKEEP: Duration = Duration::from_mins(10);

/// How long after the start that begins: a start has better things to do.
const CALM: Duration = Duration::from_secs(30);

/// How long a delivery mark may wait for company before it is written by itself.
const SETTLE: Duration = Duration::from_millis(100);

/// A session, as far as the hub knows it: somewhere to put deliveries.
pub trait Inbox: Send + Sync {
    /// Takes deliveries, in order, without waiting. The answer stands for the last of them.
    fn accept(&self, channel: &ChannelName, deliveries: &[Delivery]) -> Ticket;

    /// Tells the session something of the host's own, about this channel.
    fn notice(&self, channel: &ChannelName, text: &str);

    /// Tells the session what somebody has decided.
    fn verdict(&self, request: &RequestId, verdict: Verdict);

    /// Has the session's user asked, if the client can do that.
    fn approve(&self, approval: Approval);

    /// Was everything up to here written to the session's stream?
    fn is_written(&self, ticket: Ticket) -> bool;

    /// Waits until it was; false if the session is gone.
    fn written(&self, ticket: Ticket) -> Pin<Box<dyn Future<Output = bool> + Send + '_>>;
}

/// Something that only a person may approve.
#[derive(Clone)]
pub enum Approval {
    /// A stranger wants to write.
    Pairing {
        /// To which channel.
        channel: Arc<Channel>,
        /// Who.
        pending: Pending,
    },
    /// Another hand has let in more.
    Widening {
        /// Of which channel.
        channel: Arc<Channel>,
        /// What the file says, and what of it waits.
        rules: Arc<Rules>,
    },
}

/// A place in a session's stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// All channels of this process.
#[derive(Clone)]
pub struct Hub {
    channels: Arc<[Arc<Channel>]>,
    /// What could not even be loaded, for the session to know.
    broken: Arc<[String]>,
    relay: Arc<Relay>,
}

impl Hub {
    /// Brings these channels together. `broken` says, a sentence each, what could not be loaded.
    pub fn new(channels: Vec<Arc<Channel>>, relay: Arc<Relay>, broken: Vec<String>) -> Self {
        Self { channels: channels.into(), broken: broken.into(), relay }
    }

    /// In the order in which they were named.
    pub fn channels(&self) -> &[Arc<Channel>] {
        &self.channels
    }

    /// What could not be loaded.
    pub fn broken(&self) -> &[String] {
        &self.broken
    }

    /// The channel with this name.
    pub fn channel(&self, name: &str) -> Option<&Arc<Channel>> {
        self.channels.iter().find(|channel| &**channel.name() == name)
    }

    /// From here on this session gets what arrives, beginning with what has waited for it.
    pub fn attach(&self, inbox: &Arc<dyn Inbox>) {
        for channel in self.channels.iter() {
            channel.attach(Arc::clone(inbox));
        }
    }

    /// Writes what is only in memory. Nothing is lost without it, but some would come twice.
    pub fn flush(&self) {
        for channel in self.channels.iter() {
            channel.settle();
            channel.admission().settle();
        }
    }

    /// Keeps the channels tidy as long as it runs.
    pub async fn upkeep(self) {
        tokio::time::sleep(CALM).await;
        loop {
            for channel in self.channels.iter() {
                channel.tidy();
            }
            tokio::time::sleep(UPKEEP).await;
        }
    }
}
