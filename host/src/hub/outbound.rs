//! From a session to a platform.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::OwnedMutexGuard;

use super::Channel;
use crate::{
    capability::files::Refusal,
    clock,
    event::{ChannelName, ChatId, Format, Message, MessageId},
    guest::{self, Fault, Outgoing},
    journal,
    sandbox::CallError,
};

/// What a session wants to have said.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Where.
    pub chat: ChatId,
    /// What.
    pub text: String,
    /// How it is marked up.
    pub format: Format,
    /// The message to quote.
    pub reply_to: Option<MessageId>,
    /// Paths of files to go along.
    pub files: Vec<String>,
}

/// Why something was not done. The text is what the session is told.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The channel does not work at the moment.
    #[error("{channel} is down: {reason}")]
    Down {
        /// Which.
        channel: ChannelName,
        /// Why, and what to do.
        reason: String,
    },
    /// There is nothing to say.
    #[error("there is nothing to send: give a text or files")]
    Empty,
    /// The text is longer than the platform takes.
    #[error("the text is {length} long, {channel} takes {limit}: send it in parts")]
    Long {
        /// Which.
        channel: ChannelName,
        /// As the platform counts.
        length: usize,
        /// As the platform counts.
        limit: u32,
    },
    /// More files than the platform takes.
    #[error("{count} files; {channel} takes {limit} in one message")]
    Many {
        /// Which.
        channel: ChannelName,
        /// How many were given.
        count: usize,
        /// How many may be.
        limit: u32,
    },
    /// A file is not sent.
    #[error(transparent)]
    File(#[from] Refusal),
    /// Some was sent before it failed.
    #[error("sent only in part ({}), then: {fault}", list(.ids))]
    Partial {
        /// The messages that exist.
        ids: Vec<MessageId>,
        /// What stopped it.
        fault: Fault,
    },
    /// The guest, or its platform, said no.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The guest failed.
    #[error("the channel {channel} failed: {source}")]
    Guest {
        /// Which.
        channel: ChannelName,
        /// How.
        source: CallError,
    },
    /// What it has to keep cannot be kept.
    #[error(transparent)]
    Journal(#[from] journal::Error),
}

/// `id: 1` or `ids: 1, 2`, as the official plugins write it.
pub(crate) fn list(ids: &[MessageId]) -> String {
    let names = ids.iter().map(|id| &**id).collect::<Vec<_>>().join(", ");
    if ids.len() == 1 { format!("id: {names}") } else { format!("ids: {names}") }
}

impl Channel {
    /// Sends a message. The answer is the messages that now exist.
    pub async fn reply(&self, reply: Reply) -> Result<Vec<MessageId>, Failure> {
        self.available()?;
        let descriptor = self.descriptor();
        if reply.text.is_empty() && reply.files.is_empty() {
            return Err(Failure::Empty);
        }
        let length = descriptor.text_unit.length(&reply.text);
        if length > descriptor.max_text as usize {
            return Err(Failure::Long { channel: self.name().clone(), length, limit: descriptor.max_text });
        }
        let limit = if descriptor.features.uploads { descriptor.max_uploads } else { 0 };
        if reply.files.len() > limit as usize {
            return Err(Failure::Many { channel: self.name().clone(), count: reply.files.len(), limit });
        }
        let files = &self.surroundings().files;
        let files = reply
            .files
            .iter()
            .map(|path| files.vet(path, descriptor.max_upload))
            .collect::<Result<_, _>>()?;
        let _turn = self.chats.turn(&reply.chat).await;
        let outgoing = Outgoing {
            key: key()?,
            chat: reply.chat.clone(),
            thread: None,
            text: reply.text,
            format: reply.format,
            reply_to: reply.reply_to,
            files,
        };
        let (sent, effects) = self.guest.send(outgoing).await.map_err(|source| self.failed(source))?;
        self.apply(effects)?;
        self.working.done(&reply.chat);
        match sent.fault {
            None => Ok(sent.ids),
            Some(fault) if sent.ids.is_empty() => Err(fault.into()),
            Some(fault) => Err(Failure::Partial { ids: sent.ids, fault }),
        }
    }

    /// Replaces a message of the bot's own.
    pub async fn edit(
        &self,
        chat: ChatId,
        message: MessageId,
        text: String,
        format: Format,
    ) -> Result<(), Failure> {
        self.available()?;
        let _turn = self.chats.turn(&chat).await;
        let effects =
            self.guest.edit(chat, message, text, format).await.map_err(|error| self.refused(error))?;
        Ok(self.apply(effects)?)
    }

    /// Puts an emoji on a message.
    pub async fn react(&self, chat: ChatId, message: MessageId, emoji: String) -> Result<(), Failure> {
        self.available()?;
        let _turn = self.chats.turn(&chat).await;
        let effects = self.guest.react(chat, message, emoji).await.map_err(|error| self.refused(error))?;
        Ok(self.apply(effects)?)
    }

    /// The newest messages of a chat, oldest first.
    pub async fn history(&self, chat: ChatId, limit: u32) -> Result<Vec<Message>, Failure> {
        self.available()?;
        let (messages, effects) =
            self.guest.history(chat, limit).await.map_err(|error| self.refused(error))?;
        self.apply(effects)?;
        Ok(messages)
    }

    /// Brings a message's files into the inbox. The answer is their paths.
    pub async fn fetch(
        &self,
        chat: ChatId,
        message: MessageId,
        attachment: Option<String>,
    ) -> Result<Vec<PathBuf>, Failure> {
        self.available()?;
        let (paths, effects) =
            self.guest.fetch(chat, message, attachment).await.map_err(|error| self.refused(error))?;
        self.apply(effects)?;
        Ok(paths)
    }

    fn failed(&self, source: CallError) -> Failure {
        tracing::warn!("{}: {source}", self.name());
        Failure::Guest { channel: self.name().clone(), source }
    }

    fn refused(&self, error: guest::Error) -> Failure {
        match error {
            guest::Error::Call(source) => self.failed(source),
            guest::Error::Fault(fault) => fault.into(),
        }
    }
}

/// A new key for each send.
fn key() -> Result<String, Failure> {
    let mut nonce = [0; 8];
    getrandom::fill(&mut nonce)
        .map_err(|error| Fault::Unavailable(format!("the system has no random bytes: {error}")))?;
    Ok(format!("{:x}-{:016x}", clock::now(), u64::from_ne_bytes(nonce)))
}

/// Calls about one chat go one after the other.
#[derive(Debug, Default)]
pub(super) struct ChatLocks(Mutex<HashMap<ChatId, Arc<tokio::sync::Mutex<()>>>>);

impl ChatLocks {
    async fn turn(&self, chat: &ChatId) -> OwnedMutexGuard<()> {
        let lock = {
            let mut chats = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if chats.len() > 64 {
                // Those that nobody holds or waits for.
                chats.retain(|_, lock| Arc::strong_count(lock) > 1);
            }
            Arc::clone(chats.entry(chat.clone()).or_default())
        };
        lock.lock_owned().await
    }
}
