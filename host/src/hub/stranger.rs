//! What strangers have written on a channel that cannot tell them a code: it waits until a person lets them in.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use super::{Channel, channel::lock, intake::Decided};
use crate::{
    admission::Rules,
    event::Happening,
    gate::{Decision, Origin, Reason},
    journal::{self, Transaction},
};

/// How often it is checked whether somebody was let in.
const CHECK: Duration = Duration::from_secs(1);

impl Channel {
    /// Whether an event that goes nowhere for this reason is to wait for a person's decision. Where a channel can answer,
    /// its stranger knows, and writes again.
    pub(super) fn lets_wait(&self, what: &Happening, reason: Reason) -> bool {
        let undecided = matches!(reason, Reason::Stranger | Reason::Group);
        undecided && matches!(what, Happening::Message(_)) && !self.descriptor().features.reply
    }

    /// Delivers what waits once its senders may write. At most one task does that.
    pub(super) fn watch_strangers(self: &Arc<Self>) {
        if self.watching.swap(true, Ordering::AcqRel) {
            return;
        }
        let channel = Arc::clone(self);
        tokio::spawn(async move {
            while channel.watch_until_none_waits().await {
                // What came while the task was about to end has started no other.
                channel.watching.store(false, Ordering::Release);
                let more = !matches!(channel.journal().has_strangers(), Ok(false));
                if !more || channel.watching.swap(true, Ordering::AcqRel) {
                    return;
                }
            }
            channel.watching.store(false, Ordering::Release);
        });
    }

    /// False if another process has the channel now: what waits there is its own.
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

    /// Takes in what these rules let in, unless another process is writing: then the next look does.
    fn let_in_now(self: &Arc<Self>, rules: &Arc<Rules>) -> Result<(), journal::Error> {
        if !self.has_news_for_strangers(rules) {
            return Ok(());
        }
        let Some(mut transaction) = self.journal().try_begin()? else { return Ok(()) };
        // Where an event came in is not kept: this is good for chat.
        let mut decided = Decided::new(self, Origin::Visitor);
        decided.let_in(&mut transaction, rules)?;
        transaction.commit()?;
        // They are delivered from the journal, behind what is there already.
        if !decided.carry_out().is_empty() {
            self.drain_soon();
        }
        Ok(())
    }

    /// Whether something may wait that these rules have not judged yet.
    pub(super) fn has_news_for_strangers(&self, rules: &Arc<Rules>) -> bool {
        let judged = lock(&self.judged);
        self.watching.load(Ordering::Acquire)
            && !judged.as_ref().is_some_and(|judged| Arc::ptr_eq(judged, rules))
    }

    /// Says that not all can wait, and how many could not, whenever that number has doubled.
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
    /// Takes in what has waited and these rules let in now. How fast its senders may write does not count: a person has
    /// just let them in, and no more can wait than fits.
    pub(super) fn let_in(
        &mut self,
        transaction: &mut Transaction<'_>,
        rules: &Arc<Rules>,
    ) -> Result<(), journal::Error> {
        let channel = self.channel;
        let mut count = 0_usize;
        for event in transaction.strangers()? {
            let Happening::Message(message) = &event.what else { continue };
            // Who counts as the person while a channel is tried is a stranger to the session that comes later.
            if rules.visitors.contains(&message.sender.id) {
                continue;
            }
            let decision =
                channel.decide(transaction, &rules.access, &event.what, Origin::Visitor, self.now)?;
            let delivered = decision == Decision::Deliver;
            // What the group's own rules leave out will not be heard later either.
            let left_out =
                matches!(decision, Decision::Drop(Reason::Unaddressed | Reason::Member | Reason::Bot));
            // Somebody may have turned it down meanwhile.
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
