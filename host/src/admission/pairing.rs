//! The stored pairing requests: strangers who wait to be let in.

use std::time::Duration;

use super::{Admission, Error, Unapproved};
use crate::{
    event::{Chat, Sender, SenderId},
    gate::{
        document::Change,
        pairing::{self, Code, Pending},
    },
    journal::{self, Contact, Transaction},
    text,
};

impl Admission {
    /// Stores that a stranger will be told a code. The code cannot be confirmed before [`Admission::set_code`].
    pub fn begin_pairing(
        transaction: &mut Transaction<'_>,
        sender: &Sender,
        chat: &Chat,
        now: u64,
    ) -> Result<Pending, journal::Error> {
        let lifetime = u64::try_from(pairing::LIFETIME.as_millis()).unwrap_or(u64::MAX);
        let pending = Pending {
            sender: sender.id.clone(),
            name: text::name(&sender.name).into_owned(),
            chat: chat.id.clone(),
            thread: chat.thread.clone(),
            hash: None,
            expires_at: now.saturating_add(lifetime),
            answers: 1,
            denied: false,
        };
        transaction.put_pairing(&pending, now)?;
        Ok(pending)
    }

    /// Creates a code for a stranger. Returns `None` if the stranger no longer waits. Takes about 100 ms of computing,
    /// on another thread.
    pub async fn set_code(&self, sender: &SenderId) -> Result<Option<Code>, Error> {
        let made = tokio::task::spawn_blocking(|| {
            let code = Code::generate()?;
            let hash = code.hash()?;
            Ok((code, hash))
        });
        let (code, hash) = made.await.unwrap_or(Err(Error::Ending))?;
        let set = self.journal.store(|transaction| transaction.set_code(sender, &hash)).await?;
        Ok(set.then_some(code))
    }

    /// Removes the request of a stranger who could not be told the code.
    pub async fn abandon(&self, sender: &SenderId) -> Result<(), journal::Error> {
        self.journal.store(|transaction| transaction.remove_pairing(sender)).await.map(drop)
    }

    /// Removes all requests whose code was never created because the process that had to create it has ended.
    pub fn abandon_unfinished(&self, now: u64) -> Result<(), journal::Error> {
        let mut unfinished = self.journal.pairings(now)?;
        unfinished.retain(|pending| pending.hash.is_none());
        if !unfinished.is_empty() {
            self.journal.store_soon(move |transaction| {
                unfinished.iter().try_for_each(|pending| transaction.remove_unfinished_pairing(pending))
            });
        }
        Ok(())
    }

    /// Counts one more answer to a stranger. Returns `None` if there is nothing to remind the stranger of: the code is
    /// gone, or is not created yet.
    pub fn count_answer(
        transaction: &mut Transaction<'_>,
        sender: &SenderId,
        now: u64,
    ) -> Result<Option<Pending>, journal::Error> {
        let pending = transaction.pairings(now)?.into_iter().find(|pending| pending.sender == *sender);
        let Some(pending) = pending.filter(|pending| pending.hash.is_some()) else { return Ok(None) };
        transaction.count_answer(sender)?;
        Ok(Some(pending))
    }

    /// Returns the requests whose codes wait to be confirmed.
    pub fn pending(&self, now: u64) -> Result<Vec<Pending>, journal::Error> {
        self.journal.pairings(now)
    }

    /// Returns for how long no code is accepted, or `None` if codes are accepted.
    pub fn locked(&self, now: u64) -> Result<Option<Duration>, journal::Error> {
        Ok(self.journal.tries()?.locked(now))
    }

    /// Lets in the stranger who was told this code. Only code that acts for a person may call this. Takes about 100 ms
    /// of computing for each pending code.
    pub fn pair_blocking(&self, code: &str, now: u64) -> Result<Pending, Unapproved> {
        let code = Code::parse(code).ok_or(Unapproved::Malformed)?;
        if self.journal.pairings(now)?.iter().all(|pending| pending.denied) {
            return Err(Unapproved::Nobody);
        }
        let tries = self.spend_try(now)?;
        let wrong = || match tries.locked(now) {
            Some(rest) => Unapproved::Locked(rest),
            None => Unapproved::Wrong { left: pairing::TRIES - tries.wrong },
        };
        let pending = self.find(&code, now)?.ok_or_else(wrong)?;
        // The caller that removes the request uses the code. Of two callers at once, only one can remove it.
        let journal = &self.journal;
        if !journal.store_blocking(|transaction| transaction.remove_pairing(&pending.sender))? {
            return Err(wrong());
        }
        if let Err(error) = self.change_blocking(Change::Allow(pending.sender.clone())) {
            journal.store_blocking(|transaction| transaction.put_pairing(&pending, now))?;
            return Err(error.into());
        }
        journal.store_blocking(|transaction| {
            if *pending.chat != *pending.sender {
                transaction.remember_contact(&pending.chat, &Contact::Direct(pending.sender.clone()))?;
            }
            transaction.set_tries(pairing::Tries::default())
        })?;
        Ok(pending)
    }

    /// Denies the stranger who was told this code, or who has this id. Returns `None` if there is no such stranger.
    pub fn deny_blocking(&self, code_or_sender: &str, now: u64) -> Result<Option<Pending>, Unapproved> {
        let mut waiting = self.journal.pairings(now)?;
        let named = waiting.iter().position(|pending| *pending.sender == *code_or_sender);
        let pending = if let Some(index) = named {
            Some(waiting.swap_remove(index))
        } else {
            let Some(code) = Code::parse(code_or_sender) else { return Ok(None) };
            self.spend_try(now)?;
            self.find(&code, now)?
        };
        let Some(mut pending) = pending else { return Ok(None) };
        pending.denied = true;
        self.journal.store_blocking(|transaction| transaction.put_pairing(&pending, now))?;
        Ok(Some(pending))
    }

    /// Counts a try as wrong before the code is checked, so that parallel tries cannot exceed the limit of five.
    fn spend_try(&self, now: u64) -> Result<pairing::Tries, Unapproved> {
        match self.journal.store_blocking(|transaction| transaction.spend_try(now))? {
            Ok(tries) => Ok(tries),
            Err(rest) => Err(Unapproved::Locked(rest)),
        }
    }

    fn find(&self, code: &Code, now: u64) -> Result<Option<Pending>, journal::Error> {
        let matches = |pending: &Pending| {
            !pending.denied && pending.hash.as_ref().is_some_and(|hash| code.matches(hash))
        };
        Ok(self.journal.pairings(now)?.into_iter().find(matches))
    }
}
