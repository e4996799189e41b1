//! Updates on their way from the platform into the journal, many at once.

use std::sync::Arc;

use super::{Obstacle, Poller};
use crate::{
    clock,
    gate::Origin,
    guest::{Fault, News, Update},
    hub::{Delivery, Failure},
    journal::SetAside,
};

/// How often an update is tried that the guest fails on.
const TRIES: u32 = 2;

/// Updates that are stored together, and how much may be translated before they are, in bytes.
const SLICE: usize = 100;
const WEIGHT: usize = 8 << 20;

/// What became of one update.
enum Translated {
    News(News),
    /// Nobody can make sense of it.
    Nonsense {
        reason: String,
        payload: Vec<u8>,
    },
    /// It is to be tried again.
    Later(Fault),
}

/// Updates that are stored together.
#[derive(Default)]
struct Slice {
    news: Vec<News>,
    aside: Vec<SetAside>,
    /// Past the last of them.
    cursor: Option<String>,
    /// What it takes in memory, roughly, in bytes.
    weight: usize,
}

impl Slice {
    fn count(&self) -> usize {
        self.news.len() + self.aside.len()
    }

    fn add(&mut self, news: News) {
        self.weight += news.weight();
        self.news.push(news);
    }
}

impl Poller<'_> {
    /// Has updates translated and stores what they tell, many at once.
    pub(super) async fn take(&mut self, updates: Vec<Update>) -> Result<Vec<Delivery>, Obstacle> {
        let mut updates = updates.into_iter().peekable();
        loop {
            if self.forgotten() {
                self.channel.identify().await?;
            }
            let mut slice = Slice::default();
            let mut obstacle = None;
            while slice.count() < SLICE
                && slice.weight < WEIGHT
                && let Some(update) = updates.next()
            {
                match self.translate(Arc::new(update.payload)).await {
                    Translated::News(news) => slice.add(news),
                    Translated::Nonsense { reason, payload } => slice.aside.push(SetAside {
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
                slice.cursor = Some(update.cursor);
            }
            let stored = self.store(slice)?;
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

    /// Somebody has erased what the guest knew of the bot: without that nothing is addressed to it.
    fn forgotten(&self) -> bool {
        self.has_state && self.channel.surroundings().journal.has_state().is_ok_and(|has| !has)
    }

    /// Stores what updates tell, and the cursor that moves past them. From here on nothing waits for anybody.
    fn store(&mut self, slice: Slice) -> Result<Vec<Delivery>, Obstacle> {
        let Slice { news, aside, cursor, .. } = slice;
        let Some(cursor) = cursor else { return Ok(Vec::new()) };
        let mut intake = self.channel.intake(Origin::Trusted);
        for news in news {
            intake.take(news)?;
        }
        for update in &aside {
            intake.set_aside(update)?;
        }
        intake.advance(&self.account, &cursor)?;
        let stored = match intake.store() {
            Ok(stored) => stored,
            Err(error) => {
                // Somebody else's commit may have stored a part of it.
                self.channel.drain_soon();
                return Err(error.into());
            }
        };
        self.moved = true;
        self.cursor = Some(cursor);
        self.has_state = self.has_state || self.channel.surroundings().journal.has_state().unwrap_or(false);
        if let Some(first) = aside.first() {
            // Why is in the report: it may quote what a stranger wrote.
            let text = format!(
                "{} of what {} has sent could not be understood and was set aside, the rest goes on ({}). \
                 `tidegate report {}` shows it: please report it to whoever makes the channel",
                aside.len(),
                self.channel.descriptor().title,
                first.id,
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
                    if let Err(error) = self.channel.apply(news.effects) {
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
                // It has tried something that may work later.
                Fault::RateLimited(_) | Fault::Unauthorized(_) | Fault::Unavailable(_) => {
                    return Translated::Later(fault);
                }
                fault => reason = fault.to_string(),
            }
        }
        Translated::Nonsense { reason, payload: Arc::unwrap_or_clone(payload) }
    }
}
