//! The pauses that a platform asks for. A pause in one chat delays no other chat.

use std::{collections::HashMap, time::Duration};

use parking_lot::Mutex;
use tokio::time::{Instant, sleep_until};

use super::{Channel, Failure};
use crate::{event::ChatId, guest::Fault};

/// How long a session waits for the end of a pause before it is told to come back later.
const PATIENCE: Duration = Duration::from_mins(1);

/// The pauses that the platform has asked for, by chat.
#[derive(Debug, Default)]
pub(super) struct Pace(Mutex<HashMap<ChatId, Instant>>);

impl Pace {
    /// Notes that the platform asks for a pause in this chat. One hour is the longest pause that counts.
    pub(super) fn pause(&self, chat: &ChatId, pause: Duration) {
        let now = Instant::now();
        let until = now + pause.min(Duration::from_hours(1));
        let mut pauses = self.0.lock();
        pauses.retain(|_, until| *until > now);
        let current = pauses.entry(chat.clone()).or_insert(until);
        *current = until.max(*current);
    }

    /// Returns until when nothing should be sent to this chat, if it is paused.
    pub(super) fn paused(&self, chat: &ChatId) -> Option<Instant> {
        self.0.lock().get(chat).copied().filter(|until| *until > Instant::now())
    }

    /// Waits until something may be sent to this chat.
    pub(super) async fn ready(&self, chat: &ChatId) {
        while let Some(until) = self.paused(chat) {
            sleep_until(until).await;
        }
    }
}

/// One request to a platform that may ask for pauses. It is tried again after each pause, for a minute in total.
pub(super) struct Errand<'a> {
    pace: &'a Pace,
    chat: ChatId,
    end: Instant,
}

impl Errand<'_> {
    /// Waits until the request may be tried. Fails if that would take too long.
    pub(super) async fn turn(&self) -> Result<(), Failure> {
        while let Some(until) = self.pace.paused(&self.chat) {
            if until > self.end {
                return Err(Fault::RateLimited(until - Instant::now()).into());
            }
            sleep_until(until).await;
        }
        Ok(())
    }

    /// Returns the result of a try. None if the platform asks for a pause before the next try, and the pause is short
    /// enough.
    pub(super) fn settle<R>(&self, result: Result<R, Failure>) -> Option<Result<R, Failure>> {
        match result {
            Err(Failure::Fault(Fault::RateLimited(pause))) => {
                tracing::info!("the platform asks to wait {:.1} s", pause.as_secs_f32());
                self.pace.pause(&self.chat, pause);
                let too_long = Instant::now() + pause > self.end;
                too_long.then(|| Err(Fault::RateLimited(pause).into()))
            }
            result => Some(result),
        }
    }
}

impl Channel {
    /// Begins a request about this chat.
    pub(super) fn errand(&self, chat: &ChatId) -> Errand<'_> {
        Errand { pace: &self.pace, chat: chat.clone(), end: Instant::now() + PATIENCE }
    }

    /// Notes the pause that a platform answers with. For optional requests, which are not tried again.
    pub(super) fn heed<R>(&self, chat: &ChatId, result: &Result<R, Failure>) {
        if let Err(Failure::Fault(Fault::RateLimited(pause))) = result {
            self.pace.pause(chat, *pause);
        }
    }
}
