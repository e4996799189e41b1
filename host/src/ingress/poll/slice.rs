//! Stores the platform's updates in the journal, many at once.

use std::sync::Arc;

use super::{Obstacle, Poller};
use crate::{
    clock,
    gate::Origin,
    guest::{Fault, News, Update},
    hub::{Delivery, Failure, Intake},
    journal::SetAside,
};

/// How many times an update is tried on which the guest fails.
const TRIES: u32 = 2;

/// The most updates that are stored together.
const SLICE: usize = 100;

/// The result of translating one update.
enum Translated {
    News(News),
    /// The guest cannot translate it.
    Nonsense {
        reason: String,
        payload: Vec<u8>,
    },
    /// It has to be tried again later.
    Later(Fault),
}

/// Updates that are stored together.
#[derive(Default)]
struct Slice {
    intake: Intake,
    /// The number of updates.
    count: usize,
    /// How many of them could not be translated, and the id of the first of those.
    aside: usize,
    first: Option<String>,
    /// The cursor past the last of them.
    cursor: Option<String>,
}

impl Slice {
    /// Returns whether there is room for another update.
    fn has_room(&self) -> bool {
        self.count < SLICE && !self.intake.is_due()
    }

    fn set_aside(&mut self, update: SetAside) {
        self.aside += 1;
        self.first.get_or_insert_with(|| update.id.clone());
        self.intake.set_aside(update);
    }
}

impl Poller<'_> {
    /// Has updates translated, and stores their news, many at once. Returns what is to be delivered.
    pub(super) async fn take(&mut self, updates: Vec<Update>) -> Result<Vec<Delivery>, Obstacle> {
        let mut updates = updates.into_iter().peekable();
        loop {
            if self.forgotten() {
                self.channel.identify().await?;
            }
            let mut slice = Slice::default();
            let mut obstacle = None;
            while slice.has_room()
                && let Some(update) = updates.next()
            {
                match self.translate(Arc::new(update.payload)).await {
                    Translated::News(news) => slice.intake.add(news),
                    Translated::Nonsense { reason, payload } => slice.set_aside(SetAside {
                        id: crate::text::name(&update.id).into_owned(),
                        at: clock::now(),
                        reason,
                        payload,
                    }),
                    Translated::Later(fault) => {
                        obstacle = Some(fault);
                        break;
                    }
                }
                slice.count += 1;
                slice.cursor = Some(update.cursor);
            }
            let stored = self.store(slice).await?;
            if let Some(fault) = obstacle {
                self.channel.deliver(stored).await;
                return Err(Failure::from(fault).into());
            }
            if updates.peek().is_none() {
                return Ok(stored);
            }
            self.channel.deliver(stored).await;
        }
    }

    /// Returns whether the values that the guest had stored were erased. Without the identity of the bot, no message
    /// counts as addressed to it.
    fn forgotten(&self) -> bool {
        self.has_state && self.channel.surroundings().journal.has_state().is_ok_and(|has| !has)
    }

    /// Stores the news of updates, and the cursor that moves past them.
    async fn store(&mut self, slice: Slice) -> Result<Vec<Delivery>, Obstacle> {
        let Slice { mut intake, aside, first, cursor, .. } = slice;
        let Some(cursor) = cursor else { return Ok(Vec::new()) };
        intake.advance(self.account.clone(), cursor.clone());
        let stored = self.channel.take_in(Origin::Trusted, intake).await?;
        self.moved = true;
        self.cursor = Some(cursor);
        self.has_state = self.has_state || self.channel.surroundings().journal.has_state().unwrap_or(false);
        if let Some(first) = first {
            // Only the report contains the reason, because it may quote what a stranger wrote.
            let text = format!(
                "{aside} of what {} has sent could not be understood and was set aside, the rest goes on ({first}). \
                 `tidegate report {}` shows it: please report it to whoever makes the channel",
                self.channel.descriptor().title,
                self.channel.name()
            );
            tracing::error!("{}: {text}", self.channel.name());
            self.channel.trouble(&text);
            self.channel.notice(&text);
        }
        Ok(stored)
    }

    async fn translate(&self, payload: Arc<Vec<u8>>) -> Translated {
        let mut reason = String::new();
        for _ in 0..TRIES {
            let fault = match self.channel.guest().translate(Arc::clone(&payload)).await {
                Ok((news, None)) => return Translated::News(news),
                Ok((news, Some(fault))) => {
                    if let Err(error) = self.channel.apply(news.effects).await {
                        tracing::error!("{}: {error}", self.channel.name());
                    }
                    fault
                }
                Err(error) => {
                    reason = error.to_string();
                    continue;
                }
            };
            match fault {
                // The guest has tried something that may work later.
                Fault::RateLimited(_) | Fault::Unauthorized(_) | Fault::Unavailable(_) => {
                    return Translated::Later(fault);
                }
                fault => reason = fault.to_string(),
            }
        }
        Translated::Nonsense { reason, payload: Arc::unwrap_or_clone(payload) }
    }
}
