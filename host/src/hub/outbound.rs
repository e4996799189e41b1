//! The outbound path: from a session to a platform.

use std::{collections::HashMap, path::PathBuf, sync::Arc};

use parking_lot::Mutex;
use tokio::sync::OwnedMutexGuard;

use super::Channel;
use crate::{
    admission::{Shut, Unwelcome},
    capability::files::{LocalFile, Refusal},
    clock,
    event::{ChannelName, ChatId, Format, Message, MessageId},
    gate::document::{Manners, ReplyTo},
    guest::{Answered, Fault, Identity, Outgoing, Sent, Wanted},
    journal,
    sandbox::CallError,
    text::{self, Shape},
};

/// The longest Markdown text for a channel that splits texts itself, in the channel's unit of text length.
const SOURCE: u32 = 16 << 10;

/// The most messages that one send may produce.
const PIECES: usize = 1000;

/// A message that a session wants to send.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The chat to send it to.
    pub chat: ChatId,
    /// The text.
    pub text: String,
    /// How the text is marked up.
    pub format: Format,
    /// The message to quote.
    pub reply_to: Option<MessageId>,
    /// Paths of files to send along.
    pub files: Vec<String>,
    /// Folders from which the session may send files, in addition to those that the user has set.
    pub folders: Vec<PathBuf>,
}

/// The error to return when a request of the session fails. Its text is what the session is told.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The channel does not work at the moment.
    #[error("{channel} can do nothing at the moment: {reason}")]
    Down {
        /// The channel's name.
        channel: ChannelName,
        /// Why, and what to do.
        reason: String,
    },
    /// The message has neither a text nor files.
    #[error("there is nothing to send: give a text or files")]
    Empty,
    /// An edited text is longer than the platform accepts.
    #[error(
        "the text is {length} long, and {channel} accepts {limit} in one message: shorten it, or send the rest with reply"
    )]
    Long {
        /// The channel's name.
        channel: ChannelName,
        /// The length of the text, as the platform counts.
        length: usize,
        /// The longest text that the platform accepts, as it counts.
        limit: usize,
    },
    /// The message is an open permission prompt.
    #[error("this message asks for a permission: only its answer changes it")]
    Prompt,
    /// No delivered message has such a file.
    #[error(
        "no message that was delivered from this chat has such a file (chat_id, message_id and file_id must be those of one message)"
    )]
    Attachment,
    /// Nobody in that chat may speak.
    #[error(transparent)]
    Unwelcome(#[from] Unwelcome),
    /// The access rules cannot be read, so it is unknown who may speak.
    #[error(transparent)]
    Shut(#[from] Shut),
    /// There are more files than the platform accepts.
    #[error("{count} files are too many: {channel} accepts {limit} in one message")]
    Many {
        /// The channel's name.
        channel: ChannelName,
        /// How many were given.
        count: usize,
        /// The most files that one message may have.
        limit: u32,
    },
    /// A file may not or cannot be sent.
    #[error(transparent)]
    File(#[from] Refusal),
    /// Part of the message was sent before an error.
    #[error("sent only in part ({}), then: {reason}", list(.ids))]
    Partial {
        /// The messages that exist.
        ids: Vec<MessageId>,
        /// What stopped it.
        reason: String,
    },
    /// The guest or its platform refused the call.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The guest failed.
    #[error("the channel {channel} failed: {source}")]
    Guest {
        /// The channel's name.
        channel: ChannelName,
        /// The error of the call.
        source: CallError,
    },
    /// The journal cannot store the effects of the call.
    #[error(transparent)]
    Journal(#[from] journal::Error),
}

/// Formats ids as `id: 1` or `ids: 1, 2`, like the official plugins.
pub(crate) fn list(ids: &[MessageId]) -> String {
    let names = ids.iter().map(|id| &**id).collect::<Vec<_>>().join(", ");
    if ids.len() == 1 { format!("id: {names}") } else { format!("ids: {names}") }
}

/// The part of a chat's history that the session may see.
#[derive(Debug, Default)]
pub struct History {
    /// The messages, oldest first.
    pub messages: Vec<Message>,
    /// How many messages were left out, because their senders may not speak to this session.
    pub left_out: usize,
}

/// Who may see a message, where a page has more than one reader.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Readers {
    /// Everybody in the chat.
    Chat,
    /// Browsers that came through the link with the key.
    Owner,
}

impl Channel {
    /// Sends a message, in pieces where it is too long for one. Returns the ids of the messages that now exist.
    pub async fn reply(&self, reply: Reply) -> Result<Vec<MessageId>, Failure> {
        self.available()?;
        self.admission.welcome(&reply.chat).await?;
        let descriptor = self.descriptor();
        let limit = if descriptor.features.uploads { descriptor.max_uploads } else { 0 };
        if reply.files.len() > limit as usize {
            return Err(Failure::Many { channel: self.name().clone(), count: reply.files.len(), limit });
        }
        let mut files: Vec<LocalFile> = Vec::with_capacity(reply.files.len());
        for path in &reply.files {
            let vetted = self.surroundings().files.vet(path, &reply.folders, descriptor.max_upload);
            files.push(vetted.await?);
        }
        let manners = &self.admission.rules().await?.manners;
        let mut pieces = text::split(&reply.text, self.shape(reply.format, Some(manners)));
        if pieces.is_empty() {
            if files.is_empty() {
                return Err(Failure::Empty);
            }
            pieces.push(String::new());
        }
        let last = pieces.len() - 1;
        let (mut ids, mut files) = (Vec::new(), Some(files));
        for (index, piece) in pieces.into_iter().enumerate() {
            let quotes = match manners.reply_to {
                ReplyTo::Off => false,
                ReplyTo::First => index == 0,
                ReplyTo::All => true,
            };
            let outgoing = Outgoing {
                reply_to: reply.reply_to.clone().filter(|_| quotes),
                // The files go with the last piece, so that they follow the whole text.
                files: files.take_if(|_| index == last).unwrap_or_default(),
                ..Outgoing::text(reply.chat.clone(), None, piece, reply.format)
            };
            let sent = match self.dispatch(outgoing).await {
                Ok(sent) => sent,
                Err(failure) if ids.is_empty() => return Err(failure),
                Err(failure) => return Err(Failure::Partial { ids, reason: failure.to_string() }),
            };
            self.working.done(&reply.chat);
            ids.extend(sent.ids);
            match sent.fault {
                None => {}
                Some(fault) if ids.is_empty() => return Err(fault.into()),
                Some(fault) => return Err(Failure::Partial { ids, reason: fault.to_string() }),
            }
        }
        Ok(ids)
    }

    /// Returns how texts are split for this channel.
    pub(super) fn shape(&self, format: Format, manners: Option<&Manners>) -> Shape {
        let descriptor = self.descriptor();
        let wanted = manners.and_then(|manners| manners.text_limit);
        // Only if the host splits the text can each piece quote the message.
        let quotes_all = manners.is_some_and(|manners| manners.reply_to == ReplyTo::All);
        let splits = descriptor.features.splits && format == Format::Markdown && !quotes_all;
        let most = if splits { SOURCE } else { descriptor.max_text };
        Shape {
            limit: wanted.unwrap_or(u32::MAX).min(most).max(1) as usize,
            unit: descriptor.text_unit,
            mode: manners.map(|manners| manners.chunk_mode).unwrap_or_default(),
            markdown: format == Format::Markdown,
        }
    }

    /// Sends one message, when it is its chat's turn.
    pub(super) async fn dispatch(&self, outgoing: Outgoing) -> Result<Sent, Failure> {
        self.dispatch_to(outgoing, Readers::Chat).await
    }

    pub(super) async fn dispatch_to(
        &self,
        mut outgoing: Outgoing,
        readers: Readers,
    ) -> Result<Sent, Failure> {
        outgoing.key = key()?;
        let _turn = self.chats.turn(&outgoing.chat).await;
        let errand = self.errand(&outgoing.chat);
        let mut ids = Vec::new();
        loop {
            let sent = match errand.turn().await {
                Ok(()) => self.send(outgoing.clone(), readers).await,
                // The pause is too long to wait for.
                Err(failure) => Err(failure),
            };
            let (new, result) = match sent {
                Ok(Sent { ids, fault: None }) => (ids, Ok(())),
                Ok(Sent { ids, fault: Some(fault) }) => (ids, Err(fault.into())),
                Err(failure) => (Vec::new(), Err(failure)),
            };
            ids.extend(new);
            // After a pause the guest continues with what is not sent yet.
            outgoing.done = u32::try_from(ids.len()).unwrap_or(u32::MAX);
            if ids.len() > PIECES {
                let reason = "it makes too many messages".to_owned();
                return Err(Failure::Partial { ids, reason });
            }
            match errand.settle(result) {
                None => {}
                Some(Err(Failure::Fault(fault))) => return Ok(Sent { ids, fault: Some(fault) }),
                Some(Err(failure)) if ids.is_empty() => return Err(failure),
                Some(Err(failure)) => return Err(Failure::Partial { ids, reason: failure.to_string() }),
                Some(Ok(())) => return Ok(Sent { ids, fault: None }),
            }
        }
    }

    async fn send(&self, outgoing: Outgoing, readers: Readers) -> Result<Sent, Failure> {
        let (sent, mut effects) = self.guest.send(outgoing).await.map_err(|source| self.failed(source))?;
        if readers == Readers::Owner {
            effects.confine();
        }
        self.apply(effects).await?;
        Ok(sent)
    }

    /// Replaces the text of a message that the bot sent.
    pub async fn edit(
        &self,
        chat: ChatId,
        message: MessageId,
        text: String,
        format: Format,
    ) -> Result<(), Failure> {
        self.available()?;
        self.admission.welcome(&chat).await?;
        let manners = &self.admission.rules().await?.manners;
        let shape = self.shape(format, Some(manners));
        let length = shape.unit.length(&text);
        if length > shape.limit {
            return Err(Failure::Long { channel: self.name().clone(), length, limit: shape.limit });
        }
        let _turn = self.chats.turn(&chat).await;
        if self.relay.asks(self.name(), &chat, &message) {
            return Err(Failure::Prompt);
        }
        let errand = self.errand(&chat);
        loop {
            errand.turn().await?;
            let edited =
                self.guest.edit(chat.clone(), message.clone(), text.clone(), format, Vec::new()).await;
            if let Some(result) = errand.settle(self.conclude(edited).await) {
                return result;
            }
        }
    }

    /// Puts an emoji on a message.
    pub async fn react(&self, chat: ChatId, message: MessageId, emoji: String) -> Result<(), Failure> {
        self.available()?;
        self.admission.welcome(&chat).await?;
        let _turn = self.chats.turn(&chat).await;
        let errand = self.errand(&chat);
        loop {
            errand.turn().await?;
            let reacted = self.guest.react(chat.clone(), message.clone(), emoji.clone()).await;
            if let Some(result) = errand.settle(self.conclude(reacted).await) {
                return result;
            }
        }
    }

    /// Returns the newest messages of a chat, oldest first: those of the bot and of senders who may speak.
    pub async fn history(&self, chat: ChatId, limit: u32) -> Result<History, Failure> {
        self.available()?;
        self.admission.welcome(&chat).await?;
        let messages = self.conclude(self.guest.history(chat.clone(), limit).await).await?;
        let own = self.identity().await;
        let mut history = History::default();
        for message in messages {
            let own = own.is_some_and(|own| own.id == message.sender.id);
            // A guest may return messages of another chat than the requested one: they are left out.
            if message.chat.id == chat && (own || self.admission.may_be_read(&message).await?) {
                history.messages.push(message);
            } else {
                history.left_out += 1;
            }
        }
        Ok(history)
    }

    /// Asks the platform who the bot is.
    pub async fn identify(&self) -> Result<Identity, Failure> {
        self.conclude(self.guest.identify().await).await
    }

    /// Like [`Self::identify`], but does not apply the effects of the call: for credentials that are only tried.
    pub async fn inquire(&self) -> Result<Identity, Failure> {
        let answered = self.guest.identify().await.map_err(|source| self.failed(source))?;
        Ok(answered.result?)
    }

    /// Returns the identity of the bot, where the platform knows it. The first answer is cached.
    async fn identity(&self) -> Option<&Identity> {
        if self.identity.get().is_none() {
            match self.identify().await {
                Ok(identity) => drop(self.identity.set(identity)),
                Err(Failure::Fault(Fault::Unsupported)) => {}
                Err(error) => tracing::warn!("{}: who the bot is: {error}", self.name()),
            }
        }
        self.identity.get()
    }

    /// Downloads files of a delivered message into the inbox: one by its id, or all of a message. Returns their paths.
    pub async fn fetch(
        &self,
        chat: Option<&ChatId>,
        message: Option<&str>,
        file: Option<&str>,
    ) -> Result<Vec<PathBuf>, Failure> {
        self.available()?;
        let files = self.admission.attachments(chat, message, file).await?;
        let Some(first) = files.first() else { return Err(Failure::Attachment) };
        let (chat, message) = (first.chat.clone(), first.message.clone());
        let wanted = files.into_iter().map(|file| Wanted { id: file.id, name: file.name }).collect();
        self.conclude(self.guest.fetch(chat, message, wanted).await).await
    }

    fn failed(&self, source: CallError) -> Failure {
        tracing::warn!("{}: {source}", self.name());
        Failure::Guest { channel: self.name().clone(), source }
    }

    /// Carries out the effects of a call, no matter what the guest answered. Returns the answer.
    pub(super) async fn conclude<R>(&self, call: Result<Answered<R>, CallError>) -> Result<R, Failure> {
        let Answered { result, effects } = call.map_err(|source| self.failed(source))?;
        self.apply(effects).await?;
        Ok(result?)
    }

    /// Like [`Self::conclude`], for calls whose failure is only logged.
    pub(super) async fn finish(&self, what: &str, call: Result<Answered<()>, CallError>) {
        match self.conclude(call).await {
            // Logged by `failed`.
            Ok(()) | Err(Failure::Guest { .. }) => {}
            Err(error) => tracing::warn!("{}: {what}: {error}", self.name()),
        }
    }
}

/// Returns a new key for one send.
fn key() -> Result<String, Failure> {
    let mut nonce = [0; 8];
    getrandom::fill(&mut nonce)
        .map_err(|error| Fault::Unavailable(format!("the system has no random bytes: {error}")))?;
    Ok(format!("{:x}-{:016x}", clock::now(), u64::from_ne_bytes(nonce)))
}

/// The locks by which calls about one chat run one after the other.
#[derive(Debug, Default)]
pub(super) struct ChatLocks(Mutex<HashMap<ChatId, Arc<tokio::sync::Mutex<()>>>>);

impl ChatLocks {
    pub(super) async fn turn(&self, chat: &ChatId) -> OwnedMutexGuard<()> {
        let lock = {
            let mut chats = self.0.lock();
            if chats.len() > 64 {
                // Drops the locks that no task holds or waits for.
                chats.retain(|_, lock| Arc::strong_count(lock) > 1);
            }
            Arc::clone(chats.entry(chat.clone()).or_default())
        };
        lock.lock_owned().await
    }
}
