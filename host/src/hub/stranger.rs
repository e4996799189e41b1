//! What strangers have written on a channel that cannot tell them a code: it waits until a person lets them in.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use super::Channel;
use crate::{
    admission::{Admission, Rules},
    clock,
    event::{Event, Happening},
    gate::{Decision, Origin, Reason},
    journal,
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
            let mut known: Option<Arc<Rules>> = None;
            loop {
                tokio::time::sleep(CHECK).await;
                let Ok(rules) = channel.admission.rules().await else { continue };
                let news = known.as_ref().is_none_or(|known| !Arc::ptr_eq(known, &rules));
                match channel
                    .condition()
                    .serves()
                    .then(|| if news { channel.let_in(&rules) } else { Ok(true) })
                {
                    // Another process has the channel, and what waits there is its own.
                    None => break,
                    Some(Ok(true)) => known = Some(rules),
                    // Another process is writing.
                    Some(Ok(false)) => {}
                    Some(Err(error)) => tracing::error!("{}: {error}", channel.name()),
                }
                if matches!(channel.journal().strangers(), Ok(waiting) if waiting.is_empty()) {
                    break;
                }
            }
            channel.watching.store(false, Ordering::Release);
        });
    }

    /// Stores as events what the gate lets in now. False if another process is writing.
    fn let_in(self: &Arc<Self>, rules: &Rules) -> Result<bool, journal::Error> {
        let waiting = self.journal().strangers()?;
        let Some(mut transaction) = self.journal().try_begin()? else { return Ok(false) };
        let now = clock::now();
        let mut delivered = 0_usize;
        for event in waiting {
            if self.decide(&transaction, &rules.access, &event.what, Origin::Visitor, now)?
                != Decision::Deliver
            {
                continue;
            }
            transaction.stop_waiting(&event.id)?;
            if transaction.append(&event, now, self.has_inbox())?.is_some() {
                delivered += 1;
                let Event { what, .. } = &event;
                if let Happening::Message(message) = what {
                    Admission::remember(&mut transaction, message, now)?;
                }
            }
        }
        transaction.commit()?;
        if delivered > 0 {
            tracing::info!("{}: {delivered} of what has waited reaches the session now", self.name());
            self.drain_soon();
        }
        Ok(true)
    }
}
