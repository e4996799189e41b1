//! One channel of this process: its guest, its journal, its session.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicUsize},
    },
};

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

/// What is said while nothing is known.
const AWAITED: &str = "Claude Code has not said yet whether this session receives messages, which it does about a second after its start";

/// One channel: its guest, its journal, and how far its deliveries are.
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
    /// Strangers who will be told when they are in.
    pub(super) following: Mutex<HashSet<SenderId>>,
    /// Of whom it was said that their events go nowhere, where, and why.
    pub(super) told: Mutex<HashSet<(ChatId, SenderId, Reason)>>,
    /// Who was let in here last, by a code.
    pub(super) paired: watch::Sender<Option<Pending>>,
    /// What held when it was last looked at.
    pub(super) rules: Mutex<Option<Result<Arc<Rules>, Shut>>>,
    inbox: Mutex<Option<Arc<dyn Inbox>>>,
    /// A session has come.
    attached: tokio::sync::Notify,
    condition: Mutex<Condition>,
    /// What others are told about the session.
    pub(super) note: Mutex<Option<SessionNote>>,
    keep: Keep,
    /// A task is about to look into the journal for what is not delivered.
    pub(super) draining: AtomicBool,
    /// A task is about to write the delivery marks.
    settling: Mutex<bool>,
    /// A task waits for strangers to be let in.
    pub(super) watching: AtomicBool,
    /// The rules that all that waits for that was judged by.
    pub(super) judged: Mutex<Option<Arc<Rules>>>,
    /// How many events that waited have made room for others.
    pub(super) evicted: AtomicUsize,
}

/// What the user has granted a channel beyond carrying chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grants {
    /// It carries permission prompts: whoever answers them decides what the session may do.
    pub permission_prompts: bool,
    /// Whoever writes on its loopback page is the person at this terminal: not where a session serves it.
    pub visitors_are_owner: bool,
}

/// Does the channel work?
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// It has not begun: the client has not said yet whether the session receives messages.
    Starting,
    /// It works; for a web channel, where its page is.
    Up {
        /// `http://127.0.0.1:8787`
        address: Option<String>,
    },
    /// The platform cannot be reached, or does not let it in: nothing arrives until that is over. It goes on trying.
    Interrupted {
        /// Why, and what to do.
        reason: String,
    },
    /// Another process holds the channel, or the session here receives no messages, because of this; what it sends still
    /// goes out.
    Standby {
        /// Why, and what to do.
        reason: String,
    },
    /// It does not work, because of this.
    Down {
        /// What is wrong and what to do about it.
        reason: String,
    },
}

impl Condition {
    /// Is it this process that has the channel?
    pub fn serves(&self) -> bool {
        matches!(self, Self::Up { .. } | Self::Interrupted { .. })
    }

    /// Why nothing is taken in, if that is so.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Interrupted { reason } | Self::Standby { reason } | Self::Down { reason } => Some(reason),
            Self::Starting | Self::Up { .. } => None,
        }
    }
}

impl Channel {
    /// A channel that has not started to take anything in.
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

    /// What the channel is called.
    pub fn name(&self) -> &ChannelName {
        &self.descriptor().name
    }

    /// What the guest says of itself.
    pub fn descriptor(&self) -> &Descriptor {
        self.guest.descriptor()
    }

    /// The guest, for whoever lets events in.
    pub fn guest(&self) -> &Guest {
        &self.guest
    }

    /// What the guest can reach.
    pub fn surroundings(&self) -> &Arc<Surroundings> {
        self.guest.surroundings()
    }

    /// Who may speak.
    pub fn admission(&self) -> &Arc<Admission> {
        &self.admission
    }

    /// What the user has granted it.
    pub fn grants(&self) -> Grants {
        self.grants
    }

    /// Does it work?
    pub fn condition(&self) -> Condition {
        lock(&self.condition).clone()
    }

    /// Where its page is, for whoever may decide there: see [`crate::capability::Key`].
    pub fn link(&self) -> Option<String> {
        let Condition::Up { address: Some(address) } = self.condition() else { return None };
        let decides = self.grants.permission_prompts && self.descriptor().features.reply;
        decides.then(|| format!("{address}/#key={}", self.surroundings().page.key().text()))
    }

    /// Says whether it works. The answer is whether that is news.
    pub fn set_condition(&self, condition: Condition) -> bool {
        let mut current = lock(&self.condition);
        let news = *current != condition;
        // Where another process serves the channel, its troubles are what counts.
        if news && let Condition::Down { reason } | Condition::Interrupted { reason } = &condition {
            self.trouble(reason);
        }
        if news && matches!(condition, Condition::Up { .. }) {
            self.trouble_is_over();
        }
        *current = condition;
        news
    }

    /// Why this session receives no messages from the channel, if so.
    pub fn deaf(&self) -> Option<String> {
        match self.condition() {
            Condition::Starting => Some(AWAITED.to_owned()),
            _ => self.refused(),
        }
    }

    /// The same, and none while the client has not said yet whether the session receives messages: that passes by itself.
    pub fn refused(&self) -> Option<String> {
        match self.condition() {
            Condition::Standby { reason } | Condition::Down { reason } => Some(reason),
            Condition::Starting | Condition::Up { .. } | Condition::Interrupted { .. } => None,
        }
    }

    /// Takes nothing in any more: what the session has not received comes again, here or in another process.
    pub fn pause(&self, condition: Condition) {
        self.set_condition(condition);
        self.give_back();
        self.surroundings().page.cut_off_all();
        self.settle();
    }

    /// Keeps the last thing that went wrong, for `tidegate status`.
    pub fn trouble(&self, text: &str) {
        let (text, now) = (text.to_owned(), clock::now());
        self.journal().store_soon(move |transaction| transaction.set_trouble(&text, now));
    }

    /// What went wrong last is over: `tidegate status` shows it no more.
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
        lock(&self.inbox).clone()
    }

    pub(super) fn has_inbox(&self) -> bool {
        lock(&self.inbox).is_some()
    }

    /// Waits for a session: before there is one, nobody's messages need to be fetched.
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

    /// From here on this session gets what arrives, beginning with what has waited for it.
    pub(super) fn attach(self: &Arc<Self>, inbox: Arc<dyn Inbox>) {
        *lock(&self.inbox) = Some(inbox);
        // What waits is for whoever serves the channel.
        if self.condition().serves() {
            self.ask_about_what_waits();
            self.drain_soon();
        }
        self.attached.notify_waiters();
    }

    /// The session is gone: what arrives waits for the next.
    pub(super) fn detach(&self) {
        *lock(&self.inbox) = None;
    }

    /// Takes over the journal from the process that wrote it last.
    pub fn resume(self: &Arc<Self>) -> Result<(), Error> {
        // What a delivery has found out meanwhile does not hold any more.
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

    /// Waits while the channel has brought more than the disk has taken.
    pub async fn breathe(&self) {
        self.journal().breathe().await;
    }

    /// Carries out what a call has left behind.
    pub async fn apply(&self, effects: Effects) -> Result<(), Error> {
        if !effects.state.is_empty() {
            self.journal().store(|transaction| effects.keep(transaction)).await?;
        }
        self.surroundings().page.push(effects.pushes);
        Ok(())
    }

    /// Sees to it that delivery marks are written soon, and the journal tidied up once there is quiet.
    pub(super) fn settle_soon(self: &Arc<Self>) {
        let mut settling = lock(&self.settling);
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
            *lock(&channel.settling) = false;
            channel.journal().rest();
        });
    }

    /// Writes delivery marks, if there are any. The answer changes with all that is written; None while another process
    /// writes.
    pub(super) fn settle(&self) -> Option<u64> {
        self.journal().settle().unwrap_or_else(|error| {
            tracing::error!("{}: {error}", self.name());
            Some(0)
        })
    }

    /// Throws away what is too old: instances, events and files. What cannot be done now is left for the next time.
    pub(super) async fn tidy(self: &Arc<Self>) {
        self.guest.sweep();
        self.admission.settle();
        let _ = self.rules().await;
        if !self.condition().serves() {
            // The journal is somebody else's.
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

    /// Why nothing can be sent, if that is so.
    pub(super) fn available(&self) -> Result<(), Failure> {
        match self.condition() {
            Condition::Down { reason } => Err(Failure::Down { channel: self.name().clone(), reason }),
            // A page that is not served has nobody to show anything to.
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

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
