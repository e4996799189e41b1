//! The asynchronous functions of the admission. None of them blocks the runtime's thread.

use std::{sync::Arc, time::Duration};

use tokio::{
    task::spawn_blocking,
    time::{Instant, sleep},
};

use super::{Admission, Error, Rules, Shut, Unapproved, Unwelcome, is_proper_message};
use crate::{
    event::{ChatId, Message, SenderId},
    gate::{Access, DmPolicy, access::Widening, document::Change, may_be_read, pairing::Pending},
    journal::{Contact, StoredFile},
};

/// How long to retry while another process holds the lock, and the pause between two tries.
const PATIENCE: Duration = Duration::from_mins(1);
const PAUSE: Duration = Duration::from_millis(20);

impl Admission {
    /// Returns the rules that apply at the moment. Reads the file again if it has changed. While another process holds
    /// the file's lock, waits up to a minute.
    pub async fn rules(self: &Arc<Self>) -> Result<Arc<Rules>, Shut> {
        match self.known() {
            Some(rules) => rules,
            None => self.read_anew().await,
        }
    }

    async fn read_anew(self: &Arc<Self>) -> Result<Arc<Rules>, Shut> {
        let _reading = self.reading.lock().await;
        if let Some(rules) = self.known() {
            return rules;
        }
        let read = self.patiently(|admission| admission.read_rules(Duration::ZERO)).await;
        read.unwrap_or_else(|error| Err(Shut(error.to_string())))
    }

    /// Changes the file: see [`Admission::change_blocking`].
    pub async fn change(self: &Arc<Self>, change: Change) -> Result<(), Error> {
        self.patiently(move |admission| admission.change_all([change.clone()], Duration::ZERO)).await
    }

    /// Approves what another program has widened: see [`Admission::accept_blocking`]. A person waits for the result, so
    /// this waits no longer than that function does.
    pub async fn accept(self: &Arc<Self>, shown: Access) -> Result<Vec<Widening>, Error> {
        let admission = Arc::clone(self);
        let accepted = spawn_blocking(move || admission.accept_blocking(&shown)).await;
        accepted.unwrap_or(Err(Error::Ending))
    }

    /// Lets in the stranger who was told this code: see [`Admission::pair_blocking`].
    pub async fn pair(self: &Arc<Self>, code: String, now: u64) -> Result<Pending, Unapproved> {
        let admission = Arc::clone(self);
        let paired = spawn_blocking(move || admission.pair_blocking(&code, now)).await;
        paired.unwrap_or(Err(Unapproved::Error(Error::Ending)))
    }

    /// Denies the stranger with this id: see [`Admission::deny_blocking`].
    pub async fn deny(self: &Arc<Self>, sender: SenderId, now: u64) -> Result<Option<Pending>, Unapproved> {
        let admission = Arc::clone(self);
        let denied = spawn_blocking(move || admission.deny_blocking(&sender, now)).await;
        denied.unwrap_or(Err(Unapproved::Error(Error::Ending)))
    }

    /// Returns an error unless something may be sent to this chat: it must be an enabled group, a part of one, or the
    /// direct chat of a sender in `allowFrom`.
    pub async fn welcome(self: &Arc<Self>, chat: &ChatId) -> Result<(), Unwelcome> {
        let rules = self.rules().await?;
        let access = &rules.access;
        let welcome = access.dm_policy != DmPolicy::Disabled
            && (access.groups.contains_key(chat)
                || match self.journal.contact(chat)? {
                    Some(Contact::Direct(sender)) => access.allow_from.contains(&sender),
                    Some(Contact::Part(group)) => access.groups.contains_key(&group),
                    None => access.allow_from.contains(&**chat),
                });
        if welcome { Ok(()) } else { Err(Unwelcome::Chat(chat.clone())) }
    }

    /// Returns true if the session may read the text of this message.
    pub async fn may_be_read(self: &Arc<Self>, message: &Message) -> Result<bool, Shut> {
        let rules = self.rules().await?;
        Ok(is_proper_message(message) && may_be_read(&rules.access, &message.chat, &message.sender))
    }

    /// Returns the files of the newest delivered message that matches the arguments. Returns an error if its chat may
    /// not write to this session any more.
    pub async fn attachments(
        self: &Arc<Self>,
        chat: Option<&ChatId>,
        message: Option<&str>,
        id: Option<&str>,
    ) -> Result<Vec<StoredFile>, Unwelcome> {
        if let Some(chat) = chat {
            self.welcome(chat).await?;
        }
        let mut files = self.journal.attachments(message, id)?;
        files.retain(|file| chat.is_none_or(|chat| file.chat == *chat));
        let Some(newest) = files.first().cloned() else { return Ok(files) };
        self.welcome(&newest.chat).await?;
        files.retain(|file| (&file.chat, &file.message) == (&newest.chat, &newest.message));
        Ok(files)
    }

    /// Returns where permission prompts go: each sender who may decide, and the chat with this sender.
    pub async fn approvers(self: &Arc<Self>) -> Result<Vec<(SenderId, ChatId)>, Error> {
        let rules = self.rules().await?;
        let access = &rules.access;
        if access.dm_policy == DmPolicy::Disabled {
            return Ok(Vec::new());
        }
        let chat = |sender: &SenderId| {
            let chat = self.journal.direct_chat(sender)?;
            Ok((sender.clone(), chat.unwrap_or_else(|| ChatId::new(&**sender))))
        };
        access.approvers().map(chat).collect()
    }

    /// Runs `work`, which may wait for the disk, on another thread. Repeats it while it fails because another process
    /// is writing.
    async fn patiently<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl Fn(&Self) -> Result<T, Error> + Send + Sync + 'static,
    ) -> Result<T, Error> {
        let work = Arc::new(work);
        let end = Instant::now() + PATIENCE;
        loop {
            let (admission, work) = (Arc::clone(self), Arc::clone(&work));
            let done = spawn_blocking(move || work(&admission)).await.unwrap_or(Err(Error::Ending));
            match done {
                Err(error) if error.is_busy() && Instant::now() < end => sleep(PAUSE).await,
                done => return done,
            }
        }
    }
}
