//! What strangers have written on a channel that cannot tell them a code: it waits until a person lets them in.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use super::{Channel, intake::Decided};
use crate::{
    admission::Rules,
    clock,
    event::Happening,
    gate::{Decision, Origin, Reason},
    journal,
};

/// How often it is checked whether somebody was let in.
const CHECK: Duration = Duration::from_secs(1);

/// What one look at all that waits has come to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    /// Another process is writing.
    Busy,
    /// Everybody who may write has been heard.
    Complete,
    /// Somebody who may write has more that waits: they have written too much for now.
    Partial,
}

impl Channel {
    /// Whether an event that goes nowhere for this reason is to wait for a person's decision. Where a channel can answer,
    /// its stranger knows, and writes again.
    pub(super) fn lets_wait(&self, what: &Happening, reason: Reason) -> bool {
        let undecided = matches!(reason, Reason::Stranger | Reason::Group);
        undecided && matches!(what, Happening::Message(_)) && !self.descriptor().features.reply
    }

    /// Delivers what waits once its senders may write. At most one task does that. To be called again whenever more waits:
    /// it may have been judged by rules that have changed since.
    pub(super) fn watch_strangers(self: &Arc<Self>) {
        self.arrivals.fetch_add(1, Ordering::AcqRel);
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
        let mut known: Option<(Arc<Rules>, u64)> = None;
        while !matches!(self.journal().has_strangers(), Ok(false)) {
            tokio::time::sleep(CHECK).await;
            if !self.condition().serves() {
                return false;
            }
            let arrivals = self.arrivals.load(Ordering::Acquire);
            let Ok(rules) = self.admission.rules().await else { continue };
            if known.as_ref().is_some_and(|(before, seen)| Arc::ptr_eq(before, &rules) && *seen == arrivals) {
                continue;
            }
            match self.let_in(&rules) {
                Ok(Look::Complete) => known = Some((rules, arrivals)),
                Ok(Look::Busy | Look::Partial) => {}
                Err(error) => tracing::error!("{}: {error}", self.name()),
            }
        }
        true
    }

    /// Says once that not all can wait, and how many could not, whenever that number has doubled.
    pub(super) fn tell_evicted(&self, count: usize) {
        let before = self.evicted.fetch_add(count, Ordering::AcqRel);
        let after = before + count;
        if before.checked_ilog2() != after.checked_ilog2() {
            let name = self.name();
            tracing::warn!(
                "{name}: {after} events of people who may not write yet have made room for newer ones, because no more can wait: \
                 `tidegate status {name}` says who waits"
            );
        }
    }

    /// Takes in what the gate lets in now.
    fn let_in(self: &Arc<Self>, rules: &Rules) -> Result<Look, journal::Error> {
        let waiting = self.journal().strangers()?;
        let Some(mut transaction) = self.journal().try_begin()? else { return Ok(Look::Busy) };
        // Where an event came in is not kept: this is good for chat.
        let now = clock::now();
        let mut decided = Decided::new(self, Origin::Visitor);
        let (mut taken, mut left) = (0_usize, false);
        for event in waiting {
            let Happening::Message(message) = &event.what else { continue };
            // Who counts as the person while a channel is tried is a stranger to the session that comes later.
            if rules.visitors.contains(&message.sender.id) {
                continue;
            }
            let judged = self.decide(&transaction, &rules.access, &event.what, Origin::Visitor, now)?;
            if matches!(judged, Decision::Drop(reason) if self.lets_wait(&event.what, reason)) {
                continue;
            }
            if self.admission.is_over(&rules.access, message, now) {
                left = true;
                continue;
            }
            // Somebody may have turned it down meanwhile.
            if !transaction.stop_waiting(&event.id)? {
                continue;
            }
            decided.admit(&mut transaction, &rules.access, event)?;
            taken += 1;
        }
        transaction.commit()?;
        // They are delivered from the journal, behind what is there already.
        drop(decided.carry_out());
        if taken > 0 {
            tracing::info!("{}: {taken} of what has waited goes on now", self.name());
            self.drain_soon();
        }
        Ok(if left { Look::Partial } else { Look::Complete })
    }
}
