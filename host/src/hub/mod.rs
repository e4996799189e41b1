//! Brings channels and sessions together.
//!
//! A session knows the hub by [`Hub`] and its [`Channel`]s; the hub knows a session by [`Inbox`] alone.
//! Neither assumes that it is the only one of its kind.

mod aside;
mod channel;
mod confirmation;
mod delivery;
mod held;
mod intake;
pub mod invitation;
mod loaded;
mod note;
mod outbound;
mod outstanding;
mod pace;
mod pairing;
mod permission;
mod stranger;
mod whole;
mod working;

use std::{pin::Pin, sync::Arc, time::Duration};

use tokio::sync::watch;

pub use self::{
    channel::{Channel, Condition, Grants},
    delivery::Delivery,
    intake::{Intake, IntakeError},
    loaded::{Loaded, Preparing},
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
    /// Takes deliveries, in order, without waiting.
    fn accept(&self, channel: &ChannelName, deliveries: &[Delivery]) -> Accepted;

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

    /// Has the client received everything up to here? Where it gives no receipts, what is written is received.
    fn is_received(&self, ticket: Ticket) -> bool;

    /// Waits until it has; false if it never will: then all of it can be written again, if the session still exists.
    fn received(&self, ticket: Ticket) -> Pin<Box<dyn Future<Output = bool> + Send + '_>>;
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

/// Where deliveries are in a session's stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The end of the last.
    pub end: Ticket,
    /// The end of each, where the client tells which it has received; else empty.
    pub each: Vec<Ticket>,
}

/// A place in a session's stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// All channels of this process, and the session that they are for.
#[derive(Clone)]
pub struct Hub {
    loaded: Arc<watch::Sender<Arc<Loaded>>>,
    relay: Arc<Relay>,
    inbox: Arc<watch::Sender<Option<Arc<dyn Inbox>>>>,
}

impl Hub {
    /// Brings these channels together.
    pub fn new(loaded: Loaded, relay: Arc<Relay>) -> Self {
        let (loaded, _) = watch::channel(Arc::new(loaded));
        let (inbox, _) = watch::channel(None);
        Self { loaded: Arc::new(loaded), relay, inbox: Arc::new(inbox) }
    }

    /// The channels as they are now.
    pub fn loaded(&self) -> Arc<Loaded> {
        Arc::clone(&self.loaded.borrow())
    }

    /// Tells when that changes.
    pub fn changes(&self) -> watch::Receiver<Arc<Loaded>> {
        self.loaded.subscribe()
    }

    /// Waits until the session has received all that it was given.
    pub async fn settled(&self) {
        for channel in self.loaded().channels() {
            channel.outstanding.settled().await;
        }
    }

    /// Waits until no channel is being prepared any more.
    pub async fn prepared(&self) {
        // The other way out is a hub that is gone.
        let _ = self.changes().wait_for(|loaded| loaded.preparing().is_empty()).await;
    }

    /// A channel that was being prepared under this label runs.
    pub fn add(&self, label: &str, channel: Arc<Channel>) {
        let inbox = self.inbox.borrow().clone();
        if let Some(inbox) = inbox {
            channel.attach(inbox);
        }
        let instructions = channel.descriptor().instructions.trim();
        channel.notice(format!("The channel {} is ready. {instructions}", channel.name()).trim());
        self.loaded.send_modify(|loaded| Arc::make_mut(loaded).add(label, channel));
    }

    /// A channel that was being prepared under this label cannot run: the sentence says why.
    pub fn give_up(&self, label: &str, sentence: String) {
        self.loaded.send_modify(|loaded| Arc::make_mut(loaded).give_up(label, sentence));
    }

    /// From here on this session gets what arrives, beginning with what has waited for it.
    pub fn attach(&self, inbox: &Arc<dyn Inbox>) {
        self.inbox.send_replace(Some(Arc::clone(inbox)));
        for channel in self.loaded().channels() {
            channel.attach(Arc::clone(inbox));
        }
    }

    /// Waits for the first session.
    pub fn attached(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut inbox = self.inbox.subscribe();
        // The other way out is a hub that is gone.
        async move { drop(inbox.wait_for(Option::is_some).await.map(drop)) }
    }

    /// Writes what is only in memory. Nothing is lost without it, but some would come twice.
    pub fn flush(&self) {
        for channel in self.loaded().channels() {
            channel.settle();
            channel.admission().settle();
            channel.drop_note();
        }
    }

    /// Keeps the channels tidy as long as it runs.
    pub async fn upkeep(self) {
        tokio::time::sleep(CALM).await;
        loop {
            for channel in self.loaded().channels() {
                channel.tidy().await;
            }
            tokio::time::sleep(UPKEEP).await;
        }
    }
}
