//! Messages that were written to a session, up to when the session has taken them.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{Channel, Inbox, Ticket, channel::lock, confirmation::Confirmable};
use crate::journal::Seq;

/// What was written to the session and not taken yet.
#[derive(Debug, Default)]
pub(super) struct Taken {
    waiting: Mutex<Queue>,
    /// Messages that were written to this session.
    written: AtomicU64,
    /// Of those, how many it has taken.
    received: AtomicU64,
}

#[derive(Debug, Default)]
struct Queue {
    written: VecDeque<Written>,
    /// A task waits for the session.
    running: bool,
}

/// Messages that were written together.
#[derive(Debug)]
pub(super) struct Written {
    /// Where they end in the session's stream.
    pub(super) ticket: Ticket,
    /// The last of them.
    pub(super) last: Seq,
    pub(super) count: u64,
    pub(super) confirmable: Vec<Confirmable>,
}

impl Taken {
    /// How many messages were written to the session, and how many it has taken.
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.written.load(Ordering::Relaxed), self.received.load(Ordering::Relaxed))
    }
}

impl Channel {
    /// These were written. They are delivered once the session has taken them.
    pub(super) fn written(self: &Arc<Self>, inbox: &Arc<dyn Inbox>, written: Written) {
        self.taken.written.fetch_add(written.count, Ordering::Relaxed);
        if inbox.is_taken(written.ticket) {
            return self.take(written);
        }
        // Others are told that it was written, and not taken yet.
        self.settle_soon();
        let mut queue = lock(&self.taken.waiting);
        queue.written.push_back(written);
        if !std::mem::replace(&mut queue.running, true) {
            let (channel, inbox) = (Arc::clone(self), Arc::clone(inbox));
            tokio::spawn(async move { channel.wait_for(&inbox).await });
        }
    }

    async fn wait_for(self: &Arc<Self>, inbox: &Arc<dyn Inbox>) {
        loop {
            let first = {
                let mut queue = lock(&self.taken.waiting);
                let first = queue.written.front().map(|written| written.ticket);
                queue.running = first.is_some();
                first
            };
            let Some(first) = first else { return };
            if !inbox.taken(first).await {
                // The session never takes them. They come again, marked, when the next one is there.
                let mut queue = lock(&self.taken.waiting);
                queue.written.clear();
                queue.running = false;
                return;
            }
            while let Some(written) = {
                let mut queue = lock(&self.taken.waiting);
                let taken = queue.written.front().is_some_and(|written| inbox.is_taken(written.ticket));
                if taken { queue.written.pop_front() } else { None }
            } {
                self.take(written);
            }
        }
    }

    fn take(self: &Arc<Self>, written: Written) {
        self.taken.received.fetch_add(written.count, Ordering::Relaxed);
        self.journal().delivered(written.last);
        self.settle_soon();
        self.confirm(written.confirmable);
    }
}
