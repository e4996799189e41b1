use std::sync::Arc;

use super::{Channel, Delivery};
use crate::{
    capability::web::Push,
    clock,
    guest::News,
    journal::{Error, Journal},
};

/// Takes in what several calls of a guest have brought, stores it all at once, and then hands it on.
///
/// Dropped half-way it loses nothing that it has stored: that waits in the journal.
pub struct Intake<'a> {
    channel: &'a Arc<Channel>,
    stored: Vec<Delivery>,
    pushes: Vec<Push>,
    written: bool,
    /// As it was before the first write: what others undo is undone for this one too.
    rollbacks: Option<u64>,
    /// A session waits for what comes.
    offer: bool,
}

impl Channel {
    /// Begins to take in news.
    pub fn intake(self: &Arc<Self>) -> Intake<'_> {
        Intake {
            channel: self,
            stored: Vec::new(),
            pushes: Vec::new(),
            written: false,
            rollbacks: None,
            offer: self.has_inbox(),
        }
    }
}

impl Intake<'_> {
    /// Takes in what one call has brought. If that fails, all that was not yet stored is undone.
    pub fn take(&mut self, news: News) -> Result<(), Error> {
        let journal = Arc::clone(self.channel.journal());
        self.rollbacks.get_or_insert_with(|| journal.rollbacks());
        self.write(&journal, news).inspect_err(|_| journal.roll_back())
    }

    fn write(&mut self, journal: &Journal, news: News) -> Result<(), Error> {
        for (key, value) in &news.effects.state {
            journal.set_state(key, value.as_deref())?;
            self.written = true;
        }
        let now = clock::now();
        for event in news.events {
            self.written = true;
            // One that came again is in the journal already.
            if let Some(seq) = journal.append(&event, now, self.offer)? {
                self.stored.push(Delivery { seq, event, redelivered: false });
            }
        }
        self.pushes.extend(news.effects.pushes);
        Ok(())
    }

    /// Makes it durable and lets the page know. What comes back is to be handed to [`Channel::deliver`].
    pub fn store(self) -> Result<Vec<Delivery>, Error> {
        if self.written {
            self.channel.journal().commit()?;
        }
        let journal = self.channel.journal();
        if self.rollbacks.is_some_and(|rollbacks| rollbacks != journal.rollbacks()) {
            return Err(journal.undone());
        }
        self.channel.surroundings().page.push(self.pushes);
        Ok(self.stored)
    }
}
