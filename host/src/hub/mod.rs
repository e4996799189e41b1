//! Connects channels to sessions.
//!
//! A session knows the hub through [`Hub`] and its [`Channel`]s; the hub knows a session only through [`Inbox`].
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

/// The interval between two runs of [`Hub::upkeep`] over all channels.
const UPKEEP: Duration = Duration::from_mins(10);

/// The delay before the first upkeep run, so that it does not slow the start.
const CALM: Duration = Duration::from_secs(30);

/// How long a delivery mark may wait to be written together with others.
const SETTLE: Duration = Duration::from_millis(100);

/// A session as the hub sees it: a receiver of deliveries.
pub trait Inbox: Send + Sync {
    /// Queues deliveries in order, without waiting. Returns where they end in the session's stream.
    fn accept(&self, channel: &ChannelName, deliveries: &[Delivery]) -> Accepted;

    /// Sends the session a notice that the host itself writes about this channel.
    fn notice(&self, channel: &ChannelName, text: &str);

    /// Tells the session the decision on a permission request.
    fn verdict(&self, request: &RequestId, verdict: Verdict);

    /// Asks the session's user for an approval, if the client can do that.
    fn approve(&self, approval: Approval);

    /// Returns whether the session's stream is written up to this position.
    fn is_written(&self, ticket: Ticket) -> bool;

    /// Waits until the session's stream is written up to this position. Returns false if the session is gone.
    fn written(&self, ticket: Ticket) -> Pin<Box<dyn Future<Output = bool> + Send + '_>>;

    /// Returns whether the client has received everything up to this position. From a client that gives no receipts,
    /// what is written counts as received.
    fn is_received(&self, ticket: Ticket) -> bool;

    /// Waits until the client has received everything up to this position. Returns false if it never will: then all of
    /// it can be written again, if the session still exists.
    fn received(&self, ticket: Ticket) -> Pin<Box<dyn Future<Output = bool> + Send + '_>>;
}

/// A request that only a person may approve.
#[derive(Clone)]
pub enum Approval {
    /// A stranger wants to write to the session.
    Pairing {
        /// The channel that the stranger writes on.
        channel: Arc<Channel>,
        /// The stranger's request to be paired.
        pending: Pending,
    },
    /// Something other than tidegate has changed the access rules so that they let in more.
    Widening {
        /// The channel whose rules were changed.
        channel: Arc<Channel>,
        /// What the file says, and which part of it waits for the approval.
        rules: Arc<Rules>,
    },
}

/// The positions of deliveries in a session's stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The end of the last delivery.
    pub end: Ticket,
    /// The end of each delivery, if the client tells which ones it has received; otherwise empty.
    pub each: Vec<Ticket>,
}

/// A position in a session's stream, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// All channels of this process, and the session that they serve.
#[derive(Clone)]
pub struct Hub {
    loaded: Arc<watch::Sender<Arc<Loaded>>>,
    relay: Arc<Relay>,
    inbox: Arc<watch::Sender<Option<Arc<dyn Inbox>>>>,
}

impl Hub {
    /// Returns a hub with these channels and no session.
    pub fn new(loaded: Loaded, relay: Arc<Relay>) -> Self {
        let (loaded, _) = watch::channel(Arc::new(loaded));
        let (inbox, _) = watch::channel(None);
        Self { loaded: Arc::new(loaded), relay, inbox: Arc::new(inbox) }
    }

    /// Returns the channels as they are now.
    pub fn loaded(&self) -> Arc<Loaded> {
        Arc::clone(&self.loaded.borrow())
    }

    /// Returns a receiver that reports each change of the channels.
    pub fn changes(&self) -> watch::Receiver<Arc<Loaded>> {
        self.loaded.subscribe()
    }

    /// Waits until the session has received everything that it was given.
    pub async fn settled(&self) {
        for channel in self.loaded().channels() {
            channel.outstanding.settled().await;
        }
    }

    /// Waits until no channel is being prepared.
    pub async fn prepared(&self) {
        // An error means that the hub is gone.
        let _ = self.changes().wait_for(|loaded| loaded.preparing().is_empty()).await;
    }

    /// Adds a channel that was being prepared under this label and runs now.
    pub fn add(&self, label: &str, channel: Arc<Channel>) {
        let inbox = self.inbox.borrow().clone();
        if let Some(inbox) = inbox {
            channel.attach(inbox);
        }
        let instructions = channel.descriptor().instructions.trim();
        channel.notice(format!("The channel {} is ready. {instructions}", channel.name()).trim());
        self.loaded.send_modify(|loaded| Arc::make_mut(loaded).add(label, channel));
    }

    /// Records that a channel that was being prepared under this label cannot run. The sentence says why.
    pub fn give_up(&self, label: &str, sentence: String) {
        self.loaded.send_modify(|loaded| Arc::make_mut(loaded).give_up(label, sentence));
    }

    /// Attaches a session. From now on it gets what arrives, beginning with what has waited for it.
    pub fn attach(&self, inbox: &Arc<dyn Inbox>) {
        self.inbox.send_replace(Some(Arc::clone(inbox)));
        for channel in self.loaded().channels() {
            channel.attach(Arc::clone(inbox));
        }
    }

    /// Returns a future that waits for the first session.
    pub fn attached(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut inbox = self.inbox.subscribe();
        // An error means that the hub is gone.
        async move { drop(inbox.wait_for(Option::is_some).await.map(drop)) }
    }

    /// Writes what is only in memory. Nothing is lost without it, but some events would be delivered twice.
    pub fn flush(&self) {
        for channel in self.loaded().channels() {
            channel.settle();
            channel.admission().settle();
            channel.drop_note();
        }
    }

    /// Tidies the channels at regular intervals. Never returns.
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
