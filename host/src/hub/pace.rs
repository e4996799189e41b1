//! How fast a platform wants to be spoken to.

use std::{sync::Mutex, time::Duration};

use tokio::time::{Instant, sleep_until};

use super::{Channel, Failure, channel::lock};
use crate::guest::Fault;

/// How long a session is kept waiting before it is told to come back later.
const PATIENCE: Duration = Duration::from_mins(1);

/// A pause that the platform has asked for, if there is one.
#[derive(Debug, Default)]
pub(super) struct Pace(Mutex<Option<Instant>>);

impl Pace {
    /// The platform wants a pause.
    pub(super) fn pause(&self, pause: Duration) {
        let until = Instant::now() + pause.min(Duration::from_hours(1));
        let mut current = lock(&self.0);
        *current = Some(current.map_or(until, |current| current.max(until)));
    }

    /// Until when nothing should be sent, if so.
    pub(super) fn paused(&self) -> Option<Instant> {
        lock(&self.0).filter(|until| *until > Instant::now())
    }

    /// Waits until something may be sent.
    pub(super) async fn ready(&self) {
        while let Some(until) = self.paused() {
            sleep_until(until).await;
        }
    }
}

/// One errand at a platform that may want pauses: it is tried again after each, for a minute in all.
pub(super) struct Errand<'a> {
    pace: &'a Pace,
    end: Instant,
}

impl Errand<'_> {
    /// Waits until it may be tried. Fails if that would take too long.
    pub(super) async fn turn(&self) -> Result<(), Failure> {
        if let Some(until) = self.pace.paused() {
            if until > self.end {
                return Err(Fault::RateLimited(until - Instant::now()).into());
            }
            sleep_until(until).await;
        }
        Ok(())
    }

    /// What came of the try; None if the platform wants a pause before the next, and that is short enough.
    pub(super) fn settle<R>(&self, result: Result<R, Failure>) -> Option<Result<R, Failure>> {
        match result {
            Err(Failure::Fault(Fault::RateLimited(pause))) => {
                tracing::info!("the platform asks to wait {:.1} s", pause.as_secs_f32());
                self.pace.pause(pause);
                let too_long = Instant::now() + pause > self.end;
                too_long.then(|| Err(Fault::RateLimited(pause).into()))
            }
            result => Some(result),
        }
    }
}

impl Channel {
    /// Begins something at the platform.
    pub(super) fn errand(&self) -> Errand<'_> {
        Errand { pace: &self.pace, end: Instant::now() + PATIENCE }
    }
}
