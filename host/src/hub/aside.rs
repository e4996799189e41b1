//! The consequences of events that are not chat. They run in separate tasks, so that they do not delay the inbound
//! path.

use std::{sync::Arc, time::Duration};

use super::{
    Approval, Channel, invitation,
    outbound::Readers,
    permission::{Decider, Prompt},
};
use crate::{
    admission::{Admission, Rules, Shut},
    clock,
    event::{Chat, ChatId, ChatKind, EventId, Format, Happening, MessageId, Question, Sender, Topic},
    gate::{
        Access, Decision, Origin, Reason,
        document::Change,
        pairing::{Pending, Step},
        permission::{Answer, RequestId},
    },
    guest::{Outgoing, Sent},
    journal::{self, Transaction},
    text,
};

/// The most refused senders that are logged: a crowd must not fill the log.
const TOLD: usize = 100;

/// How long refusals are collected before they are written together.
const TALLY: Duration = Duration::from_secs(1);

/// A task that runs in addition to the delivery of events.
#[derive(Debug)]
pub(super) enum Aside {
    /// Sends a stranger a pairing code.
    Code(Pending),
    /// Reminds a stranger of their code.
    Remind(Pending),
    /// Carries out a person's answer to a permission request.
    Permission { id: RequestId, answer: Answer, who: Sender, chat: Chat, press: Option<(EventId, MessageId)> },
    /// Tells a person who answers a settled request that it is settled.
    Settled { id: RequestId, chat: ChatId, press: Option<(EventId, MessageId)> },
    /// Tells a person that they may not press this button.
    Unauthorized { press: EventId },
    /// Answers an authorized sender's question about the bot itself.
    Answer(Topic, Question),
    /// Reports a sender who writes too much.
    Exceeded(Sender),
}

impl Aside {
    pub(super) fn permission(event: EventId, what: Happening, id: RequestId, answer: Answer) -> Option<Self> {
        let (who, chat, press) = match what {
            Happening::Message(message) => (message.sender, message.chat, None),
            Happening::Press(press) => (press.sender, press.chat, Some((event, press.message))),
            Happening::Question(_) | Happening::Moved { .. } => return None,
        };
        Some(Self::Permission { id, answer, who, chat, press })
    }

    pub(super) fn settled(event: EventId, what: Happening, id: RequestId) -> Option<Self> {
        match what {
            Happening::Message(message) => Some(Self::Settled { id, chat: message.chat.id, press: None }),
            Happening::Press(press) => {
                Some(Self::Settled { id, chat: press.chat.id, press: Some((event, press.message)) })
            }
            Happening::Question(_) | Happening::Moved { .. } => None,
        }
    }

    /// Returns the task for a dropped event, if any: a person who presses a button waits for an answer.
    pub(super) fn refused(event: EventId, what: &Happening, reason: Reason) -> Option<Self> {
        let told = matches!(what, Happening::Press(_)) && matches!(reason, Reason::Approver | Reason::Button);
        told.then_some(Self::Unauthorized { press: event })
    }
}

impl Channel {
    /// Decides on an event.
    pub(super) fn decide(
        &self,
        transaction: &Transaction<'_>,
        access: &Access,
        what: &Happening,
        origin: Origin,
        now: u64,
    ) -> Result<Decision, journal::Error> {
        let standing = |id: &RequestId| self.relay.standing(id, self.name());
        let decision = Admission::decide(transaction, access, what, origin, &standing, now)?;
        // On a channel that cannot reply, a stranger cannot be told a code.
        let mute = !self.descriptor().features.reply;
        Ok(if mute && matches!(decision, Decision::Pair(_)) {
            Decision::Drop(Reason::Stranger)
        } else {
            decision
        })
    }

    /// Returns whether an unknown sender is the person at this terminal, on a page that only this machine reaches.
    pub(super) fn is_owner(&self, decision: &Decision, what: &Happening, origin: Origin) -> bool {
        let Happening::Message(message) = what else { return false };
        let unknown = match decision {
            Decision::Pair(_) => true,
            Decision::Drop(reason) => {
                matches!(reason, Reason::Stranger | Reason::AlreadyAnswered | Reason::PairingFull)
            }
            _ => false,
        };
        let here = self.grants().visitors_are_owner && origin == Origin::Visitor;
        // Where there is an access.json, a person has decided who may write.
        if !(unknown && here && message.chat.kind == ChatKind::Direct && self.admission.mode().is_none()) {
            return false;
        }
        if self.admission.trust_visitor(&message.sender.id) {
            let (name, id) = (self.name(), &message.sender.id);
            let command = invitation::command(name, &message.chat, &message.sender, Reason::Stranger)
                .unwrap_or_default();
            tracing::warn!(
                "{name}: {id} writes on the page of this machine, and counts as you while you try it. For a session of Claude \
                 Code {id} is a stranger until you run `{command}`"
            );
        }
        true
    }

    /// Fails if the channel is shut. Checked before the guest is asked, so that nothing is lost that could arrive
    /// later.
    pub async fn admits(self: &Arc<Self>) -> Result<(), Shut> {
        self.rules().await.map(drop)
    }

    /// Returns why the channel was shut when the rules were last read, if it was.
    pub fn shut(&self) -> Option<Shut> {
        self.rules.lock().as_ref().and_then(|rules| rules.as_ref().err().cloned())
    }

    /// Returns the rules that apply at the moment. Tells the session when the channel is shut, and asks the session's
    /// user when something other than tidegate has let in more.
    pub(super) async fn rules(self: &Arc<Self>) -> Result<Arc<Rules>, Shut> {
        let rules = self.admission.rules().await;
        let mut last = self.rules.lock();
        let news = match (&*last, &rules) {
            (Some(Ok(before)), Ok(now)) => !Arc::ptr_eq(before, now),
            (Some(Err(before)), Err(now)) => before.to_string() != now.to_string(),
            _ => true,
        };
        if news {
            let before = last.replace(rules.clone());
            drop(last);
            match &rules {
                Ok(rules) if !rules.withheld.is_empty() => {
                    self.approve(Approval::Widening { channel: Arc::clone(self), rules: Arc::clone(rules) });
                }
                Ok(_) if matches!(before, Some(Err(_))) => self.trouble_is_over(),
                Ok(_) => {}
                Err(shut) => {
                    self.trouble(&shut.to_string());
                    self.notice(&format!("The channel {} is shut: {shut}.", self.name()));
                }
            }
        }
        rules
    }

    /// Logs that a sender's events go nowhere, and which command would change that: once for each chat, sender and
    /// reason.
    fn tell_refused(&self, what: &Happening, reason: Reason) {
        let name = self.name();
        let parties = invitation::parties(what);
        let command = parties.and_then(|(chat, sender)| invitation::command(name, chat, sender, reason));
        let (Some(command), Some((chat, sender))) = (command, parties) else {
            return tracing::debug!("{name}: an event went nowhere: {reason}");
        };
        let mut told = self.told.lock();
        if told.len() > TOLD || !told.insert((chat.id.clone(), sender.id.clone(), reason)) {
            return;
        }
        if told.len() > TOLD {
            tracing::warn!(
                "{name}: more people write what goes nowhere, and are not named here: `tidegate status {name}` has the last ones"
            );
        } else {
            tracing::warn!(
                "{name}: what {} ({}) writes goes nowhere, because {reason}. To change that, run `{command}` in a \
                 terminal of your own",
                text::name(&sender.name),
                sender.id
            );
        }
    }

    /// Logs and counts an event that goes nowhere.
    pub(super) fn refuse(self: &Arc<Self>, what: &Happening, reason: Reason, now: u64) {
        self.tell_refused(what, reason);
        if self.admission.refuse(what, reason, now) {
            let channel = Arc::clone(self);
            tokio::spawn(async move {
                tokio::time::sleep(TALLY).await;
                while !channel.admission.settle() {
                    tokio::time::sleep(TALLY).await;
                }
            });
        }
    }

    /// Notes in the same transaction that a stranger is answered: the decision on the next event depends on it.
    pub(super) fn begin_answer(
        transaction: &mut Transaction<'_>,
        step: Step,
        sender: &Sender,
        chat: &Chat,
        now: u64,
    ) -> Result<Option<Aside>, journal::Error> {
        Ok(match step {
            Step::New => Some(Aside::Code(Admission::begin_pairing(transaction, sender, chat, now)?)),
            Step::Remind => Admission::count_answer(transaction, &sender.id, now)?.map(Aside::Remind),
        })
    }

    /// Starts each task, and waits for none.
    pub(super) fn set_aside(self: &Arc<Self>, asides: Vec<Aside>) {
        for aside in asides {
            let channel = Arc::clone(self);
            tokio::spawn(async move { channel.carry_out(aside).await });
        }
    }

    async fn carry_out(self: &Arc<Self>, aside: Aside) {
        match aside {
            Aside::Code(pending) => self.tell_code(pending).await,
            Aside::Remind(pending) => self.remind(pending).await,
            Aside::Permission { id, answer, who, chat, press } => {
                let (press, message) = press.unzip();
                // Prompts are in direct chats only: their details do not belong in a group.
                let pressed = message.filter(|_| chat.kind == ChatKind::Direct).map(|message| Prompt {
                    channel: Arc::clone(self),
                    chat: chat.id.clone(),
                    message,
                });
                let decider = Decider { who, channel: self.name().clone(), chat: chat.id.clone() };
                let (notice, revision) = self.relay.answer(&id, answer, decider, pressed);
                self.acknowledge(press, notice, &chat.id).await;
                self.relay.revise(revision).await;
            }
            Aside::Settled { id, chat, press } => {
                let unknown = || "This is not open any more.".to_owned();
                let notice = self.relay.outcome(&id, self.name(), &chat).unwrap_or_else(unknown);
                let (press, message) = press.unzip();
                self.acknowledge(press, Some(notice.clone()), &chat).await;
                // A prompt that was sent before this process started still has its buttons. A prompt that is open keeps
                // them.
                if let Some(message) = message
                    && !self.relay.asks(self.name(), &chat, &message)
                {
                    let text = self.relay.settled_text(&id, self, &chat).unwrap_or(notice);
                    self.revise(chat, message, text, Vec::new()).await;
                }
            }
            Aside::Unauthorized { press } => {
                let result = self.guest.acknowledge(press, Some("Not authorized.".to_owned())).await;
                self.finish("answering a press", result).await;
            }
            Aside::Answer(topic, question) => {
                let text = self.about(topic, &question.sender);
                self.say(question.chat.id, question.chat.thread, text).await;
            }
            Aside::Exceeded(sender) => {
                let text = format!(
                    "{} ({}) writes too much: what they write is left out and counted until a minute has passed.",
                    sender.name, sender.id
                );
                tracing::warn!("{}: {text}", self.name());
                self.notice(&text);
            }
        }
    }

    /// Returns what the bot says about itself.
    fn about(&self, topic: Topic, who: &Sender) -> String {
        let listens = if self.has_inbox() {
            "A session is listening."
        } else {
            "No session is listening at the moment: what you write waits for the next one."
        };
        match topic {
            Topic::Start => format!(
                "You are paired: what you write here goes to a Claude Code session, and its answers come back. {listens}"
            ),
            Topic::Help => "What you write here goes to a Claude Code session; text, pictures and files alike. \
                            Edit a message to correct it, quote one to point at it. /status says whether anybody listens."
                .to_owned(),
            Topic::Status => format!("Paired as {} ({}). {listens}", who.name, who.id),
        }
    }

    /// Answers a press where it was made, and a typed text in its chat.
    async fn acknowledge(&self, press: Option<EventId>, notice: Option<String>, chat: &ChatId) {
        match (press, notice) {
            (Some(press), notice) => {
                let result = self.guest.acknowledge(press, notice).await;
                self.finish("answering a press", result).await;
            }
            // The notice names a tool, so only readers who may see the prompt may see it.
            (None, Some(notice)) => drop(self.say_to(chat.clone(), None, notice, Readers::Owner).await),
            (None, None) => {}
        }
    }

    /// Stores that a group continues under another id. Later events carry that id already.
    pub(super) async fn move_group(&self, from: ChatId, to: ChatId) {
        let rules = self.admission.rules().await;
        let heard = rules.is_ok_and(|rules| rules.access.groups.contains_key(&from));
        if !heard {
            return;
        }
        match self.admission.change(Change::MoveGroup(from.clone(), to.clone())).await {
            Ok(()) => tracing::info!("{}: the group {from} goes on as {to}", self.name()),
            Err(error) => tracing::error!("{}: the group {from} goes on as {to}: {error}", self.name()),
        }
    }

    /// Sends a text that the host itself writes to a chat. Returns false if that failed.
    pub(super) async fn say(&self, chat: ChatId, thread: Option<String>, text: String) -> bool {
        self.say_to(chat, thread, text, Readers::Chat).await
    }

    async fn say_to(&self, chat: ChatId, thread: Option<String>, text: String, readers: Readers) -> bool {
        for piece in text::split(&text, self.shape(Format::Markdown, None)) {
            let outgoing = Outgoing::text(chat.clone(), thread.clone(), piece, Format::Markdown);
            let sent = match self.dispatch_to(outgoing, readers).await {
                Ok(Sent { fault: Some(fault), .. }) => Err(fault.into()),
                Ok(_) => Ok(()),
                Err(error) => Err(error),
            };
            if let Err(error) = sent {
                tracing::warn!("{}: something could not be said: {error}", self.name());
                return false;
            }
        }
        true
    }

    /// Sends the session a notice that the host itself writes.
    pub fn notice(&self, text: &str) {
        if let Some(inbox) = self.inbox() {
            inbox.notice(self.name(), text);
        }
    }

    /// Asks the session's user for an approval, if the session can do that.
    pub(super) fn approve(&self, approval: Approval) {
        if let Some(inbox) = self.inbox() {
            inbox.approve(approval);
        }
    }

    /// Asks the session's user about the strangers who wait already, and has the rules checked again.
    pub(super) fn ask_about_what_waits(self: &Arc<Self>) {
        match self.admission.pending(clock::now()) {
            Ok(pending) => {
                for pending in pending.into_iter().filter(|pending| !pending.denied && pending.hash.is_some())
                {
                    self.follow(pending.clone());
                    self.approve(Approval::Pairing { channel: Arc::clone(self), pending });
                }
            }
            Err(error) => tracing::error!("{}: {error}", self.name()),
        }
        *self.rules.lock() = None;
        let channel = Arc::clone(self);
        // `admits` reports what is wrong with the rules.
        tokio::spawn(async move { channel.admits().await });
    }
}
