//! The admission of one channel: who may speak through it. It keeps `access.json`, the part of that file that a person
//! has approved, the pending pairing codes, the known chats, and the counts of refused events.
//!
//! The rules are in the gate. Several processes may use the admission of one channel: the session that serves the
//! channel, sessions that only send, and the command line in a person's terminal. A lock protects changes of the file.
//! The rest is in the journal's database.
//!
//! Functions named `…_blocking` may wait for another process. The session uses the `async` functions instead (see
//! `runtime`).

mod addressee;
mod file;
mod pairing;
mod runtime;
mod tally;

use std::{collections::BTreeSet, path::Path, sync::Arc, time::Duration};

use parking_lot::{Mutex, MutexGuard};

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

/// The admission of one channel.
#[derive(Debug)]
pub struct Admission {
    file: AccessFile,
    journal: Arc<Journal>,
    /// The document that applies if there is no file.
    initial: Document,
    /// Maximum number of messages per minute from one sender, if the user has set it. 0 means no limit.
    rate: Option<u32>,
    state: Mutex<State>,
    /// Held by the task that reads the file. Other tasks wait for it and use its result.
    reading: tokio::sync::Mutex<()>,
    tally: Mutex<Tally>,
}

#[derive(Debug, Default)]
struct State {
    /// Senders who are the person at this terminal. They stay visitors until this process ends.
    visitors: BTreeSet<SenderId>,
    /// The fingerprint of the file when it was last read, and the result of reading it.
    read: Option<(file::Fingerprint, Result<Arc<Rules>, Shut>)>,
    rates: Rates,
}

/// The rules that apply at the moment.
#[derive(Debug)]
pub struct Rules {
    /// Who may speak: what the file says, limited to what a person has approved, plus the visitors.
    pub access: Access,
    /// How the channel answers.
    pub manners: Manners,
    /// The access that the file asks for.
    pub wanted: Access,
    /// The differences in which the file lets in more than a person has approved.
    pub withheld: Vec<Widening>,
    /// Senders who may write only because they count as the person at this terminal. Stored in no file.
    pub visitors: BTreeSet<SenderId>,
}

/// Error: the channel is shut. Nobody can speak, because the rules cannot be read.
#[derive(Clone, Debug, thiserror::Error)]
#[error(
    "{0}. Until that is corrected the channel receives and sends nothing, and tidegate leaves the file as it is"
)]
pub struct Shut(String);

/// An error of the admission.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The rules cannot be read, so it is unknown who may speak.
    #[error(transparent)]
    Shut(#[from] Shut),
    /// The file cannot be used.
    #[error(transparent)]
    File(#[from] Broken),
    /// A requested change is invalid.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The database cannot be used.
    #[error(transparent)]
    Journal(#[from] journal::Error),
    /// The system has no random bytes.
    #[error("the system has no random bytes: {0}")]
    Random(#[from] getrandom::Error),
    /// The file is not the one that the person was shown and approved.
    #[error("access.json was changed again in the meantime: look at it anew before you approve it")]
    ChangedMeanwhile,
    /// The process is ending.
    #[error("tidegate is ending")]
    Ending,
}

impl Error {
    /// Returns true if the only cause is that another process is writing.
    pub fn is_busy(&self) -> bool {
        matches!(self, Self::File(Broken::Locked(_)) | Self::Journal(journal::Error::Busy { .. }))
    }
}

/// Why a pairing code was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum Unapproved {
    /// No pending request has this code.
    #[error(
        "nobody waits with this code (a code is good for an hour, and works once); {left} more {}",
        if *left == 1 { "try" } else { "tries" }
    )]
    Wrong {
        /// Number of tries left before the lock.
        left: u32,
    },
    /// The text cannot be a code. This does not count as a try.
    #[error("a code has six letters and digits, like ACD347")]
    Malformed,
    /// No code is pending. This does not count as a try.
    #[error("nobody waits with a code at the moment")]
    Nobody,
    /// Too many codes were wrong. The value is how long no code is accepted.
    #[error(
        "too many wrong codes: none is accepted for {}. To allow their id works all the same",
        minutes(*.0)
    )]
    Locked(Duration),
    /// Another error.
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
    /// Nobody in this chat may speak.
    #[error(
        "the chat {0} is not one that may write to this session, so nothing goes there (its user can change that with `tidegate access`)"
    )]
    Chat(ChatId),
    /// The rules or the journal could not be read.
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
    /// Creates the admission of the channel with this folder. `initial` applies if there is no file.
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

    /// Returns the path of the file, whether or not the file exists.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// Returns the permission bits of the file, or `None` if there is no file.
    pub fn mode(&self) -> Option<u32> {
        self.file.mode()
    }

    /// Returns the rules that apply at the moment. Reads the file again if it has changed.
    pub fn rules_blocking(&self) -> Result<Arc<Rules>, Shut> {
        match self.known() {
            Some(rules) => rules,
            None => self.read_rules(file::WAIT).unwrap_or_else(|busy| Err(Shut(busy.to_string()))),
        }
    }

    /// Returns the rules if the file has not changed since it was last read. Costs one system call, because it runs for
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

    /// Reads the rules. Returns an error if another process holds the file's lock for longer than `wait`, or keeps the
    /// journal busy.
    fn read_rules(&self, wait: Duration) -> Result<Result<Arc<Rules>, Shut>, Error> {
        let fingerprint = self.file.fingerprint()?;
        let read = match self.read(wait) {
            Err(error) if error.is_busy() => return Err(error),
            read => read.map(|(rules, _)| self.with_visitors(rules)),
        };
        // What the file says holds until the file changes. Other errors may disappear without a change of the file, so
        // they are not cached.
        let lasting = matches!(&read, Ok(_) | Err(Error::File(Broken::Invalid { .. })));
        let rules = read.map_err(|error| Shut(error.to_string()));
        if let Err(shut) = &rules {
            tracing::error!("{shut}");
        }
        self.lock().read = lasting.then(|| (fingerprint, rules.clone()));
        Ok(rules)
    }

    /// Lets this sender write until this process ends, without a change of the file. Returns false if the sender is a
    /// visitor already.
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

    /// Reads the file, and reduces the approved access to what the file still says.
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

    /// Changes the file at a person's request. What another program has widened stays withheld.
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
        // The baseline is written before the file: wherever this is interrupted, nobody is let in who should not be.
        self.approve(&approved.access)?;
        self.file.write(&document, &guard)?;
        drop(guard);
        self.lock().read = None;
        Ok(())
    }

    /// Approves what another program has widened. `shown` is the access that the person was shown: if the file has
    /// changed since, this is an error. Returns the approved differences.
    pub fn accept_blocking(&self, shown: &Access) -> Result<Vec<Widening>, Error> {
        let guard = self.file.lock(file::WAIT)?;
        let (rules, document) = self.read_locked()?;
        if rules.wanted != *shown {
            return Err(Error::ChangedMeanwhile);
        }
        if !rules.withheld.is_empty() {
            self.approve(&document.access)?;
            // The file is written again so that every process notices the change.
            self.file.write(&document, &guard)?;
        }
        drop(guard);
        self.lock().read = None;
        Ok(rules.withheld.clone())
    }

    /// Removes from the file what another program has widened. Returns the removed differences.
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

    /// Decides what happens to an event. The rules are a pure function in the gate; this function collects its input.
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

    /// Counts a message, and returns whether its sender is within the rate limit.
    pub fn rate(&self, access: &Access, message: &Message, now: u64) -> Rate {
        match self.most(access, message) {
            0 => Rate::Within,
            most => self.lock().rates.count(&message.sender.id, most, now),
        }
    }

    /// Returns how many messages per minute the sender may write in this chat. 0 means no limit.
    fn most(&self, access: &Access, message: &Message) -> u32 {
        let Chat { id, kind, group, .. } = &message.chat;
        let open = || access.group(id, group.as_ref()).is_some_and(|group| group.members == Members::Any);
        match self.rate {
            Some(most) => most,
            None if *kind == ChatKind::Group && open() => rate::OPEN_GROUP,
            None => 0,
        }
    }

    /// Stores what is needed later to answer a delivered message: what its chat is, and which files can be fetched.
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

    /// Counts a refused event. Returns true if [`Admission::settle`] must be called soon to write the count.
    pub fn refuse(&self, what: &Happening, reason: Reason, now: u64) -> bool {
        self.tally.lock().count(what, reason, now)
    }

    /// Writes the counts of refused events. Returns false if another process is writing: then the caller must try
    /// again.
    pub fn settle(&self) -> bool {
        let refusals = self.tally.lock().take();
        if refusals.is_empty() {
            return true;
        }
        let stored = self.journal.try_store(|transaction| transaction.add_refusals(&refusals));
        if let Err(error) = &stored {
            tracing::warn!("what was turned away could not be counted yet: {error}");
        }
        if !matches!(stored, Ok(Some(()))) {
            self.tally.lock().put_back(refusals);
        }
        !matches!(stored, Ok(None))
    }

    /// Returns the refused events, newest first.
    pub fn refusals(&self, limit: u32) -> Result<Vec<Refusal>, journal::Error> {
        self.journal.refusals(limit)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

/// Returns true if all ids from the guest are valid, so that a session can be told them and can hand them back.
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
