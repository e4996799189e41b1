//! The inbound path: the gate decides on each event. Events for the session are stored in one transaction and then
//! handed on.

use std::sync::Arc;

use super::{Channel, Delivery, aside::Aside, held};
use crate::{
    admission::{Admission, Rules, Shut},
    capability::Effects,
    clock,
    event::{ChatId, Event, Happening},
    gate::{Access, Decision, Origin, Reason, rate::Rate},
    guest::News,
    journal::{self, LetWait, SetAside, Transaction},
    notification::Whole,
};

/// The size in bytes from which collected news must be stored.
const WEIGHT: usize = 8 << 20;

/// The news from one or more calls of a guest, to be stored together.
#[derive(Debug, Default)]
pub struct Intake {
    events: Vec<Event>,
    effects: Effects,
    aside: Vec<SetAside>,
    cursor: Option<Cursor>,
    /// The approximate size in memory, in bytes.
    weight: usize,
}

/// The position up to which a polled platform has been read.
#[derive(Debug)]
struct Cursor {
    account: String,
    value: String,
}

/// The error to return when news is not taken in.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// The journal cannot store it.
    #[error(transparent)]
    Journal(#[from] journal::Error),
    /// The access rules cannot be read, so it is unknown who may speak.
    #[error(transparent)]
    Shut(#[from] Shut),
    /// The session receives no messages any more, and another process may serve the channel.
    #[error("the session of this process receives no messages any more")]
    Closed,
}

impl Intake {
    /// Adds the news of one call.
    pub fn add(&mut self, news: News) {
        self.weight += news.weight();
        // Most intakes hold the news of one call: its vector is kept as it is.
        if self.events.is_empty() {
            self.events = news.events;
        } else {
            self.events.extend(news.events);
        }
        self.effects.extend(news.effects);
    }

    /// Adds an update that could not be translated. It is kept for a report.
    pub fn set_aside(&mut self, update: SetAside) {
        self.aside.push(update);
    }

    /// Sets the position up to which the platform has been read.
    pub fn advance(&mut self, account: String, value: String) {
        self.cursor = Some(Cursor { account, value });
    }

    fn is_empty(&self) -> bool {
        self.events.is_empty() && self.effects.is_empty() && self.aside.is_empty() && self.cursor.is_none()
    }

    /// Returns whether the intake must be stored before the guest is called again.
    ///
    /// This is so once a call has set a value: the guest reads its values from the journal, and the next call must see
    /// the new one. To let the guest read the values that wait here as well, the host would need a copy of the values
    /// that every other call, including outward ones, is kept in step with. It is not worth it, because guests seldom
    /// set values while messages arrive.
    pub fn is_due(&self) -> bool {
        !self.effects.state.is_empty() || self.weight >= WEIGHT
    }
}

/// The decisions on a series of events, which are carried out after the commit.
pub(super) struct Decided<'a> {
    pub(super) channel: &'a Arc<Channel>,
    origin: Origin,
    pub(super) now: u64,
    /// A session is attached, so that it is offered what is stored.
    offer: bool,
    stored: Vec<Delivery>,
    asides: Vec<Aside>,
    /// Messages that are stored but incomplete, each with its album.
    held: Vec<(Event, Option<String>)>,
    /// A stranger's event waits for a person's decision.
    waiting: bool,
    /// How many events were lost: they found no room to wait, or made room for others that wait.
    evicted: usize,
    /// The rules that judged the waiting events, and how many of those events they let in.
    pub(super) let_in: Option<(Arc<Rules>, usize)>,
}

/// A group that continues under another id.
pub(super) struct Move {
    from: ChatId,
    to: ChatId,
}

impl Channel {
    /// Stores the news that arrived with this origin. The caller passes the result to [`Channel::deliver`].
    ///
    /// On an error nothing of it is stored, except what arrived before the move of a group; that waits in the journal.
    /// If the future is dropped before it completes, nothing that it has stored is lost.
    pub async fn take_in(
        self: &Arc<Self>,
        origin: Origin,
        intake: Intake,
    ) -> Result<Vec<Delivery>, IntakeError> {
        if intake.is_empty() {
            return Ok(Vec::new());
        }
        if !self.condition().serves() {
            return Err(IntakeError::Closed);
        }
        let Intake { events, effects, aside, cursor, .. } = intake;
        let mut events = events.into_iter();
        let notes = Notes { effects: &effects, aside: &aside, cursor: cursor.as_ref() };
        let deliveries = loop {
            // The rules are read once for all events of a pass, because reading them is a system call.
            let rules = self.rules().await?;
            if events.len() == 0 && notes.are_empty() {
                break Vec::new();
            }
            match self.store(origin, &rules, &mut events, &notes)? {
                Stored::All(deliveries) => break deliveries,
                // The events after the move are judged by the rules that hold then.
                Stored::UpTo(Move { from, to }) => self.move_group(from, to).await,
                // The rules can change while this waits, so the loop reads them again.
                Stored::Nothing => drop(self.journal().begin().await?),
            }
        };
        self.surroundings().page.push(effects.pushes);
        Ok(deliveries)
    }

    /// Stores the events and notes in one transaction, up to the move of a group. Does not wait for another process
    /// that is writing.
    fn store(
        self: &Arc<Self>,
        origin: Origin,
        rules: &Arc<Rules>,
        events: &mut impl Iterator<Item = Event>,
        notes: &Notes<'_>,
    ) -> Result<Stored, journal::Error> {
        let Some(mut transaction) = self.journal().try_begin()? else { return Ok(Stored::Nothing) };
        let mut decided = Decided::new(self, origin);
        // Events that have waited are older, so they come first.
        if self.has_news_for_strangers(rules) {
            decided.let_in(&mut transaction, rules)?;
        }
        for event in events {
            if let Some(moved) = decided.admit(&mut transaction, &rules.access, event)? {
                transaction.commit()?;
                if !decided.carry_out().is_empty() {
                    self.drain_soon();
                }
                return Ok(Stored::UpTo(moved));
            }
        }
        notes.store(&mut transaction)?;
        transaction.commit()?;
        Ok(Stored::All(decided.carry_out()))
    }
}

/// How much was stored.
enum Stored {
    /// Everything; contains what is to be delivered.
    All(Vec<Delivery>),
    /// The events before this move of a group.
    UpTo(Move),
    /// Nothing, because another process is writing.
    Nothing,
}

/// The data that is stored in the same transaction as the events.
struct Notes<'a> {
    effects: &'a Effects,
    aside: &'a [SetAside],
    cursor: Option<&'a Cursor>,
}

impl Notes<'_> {
    fn are_empty(&self) -> bool {
        self.effects.state.is_empty() && self.aside.is_empty() && self.cursor.is_none()
    }

    fn store(&self, transaction: &mut Transaction<'_>) -> Result<(), journal::Error> {
        self.effects.keep(transaction)?;
        for update in self.aside {
            transaction.set_aside(update)?;
        }
        match self.cursor {
            Some(Cursor { account, value }) => transaction.set_cursor(account, value),
            None => Ok(()),
        }
    }
}

impl<'a> Decided<'a> {
    pub(super) fn new(channel: &'a Arc<Channel>, origin: Origin) -> Self {
        Self {
            channel,
            origin,
            now: clock::now(),
            offer: channel.has_inbox(),
            stored: Vec::new(),
            asides: Vec::new(),
            held: Vec::new(),
            waiting: false,
            evicted: 0,
            let_in: None,
        }
    }

    /// Decides on an event. Returns the move of a group, which the caller carries out.
    fn admit(
        &mut self,
        transaction: &mut Transaction<'_>,
        access: &Access,
        mut event: Event,
    ) -> Result<Option<Move>, journal::Error> {
        let (channel, now) = (self.channel, self.now);
        // Only one part of an album carries the caption, and with it the bot's name.
        if let Happening::Message(message) = &mut event.what
            && let Some(album) = held::album(message)
            && transaction.knows_album(&album)?
        {
            message.addressed = true;
        }
        let decision = channel.decide(transaction, access, &event.what, self.origin, now)?;
        let decision =
            if channel.is_owner(&decision, &event.what, self.origin) { Decision::Deliver } else { decision };
        match (decision, event.what) {
            (Decision::Deliver, Happening::Message(message)) => {
                let rate = channel.admission.rate(access, &message, now);
                if rate != Rate::Within && transaction.contains(&event.id)? {
                    // The event is stored already and was only repeated.
                    return Ok(None);
                }
                match rate {
                    Rate::Within => {
                        let event = Event { id: event.id, what: Happening::Message(message) };
                        self.deliver(transaction, event)?;
                        return Ok(None);
                    }
                    Rate::Exceeded => self.asides.push(Aside::Exceeded(message.sender.clone())),
                    Rate::Still => {}
                }
                channel.refuse(&Happening::Message(message), Reason::Rate, now);
            }
            (Decision::Pair(step), Happening::Message(message)) => {
                self.asides.extend(Channel::begin_answer(
                    transaction,
                    step,
                    &message.sender,
                    &message.chat,
                    now,
                )?);
            }
            (Decision::Pair(step), Happening::Question(question)) => {
                self.asides.extend(Channel::begin_answer(
                    transaction,
                    step,
                    &question.sender,
                    &question.chat,
                    now,
                )?);
            }
            (Decision::Answer(topic), Happening::Question(question)) => {
                self.asides.push(Aside::Answer(topic, question));
            }
            (Decision::Permission(request, answer), what) => {
                self.asides.extend(Aside::permission(event.id, what, request, answer));
            }
            (Decision::Settled(request), what) => self.asides.extend(Aside::settled(event.id, what, request)),
            (Decision::Move, Happening::Moved { from, to }) => return Ok(Some(Move { from, to })),
            (Decision::Drop(reason), what) => {
                if reason == Reason::Unaddressed
                    && let Happening::Message(message) = &what
                    && let Some(album) = held::album(message)
                {
                    channel.held.overhear(album, Event { id: event.id.clone(), what: what.clone() });
                }
                channel.refuse(&what, reason, now);
                let event = Event { id: event.id, what };
                if channel.lets_wait(&event.what, reason) {
                    let LetWait { waits, lost } = transaction.let_wait(&event, now)?;
                    self.waiting |= waits;
                    self.evicted += lost;
                }
                self.asides.extend(Aside::refused(event.id, &event.what, reason));
            }
            // Unreachable: for each kind of event the gate returns only decisions that fit it.
            (decision, _) => tracing::error!("{}: {decision:?} makes no sense here", channel.name()),
        }
        Ok(None)
    }

    /// Stores an event for the session. An incomplete message is held until it is complete.
    pub(super) fn deliver(
        &mut self,
        transaction: &mut Transaction<'_>,
        event: Event,
    ) -> Result<(), journal::Error> {
        let Happening::Message(message) = &event.what else { return self.append(transaction, event) };
        match self.channel.is_partial(message).then(|| held::album(message)) {
            None => self.append(transaction, event),
            Some(album) => self.hold(transaction, event, album.as_deref()),
        }
    }

    fn append(&mut self, transaction: &mut Transaction<'_>, event: Event) -> Result<(), journal::Error> {
        // `None` means that the event was repeated and is in the journal already.
        if let Some(seq) = transaction.append(&event, self.now, self.offer)? {
            if let Happening::Message(message) = &event.what {
                Admission::remember(transaction, message, self.now)?;
            }
            self.stored.push(Delivery { seq, event, redelivered: false, whole: Whole::default() });
        }
        Ok(())
    }

    /// Holds a message until it is complete, together with the earlier parts of its album that did not address the bot.
    fn hold(
        &mut self,
        transaction: &mut Transaction<'_>,
        event: Event,
        album: Option<&str>,
    ) -> Result<(), journal::Error> {
        let overheard = album.iter().flat_map(|album| self.channel.held.overheard(album));
        for part in overheard.chain([event]) {
            if transaction.hold(&part, album, self.now)? {
                self.held.push((part, album.map(str::to_owned)));
            }
        }
        Ok(())
    }

    /// Carries out the rest of the decisions after the commit. Returns what is to be delivered.
    pub(super) fn carry_out(self) -> Vec<Delivery> {
        self.channel.set_aside(self.asides);
        if let Some((rules, count)) = self.let_in {
            *self.channel.judged.lock() = Some(rules);
            if count > 0 {
                tracing::info!("{}: {count} of what has waited reaches the session now", self.channel.name());
            }
        }
        if self.waiting {
            self.channel.watch_strangers();
        }
        if self.evicted > 0 {
            self.channel.tell_evicted(self.evicted);
        }
        for (event, album) in self.held {
            self.channel.make_whole(event, album);
        }
        self.stored
    }
}
