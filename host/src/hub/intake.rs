use std::sync::Arc;

use super::{Channel, Delivery, aside::Aside, held};
use crate::{
    admission::{Rules, Shut},
    capability::web::Push,
    clock,
    event::{Event, Happening},
    gate::{Access, Decision, Origin, Reason, rate::Rate},
    guest::News,
    journal::{self, Journal, SetAside},
    notification::Whole,
};

/// Takes in what several calls of a guest have brought: the gate decides about each event, what is for the session is
/// stored all at once, and then handed on.
///
/// Dropped half-way it loses nothing that it has stored: that waits in the journal.
pub struct Intake<'a> {
    channel: &'a Arc<Channel>,
    origin: Origin,
    /// What held when the first news came.
    rules: Option<Arc<Rules>>,
    stored: Vec<Delivery>,
    asides: Vec<Aside>,
    /// Stored, and not whole yet.
    held: Vec<(Event, Option<String>)>,
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
    /// Nobody knows who may speak.
    #[error(transparent)]
    Shut(#[from] Shut),
}

impl Channel {
    /// Begins to take in news that came from there.
    pub fn intake(self: &Arc<Self>, origin: Origin) -> Intake<'_> {
        Intake {
            channel: self,
            origin,
            rules: None,
            stored: Vec::new(),
            asides: Vec::new(),
            held: Vec::new(),
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
        // What it does itself is done before anything is written.
        let rules = match &self.rules {
            Some(rules) => Arc::clone(rules),
            // Looked at once for what comes together: it is a system call.
            None => Arc::clone(self.rules.insert(self.channel.rules()?)),
        };
        let journal = Arc::clone(self.channel.journal());
        self.rollbacks.get_or_insert_with(|| journal.rollbacks());
        self.write(&journal, &rules.access, news).inspect_err(|_| journal.roll_back())
    }

    fn write(&mut self, journal: &Journal, access: &Access, news: News) -> Result<(), IntakeError> {
        let now = clock::now();
        // Events before whatever says that they were dealt with: should another's commit come in between, they come
        // again and are known.
        for event in news.events {
            self.admit(journal, access, event, now)?;
        }
        for (key, value) in &news.effects.state {
            journal.set_state(key, value.as_deref())?;
            self.written = true;
        }
        self.pushes.extend(news.effects.pushes);
        Ok(())
    }

    fn admit(
        &mut self,
        journal: &Journal,
        access: &Access,
        mut event: Event,
        now: u64,
    ) -> Result<(), IntakeError> {
        let channel = self.channel;
        // Only one part of an album has the caption, and with it the bot's name.
        if let Happening::Message(message) = &mut event.what
            && let Some(album) = held::album(message)
            && journal.knows_album(&album)?
        {
            message.addressed = true;
        }
        let decision = channel.decide(access, &event.what, self.origin, now)?;
        match (decision, event.what) {
            (Decision::Deliver, Happening::Message(message)) => {
                let rate = channel.admission.rate(access, &message, now);
                if rate != Rate::Within && journal.contains(&event.id)? {
                    // It was heard before, and only comes again.
                    return Ok(());
                }
                match rate {
                    Rate::Within => {
                        let partial = channel.is_partial(&message).then(|| held::album(&message));
                        let event = Event { id: event.id, what: Happening::Message(message) };
                        return match partial {
                            None => self.append(journal, event, now),
                            Some(album) => {
                                self.written = true;
                                // What of it came before the part that has the bot's name.
                                for part in album.iter().flat_map(|album| channel.held.overheard(album)) {
                                    if journal.hold(&part, album.as_deref(), now)? {
                                        self.held.push((part, album.clone()));
                                    }
                                }
                                if journal.hold(&event, album.as_deref(), now)? {
                                    self.held.push((event, album));
                                }
                                Ok(())
                            }
                        };
                    }
                    Rate::Exceeded => self.asides.push(Aside::Exceeded(message.sender.clone())),
                    Rate::Still => {}
                }
                channel.refuse(&Happening::Message(message), Reason::Rate, now);
            }
            (Decision::Pair(step), Happening::Message(message)) => {
                self.written = true;
                self.asides.extend(channel.begin_answer(step, &message.sender, &message.chat, now)?);
            }
            (Decision::Pair(step), Happening::Question(question)) => {
                self.written = true;
                self.asides.extend(channel.begin_answer(step, &question.sender, &question.chat, now)?);
            }
            (Decision::Answer(topic), Happening::Question(question)) => {
                self.asides.push(Aside::Answer(topic, question));
            }
            (Decision::Permission(request, answer), what) => {
                self.asides.extend(Aside::permission(event.id, what, request, answer));
            }
            (Decision::Settled(request), what) => self.asides.extend(Aside::settled(event.id, what, request)),
            (Decision::Move, Happening::Moved { from, to }) => {
                channel.move_group(&from, &to);
                // What comes behind it is judged by what holds now.
                self.rules = None;
            }
            (Decision::Drop(reason), what) => {
                if reason == Reason::Unaddressed
                    && let Happening::Message(message) = &what
                    && let Some(album) = held::album(message)
                {
                    channel.held.overhear(album, Event { id: event.id.clone(), what: what.clone() });
                }
                channel.refuse(&what, reason, now);
                self.asides.extend(Aside::refused(event.id, &what, reason));
            }
            // The gate answers each kind of event with what belongs to it.
            (decision, _) => tracing::error!("{}: {decision:?} makes no sense here", channel.name()),
        }
        Ok(())
    }

    /// Takes in, together with all that was taken, how far the platform is known.
    pub fn advance(&mut self, account: &str, cursor: &str) -> Result<(), IntakeError> {
        self.note(|journal| journal.set_cursor(account, cursor))
    }

    /// Takes in an update that nobody could make sense of, for a report.
    pub fn set_aside(&mut self, update: &SetAside) -> Result<(), IntakeError> {
        self.note(|journal| journal.set_aside(update))
    }

    fn note(
        &mut self,
        write: impl FnOnce(&Journal) -> Result<(), journal::Error>,
    ) -> Result<(), IntakeError> {
        let journal = self.channel.journal();
        self.rollbacks.get_or_insert_with(|| journal.rollbacks());
        self.written = true;
        write(journal).inspect_err(|_| journal.roll_back()).map_err(IntakeError::from)
    }

    fn append(&mut self, journal: &Journal, event: Event, now: u64) -> Result<(), IntakeError> {
        self.written = true;
        // One that came again is in the journal already.
        if let Some(seq) = journal.append(&event, now, self.offer)? {
            if let Happening::Message(message) = &event.what {
                self.channel.admission.remember(message, now)?;
            }
            self.stored.push(Delivery { seq, event, redelivered: false, whole: Whole::default() });
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
        for (event, album) in self.held {
            self.channel.make_whole(event, album);
        }
        Ok(self.stored)
    }
}
