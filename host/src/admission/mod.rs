//! Who may speak through one channel, as it is kept: `access.json`, what a person has approved of it, codes that
//! wait, chats that are known, and what was turned away.
//!
//! The rules are the gate's. Several processes may use one channel's admission: the session that serves it, others that
//! only send, a person's terminal. The file is changed under a lock; the rest is in the journal's database.
//!
//! What is named `…_blocking` may wait for another process. The session uses what is `async` instead (see `runtime`).

mod addressee;
mod file;
mod pairing;
mod runtime;
mod tally;

use std::{
    collections::BTreeSet,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

pub use self::{addressee::Addressee, file::Broken};
use self::{file::AccessFile, tally::Tally};
use crate::{
    event::{Chat, ChatId, ChatKind, Happening, Message, SenderId},
    gate::{
        self, Access, Decision, DmPolicy, Members, Origin, Reason, Situation,
        access::Widening,
        document::{Change, Document, Invalid, Manners, Setting},
        permission::{RequestId, Standing},
        rate::{self, Rate, Rates},
    },
    journal::{self, Contact, Journal, Refusal, Transaction},
    text,
};

/// One channel's admission.
#[derive(Debug)]
pub struct Admission {
    file: AccessFile,
    journal: Arc<Journal>,
    /// What holds where there is no file.
    initial: Document,
    /// Messages that one sender may send a minute, where the user has set it.
    rate: Option<u32>,
    state: Mutex<State>,
    /// Held by the task that reads the file: the others use what it has found.
    reading: tokio::sync::Mutex<()>,
    tally: Mutex<Tally>,
}

#[derive(Debug, Default)]
struct State {
    /// Senders who are the person at this terminal, as long as this process lives.
    visitors: BTreeSet<SenderId>,
    /// The file as it was last read, and what came of it.
    read: Option<(file::Fingerprint, Result<Arc<Rules>, Shut>)>,
    rates: Rates,
}

/// What holds at the moment.
#[derive(Debug)]
pub struct Rules {
    /// Who may speak: what the file says, as far as a person has approved it.
    pub access: Access,
    /// How is answered.
    pub manners: Manners,
    /// What the file says.
    pub wanted: Access,
    /// In what that would let in more.
    pub withheld: Vec<Widening>,
    /// Who may write because they count as the person at this terminal, and by nothing that lasts.
    pub visitors: BTreeSet<SenderId>,
}

/// The channel is shut: nobody can speak, because nobody knows who may.
#[derive(Clone, Debug, thiserror::Error)]
#[error(
    "{0}. Until that is corrected the channel receives and sends nothing, and tidegate leaves the file as it is"
)]
pub struct Shut(String);

/// Something could not be decided.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody knows who may speak.
    #[error(transparent)]
    Shut(#[from] Shut),
    /// The file cannot be used.
    #[error(transparent)]
    File(#[from] Broken),
    /// A change makes no sense.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The database cannot be used.
    #[error(transparent)]
    Journal(#[from] journal::Error),
    /// There are no random bytes.
    #[error("the system has no random bytes: {0}")]
    Random(#[from] getrandom::Error),
    /// What was approved is not what is there.
    #[error("access.json was changed again in the meantime: look at it anew before you approve it")]
    ChangedMeanwhile,
    /// The process ends.
    #[error("tidegate is ending")]
    Ending,
}

impl Error {
    /// Is it only that another process is writing?
    pub fn is_busy(&self) -> bool {
        matches!(self, Self::File(Broken::Locked(_)) | Self::Journal(journal::Error::Busy { .. }))
    }
}

/// Why a code lets nobody in.
#[derive(Debug, thiserror::Error)]
pub enum Unapproved {
    /// It is not one that waits.
    #[error(
        "nobody waits with this code (a code is good for an hour, and works once); {left} more {}",
        if *left == 1 { "try" } else { "tries" }
    )]
    Wrong {
        /// Tries before the lock.
        left: u32,
    },
    /// It cannot be one. That is no try.
    #[error("a code has six letters and digits, like ACD347")]
    Malformed,
    /// Nobody was told one. That is no try.
    #[error("nobody waits with a code at the moment")]
    Nobody,
    /// Too many wrong ones.
    #[error(
        "too many wrong codes: none is accepted for {}. To allow their id works all the same",
        minutes(*.0)
    )]
    Locked(Duration),
    /// Something went wrong.
    #[error(transparent)]
    Error(#[from] Error),
}

fn minutes(rest: Duration) -> String {
    match rest.as_secs().div_ceil(60) {
        1 => "a minute".to_owned(),
        more => format!("{more} minutes"),
    }
}

/// Why nothing is sent to a chat.
#[derive(Debug, thiserror::Error)]
pub enum Unwelcome {
    /// Nobody there may speak.
    #[error(
        "the chat {0} is not one that may write to this session, so nothing goes there (its user can change that with `tidegate access`)"
    )]
    Chat(ChatId),
    /// It cannot be known.
    #[error(transparent)]
    Error(#[from] Error),
}

impl From<journal::Error> for Unapproved {
    fn from(error: journal::Error) -> Self {
        Self::Error(error.into())
    }
}

impl From<journal::Error> for Unwelcome {
    fn from(error: journal::Error) -> Self {
        Self::Error(error.into())
    }
}

impl From<Shut> for Unwelcome {
    fn from(shut: Shut) -> Self {
        Self::Error(shut.into())
    }
}

impl Admission {
    /// The admission of the channel with this folder. `initial` holds where there is no file.
    pub fn new(folder: &Path, journal: Arc<Journal>, initial: Document, rate: Option<u32>) -> Self {
        Self {
            file: AccessFile::in_folder(folder),
            journal,
            initial,
            rate,
            state: Mutex::default(),
            reading: tokio::sync::Mutex::default(),
            tally: Mutex::default(),
        }
    }

    /// Where the file is, or would be.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// The file's permission bits, where there is one.
    pub fn mode(&self) -> Option<u32> {
        self.file.mode()
    }

    /// What holds at the moment. The file is read again when it has changed.
    pub fn rules_blocking(&self) -> Result<Arc<Rules>, Shut> {
        match self.known() {
            Some(rules) => rules,
            None => self.read_rules(file::WAIT).unwrap_or_else(|busy| Err(Shut(busy.to_string()))),
        }
    }

    /// What holds at the moment, if the file has not changed since it was read. One system call: this stands on the way of
    /// each message.
    fn known(&self) -> Option<Result<Arc<Rules>, Shut>> {
        match self.file.fingerprint() {
            Ok(fingerprint) => {
                let state = self.lock();
                state.read.as_ref().filter(|(read, _)| *read == fingerprint).map(|(_, rules)| rules.clone())
            }
            Err(broken) => Some(Err(Shut(broken.to_string()))),
        }
    }

    /// Reads what holds. It is an error if another process has the file's lock for that long, or the journal's.
    fn read_rules(&self, wait: Duration) -> Result<Result<Arc<Rules>, Shut>, Error> {
        let fingerprint = self.file.fingerprint()?;
        let read = match self.read(wait) {
            Err(error) if error.is_busy() => return Err(error),
            read => read.map(|(rules, _)| self.with_visitors(rules)),
        };
        // What the file says holds until it changes. What stood in the way of reading it may pass by itself.
        let lasting = matches!(&read, Ok(_) | Err(Error::File(Broken::Invalid { .. })));
        let rules = read.map_err(|error| Shut(error.to_string()));
        if let Err(shut) = &rules {
            tracing::error!("{shut}");
        }
        self.lock().read = lasting.then(|| (fingerprint, rules.clone()));
        Ok(rules)
    }

    /// Lets this sender write as long as this process lives, and in no file. False if they may already.
    pub fn trust_visitor(&self, sender: &SenderId) -> bool {
        let mut state = self.lock();
        let news = state.visitors.insert(sender.clone());
        if news {
            state.read = None;
        }
        news
    }

    fn with_visitors(&self, rules: Arc<Rules>) -> Arc<Rules> {
        let visitors = self.lock().visitors.clone();
        if visitors.is_empty() {
            return rules;
        }
        let visitors: BTreeSet<SenderId> = visitors.difference(&rules.access.allow_from).cloned().collect();
        let mut access = rules.access.clone();
        access.allow_from.extend(visitors.iter().cloned());
        let (manners, wanted, withheld) =
            (rules.manners.clone(), rules.wanted.clone(), rules.withheld.clone());
        Arc::new(Rules { access, manners, wanted, withheld, visitors })
    }

    /// Reads the file, and lowers what was approved to what it still says.
    fn read(&self, wait: Duration) -> Result<(Arc<Rules>, Document), Error> {
        let _guard = self.file.lock(wait)?;
        self.read_locked()
    }

    fn read_locked(&self) -> Result<(Arc<Rules>, Document), Error> {
        let document = self.file.read()?.unwrap_or_else(|| self.initial.clone());
        let baseline = match self.journal.baseline()? {
            Some(text) => Some(Document::parse(&text)?.access),
            None => None,
        };
        let approved = baseline.as_ref().unwrap_or(&document.access);
        let access = document.access.meet(approved);
        if baseline.as_ref() != Some(&access) {
            self.approve(&access)?;
        }
        let withheld = document.access.beyond(&access);
        if baseline.is_none() && self.file.mode().is_some() {
            tracing::info!(
                "{} was found and counts as approved: {} may write directly, {} groups are heard",
                self.path().display(),
                access.allow_from.len(),
                access.groups.len()
            );
        }
        for widening in &withheld {
            tracing::warn!(
                "{} was changed by another hand: {widening} only once a person has approved it (tidegate access … accept)",
                self.path().display()
            );
        }
        let (wanted, manners) = (document.access.clone(), document.manners.clone());
        Ok((Arc::new(Rules { access, manners, wanted, withheld, visitors: BTreeSet::new() }), document))
    }

    fn approve(&self, access: &Access) -> Result<(), journal::Error> {
        let text = Document::of_access(access).render();
        self.journal.store_blocking(|transaction| transaction.set_baseline(&text))
    }

    /// Changes the file, as a person wants it. What another hand has widened stays withheld.
    pub fn change_blocking(&self, change: Change) -> Result<(), Error> {
        self.change_all([change], file::WAIT)
    }

    fn change_all(&self, changes: impl IntoIterator<Item = Change>, wait: Duration) -> Result<(), Error> {
        let guard = self.file.lock(wait)?;
        let (rules, mut document) = self.read_locked()?;
        let mut approved = Document::of_access(&rules.access);
        for change in changes {
            document = document.with(change.clone())?;
            approved = approved.with(change)?;
        }
        // In this order nobody is in who should not be, wherever it is cut off.
        self.approve(&approved.access)?;
        self.file.write(&document, &guard)?;
        drop(guard);
        self.lock().read = None;
        Ok(())
    }

    /// Approves what another hand has widened, as it was shown to the person who does. The answer is what that was.
    pub fn accept_blocking(&self, shown: &Access) -> Result<Vec<Widening>, Error> {
        let guard = self.file.lock(file::WAIT)?;
        let (rules, document) = self.read_locked()?;
        if rules.wanted != *shown {
            return Err(Error::ChangedMeanwhile);
        }
        if !rules.withheld.is_empty() {
            self.approve(&document.access)?;
            // Written anew, so that every process notices.
            self.file.write(&document, &guard)?;
        }
        drop(guard);
        self.lock().read = None;
        Ok(rules.withheld.clone())
    }

    /// Takes back what another hand has widened. The answer is what that was.
    pub fn reject_blocking(&self) -> Result<Vec<Widening>, Error> {
        let (rules, _) = self.read(file::WAIT)?;
        let access = &rules.access;
        let undo = |widening: &Widening| match widening {
            Widening::Policy(_) => Change::Policy(access.dm_policy),
            Widening::Sender(sender) => Change::Remove(sender.clone()),
            Widening::Group(chat, _) | Widening::Members(chat, _) | Widening::Unaddressed(chat) => {
                match access.groups.get(chat) {
                    Some(group) => Change::Group(chat.clone(), group.clone()),
                    None => Change::RemoveGroup(chat.clone()),
                }
            }
            Widening::Pattern(_) => {
                let left: Vec<&str> =
                    access.mention_patterns.iter().map(gate::access::Pattern::source).collect();
                Change::Set(Setting::MentionPatterns, Some(left.into()))
            }
            Widening::Approvers(_) => {
                let left = access.approvers.as_ref();
                Change::Set(
                    Setting::Approvers,
                    left.map(|list| list.iter().map(ToString::to_string).collect::<Vec<_>>().into()),
                )
            }
        };
        self.change_all(rules.withheld.iter().map(undo), file::WAIT)?;
        Ok(rules.withheld.clone())
    }

    /// What becomes of an event. A pure rule decides; this brings it what it needs.
    pub fn decide(
        transaction: &Transaction<'_>,
        access: &Access,
        what: &Happening,
        origin: Origin,
        requests: &dyn Fn(&RequestId) -> Standing,
        now: u64,
    ) -> Result<Decision, journal::Error> {
        if !is_proper(what) {
            return Ok(Decision::Drop(Reason::Malformed));
        }
        let (chat, sender) = match what {
            Happening::Message(message) => (Some(&message.chat), Some(&message.sender)),
            Happening::Question(question) => (Some(&question.chat), Some(&question.sender)),
            Happening::Press(_) | Happening::Moved { .. } => (None, None),
        };
        let stranger = chat.is_some_and(|chat| chat.kind == ChatKind::Direct)
            && sender.is_some_and(|sender| !access.allow_from.contains(&sender.id));
        let pending = if stranger && access.dm_policy == DmPolicy::Pairing {
            transaction.pairings(now)?
        } else {
            Vec::new()
        };
        Ok(gate::decide(what, Situation { access, pending: &pending, requests, origin, now }))
    }

    /// Has this sender said too much in the last minute? Counts the message.
    pub fn rate(&self, access: &Access, message: &Message, now: u64) -> Rate {
        match self.most(access, message) {
            0 => Rate::Within,
            most => self.lock().rates.count(&message.sender.id, most, now),
        }
    }

    /// How many messages its sender may write there in a minute. 0: any number.
    fn most(&self, access: &Access, message: &Message) -> u32 {
        let Chat { id, kind, group, .. } = &message.chat;
        let open = || access.group(id, group.as_ref()).is_some_and(|group| group.members == Members::Any);
        match self.rate {
            Some(most) => most,
            None if *kind == ChatKind::Group && open() => rate::OPEN_GROUP,
            None => 0,
        }
    }

    /// Remembers what will be needed to answer a delivered message.
    pub fn remember(
        transaction: &mut Transaction<'_>,
        message: &Message,
        now: u64,
    ) -> Result<(), journal::Error> {
        let Chat { id, kind, group, .. } = &message.chat;
        let contact = match (kind, group) {
            (ChatKind::Direct, _) if **id != *message.sender.id => {
                Some(Contact::Direct(message.sender.id.clone()))
            }
            (ChatKind::Group, Some(group)) if group != id => Some(Contact::Part(group.clone())),
            _ => None,
        };
        if let Some(contact) = contact
            && transaction.contact(id)?.as_ref() != Some(&contact)
        {
            transaction.remember_contact(id, &contact)?;
        }
        for attachment in message.attachments.iter().filter(|attachment| attachment.saved.is_none()) {
            transaction.remember_attachment(id, &message.id, attachment, now)?;
        }
        Ok(())
    }

    /// Counts an event that went nowhere. True if that is to be written before long: see [`Admission::settle`].
    pub fn refuse(&self, what: &Happening, reason: Reason, now: u64) -> bool {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner).count(what, reason, now)
    }

    /// Writes what was counted. False if another process is writing: then it is to be tried again.
    pub fn settle(&self) -> bool {
        let refusals = self.tally.lock().unwrap_or_else(PoisonError::into_inner).take();
        if refusals.is_empty() {
            return true;
        }
        let stored = self.journal.try_store(|transaction| transaction.add_refusals(&refusals));
        if let Err(error) = &stored {
            tracing::warn!("what was turned away could not be counted yet: {error}");
        }
        if !matches!(stored, Ok(Some(()))) {
            self.tally.lock().unwrap_or_else(PoisonError::into_inner).put_back(refusals);
        }
        !matches!(stored, Ok(None))
    }

    /// What went nowhere, newest first.
    pub fn refusals(&self, limit: u32) -> Result<Vec<Refusal>, journal::Error> {
        self.journal.refusals(limit)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Are the ids that the guest gave ones that can be told to a session and handed back?
fn is_proper(what: &Happening) -> bool {
    match what {
        Happening::Message(message) => is_proper_message(message),
        Happening::Press(press) => {
            is_proper_chat(&press.chat)
                && text::is_identifier(&press.sender.id)
                && text::is_identifier(&press.message)
        }
        Happening::Question(question) => {
            is_proper_chat(&question.chat) && text::is_identifier(&question.sender.id)
        }
        Happening::Moved { from, to } => text::is_identifier(from) && text::is_identifier(to),
    }
}

fn is_proper_message(message: &Message) -> bool {
    is_proper_chat(&message.chat)
        && text::is_identifier(&message.sender.id)
        && text::is_identifier(&message.id)
        && message.reply_to.as_deref().is_none_or(text::is_identifier)
        && message.attachments.iter().all(|attachment| text::is_identifier(&attachment.id))
}

fn is_proper_chat(chat: &Chat) -> bool {
    text::is_identifier(&chat.id)
        && chat.group.as_deref().is_none_or(text::is_identifier)
        && chat.thread.as_deref().is_none_or(text::is_identifier)
}

#[cfg(test)]
mod tests;
