//! The way in: the gate decides about each event, what is for the session is stored, all at once, and then handed on.

use std::sync::Arc;

use super::{Channel, Delivery, aside::Aside, channel::lock, held};
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

/// What calls may have brought, in bytes, before it is stored.
const WEIGHT: usize = 8 << 20;

/// What calls of a guest have brought and is to be taken in together.
#[derive(Debug, Default)]
pub struct Intake {
    events: Vec<Event>,
    effects: Effects,
    aside: Vec<SetAside>,
    cursor: Option<Cursor>,
    /// What it takes in memory, roughly, in bytes.
    weight: usize,
}

/// How far a polled platform is known.
#[derive(Debug)]
struct Cursor {
    account: String,
    value: String,
}

/// Why nothing was taken in.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// It cannot be stored.
    #[error(transparent)]
    Journal(#[from] journal::Error),
    /// Nobody knows who may speak.
    #[error(transparent)]
    Shut(#[from] Shut),
    /// The session does not take messages any more, and another process may have the channel.
    #[error("the session of this process receives no messages any more")]
    Closed,
}

impl Intake {
    /// Adds what one call has brought.
    pub fn add(&mut self, news: News) {
        self.weight += news.weight();
        // Mostly there is one call.
        if self.events.is_empty() {
            self.events = news.events;
        } else {
            self.events.extend(news.events);
        }
        self.effects.extend(news.effects);
    }

    /// Adds an update that could not be translated, for a report.
    pub fn set_aside(&mut self, update: SetAside) {
        self.aside.push(update);
    }

    /// Adds how far the platform is known.
    pub fn advance(&mut self, account: String, value: String) {
        self.cursor = Some(Cursor { account, value });
    }

    fn is_empty(&self) -> bool {
        self.events.is_empty() && self.effects.is_empty() && self.aside.is_empty() && self.cursor.is_none()
    }

    /// Must it be taken in before the guest is called again?
    ///
    /// So it is once a call has set a value: the guest reads its values from the journal, and the next call has to see it. To
    /// let it read what waits here as well would cost a copy of the values that every other call, outward ones too, would
    /// have to be kept in step with; and guests set values seldom while messages come in.
    pub fn is_due(&self) -> bool {
        !self.effects.state.is_empty() || self.weight >= WEIGHT
    }
}

/// What was decided about events, and is carried out after the commit.
pub(super) struct Decided<'a> {
    pub(super) channel: &'a Arc<Channel>,
    origin: Origin,
    pub(super) now: u64,
    /// A session waits for what comes.
    offer: bool,
    stored: Vec<Delivery>,
    asides: Vec<Aside>,
    /// Stored, and not whole yet.
    held: Vec<(Event, Option<String>)>,
    /// A stranger's event waits for a person's decision.
    waiting: bool,
    /// How many events could not wait, or have made room for others that wait.
    evicted: usize,
    /// By which rules what waited was judged, and how many events they have let in.
    pub(super) let_in: Option<(Arc<Rules>, usize)>,
}

/// A group that goes on under another id.
pub(super) struct Move {
    from: ChatId,
    to: ChatId,
}

impl Channel {
    /// Takes in what has come from there. What comes back is to be handed to [`Channel::deliver`].
    ///
    /// On an error nothing of it is stored, except what came before the move of a group; that waits in the journal. Dropped
    /// half-way it loses nothing that it has stored either.
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
            // Looked at once for what comes together: it is a system call.
            let rules = self.rules().await?;
            if events.len() == 0 && notes.are_empty() {
                break Vec::new();
            }
            match self.store(origin, &rules, &mut events, &notes)? {
                Stored::All(deliveries) => break deliveries,
                // What comes behind it is judged by what holds then.
                Stored::UpTo(Move { from, to }) => self.move_group(from, to).await,
                // Who may speak can change while this waits.
                Stored::Nothing => drop(self.journal().begin().await?),
            }
        };
        self.surroundings().page.push(effects.pushes);
        Ok(deliveries)
    }

    /// Stores what can be stored at once, in one transaction.
    fn store(
        self: &Arc<Self>,
        origin: Origin,
        rules: &Arc<Rules>,
        events: &mut impl Iterator<Item = Event>,
        notes: &Notes<'_>,
    ) -> Result<Stored, journal::Error> {
        let Some(mut transaction) = self.journal().try_begin()? else { return Ok(Stored::Nothing) };
        let mut decided = Decided::new(self, origin);
        // What has waited came before.
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
    /// All of it, and this is to be delivered.
    All(Vec<Delivery>),
    /// What comes before the move of a group.
    UpTo(Move),
    /// Nothing: another process is writing.
    Nothing,
}

/// What is stored together with events.
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

    /// Decides about an event. The move of a group is for the caller.
    fn admit(
        &mut self,
        transaction: &mut Transaction<'_>,
        access: &Access,
        mut event: Event,
    ) -> Result<Option<Move>, journal::Error> {
        let (channel, now) = (self.channel, self.now);
        // Only one part of an album has the caption, and with it the bot's name.
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
                    // It was heard before, and only comes again.
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
            // The gate answers each kind of event with what belongs to it.
            (decision, _) => tracing::error!("{}: {decision:?} makes no sense here", channel.name()),
        }
        Ok(None)
    }

    /// Stores what is for the session, once it is whole.
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
        // One that came again is in the journal already.
        if let Some(seq) = transaction.append(&event, self.now, self.offer)? {
            if let Happening::Message(message) = &event.what {
                Admission::remember(transaction, message, self.now)?;
            }
            self.stored.push(Delivery { seq, event, redelivered: false, whole: Whole::default() });
        }
        Ok(())
    }

    /// Keeps a message until it is whole, and before it those parts of its album that did not address the bot.
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

    /// Does what is to be done beside it, once it is committed. What comes back is to be delivered.
    pub(super) fn carry_out(self) -> Vec<Delivery> {
        self.channel.set_aside(self.asides);
        if let Some((rules, count)) = self.let_in {
            *lock(&self.channel.judged) = Some(rules);
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
