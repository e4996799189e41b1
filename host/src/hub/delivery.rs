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

/// How long to wait after the journal could not be used.
const LATER: Duration = Duration::from_secs(5);

/// Events that are read back from the journal at a time.
const PAGE: u32 = 256;

/// An event on its way to a session.
#[derive(Debug)]
pub struct Delivery {
    /// Its place in the journal.
    pub seq: Seq,
    /// What happened.
    pub event: Event,
    /// It may have been written to a session before a crash.
    pub redelivered: bool,
    /// Where all of it is, if a notification cannot carry it.
    pub whole: Whole,
}

/// How far this process has handed events to its session. The task that holds it delivers; the others wait.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// The last event that was handed over in this epoch; None before the first.
    handed: Option<Seq>,
    epoch: Epoch,
}

impl Progress {
    /// The last event that was handed over. An epoch begins where the journal says.
    fn begin(&mut self, channel: &Channel) -> Seq {
        let epoch = channel.outstanding.epoch();
        if self.epoch != epoch {
            (self.handed, self.epoch) = (None, epoch);
        }
        *self.handed.get_or_insert_with(|| channel.journal().marks().delivered)
    }
}

impl Channel {
    /// Hands over events that were just stored. Waits while the session has not read what it was given before:
    /// that is the back-pressure.
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
            // Something older waits in the journal, or somebody else has handed these over from there already.
            _ => self.catch_up(&inbox, &mut progress).await,
        }
    }

    /// Sees to it that what was stored is delivered, without waiting for it.
    pub fn drain_soon(self: &Arc<Self>) {
        // One that has not begun will find it; one that has may be past it.
        if !self.draining.swap(true, Ordering::AcqRel) {
            let channel = Arc::clone(self);
            tokio::spawn(async move { channel.drain().await });
        }
    }

    /// The same, after a while: something stands in the way of reading the journal.
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

    /// False if the session is gone.
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
            // They come again from the journal, with what was before them.
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

    /// Deliveries that were written together, up to there.
    fn batch(&self, epoch: Epoch, ticket: Ticket, last: Seq, deliveries: &[Delivery]) -> Batch {
        let confirmable = self.confirmable(deliveries.iter().map(|delivery| &delivery.event.what));
        Batch { epoch, ticket, last, count: deliveries.len() as u64, confirmable }
    }
}
