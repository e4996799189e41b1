//! Messages from strangers on a channel that cannot tell them a code. They wait until a person lets their senders in.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use super::{Channel, intake::Decided};
use crate::{
    admission::Rules,
    event::Happening,
    gate::{Decision, Origin, Reason},
    journal::{self, Transaction},
};

/// How often to check whether the senders of waiting messages were let in.
const CHECK: Duration = Duration::from_secs(1);

impl Channel {
    /// Returns whether an event that goes nowhere for this reason waits for a person's decision. On a channel that can
    /// reply, the stranger is told, and writes again.
    pub(super) fn lets_wait(&self, what: &Happening, reason: Reason) -> bool {
        let undecided = matches!(reason, Reason::Stranger | Reason::Group);
        undecided && matches!(what, Happening::Message(_)) && !self.descriptor().features.reply
    }

    /// Starts a task that delivers waiting events once their senders may write. At most one such task runs.
    pub(super) fn watch_strangers(self: &Arc<Self>) {
        if self.watching.swap(true, Ordering::AcqRel) {
            return;
        }
        let channel = Arc::clone(self);
        tokio::spawn(async move {
            while channel.watch_until_none_waits().await {
                // Events that arrived while the task was about to end have started no other task.
                channel.watching.store(false, Ordering::Release);
                let more = !matches!(channel.journal().has_strangers(), Ok(false));
                if !more || channel.watching.swap(true, Ordering::AcqRel) {
                    return;
                }
            }
            channel.watching.store(false, Ordering::Release);
        });
    }

    /// Waits until no event of a stranger waits. Returns false if another process has the channel now: that process
    /// delivers what waits.
    async fn watch_until_none_waits(self: &Arc<Self>) -> bool {
        while !matches!(self.journal().has_strangers(), Ok(false)) {
            tokio::time::sleep(CHECK).await;
            if !self.condition().serves() {
                return false;
            }
            let Ok(rules) = self.admission.rules().await else { continue };
            if let Err(error) = self.let_in_now(&rules) {
                tracing::error!("{}: {error}", self.name());
            }
        }
        true
    }

    /// Takes in the events that these rules let in. If another process is writing, the next check tries again.
    fn let_in_now(self: &Arc<Self>, rules: &Arc<Rules>) -> Result<(), journal::Error> {
        if !self.has_news_for_strangers(rules) {
            return Ok(());
        }
        let Some(mut transaction) = self.journal().try_begin()? else { return Ok(()) };
        // The origin of an event is not stored. `Visitor` is enough for chat.
        let mut decided = Decided::new(self, Origin::Visitor);
        decided.let_in(&mut transaction, rules)?;
        transaction.commit()?;
        // They are delivered from the journal, after the events that are there already.
        if !decided.carry_out().is_empty() {
            self.drain_soon();
        }
        Ok(())
    }

    /// Returns whether events may wait that these rules have not judged yet.
    pub(super) fn has_news_for_strangers(&self, rules: &Arc<Rules>) -> bool {
        let judged = self.judged.lock();
        self.watching.load(Ordering::Acquire)
            && !judged.as_ref().is_some_and(|judged| Arc::ptr_eq(judged, rules))
    }

    /// Logs that not all events can wait and how many were lost, each time that number has doubled.
    pub(super) fn tell_evicted(&self, count: usize) {
        let before = self.evicted.fetch_add(count, Ordering::AcqRel);
        let after = before + count;
        if before.checked_ilog2() != after.checked_ilog2() {
            let name = self.name();
            let events = if after == 1 { "event" } else { "events" };
            tracing::warn!(
                "{name}: {after} {events} of people who may not write yet went away, because no more can wait: `tidegate status \
                 {name}` says who waits"
            );
        }
    }
}

impl Decided<'_> {
    /// Takes in the waiting events that these rules let in now. The senders' rate limit does not apply: a person has
    /// just let them in, and the number of waiting events is bounded.
    pub(super) fn let_in(
        &mut self,
        transaction: &mut Transaction<'_>,
        rules: &Arc<Rules>,
    ) -> Result<(), journal::Error> {
        let channel = self.channel;
        let mut count = 0_usize;
        for event in transaction.strangers()? {
            let Happening::Message(message) = &event.what else { continue };
            // A sender who counts as the person at the terminal during a trial is still a stranger to a later session.
            if rules.visitors.contains(&message.sender.id) {
                continue;
            }
            let decision =
                channel.decide(transaction, &rules.access, &event.what, Origin::Visitor, self.now)?;
            let delivered = decision == Decision::Deliver;
            // An event that the group's own rules leave out will not be delivered later either.
            let left_out =
                matches!(decision, Decision::Drop(Reason::Unaddressed | Reason::Member | Reason::Bot));
            // A person may have turned it down meanwhile.
            if !(delivered || left_out) || !transaction.stop_waiting(&event.id)? {
                continue;
            }
            if delivered {
                self.deliver(transaction, event)?;
                count += 1;
            }
        }
        self.let_in = Some((Arc::clone(rules), count));
        Ok(())
    }
}
