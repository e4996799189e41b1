//! The sign that an answer is being worked on.
//!
//! Nothing tells a server that a session has begun or ended its work on an event, so the sign runs from the
//! delivery to the first reply to that chat, with a limit.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::Channel;
use crate::event::{Chat, ChatId};

/// How often the sign is repeated: platforms let it fade after five seconds or more.
const REPEAT: Duration = Duration::from_secs(4);
/// Whatever takes longer is most likely no answer at all.
const LIMIT: Duration = Duration::from_mins(5);

/// The chats that wait for an answer.
#[derive(Debug, Default)]
pub(super) struct Working(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    chats: HashMap<ChatId, Wait>,
    /// A task repeats the signs.
    running: bool,
}

#[derive(Debug)]
struct Wait {
    thread: Option<String>,
    since: Instant,
}

impl Working {
    /// The chat was answered.
    pub(super) fn done(&self, chat: &ChatId) {
        self.lock().chats.remove(chat);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Channel {
    /// A message from this chat was delivered.
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
                // Only a courtesy: whatever stands in the way will show where it matters.
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
