//! The server's interface for tests.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use axum::body::Bytes;
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

use crate::{
    error::ApiError,
    fault::Fault,
    http::{self, Shared},
    people::{Chat, User},
    record::Call,
    wire::{Doom, Wires},
};

/// The default token.
pub const TOKEN: &str = "8086174200:AAFakeTelegram-For-Tests_0123456789";

/// A Bot API server on loopback, with its own threads. It ends when it is dropped.
///
/// All data survive [`stop`](Self::stop) and [`restart`](Self::restart).
pub struct Server {
    pub(crate) shared: Arc<Shared>,
    address: SocketAddr,
    runtime: Mutex<Option<Runtime>>,
}

impl Server {
    /// Starts a server on a free port of 127.0.0.1, with [`TOKEN`].
    pub fn start() -> Self {
        Self::at(0, TOKEN)
    }

    /// Starts a server on this port of 127.0.0.1 (0: a free one), with this token.
    ///
    /// # Panics
    ///
    /// If the port is taken.
    pub fn at(port: u16, token: impl Into<String>) -> Self {
        let shared = Arc::new(Shared::new(token.into()));
        let (runtime, address) = run(Arc::clone(&shared), port);
        Self { shared, address, runtime: Mutex::new(Some(runtime)) }
    }

    /// Returns `http://127.0.0.1:PORT`, to be used in place of `https://api.telegram.org`.
    pub fn address(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the token, or the last one if it was revoked.
    pub fn token(&self) -> String {
        self.shared.world().token.clone().unwrap_or_default()
    }

    /// Returns the bot as a user.
    pub fn bot(&self) -> User {
        self.shared.world().bot.clone()
    }

    // ---- What the bot did ----

    /// Returns every call so far, oldest first.
    pub fn calls(&self) -> Vec<Arc<Call>> {
        self.shared.record.calls()
    }

    /// Returns every call of one method so far, oldest first.
    pub fn calls_of(&self, method: &str) -> Vec<Arc<Call>> {
        let mut calls = self.calls();
        calls.retain(|call| call.method == method);
        calls
    }

    /// Returns every refused call so far.
    pub fn refusals(&self) -> Vec<Arc<Call>> {
        let mut calls = self.calls();
        calls.retain(|call| call.error.is_some());
        calls
    }

    /// Forgets all calls, including those that no test has waited for.
    pub fn forget_calls(&self) {
        self.shared.record.forget();
    }

    /// Returns the oldest call of this method that was not returned before; waits for one if necessary.
    ///
    /// # Panics
    ///
    /// If there is none in time.
    pub fn wait_for(&self, method: &str, timeout: Duration) -> Arc<Call> {
        self.try_wait_for(method, timeout)
            .unwrap_or_else(|| panic!("no {method} within {timeout:?}; there were {:?}", self.names()))
    }

    /// Like [`wait_for`](Self::wait_for), but returns `None` if there is none in time.
    pub fn try_wait_for(&self, method: &str, timeout: Duration) -> Option<Arc<Call>> {
        self.shared.record.take(method, timeout)
    }

    /// Returns the oldest message of the bot to this chat that was not returned before; waits for one if necessary.
    ///
    /// # Panics
    ///
    /// If there is none in time.
    pub fn hears(&self, chat: &Chat, timeout: Duration) -> Value {
        self.try_hears(chat, timeout).unwrap_or_else(|| {
            panic!("no message to {} within {timeout:?}; there were {:?}", chat.id, self.names())
        })
    }

    /// Like [`hears`](Self::hears), but returns `None` if there is none in time.
    pub fn try_hears(&self, chat: &Chat, timeout: Duration) -> Option<Value> {
        self.shared.record.hear(chat.id, timeout)
    }

    fn names(&self) -> Vec<&'static str> {
        self.calls().iter().map(|call| call.method).collect()
    }

    /// Returns the bot's messages in this chat (or topic) in their current state, oldest first.
    pub fn messages(&self, chat: &Chat) -> Vec<Value> {
        let world = self.shared.world();
        let messages = world.chats.get(&chat.id).into_iter().flat_map(|place| place.messages.values());
        let own = messages.filter(|message| message.own).map(|message| &message.value);
        let wanted =
            |message: &&Value| chat.thread.is_none_or(|thread| message["message_thread_id"] == thread);
        own.filter(wanted).cloned().collect()
    }

    /// Returns a message of any sender in its current state; `None` if there is none.
    pub fn message(&self, chat: &Chat, id: i64) -> Option<Value> {
        Some(self.shared.world().chats.get(&chat.id)?.messages.get(&id)?.value.clone())
    }

    /// Returns the bot's reaction to a message.
    pub fn reaction(&self, chat: &Chat, message: i64) -> Option<String> {
        self.shared.world().chats.get(&chat.id)?.messages.get(&message)?.reaction.clone()
    }

    /// Returns the content of a file, by the `file_id` that a message shows.
    pub fn file(&self, id: &str) -> Option<Bytes> {
        self.shared.world().files.bytes(id)
    }

    /// Returns the number of unconfirmed updates.
    pub fn unconfirmed(&self) -> usize {
        self.shared.world().poll.queue.len()
    }

    // ---- What goes wrong ----

    /// Adds a fault.
    pub fn fault(&self, fault: Fault) {
        self.shared.faults().add(fault);
    }

    /// Sends every answer that [`Fault::hold`] holds back.
    pub fn release(&self) {
        self.shared.release();
    }

    /// Removes all faults.
    pub fn clear_faults(&self) {
        self.shared.faults().clear();
    }

    /// Adds this time to every round trip: half before the call takes effect, half after.
    pub fn latency(&self, round_trip: Duration) {
        self.shared.set_latency(round_trip);
    }

    /// Switches the slowing down of repeated polls, which is on by default. As in Telegram, within half a second a
    /// repeated poll gets at most one update; within three seconds an empty answer takes three seconds, and so does a
    /// second conflict.
    pub fn throttle(&self, throttled: bool) {
        self.shared.world().poll.throttled = throttled;
    }

    /// Counts the lengths of texts in bytes, as a third-party server may do.
    pub fn count_bytes(&self, in_bytes: bool) {
        self.shared.world().counts_bytes = in_bytes;
    }

    /// Revokes the token, also for waiting polls.
    pub fn revoke(&self) {
        let mut world = self.shared.world();
        world.token = None;
        world.poll.end(ApiError::unauthorized());
    }

    /// Replaces the token.
    pub fn issue(&self, token: impl Into<String>) {
        self.revoke();
        self.shared.world().token = Some(token.into());
    }

    /// Stops the server: closes its port and every connection.
    pub fn stop(&self) {
        let runtime = self.runtime.lock().unwrap_or_else(PoisonError::into_inner).take();
        // A runtime must not be dropped within another.
        let ending = thread::spawn(move || drop(runtime));
        let _ = ending.join();
    }

    /// Starts it again, on the same port and with all data.
    ///
    /// # Panics
    ///
    /// If another program uses the port.
    pub fn restart(&self) {
        self.stop();
        let (runtime, _) = run(Arc::clone(&self.shared), self.address.port());
        *self.runtime.lock().unwrap_or_else(PoisonError::into_inner) = Some(runtime);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

#[expect(clippy::expect_used, reason = "a test cannot go on without its server")]
fn run(shared: Arc<Shared>, port: u16) -> (Runtime, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).expect("the port is free");
    listener.set_nonblocking(true).expect("a socket can be non-blocking");
    let address = listener.local_addr().expect("a listener has an address");
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("fake-telegram")
        .enable_all()
        .build()
        .expect("threads can be started");
    let guard = runtime.enter();
    let listener = Wires(tokio::net::TcpListener::from_std(listener).expect("the listener can be watched"));
    drop(guard);
    let service = http::router(shared).into_make_service_with_connect_info::<Doom>();
    runtime.spawn(async { axum::serve(listener, service).await });
    (runtime, address)
}
