//! From the journal to a session: in order, each event once, and as fast as the session reads.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use super::{
    Accepted, Channel, Inbox, Ticket,
    outstanding::{Batch, Epoch},
};
use crate::{
    event::{Event, Happening},
    journal::Seq,
    notification::Whole,
};

/// The delay before the journal is used again after it failed.
const LATER: Duration = Duration::from_secs(5);

/// The most events that are read from the journal at a time.
const PAGE: u32 = 256;

/// An event on its way to a session.
#[derive(Debug)]
pub struct Delivery {
    /// Its place in the journal.
    pub seq: Seq,
    /// What happened.
    pub event: Event,
    /// The event may have been written to a session before, for example before a crash.
    pub redelivered: bool,
    /// Where the whole message is, if a notification cannot carry it.
    pub whole: Whole,
}

/// How far this process has handed events to its session. The task that holds the lock delivers; the others wait.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// The last event that was handed over in this epoch; None before the first one.
    handed: Option<Seq>,
    epoch: Epoch,
}

impl Progress {
    /// Returns the last event that was handed over. A new epoch begins at the journal's delivery mark.
    fn begin(&mut self, channel: &Channel) -> Seq {
        let epoch = channel.outstanding.epoch();
        if self.epoch != epoch {
            (self.handed, self.epoch) = (None, epoch);
        }
        *self.handed.get_or_insert_with(|| channel.journal().marks().delivered)
    }
}

impl Channel {
    /// Hands over events that were just stored. Waits while the session has not read what it was given before: this is
    /// the back-pressure.
    pub async fn deliver(self: &Arc<Self>, stored: Vec<Delivery>) {
        if stored.is_empty() || !self.condition().serves() {
            return;
        }
        let Some(inbox) = self.inbox() else { return };
        let mut progress = self.progress.lock().await;
        if !self.condition().serves() {
            return;
        }
        let handed = progress.begin(self);
        match (stored.first(), stored.last()) {
            (Some(first), Some(last)) if first.seq == handed.next() => {
                let last = last.seq;
                self.hand_over(&inbox, &mut progress, stored, last).await;
            }
            // Older events wait in the journal, or another task has already handed these over from there.
            _ => self.catch_up(&inbox, &mut progress).await,
        }
    }

    /// Starts a task that delivers what was stored, and does not wait for it.
    pub fn drain_soon(self: &Arc<Self>) {
        // A task that has not begun yet will find the new events. A task that has begun may have passed them, so
        // another one is started.
        if !self.draining.swap(true, Ordering::AcqRel) {
            let channel = Arc::clone(self);
            tokio::spawn(async move { channel.drain().await });
        }
    }

    /// Like [`Self::drain_soon`], after a delay, because the journal cannot be used now.
    fn drain_later(self: &Arc<Self>) {
        let channel = Arc::clone(self);
        tokio::spawn(async move {
            tokio::time::sleep(LATER).await;
            channel.drain_soon();
        });
    }

    /// Hands over what waits in the journal.
    pub(super) async fn drain(self: &Arc<Self>) {
        let mut progress = self.progress.lock().await;
        self.draining.store(false, Ordering::Release);
        if !self.condition().serves() {
            return;
        }
        let Some(inbox) = self.inbox() else { return };
        self.catch_up(&inbox, &mut progress).await;
    }

    async fn catch_up(self: &Arc<Self>, inbox: &Arc<dyn Inbox>, progress: &mut Progress) {
        // Another process may have taken the channel over while this one waited for its session.
        while self.condition().serves() {
            let handed = progress.begin(self);
            let page = match self.journal().after(handed, PAGE) {
                Ok(page) => page,
                Err(error) => {
                    self.drain_later();
                    return tracing::error!("{}: {error}", self.name());
                }
            };
            let Some((last, _)) = page.last() else { return };
            let last = *last;
            if let Err(error) = self.journal().store(|transaction| transaction.offer(last)).await {
                self.drain_later();
                return tracing::error!("{}: {error}", self.name());
            }
            if progress.epoch != self.outstanding.epoch() {
                continue;
            }
            let suspect = self.journal().suspect();
            let deliveries = page
                .into_iter()
                .map(|(seq, event)| Delivery {
                    seq,
                    event,
                    redelivered: seq <= suspect,
                    whole: Whole::default(),
                })
                .collect();
            if !self.hand_over(inbox, progress, deliveries, last).await {
                return;
            }
        }
    }

    /// Writes deliveries to the session. Returns false if the session is gone.
    async fn hand_over(
        self: &Arc<Self>,
        inbox: &Arc<dyn Inbox>,
        progress: &mut Progress,
        mut deliveries: Vec<Delivery>,
        last: Seq,
    ) -> bool {
        self.keep_whole(&mut deliveries).await;
        self.outstanding.room().await;
        if progress.epoch != self.outstanding.epoch() {
            // They are read from the journal again, together with the events before them.
            return true;
        }
        let Accepted { end, each } = inbox.accept(self.name(), &deliveries);
        if self.descriptor().features.typing {
            for delivery in &deliveries {
                if let Happening::Message(message) = &delivery.event.what {
                    self.working_on(&message.chat);
                }
            }
        }
        if !inbox.is_written(end) && !inbox.written(end).await {
            self.detach();
            return false;
        }
        progress.handed = Some(last);
        let epoch = progress.epoch;
        if each.is_empty() {
            self.written(inbox, self.batch(epoch, end, last, &deliveries));
        }
        for (ticket, delivery) in each.into_iter().zip(&deliveries) {
            let batch = self.batch(epoch, ticket, delivery.seq, std::slice::from_ref(delivery));
            self.written(inbox, batch);
        }
        true
    }

    /// Returns a batch of deliveries that were written together, up to this ticket.
    fn batch(&self, epoch: Epoch, ticket: Ticket, last: Seq, deliveries: &[Delivery]) -> Batch {
        let confirmable = self.confirmable(deliveries.iter().map(|delivery| &delivery.event.what));
        Batch { epoch, ticket, last, count: deliveries.len() as u64, confirmable }
    }
}
