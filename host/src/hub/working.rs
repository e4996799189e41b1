//! The typing indicator, which shows that an answer is being worked on.
//!
//! A server is not told when a session begins or ends its work on an event. The indicator therefore runs from the
//! delivery to the first reply to that chat, with a time limit.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::{Mutex, MutexGuard};

use super::Channel;
use crate::event::{Chat, ChatId};

/// How often the indicator is repeated. Platforms let it fade after five seconds or more.
const REPEAT: Duration = Duration::from_secs(4);
/// The time limit. After it, most likely there will be no answer.
const LIMIT: Duration = Duration::from_mins(5);

/// The chats that wait for an answer.
#[derive(Debug, Default)]
pub(super) struct Working(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    chats: HashMap<ChatId, Wait>,
    /// A task repeats the indicators.
    running: bool,
}

#[derive(Debug)]
struct Wait {
    thread: Option<String>,
    since: Instant,
}

impl Working {
    /// Stops the indicator, because the chat was answered.
    pub(super) fn done(&self, chat: &ChatId) {
        self.lock().chats.remove(chat);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock()
    }
}

impl Channel {
    /// Starts the indicator, because a message from this chat was delivered.
    pub(super) fn working_on(self: &Arc<Self>, chat: &Chat) {
        let mut state = self.working.lock();
        if let Some(wait) = state.chats.get_mut(&chat.id) {
            wait.since = Instant::now();
            return;
        }
        state.chats.insert(chat.id.clone(), Wait { thread: chat.thread.clone(), since: Instant::now() });
        if !std::mem::replace(&mut state.running, true) {
            let channel = Arc::clone(self);
            tokio::spawn(async move { channel.keep_signalling().await });
        }
    }

    async fn keep_signalling(&self) {
        loop {
            let chats: Vec<_> = {
                let mut state = self.working.lock();
                state.chats.retain(|_, wait| wait.since.elapsed() < LIMIT);
                state.running = !state.chats.is_empty();
                state.chats.iter().map(|(chat, wait)| (chat.clone(), wait.thread.clone())).collect()
            };
            if chats.is_empty() {
                return;
            }
            for (chat, thread) in chats {
                if self.pace.paused(&chat).is_some() {
                    continue;
                }
                // An optional extra, so a failure is only logged: its cause also shows where it matters.
                let signalled = self.conclude(self.guest.typing(chat.clone(), thread).await).await;
                self.heed(&chat, &signalled);
                if let Err(error) = signalled {
                    tracing::debug!("{}: typing: {error}", self.name());
                }
            }
            tokio::time::sleep(REPEAT).await;
        }
    }
}
