//! The chats that may be answered: all known chats for which [`Admission::welcome`] returns no error.

use std::{collections::HashMap, sync::Arc};

use super::{Admission, Error};
use crate::{
    event::{ChatId, ChatKind, SenderId},
    gate::{Access, DmPolicy},
    journal::{self, Contact},
};

/// Number of newest messages that are searched for names of chats and senders.
const MESSAGES: u32 = 500;

/// A chat that may be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addressee {
    /// The chat that a reply is addressed to.
    pub chat: ChatId,
    /// Whether one person or a group reads the reply.
    pub kind: ChatKind,
}

impl Admission {
    /// Returns the chats that may be answered: first the direct chats of people in `allowFrom`, then the groups, each
    /// followed by its known parts.
    pub async fn addressees(self: &Arc<Self>) -> Result<Vec<Addressee>, Error> {
        let rules = self.rules().await?;
        Ok(addressees(&rules.access, &self.journal.contacts()?))
    }

    /// Returns the names of the chats with recent messages: the title of a group, or the sender's name in a direct
    /// chat. The names were sanitized when they came in.
    pub fn chat_names(&self) -> Result<HashMap<ChatId, String>, journal::Error> {
        let messages = self.journal.recent(MESSAGES)?;
        let names = messages.into_iter().filter_map(|message| {
            let name = match message.chat.kind {
                ChatKind::Direct => Some(message.sender.name),
                ChatKind::Group => message.chat.title,
            };
            Some((message.chat.id, name?))
        });
        // The newest message comes last, so its name is used.
        Ok(names.collect())
    }

    /// Returns the names of the senders of recent messages. The names were sanitized when they came in.
    pub fn sender_names(&self) -> Result<HashMap<SenderId, String>, journal::Error> {
        let messages = self.journal.recent(MESSAGES)?;
        Ok(messages.into_iter().map(|message| (message.sender.id, message.sender.name)).collect())
    }
}

fn addressees(access: &Access, contacts: &HashMap<ChatId, Contact>) -> Vec<Addressee> {
    if access.dm_policy == DmPolicy::Disabled {
        return Vec::new();
    }
    let mut found = Vec::new();
    // A chat that is itself enabled as a group is listed as a group.
    let mut parts: Vec<_> = contacts.iter().filter(|(chat, _)| !access.groups.contains_key(*chat)).collect();
    parts.sort_by_key(|(chat, _)| *chat);
    for sender in &access.allow_from {
        let direct = |(chat, contact): &(&ChatId, &Contact)| match contact {
            Contact::Direct(peer) => (peer == sender).then(|| (*chat).clone()),
            Contact::Part(_) => None,
        };
        let mut chats: Vec<ChatId> = parts.iter().filter_map(direct).collect();
        if chats.is_empty() {
            // On most platforms the id of a direct chat is the id of the person.
            let own = ChatId::new(&**sender);
            let is_free = !contacts.contains_key(&own) && !access.groups.contains_key(&own);
            chats.extend(is_free.then_some(own));
        }
        found.extend(chats.into_iter().map(|chat| Addressee { chat, kind: ChatKind::Direct }));
    }
    for group in access.groups.keys() {
        let part = |(chat, contact): &(&ChatId, &Contact)| match contact {
            Contact::Part(whole) => (whole == group).then(|| (*chat).clone()),
            Contact::Direct(_) => None,
        };
        let chats = [group.clone()].into_iter().chain(parts.iter().filter_map(part));
        found.extend(chats.map(|chat| Addressee { chat, kind: ChatKind::Group }));
    }
    found
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::{Value, json};

    use super::*;
    use crate::{
        admission::Admission,
        event::{Chat, Message, MessageId, Sender},
        gate::document::Document,
        journal::Journal,
    };

    fn admission(folder: &Path, access: &Value) -> Arc<Admission> {
        std::fs::write(folder.join("access.json"), access.to_string()).unwrap();
        let journal = Journal::open(&folder.join("journal.db")).unwrap();
        Arc::new(Admission::new(folder, journal, Document::default(), None))
    }

    fn message(sender: &str, chat: &str, group: Option<&str>) -> Message {
        Message {
            id: MessageId::new("m"),
            chat: Chat {
                id: ChatId::new(chat),
                kind: if group.is_some() { ChatKind::Group } else { ChatKind::Direct },
                group: group.map(ChatId::new),
                thread: None,
                title: None,
            },
            sender: Sender { id: SenderId::new(sender), name: sender.to_uppercase(), is_bot: false },
            text: String::new(),
            sent_at: 0,
            addressed: true,
            edited: false,
            reply_to: None,
            attachments: Vec::new(),
            album: None,
            extra: Vec::new(),
        }
    }

    fn remember(admission: &Admission, message: &Message) {
        admission.journal.store_blocking(|transaction| Admission::remember(transaction, message, 0)).unwrap();
    }

    async fn listed(admission: &Arc<Admission>) -> Vec<String> {
        let found = admission.addressees().await.unwrap();
        for addressee in &found {
            admission.welcome(&addressee.chat).await.unwrap();
        }
        let kind = |kind| if kind == ChatKind::Direct { "direct" } else { "group" };
        found.iter().map(|addressee| format!("{} {}", addressee.chat, kind(addressee.kind))).collect()
    }

    #[tokio::test]
    async fn all_that_is_welcome_is_listed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let access = json!({"allowFrom": ["ada", "bob"], "groups": {"fair": {}, "zoo": {}}});
        let admission = admission(folder.path(), &access);
        assert_eq!(listed(&admission).await, ["ada direct", "bob direct", "fair group", "zoo group"]);
        for message in [
            message("ada", "chat-7", None),
            message("bob", "bob", None),
            message("eve", "chat-9", None),
            message("eve", "fair-2", Some("fair")),
            message("ada", "fair-1", Some("fair")),
            message("ada", "club-1", Some("club")),
        ] {
            remember(&admission, &message);
        }
        let expected =
            ["chat-7 direct", "bob direct", "fair group", "fair-1 group", "fair-2 group", "zoo group"];
        assert_eq!(listed(&admission).await, expected);
    }

    #[tokio::test]
    async fn an_id_that_belongs_to_another_chat_is_not_taken_for_a_persons() {
        let folder = tempfile::tempdir().unwrap();
        let admission =
            admission(folder.path(), &json!({"allowFrom": ["ada", "fair"], "groups": {"fair": {}}}));
        remember(&admission, &message("eve", "ada", None));
        assert_eq!(listed(&admission).await, ["fair group"]);
    }

    #[tokio::test]
    async fn nothing_is_answered_where_all_is_disabled() {
        let folder = tempfile::tempdir().unwrap();
        let access = json!({"dmPolicy": "disabled", "allowFrom": ["ada"], "groups": {"fair": {}}});
        assert!(listed(&admission(folder.path(), &access)).await.is_empty());
    }
}
