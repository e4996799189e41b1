//! One channel of this process: its guest, its journal, its session.

use std::{
    collections::HashSet,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicUsize},
    },
};

use parking_lot::Mutex;
use tokio::sync::watch;

use super::{
    Inbox, SETTLE,
    confirmation::Confirmations,
    delivery::Progress,
    held::Held,
    outbound::{ChatLocks, Failure},
    outstanding::Outstanding,
    pace::Pace,
    permission::Relay,
    working::Working,
};
use crate::{
    admission::{Admission, Rules, Shut},
    capability::{Effects, Surroundings},
    clock,
    contract::Source,
    event::{ChannelName, ChatId, SenderId},
    gate::{Reason, pairing::Pending},
    guest::{Descriptor, Guest, Identity},
    journal::{Error, Journal, Keep, SessionNote},
};

/// The reason to give until the client has said whether the session receives messages.
const AWAITED: &str = "Claude Code has not said yet whether this session receives messages, which it does about a second after its start";

/// One channel: its guest, its journal, and how far its deliveries have got.
pub struct Channel {
    pub(super) guest: Guest,
    pub(super) working: Working,
    pub(super) held: Held,
    pub(super) confirmations: Confirmations,
    pub(super) outstanding: Outstanding,
    pub(super) pace: Pace,
    pub(super) chats: ChatLocks,
    pub(super) progress: tokio::sync::Mutex<Progress>,
    pub(super) admission: Arc<Admission>,
    pub(super) relay: Arc<Relay>,
    grants: Grants,
    pub(super) identity: OnceLock<Identity>,
    /// Strangers who are told when they are let in.
    pub(super) following: Mutex<HashSet<SenderId>>,
    /// The senders whose refused events were logged, each with the chat and the reason.
    pub(super) told: Mutex<HashSet<(ChatId, SenderId, Reason)>>,
    /// The stranger whom this process let in last, by a code.
    pub(super) paired: watch::Sender<Option<Pending>>,
    /// The rules when they were last read, or why they could not be read.
    pub(super) rules: Mutex<Option<Result<Arc<Rules>, Shut>>>,
    inbox: Mutex<Option<Arc<dyn Inbox>>>,
    /// Notified when a session is attached.
    attached: tokio::sync::Notify,
    condition: Mutex<Condition>,
    /// What other processes are told about the session.
    pub(super) note: Mutex<Option<SessionNote>>,
    keep: Keep,
    /// A task is about to read the undelivered events from the journal.
    pub(super) draining: AtomicBool,
    /// A task is about to write the delivery marks.
    settling: Mutex<bool>,
    /// A task waits for strangers to be let in.
    pub(super) watching: AtomicBool,
    /// The rules by which all waiting events of strangers were last judged.
    pub(super) judged: Mutex<Option<Arc<Rules>>>,
    /// How many events of strangers were lost because no more can wait.
    pub(super) evicted: AtomicUsize,
}

/// What the user has granted a channel beyond carrying chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grants {
    /// The channel carries permission prompts: the person who answers one decides what the session may do.
    pub permission_prompts: bool,
    /// A person who writes on its loopback page counts as the person at this terminal. Not granted where a session
    /// serves the page.
    pub visitors_are_owner: bool,
}

/// Whether the channel works, and why not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The channel has not started: the client has not said yet whether the session receives messages.
    Starting,
    /// The channel works.
    Up {
        /// The address of a web channel's page, such as `http://127.0.0.1:8787`.
        address: Option<String>,
    },
    /// The platform cannot be reached, or refuses access. Nothing arrives until that ends; the channel keeps trying.
    Interrupted {
        /// Why, and what to do.
        reason: String,
    },
    /// Another process holds the channel, or the session here receives no messages. Outgoing messages are still sent.
    Standby {
        /// Why, and what to do.
        reason: String,
    },
    /// The channel does not work.
    Down {
        /// What is wrong and what to do about it.
        reason: String,
    },
}

impl Condition {
    /// Returns whether this process serves the channel.
    pub fn serves(&self) -> bool {
        matches!(self, Self::Up { .. } | Self::Interrupted { .. })
    }

    /// Returns why nothing is taken in, if so.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Interrupted { reason } | Self::Standby { reason } | Self::Down { reason } => Some(reason),
            Self::Starting | Self::Up { .. } => None,
        }
    }
}

impl Channel {
    /// Returns a channel that takes nothing in yet.
    pub fn new(
        guest: Guest,
        keep: Keep,
        admission: Arc<Admission>,
        relay: Arc<Relay>,
        grants: Grants,
    ) -> Arc<Self> {
        Arc::new(Self {
            guest,
            admission,
            relay,
            grants,
            identity: OnceLock::new(),
            following: Mutex::default(),
            told: Mutex::default(),
            paired: watch::Sender::new(None),
            rules: Mutex::default(),
            working: Working::default(),
            held: Held::default(),
            confirmations: Confirmations::default(),
            outstanding: Outstanding::default(),
            pace: Pace::default(),
            chats: ChatLocks::default(),
            progress: tokio::sync::Mutex::default(),
            inbox: Mutex::default(),
            attached: tokio::sync::Notify::new(),
            condition: Mutex::new(Condition::Starting),
            note: Mutex::default(),
            keep,
            draining: AtomicBool::new(false),
            settling: Mutex::default(),
            watching: AtomicBool::new(false),
            judged: Mutex::default(),
            evicted: AtomicUsize::new(0),
        })
    }

    /// Returns the channel's name.
    pub fn name(&self) -> &ChannelName {
        &self.descriptor().name
    }

    /// Returns what the guest says about itself.
    pub fn descriptor(&self) -> &Descriptor {
        self.guest.descriptor()
    }

    /// Returns the guest, for the code that takes events in.
    pub fn guest(&self) -> &Guest {
        &self.guest
    }

    /// Returns what the guest can reach.
    pub fn surroundings(&self) -> &Arc<Surroundings> {
        self.guest.surroundings()
    }

    /// Returns the admission, which knows who may speak.
    pub fn admission(&self) -> &Arc<Admission> {
        &self.admission
    }

    /// Returns what the user has granted the channel.
    pub fn grants(&self) -> Grants {
        self.grants
    }

    /// Returns whether the channel works.
    pub fn condition(&self) -> Condition {
        self.condition.lock().clone()
    }

    /// Returns the address of its page with the key, for a person who may decide there (see
    /// [`crate::capability::Key`]). None while there is no page, and where the channel does not carry permission
    /// prompts.
    pub fn link(&self) -> Option<String> {
        let Condition::Up { address: Some(address) } = self.condition() else { return None };
        let decides = self.grants.permission_prompts && self.descriptor().features.reply;
        decides.then(|| format!("{address}/#key={}", self.surroundings().page.key().text()))
    }

    /// Sets the condition. Returns whether it has changed.
    pub fn set_condition(&self, condition: Condition) -> bool {
        let mut current = self.condition.lock();
        let news = *current != condition;
        // In standby another process serves the channel, so only the trouble of that process counts.
        if news && let Condition::Down { reason } | Condition::Interrupted { reason } = &condition {
            self.trouble(reason);
        }
        if news && matches!(condition, Condition::Up { .. }) {
            self.trouble_is_over();
        }
        *current = condition;
        news
    }

    /// Returns why this session receives no messages from the channel, if so.
    pub fn deaf(&self) -> Option<String> {
        match self.condition() {
            Condition::Starting => Some(AWAITED.to_owned()),
            _ => self.refused(),
        }
    }

    /// Like [`Self::deaf`], but None while the client has not said yet whether the session receives messages: that
    /// state ends by itself.
    pub fn refused(&self) -> Option<String> {
        match self.condition() {
            Condition::Standby { reason } | Condition::Down { reason } => Some(reason),
            Condition::Starting | Condition::Up { .. } | Condition::Interrupted { .. } => None,
        }
    }

    /// Stops taking events in. What the session has not received is delivered again, here or by another process.
    pub fn pause(&self, condition: Condition) {
        self.set_condition(condition);
        self.give_back();
        self.surroundings().page.cut_off_all();
        self.settle();
    }

    /// Stores the last error, for `tidegate status`.
    pub fn trouble(&self, text: &str) {
        let (text, now) = (text.to_owned(), clock::now());
        self.journal().store_soon(move |transaction| transaction.set_trouble(&text, now));
    }

    /// Clears the last error, so that `tidegate status` no longer shows it.
    pub(super) fn trouble_is_over(&self) {
        if matches!(self.journal().trouble(), Ok(Some(_))) {
            #[expect(
                clippy::redundant_closure_for_method_calls,
                reason = "the method is one of a transaction of one lifetime, and this takes any"
            )]
            self.journal().store_soon(|transaction| transaction.clear_trouble());
        }
    }

    pub(super) fn journal(&self) -> &Arc<Journal> {
        &self.surroundings().journal
    }

    pub(super) fn inbox(&self) -> Option<Arc<dyn Inbox>> {
        self.inbox.lock().clone()
    }

    pub(super) fn has_inbox(&self) -> bool {
        self.inbox.lock().is_some()
    }

    /// Waits for a session. Before there is one, no messages need to be fetched.
    pub async fn session(&self) {
        loop {
            let mut attached = std::pin::pin!(self.attached.notified());
            attached.as_mut().enable();
            if self.has_inbox() {
                return;
            }
            attached.await;
        }
    }

    /// Attaches a session. From now on it gets what arrives, beginning with what has waited for it.
    pub(super) fn attach(self: &Arc<Self>, inbox: Arc<dyn Inbox>) {
        *self.inbox.lock() = Some(inbox);
        // Only the process that serves the channel delivers what waits.
        if self.condition().serves() {
            self.ask_about_what_waits();
            self.drain_soon();
        }
        self.attached.notify_waiters();
    }

    /// Detaches the session, which is gone. What arrives waits for the next session.
    pub(super) fn detach(&self) {
        *self.inbox.lock() = None;
    }

    /// Takes over the journal from the process that wrote it last.
    pub fn resume(self: &Arc<Self>) -> Result<(), Error> {
        // What a running delivery has read from the journal is outdated: the new epoch discards it.
        self.outstanding.clear();
        self.journal().resume()?;
        self.admission.abandon_unfinished(clock::now())?;
        self.take_up_held()?;
        if self.journal().has_strangers()? {
            self.watch_strangers();
        }
        self.ask_about_what_waits();
        self.drain_soon();
        Ok(())
    }

    /// Waits while the channel has stored more than the disk has taken.
    pub async fn breathe(&self) {
        self.journal().breathe().await;
    }

    /// Carries out the effects of a call.
    pub async fn apply(&self, effects: Effects) -> Result<(), Error> {
        if !effects.state.is_empty() {
            self.journal().store(|transaction| effects.keep(transaction)).await?;
        }
        self.surroundings().page.push(effects.pushes);
        Ok(())
    }

    /// Starts a task that writes the delivery marks soon, and tidies the journal once there are no more commits.
    pub(super) fn settle_soon(self: &Arc<Self>) {
        let mut settling = self.settling.lock();
        if std::mem::replace(&mut *settling, true) {
            return;
        }
        let channel = Arc::clone(self);
        tokio::spawn(async move {
            let mut before = None;
            loop {
                tokio::time::sleep(SETTLE).await;
                let commits = channel.settle();
                channel.note_counts();
                if commits.is_some() && commits == before {
                    break;
                }
                before = commits;
            }
            *channel.settling.lock() = false;
            channel.journal().rest();
        });
    }

    /// Writes the delivery marks, if they have changed. Returns a number that changes with each commit; None while
    /// another process writes.
    pub(super) fn settle(&self) -> Option<u64> {
        self.journal().settle().unwrap_or_else(|error| {
            tracing::error!("{}: {error}", self.name());
            Some(0)
        })
    }

    /// Deletes instances, events and files that are too old. What cannot be deleted now is left for the next run.
    pub(super) async fn tidy(self: &Arc<Self>) {
        self.guest.sweep();
        self.admission.settle();
        let _ = self.rules().await;
        if !self.condition().serves() {
            // The journal belongs to another process.
            return;
        }
        let (surroundings, keep) = (Arc::clone(self.surroundings()), self.keep);
        tokio::task::spawn_blocking(move || {
            let name = &surroundings.name;
            if let Err(error) = surroundings.files.expire_blocking(keep.age) {
                tracing::warn!("{name}: old files stay: {error}");
            }
            match surroundings.journal.retain_blocking(keep, clock::now()) {
                Ok(0) => {}
                Ok(dropped) => tracing::warn!(
                    "{name}: {dropped} events were given up undelivered, because no session has received them and the journal is full",
                ),
                Err(error) => tracing::error!("{name}: old events stay: {error}"),
            }
        });
    }

    /// Fails if nothing can be sent at the moment.
    pub(super) fn available(&self) -> Result<(), Failure> {
        match self.condition() {
            Condition::Down { reason } => Err(Failure::Down { channel: self.name().clone(), reason }),
            // While the page is not served, no browser can show a message.
            Condition::Standby { reason } if self.guest.source() == Source::Web => {
                Err(Failure::Down { channel: self.name().clone(), reason })
            }
            Condition::Starting if self.guest.source() == Source::Web => {
                Err(Failure::Down { channel: self.name().clone(), reason: AWAITED.to_owned() })
            }
            Condition::Starting
            | Condition::Interrupted { .. }
            | Condition::Standby { .. }
            | Condition::Up { .. } => Ok(()),
        }
    }
}
