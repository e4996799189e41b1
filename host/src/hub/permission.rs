//! Permission prompts: from a session to the people who may decide, and the first answer back.

use std::{
    borrow::Cow,
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{StreamExt as _, stream};
use parking_lot::{Mutex, MutexGuard};

use super::{Channel, Failure, Hub, Inbox, outbound::Readers};
use crate::{
    event::{ChannelName, ChatId, Format, MessageId, Sender},
    gate::permission::{self, Answer, Outcome, Request, RequestId, Standing, Verdict},
    guest::{Button, ButtonStyle, Outgoing},
};

/// How long a prompt can be answered. The session's own dialog may stay open longer.
const LIFETIME: Duration = Duration::from_hours(1);

/// The most settled requests that are remembered, so that a person who answers late is told the outcome.
const SETTLED: usize = 64;

/// The most requests that are open at a time. The client does not report that a request was answered at the terminal,
/// so the oldest expires to make room.
const OPEN: usize = 32;

/// The most prompts of one request that are edited at a time. An edit that hangs then neither delays the others nor
/// occupies all instances of the guest (see [`Limits::outward`](crate::sandbox::Limits::outward)).
const EDITED_AT_ONCE: usize = 2;

/// The permission requests that were passed on to channels.
#[derive(Default)]
pub struct Relay(Mutex<Board>);

#[derive(Default)]
struct Board {
    open: HashMap<RequestId, Open>,
    settled: VecDeque<Settled>,
}

struct Open {
    request: Request,
    inbox: Arc<dyn Inbox>,
    /// The channels whose approvers are asked. No other answers count.
    channels: HashMap<ChannelName, Arc<Channel>>,
    prompts: Vec<Prompt>,
    /// An approver has asked for the details: prompts that are noted later show them too.
    details: bool,
    since: Instant,
}

/// A request that was answered, or has expired.
struct Settled {
    settlement: Arc<Settlement>,
    /// The prompts that were known when it was settled: they are edited already.
    prompts: Vec<Prompt>,
}

/// The outcome of a request.
pub(super) struct Settlement {
    request: Request,
    outcome: Outcome,
    /// None if nobody has decided.
    decider: Option<Decider>,
}

/// The person who decided, and the direct chat in which they did.
#[derive(Clone)]
pub(super) struct Decider {
    pub(super) who: Sender,
    pub(super) channel: ChannelName,
    pub(super) chat: ChatId,
}

impl Settlement {
    /// Returns the text of a prompt in this chat once the request is settled.
    fn text(&self, channel: &Channel, chat: &ChatId) -> String {
        let descriptor = channel.descriptor();
        let who = self.who(channel.name(), chat);
        self.outcome.text(&self.request, &who, descriptor.max_text as usize, descriptor.text_unit)
    }

    /// Returns the decider's name, as the person in this chat knows it.
    fn who(&self, channel: &ChannelName, chat: &ChatId) -> Cow<'_, str> {
        match &self.decider {
            None => Cow::Borrowed("nobody"),
            Some(decider) if decider.channel != *channel => {
                Cow::Owned(format!("{} on {}", decider.who.name, decider.channel))
            }
            Some(decider) if decider.chat == *chat => Cow::Borrowed("you"),
            Some(decider) => Cow::Borrowed(&decider.who.name),
        }
    }
}

/// The edits that prompts still need. They take a while, so the person who answered is told first.
#[derive(Default)]
pub(super) enum Revision {
    /// No edits.
    #[default]
    None,
    /// The request is open, and its prompts show the details.
    Details(Request, Vec<Prompt>),
    /// The request is settled: its prompts say so, and lose their buttons.
    Settled(Arc<Settlement>, Vec<Prompt>),
}

/// A message that asks for a permission.
#[derive(Clone)]
pub(super) struct Prompt {
    pub(super) channel: Arc<Channel>,
    pub(super) chat: ChatId,
    pub(super) message: MessageId,
}

impl PartialEq for Prompt {
    fn eq(&self, other: &Self) -> bool {
        self.channel.name() == other.channel.name()
            && self.chat == other.chat
            && self.message == other.message
    }
}

impl Hub {
    /// Passes a session's permission request on to the people who may decide.
    pub fn ask(&self, request: &Request, inbox: Arc<dyn Inbox>) {
        let loaded = self.loaded();
        let channels: Vec<_> = loaded
            .channels()
            .iter()
            .filter(|channel| channel.grants().permission_prompts && channel.descriptor().features.reply)
            .filter(|channel| channel.condition().serves())
            .cloned()
            .collect();
        if channels.is_empty() {
            tracing::debug!("nobody can be asked about permission {}", request.id);
            return;
        }
        let relay = Arc::clone(&self.relay);
        let id = request.id.clone();
        let since = Instant::now();
        let asked = channels.iter().map(|channel| (channel.name().clone(), Arc::clone(channel))).collect();
        match relay.open(request, inbox, asked, since) {
            Opened::Already => return tracing::warn!("permission {id} is open already"),
            Opened::Yes => {}
            Opened::InsteadOf(settled) => {
                let relay = Arc::clone(&relay);
                tokio::spawn(async move { relay.revise(settled).await });
            }
        }
        for channel in channels {
            let (relay, request) = (Arc::clone(&relay), request.clone());
            tokio::spawn(async move { relay.put(&channel, &request).await });
        }
        tokio::spawn(async move {
            tokio::time::sleep(LIFETIME).await;
            relay.expire(&id, since).await;
        });
    }
}

impl Relay {
    /// Returns the state of a request, as far as this channel is concerned.
    pub(super) fn standing(&self, id: &RequestId, channel: &ChannelName) -> Standing {
        let board = self.lock();
        match board.open.get(id) {
            Some(open) if open.channels.contains_key(channel) => Standing::Open,
            None if board.settled(id).is_some() => Standing::Settled,
            Some(_) | None => Standing::Unknown,
        }
    }

    /// Returns whether this message of the bot is an open prompt. Nothing else may change what it asks.
    pub(super) fn asks(&self, channel: &ChannelName, chat: &ChatId, message: &MessageId) -> bool {
        let board = self.lock();
        let mut prompts = board.open.values().flat_map(|open| &open.prompts);
        prompts.any(|prompt| {
            prompt.channel.name() == channel && prompt.chat == *chat && prompt.message == *message
        })
    }

    /// Returns the outcome of a settled request, in one sentence for the person in this chat.
    pub(super) fn outcome(&self, id: &RequestId, channel: &ChannelName, chat: &ChatId) -> Option<String> {
        let settlement = Arc::clone(&self.lock().settled(id)?.settlement);
        Some(settlement.outcome.headline(&settlement.request, &settlement.who(channel, chat)))
    }

    /// Returns the text of a prompt of a settled request.
    pub(super) fn settled_text(&self, id: &RequestId, channel: &Channel, chat: &ChatId) -> Option<String> {
        let settlement = Arc::clone(&self.lock().settled(id)?.settlement);
        Some(settlement.text(channel, chat))
    }

    /// Carries out an answer. `pressed` is the prompt whose button was pressed, if one was: the press may arrive before
    /// the call that sends the prompt has returned. Returns the text for the person who answered. They are told before
    /// the prompts are edited, because platforms wait only some seconds (Discord: 3) before they report a press as
    /// failed.
    pub(super) fn answer(
        &self,
        id: &RequestId,
        answer: Answer,
        decider: Decider,
        pressed: Option<Prompt>,
    ) -> (Option<String>, Revision) {
        if let (Some(pressed), Some(open)) = (pressed, self.lock().open.get_mut(id)) {
            open.add(vec![pressed]);
        }
        match answer {
            Answer::Verdict(verdict) => {
                let Decider { who, channel, chat } = decider.clone();
                let Some((open, settlement)) = self.settle(id, Outcome::Decided(verdict), Some(decider))
                else {
                    return (self.outcome(id, &channel, &chat), Revision::None);
                };
                open.inbox.verdict(id, verdict);
                tracing::info!("permission {id}: {verdict:?} by {} ({})", who.name, who.id);
                let told = match verdict {
                    Verdict::Allow => "Allowed.",
                    Verdict::Deny => "Denied.",
                };
                (Some(told.to_owned()), Revision::Settled(settlement, open.prompts))
            }
            Answer::Details => {
                let mut board = self.lock();
                let Some(open) = board.open.get_mut(id) else { return (None, Revision::None) };
                open.details = true;
                (None, Revision::Details(open.request.clone(), open.prompts.clone()))
            }
        }
    }

    /// Edits prompts.
    pub(super) async fn revise(&self, revision: Revision) {
        match revision {
            Revision::None => {}
            Revision::Details(request, prompts) => {
                let request = &request;
                let detail = |prompt: Prompt| async move {
                    // The request may have been settled since.
                    if self.lock().open.contains_key(&request.id) {
                        let (text, buttons) = prompt.channel.compose(request, true);
                        prompt.edit(text, buttons).await;
                    }
                };
                stream::iter(prompts).for_each_concurrent(EDITED_AT_ONCE, detail).await;
            }
            Revision::Settled(settlement, prompts) => {
                let close = |prompt: Prompt| {
                    let text = settlement.text(&prompt.channel, &prompt.chat);
                    prompt.edit(text, Vec::new())
                };
                stream::iter(prompts).for_each_concurrent(EDITED_AT_ONCE, close).await;
            }
        }
    }

    async fn expire(&self, id: &RequestId, since: Instant) {
        // The same id may belong to another request by now.
        let same = self.lock().open.get(id).is_some_and(|open| open.since == since);
        if same && let Some((open, settlement)) = self.settle(id, Outcome::Expired, None) {
            self.revise(Revision::Settled(settlement, open.prompts)).await;
        }
    }

    fn open(
        &self,
        request: &Request,
        inbox: Arc<dyn Inbox>,
        channels: HashMap<ChannelName, Arc<Channel>>,
        since: Instant,
    ) -> Opened {
        let mut board = self.lock();
        if board.open.contains_key(&request.id) {
            return Opened::Already;
        }
        let full = board.open.len() >= OPEN;
        let oldest = board.open.iter().filter(|_| full).min_by_key(|(_, open)| open.since);
        let oldest = oldest.map(|(id, _)| id.clone());
        let evicted = oldest.and_then(|id| board.settle(&id, Outcome::Expired, None));
        board.settled.retain(|settled| settled.settlement.request.id != request.id);
        let open =
            Open { request: request.clone(), inbox, channels, prompts: Vec::new(), details: false, since };
        let asked: Vec<_> = open.channels.values().cloned().collect();
        board.open.insert(request.id.clone(), open);
        board.tell_pages(asked.iter());
        evicted.map_or(Opened::Yes, |(open, settlement)| {
            Opened::InsteadOf(Revision::Settled(settlement, open.prompts))
        })
    }

    /// Settles an open request. The first answer wins; None for any later one.
    fn settle(
        &self,
        id: &RequestId,
        outcome: Outcome,
        decider: Option<Decider>,
    ) -> Option<(Open, Arc<Settlement>)> {
        self.lock().settle(id, outcome, decider)
    }

    /// Sends the prompt to everyone on this channel who may decide.
    async fn put(self: &Arc<Self>, channel: &Arc<Channel>, request: &Request) {
        let approvers = match channel.admission().approvers().await {
            Ok(approvers) => approvers,
            Err(error) => {
                tracing::warn!("{}: nobody can be asked: {error}", channel.name());
                Vec::new()
            }
        };
        if approvers.is_empty() {
            return self.withdraw(&request.id, channel.name());
        }
        for (approver, chat) in approvers {
            let (relay, channel, request) = (Arc::clone(self), Arc::clone(channel), request.clone());
            // One task for each approver, so that an unreachable one does not delay the others.
            tokio::spawn(async move {
                match channel.put(chat.clone(), &request).await {
                    Ok(ids) => {
                        let prompt =
                            |message| Prompt { channel: Arc::clone(&channel), chat: chat.clone(), message };
                        relay.note(&request.id, ids.into_iter().map(prompt).collect()).await;
                    }
                    Err(error) => tracing::warn!(
                        "{}: {approver} could not be asked about permission {}: {error}",
                        channel.name(),
                        request.id
                    ),
                }
            });
        }
    }

    /// Removes a channel from a request, because no approver can be asked there.
    fn withdraw(&self, id: &RequestId, channel: &ChannelName) {
        let mut board = self.lock();
        let Some(open) = board.open.get_mut(id) else { return };
        let withdrawn = open.channels.remove(channel);
        if open.channels.is_empty() {
            board.open.remove(id);
            tracing::debug!("nobody can be asked about permission {id}");
        }
        board.tell_pages(withdrawn.iter());
    }

    /// Remembers prompts that were sent, to edit them once there is an answer. If the answer arrived while they were
    /// sent, they are edited at once.
    async fn note(&self, id: &RequestId, prompts: Vec<Prompt>) {
        let revision = self.lock().note(id, prompts);
        self.revise(revision).await;
    }

    fn lock(&self) -> MutexGuard<'_, Board> {
        self.0.lock()
    }
}

/// Whether a request was opened.
enum Opened {
    Yes,
    /// It was open before.
    Already,
    /// It was opened in place of another request, whose prompts have to say so.
    InsteadOf(Revision),
}

impl Open {
    /// Adds the prompts that are not known yet, and returns them.
    fn add(&mut self, prompts: Vec<Prompt>) -> Vec<Prompt> {
        let new: Vec<_> = prompts.into_iter().filter(|prompt| !self.prompts.contains(prompt)).collect();
        self.prompts.extend(new.iter().cloned());
        new
    }
}

impl Board {
    /// Adds prompts to their request. Returns the edits that these prompts need already.
    fn note(&mut self, id: &RequestId, prompts: Vec<Prompt>) -> Revision {
        if let Some(open) = self.open.get_mut(id) {
            let new = open.add(prompts);
            return if open.details { Revision::Details(open.request.clone(), new) } else { Revision::None };
        }
        let Some(settled) = self.settled(id) else { return Revision::None };
        let new = prompts.into_iter().filter(|prompt| !settled.prompts.contains(prompt)).collect();
        Revision::Settled(Arc::clone(&settled.settlement), new)
    }

    fn settled(&self, id: &RequestId) -> Option<&Settled> {
        self.settled.iter().find(|settled| settled.settlement.request.id == *id)
    }

    fn settle(
        &mut self,
        id: &RequestId,
        outcome: Outcome,
        decider: Option<Decider>,
    ) -> Option<(Open, Arc<Settlement>)> {
        let open = self.open.remove(id)?;
        if self.settled.len() >= SETTLED {
            self.settled.pop_front();
        }
        let settlement = Arc::new(Settlement { request: open.request.clone(), outcome, decider });
        self.settled
            .push_back(Settled { settlement: Arc::clone(&settlement), prompts: open.prompts.clone() });
        self.tell_pages(open.channels.values());
        Some((open, settlement))
    }

    /// Tells the pages of these channels how many requests wait, but not which ones: a page that may answer them has
    /// received them.
    fn tell_pages<'a>(&self, channels: impl Iterator<Item = &'a Arc<Channel>>) {
        for channel in channels {
            let waiting =
                self.open.values().filter(|open| open.channels.contains_key(channel.name())).count();
            channel.surroundings().page.set_waiting(waiting);
        }
    }
}

impl Prompt {
    async fn edit(self, text: String, buttons: Vec<Button>) {
        self.channel.revise(self.chat, self.message, text, buttons).await;
    }
}

impl Channel {
    async fn put(&self, chat: ChatId, request: &Request) -> Result<Vec<MessageId>, Failure> {
        let (text, buttons) = self.compose(request, false);
        let outgoing = Outgoing { buttons, ..Outgoing::text(chat, None, text, Format::Markdown) };
        let sent = self.dispatch_to(outgoing, Readers::Owner).await?;
        match sent.fault {
            Some(fault) if sent.ids.is_empty() => Err(fault.into()),
            _ => Ok(sent.ids),
        }
    }

    /// Edits a prompt. Only readers who may see the prompt receive the edit.
    pub(super) async fn revise(&self, chat: ChatId, message: MessageId, text: String, buttons: Vec<Button>) {
        if !self.descriptor().features.edit {
            return;
        }
        let _turn = self.chats.turn(&chat).await;
        let edited = self.guest.edit(chat, message, text, Format::Markdown, buttons).await;
        let confined = edited.map(|mut edited| {
            edited.effects.confine();
            edited
        });
        self.finish("a permission prompt", confined).await;
    }

    /// Returns a prompt as this channel can show it. Without buttons it includes the details, because there is no
    /// button to request them with.
    fn compose(&self, request: &Request, details: bool) -> (String, Vec<Button>) {
        let descriptor = self.descriptor();
        let has_buttons = descriptor.features.buttons;
        let details = details || !has_buttons;
        let text = request.prompt(details, descriptor.max_text as usize, descriptor.text_unit);
        let offered =
            if has_buttons { request.buttons(!details && request.has_details()) } else { Vec::new() };
        (text, offered.into_iter().map(button).collect())
    }
}

fn button(button: permission::Button) -> Button {
    let style = match button.answer {
        Answer::Verdict(Verdict::Allow) => ButtonStyle::Positive,
        Answer::Verdict(Verdict::Deny) => ButtonStyle::Negative,
        Answer::Details => ButtonStyle::Neutral,
    };
    Button { action: button.action, label: button.label.to_owned(), style }
}
