//! The outbound half of a session: one buffer, one writer, whole lines.
//!
//! A caller appends its lines and at once writes as much of the buffer as the stream accepts, without waiting and
//! without waking a task. A separate task writes the rest.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use parking_lot::{Mutex, MutexGuard};
use tokio::{
    io::AsyncWrite,
    sync::{Notify, mpsc, watch},
    time::{Instant, timeout_at},
};

use super::{
    contract,
    receipt::{Fate, GivenUp, Ledger},
};
use crate::{
    claude::{Basis, Heard, Reception},
    clock,
    event::{ChannelName, Happening},
    gate::permission::{RequestId, Verdict},
    hub::{Accepted, Approval, Delivery, Inbox, Ticket},
};

/// The capacity, in bytes, to which an empty buffer is shrunk.
const KEEP: usize = 256 << 10;

/// The most notices that are held until it is known whether the client receives messages.
const NOTICES: usize = 16;

/// How long a receipt may take before the client is asked for a sign of life. The client writes receipts once a second.
const OVERDUE: Duration = Duration::from_mins(1);

/// The writing half of a session.
pub(super) struct Wire {
    inner: Mutex<Inner>,
    progress: Notify,
    /// Notified when a receipt is overdue.
    overdue: Notify,
    reception: watch::Receiver<Reception>,
}

struct Inner {
    writer: Pin<Box<dyn AsyncWrite + Send>>,
    buffer: Vec<u8>,
    /// How many bytes of the buffer are written.
    start: usize,
    /// The number of bytes that were appended to the stream so far.
    appended: u64,
    /// The number of bytes that were written to the stream so far.
    written: u64,
    /// Wakes the task that continues when the stream accepts more.
    driver: Waker,
    /// The stream has failed.
    broken: bool,
    /// Several channels share this server, so a chat's id carries its channel's name.
    several: bool,
    /// Where requests for a person's approval go, if the client can ask its user.
    approvals: Option<mpsc::UnboundedSender<Approval>>,
    messages: Ledger,
    /// What the client's log says, in order.
    hearing: mpsc::UnboundedReceiver<Heard>,
    /// Notices that wait until it is known whether the client receives messages: until then, the client would drop them
    /// without a trace.
    notices: Vec<(ChannelName, String)>,
}

/// What is known about the client of a connection.
#[derive(Debug)]
pub struct Attention {
    /// Whether it receives messages.
    pub reception: watch::Receiver<Reception>,
    /// What its log says, in order. Its receipts are counted by this.
    pub hearing: mpsc::UnboundedReceiver<Heard>,
}

impl Attention {
    /// Returns the state of a client that receives messages and gives no receipts.
    pub fn certain(basis: Basis) -> Self {
        let (_, reception) = watch::channel(Reception::Open(basis));
        let (_, hearing) = mpsc::unbounded_channel();
        Self { reception, hearing }
    }
}

impl Wire {
    pub(super) fn new(attention: Attention, writer: impl AsyncWrite + Send + 'static) -> Arc<Self> {
        let Attention { reception, hearing } = attention;
        Arc::new(Self {
            inner: Mutex::new(Inner {
                writer: Box::pin(writer),
                buffer: Vec::new(),
                start: 0,
                appended: 0,
                written: 0,
                driver: Waker::noop().clone(),
                broken: false,
                several: false,
                approvals: None,
                messages: Ledger::default(),
                hearing,
                notices: Vec::new(),
            }),
            progress: Notify::new(),
            overdue: Notify::new(),
            reception,
        })
    }

    pub(super) fn set_several(&self, several: bool) {
        self.lock().several = several;
    }

    /// Returns the receiver of approvals. From now on there is a client that can ask its user for them.
    pub(super) fn take_approvals(&self) -> mpsc::UnboundedReceiver<Approval> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.lock().approvals = Some(sender);
        receiver
    }

    /// Appends lines, and writes what the stream accepts now. Returns where the lines end in the stream.
    pub(super) fn send(&self, append: impl FnOnce(&mut Vec<u8>)) -> Ticket {
        let mut inner = self.lock();
        let before = inner.buffer.len();
        append(&mut inner.buffer);
        self.sent(inner, before)
    }

    /// Like [`Self::send`], for messages: the ledger notes where each one ends in the stream.
    fn send_counted(&self, append: impl FnOnce(&mut Vec<u8>, &mut Count<'_>)) -> Ticket {
        let mut inner = self.lock();
        let Inner { buffer, appended, messages, hearing, .. } = &mut *inner;
        // The task that runs `attend` may not have processed these yet.
        while let Ok(heard) = hearing.try_recv() {
            messages.hear(heard, clock::now());
        }
        let before = buffer.len();
        let follows = messages.follows();
        append(buffer, &mut Count { messages, follows, offset: *appended, before });
        self.sent(inner, before)
    }

    /// Counts what was appended since the buffer had this length, and writes what the stream accepts now.
    fn sent(&self, mut inner: MutexGuard<'_, Inner>, before: usize) -> Ticket {
        let ticket = inner.sent(before);
        let waker = inner.driver.clone();
        // The driver writes the rest: its waker was registered.
        self.write(&mut inner, &mut Context::from_waker(&waker));
        ticket
    }

    /// Waits until everything that was appended is written, or cannot be written.
    pub(super) async fn flushed(&self) {
        let ticket = Ticket(self.lock().appended);
        self.written(ticket).await;
    }

    /// Processes what the client's log says, and writes the notices that are held. Never ends.
    pub(super) async fn attend(self: Arc<Self>) {
        let hear = std::future::poll_fn(|context| self.poll_hear(context));
        tokio::join!(hear, self.let_notices_go());
    }

    fn poll_hear(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut inner = self.lock();
        let Inner { messages, hearing, .. } = &mut *inner;
        while let Poll::Ready(Some(heard)) = hearing.poll_recv(context) {
            messages.hear(heard, clock::now());
        }
        // Always, because a sender may have processed something in between.
        self.progress.notify_waiters();
        Poll::Pending
    }

    /// Writes the notices that are held, once it is known whether the client receives messages.
    async fn let_notices_go(&self) {
        let mut reception = self.reception.clone();
        let known = reception.wait_for(|reception| !matches!(reception, Reception::Awaited)).await;
        if known.is_err() {
            return;
        }
        let held = std::mem::take(&mut self.lock().notices);
        for (channel, text) in held {
            self.notice(&channel, &text);
        }
    }

    /// Waits until a receipt is overdue. Returns where the oldest message without one ends.
    pub(super) async fn overdue(&self) -> Ticket {
        loop {
            self.overdue.notified().await;
            if let Some(oldest) = self.lock().messages.oldest(clock::now()) {
                return oldest;
            }
        }
    }

    /// Stops waiting for the receipt of the message that ends at `oldest`. The client was pinged at `asked` and has
    /// answered, so it has processed the message, but its log does not say so.
    pub(super) fn give_up(&self, oldest: Ticket, asked: u64) {
        let given_up = self.lock().messages.give_up(oldest, asked, clock::now());
        match given_up {
            Some(GivenUp::Receipts) => tracing::warn!(
                "Claude Code answers, but its log confirms no messages. Until it does, a message counts as received once \
                 it is written"
            ),
            Some(GivenUp::Log) => {
                tracing::debug!(
                    "the client's log stays silent: a message counts as received once it is written"
                );
            }
            None => return,
        }
        self.progress.notify_waiters();
    }

    /// Writes whenever the stream accepts more. Never ends.
    pub(super) async fn drive(self: Arc<Self>) {
        std::future::poll_fn(|context| {
            let mut inner = self.lock();
            inner.driver.clone_from(context.waker());
            self.write(&mut inner, context);
            Poll::<()>::Pending
        })
        .await;
    }

    /// Writes what the stream accepts now. Notifies the waiting tasks of any progress, no matter which task made it.
    fn write(&self, inner: &mut Inner, context: &mut Context<'_>) {
        let before = (inner.written, inner.broken);
        let _ = inner.poll_write(context);
        if before != (inner.written, inner.broken) {
            self.progress.notify_waiters();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock()
    }
}

impl Inner {
    /// Counts what was appended since the buffer had this length. Returns where it ends in the stream.
    fn sent(&mut self, before: usize) -> Ticket {
        self.appended += (self.buffer.len() - before) as u64;
        if self.broken {
            self.buffer.clear();
            self.start = 0;
        }
        Ticket(self.appended)
    }

    fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while let Some(rest) = self.buffer.get(self.start..).filter(|rest| !rest.is_empty()) {
            match ready!(self.writer.as_mut().poll_write(context, rest)) {
                Ok(0) => self.fail(&io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    self.start += count;
                    self.written += count as u64;
                }
                Err(error) => self.fail(&error),
            }
        }
        self.buffer.clear();
        self.buffer.shrink_to(KEEP);
        self.start = 0;
        match ready!(self.writer.as_mut().poll_flush(context)) {
            Ok(()) => {}
            Err(error) => self.fail(&error),
        }
        Poll::Ready(())
    }

    fn fail(&mut self, error: &io::Error) {
        if !std::mem::replace(&mut self.broken, true) {
            tracing::debug!("the client reads no more: {error}");
        }
        self.buffer.clear();
        self.start = 0;
    }
}

/// Counts the messages of one write.
struct Count<'a> {
    messages: &'a mut Ledger,
    /// Each message has to be followed separately.
    follows: bool,
    /// The length of the stream before this write.
    offset: u64,
    /// The length of the buffer before this write.
    before: usize,
}

impl Count<'_> {
    /// Returns where the stream ends, with everything that is in the buffer now.
    fn end(&self, buffer: &[u8]) -> Ticket {
        Ticket(self.offset + (buffer.len() - self.before) as u64)
    }

    /// Notes a message that ends where the buffer ends now, and the length of its text.
    fn message(&mut self, buffer: &[u8], length: u64) {
        self.messages.add(self.end(buffer), length, clock::now);
    }
}

impl Inbox for Wire {
    fn accept(&self, channel: &ChannelName, deliveries: &[Delivery]) -> Accepted {
        let several = self.lock().several;
        let mut each = Vec::new();
        let end = self.send_counted(|buffer, count| {
            for delivery in deliveries {
                // Other events concern only the channel and the host.
                if let Happening::Message(message) = &delivery.event.what {
                    let channel = several.then_some(channel);
                    let told =
                        contract::notify(buffer, channel, message, delivery.redelivered, &delivery.whole);
                    if let Some(length) = told {
                        count.message(buffer, length);
                    }
                }
                if count.follows {
                    each.push(count.end(buffer));
                }
            }
        });
        Accepted { end, each }
    }

    fn notice(&self, channel: &ChannelName, text: &str) {
        if matches!(*self.reception.borrow(), Reception::Awaited) {
            let mut inner = self.lock();
            if inner.notices.len() < NOTICES {
                inner.notices.push((channel.clone(), text.to_owned()));
            }
            return;
        }
        self.send_counted(|buffer, count| {
            let length = contract::notice(buffer, channel, text);
            count.message(buffer, length);
        });
    }

    fn verdict(&self, request: &RequestId, verdict: Verdict) {
        self.send(|buffer| contract::verdict(buffer, request, verdict));
    }

    fn approve(&self, approval: Approval) {
        if let Some(approvals) = &self.lock().approvals {
            // Fails only when the session has ended.
            let _ = approvals.send(approval);
        }
    }

    fn is_written(&self, ticket: Ticket) -> bool {
        let inner = self.lock();
        inner.written >= ticket.0
    }

    fn written(&self, ticket: Ticket) -> Pin<Box<dyn Future<Output = bool> + Send + '_>> {
        Box::pin(async move {
            loop {
                // Registered before looking, so that no progress is missed in between.
                let mut progress = std::pin::pin!(self.progress.notified());
                progress.as_mut().enable();
                let (written, broken) = {
                    let inner = self.lock();
                    (inner.written, inner.broken)
                };
                if written >= ticket.0 || broken {
                    return written >= ticket.0;
                }
                progress.await;
            }
        })
    }

    fn is_received(&self, ticket: Ticket) -> bool {
        let inner = self.lock();
        inner.written >= ticket.0 && inner.messages.fate(ticket) == Fate::Received
    }

    fn received(&self, ticket: Ticket) -> Pin<Box<dyn Future<Output = bool> + Send + '_>> {
        Box::pin(async move {
            if !self.written(ticket).await {
                return false;
            }
            let mut overdue = None;
            loop {
                let mut progress = std::pin::pin!(self.progress.notified());
                progress.as_mut().enable();
                let until = {
                    let inner = self.lock();
                    match inner.messages.fate(ticket) {
                        Fate::Received => return true,
                        Fate::Lost => return false,
                        Fate::Waiting { .. } if inner.broken => return false,
                        Fate::Waiting { until } => until,
                    }
                };
                let patience =
                    until.map_or(OVERDUE, |until| Duration::from_millis(until.saturating_sub(clock::now())));
                let look = *overdue.get_or_insert_with(|| Instant::now() + patience);
                if timeout_at(look, progress).await.is_err() {
                    self.overdue.notify_one();
                    overdue = Some(Instant::now() + OVERDUE);
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;

    use super::*;

    #[tokio::test]
    async fn what_the_stream_does_not_take_at_once_is_written_later() {
        let (mut reader, writer) = tokio::io::duplex(4);
        let wire = Wire::new(Attention::certain(Basis::OtherClient), writer);
        let driver = tokio::spawn(Arc::clone(&wire).drive());
        tokio::task::yield_now().await;
        let ticket = wire.send(|buffer| buffer.extend_from_slice(b"0123456789"));
        assert!(!wire.is_written(ticket));
        let mut read = [0; 10];
        reader.read_exact(&mut read).await.unwrap();
        assert!(wire.written(ticket).await);
        assert_eq!(&read, b"0123456789");
        driver.abort();
    }

    #[tokio::test]
    async fn progress_that_another_sender_makes_is_seen() {
        let (mut reader, writer) = tokio::io::duplex(4);
        let wire = Wire::new(Attention::certain(Basis::OtherClient), writer);
        // No driver: only a sender writes.
        let ticket = wire.send(|buffer| buffer.extend_from_slice(b"012345"));
        let waiting = tokio::spawn({
            let wire = Arc::clone(&wire);
            async move { wire.written(ticket).await }
        });
        tokio::task::yield_now().await;
        let mut read = [0; 4];
        reader.read_exact(&mut read).await.unwrap();
        wire.send(|_| {});
        let waited = tokio::time::timeout(Duration::from_secs(10), waiting).await;
        assert!(waited.unwrap().unwrap());
    }

    #[tokio::test]
    async fn a_stream_that_is_gone_keeps_nobody_waiting() {
        let (reader, writer) = tokio::io::duplex(4);
        drop(reader);
        let wire = Wire::new(Attention::certain(Basis::OtherClient), writer);
        let driver = tokio::spawn(Arc::clone(&wire).drive());
        tokio::task::yield_now().await;
        let ticket = wire.send(|buffer| buffer.extend_from_slice(b"0123456789"));
        assert!(!wire.written(ticket).await);
        wire.flushed().await;
        driver.abort();
    }
}
