use std::sync::Arc;

use super::{Channel, Delivery, aside::Aside};
use crate::{
    admission,
    capability::web::Push,
    clock,
    event::{Event, Happening},
    gate::{Decision, Origin, Reason, rate::Rate},
    guest::News,
    journal::{self, Journal},
};

/// Takes in what several calls of a guest have brought: the gate decides about each event, what is for the session is
/// stored all at once, and then handed on.
///
/// Dropped half-way it loses nothing that it has stored: that waits in the journal.
pub struct Intake<'a> {
    channel: &'a Arc<Channel>,
    origin: Origin,
    stored: Vec<Delivery>,
    asides: Vec<Aside>,
    pushes: Vec<Push>,
    written: bool,
    /// As it was before the first write: what others undo is undone for this one too.
    rollbacks: Option<u64>,
    /// A session waits for what comes.
    offer: bool,
}

/// Why news were not taken in.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// They cannot be stored.
    #[error(transparent)]
    Journal(#[from] journal::Error),
    /// It cannot be decided who may speak.
    #[error(transparent)]
    Admission(#[from] admission::Error),
}

impl Channel {
    /// Begins to take in news that came from there.
    pub fn intake(self: &Arc<Self>, origin: Origin) -> Intake<'_> {
        Intake {
            channel: self,
            origin,
            stored: Vec::new(),
            asides: Vec::new(),
            pushes: Vec::new(),
            written: false,
            rollbacks: None,
            offer: self.has_inbox(),
        }
    }
}

impl Intake<'_> {
    /// Takes in what one call has brought. If that fails, all that was not yet stored is undone.
    pub fn take(&mut self, news: News) -> Result<(), IntakeError> {
        let journal = Arc::clone(self.channel.journal());
        self.rollbacks.get_or_insert_with(|| journal.rollbacks());
        self.write(&journal, news).inspect_err(|_| journal.roll_back())
    }

    fn write(&mut self, journal: &Journal, news: News) -> Result<(), IntakeError> {
        for (key, value) in &news.effects.state {
            journal.set_state(key, value.as_deref())?;
            self.written = true;
        }
        let now = clock::now();
        for event in news.events {
            self.admit(journal, event, now)?;
        }
        self.pushes.extend(news.effects.pushes);
        Ok(())
    }

    fn admit(&mut self, journal: &Journal, event: Event, now: u64) -> Result<(), IntakeError> {
        let channel = self.channel;
        let decision = channel.decide(&event.what, self.origin, now)?;
        match (decision, event.what) {
            (Decision::Deliver, Happening::Message(message)) => {
                match channel.admission.rate(&message, now).map_err(admission::Error::from)? {
                    Rate::Within => {
                        return self.append(
                            journal,
                            Event { id: event.id, what: Happening::Message(message) },
                            now,
                        );
                    }
                    Rate::Exceeded => self.asides.push(Aside::Exceeded(message.sender.clone())),
                    Rate::Still => {}
                }
                channel.refuse(&Happening::Message(message), Reason::Rate, now);
            }
            (Decision::Pair(step), Happening::Message(message)) => {
                self.asides.extend(channel.begin_answer(step, &message, now)?);
            }
            (Decision::Permission(request, answer), what) => {
                self.asides.extend(Aside::permission(event.id, what, request, answer));
            }
            (Decision::Settled(request), what) => self.asides.extend(Aside::settled(event.id, what, request)),
            (Decision::Move, Happening::Moved { from, to }) => self.asides.push(Aside::Move(from, to)),
            (Decision::Drop(reason), what) => {
                channel.refuse(&what, reason, now);
                self.asides.extend(Aside::refused(event.id, &what, reason));
            }
            // The gate answers each kind of event with what belongs to it.
            (decision, _) => tracing::error!("{}: {decision:?} makes no sense here", channel.name()),
        }
        Ok(())
    }

    fn append(&mut self, journal: &Journal, event: Event, now: u64) -> Result<(), IntakeError> {
        self.written = true;
        // One that came again is in the journal already.
        if let Some(seq) = journal.append(&event, now, self.offer)? {
            if let Happening::Message(message) = &event.what {
                self.channel.admission.remember(message, now)?;
            }
            self.stored.push(Delivery { seq, event, redelivered: false });
        }
        Ok(())
    }

    /// Makes it durable, lets the page know, and does what is to be done beside it. What comes back is to be handed to
    /// [`Channel::deliver`].
    pub fn store(self) -> Result<Vec<Delivery>, IntakeError> {
        if self.written {
            self.channel.journal().commit()?;
        }
        let journal = self.channel.journal();
        if self.rollbacks.is_some_and(|rollbacks| rollbacks != journal.rollbacks()) {
            return Err(journal.undone().into());
        }
        self.channel.surroundings().page.push(self.pushes);
        self.channel.set_aside(self.asides);
        Ok(self.stored)
    }
}
