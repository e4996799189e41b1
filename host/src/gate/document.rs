//! `access.json`: the official plugins' format, with whatever else is in it kept.

use std::{collections::BTreeSet, fmt};

use serde_json::{Map, Value, json};

use super::access::{Access, DmPolicy, Group, Members, NO_ONE, Pattern};
use crate::{
    event::{ChatId, SenderId},
    text::{self, ChunkMode},
};

/// The longest list, and the longest text in one: more is no list that a person keeps.
const LIST: usize = 10_000;
const TEXT: usize = 1024;
/// The most patterns: each is compiled, and tried on each message.
const PATTERNS: usize = 100;

/// Of an id that could be taken for something else where it is shown.
const STRANGE: &str =
    "cannot be an id: it has spaces, quotes, brackets or invisible characters, or is too long";

/// The file, understood.
#[derive(Clone, Debug)]
pub struct Document {
    object: Map<String, Value>,
    /// Who may speak.
    pub access: Access,
    /// How is answered.
    pub manners: Manners,
}

/// How a channel answers: nothing of it lets anybody in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manners {
    /// An emoji on each message that was delivered.
    pub ack_reaction: Option<String>,
    /// Which pieces of a long answer quote the message that it answers.
    pub reply_to: ReplyTo,
    /// The longest piece of an answer, in the platform's units.
    pub text_limit: Option<u32>,
    /// Where a long answer is cut.
    pub chunk_mode: ChunkMode,
}

/// Which pieces of a long answer quote the message that it answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReplyTo {
    /// None.
    Off,
    /// The first.
    #[default]
    First,
    /// Each.
    All,
}

/// The file has something that it cannot have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// It is not JSON.
    #[error("it is not valid JSON: {0}")]
    Json(String),
    /// A value is wrong.
    #[error("\"{key}\" {problem}")]
    Value {
        /// With the way to it: `groups.-100.allowFrom[2]`.
        key: String,
        /// What it must be.
        problem: String,
    },
}

/// One thing to change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Somebody may write directly.
    Allow(SenderId),
    /// Somebody may not any more, anywhere.
    Remove(SenderId),
    /// What becomes of direct messages.
    Policy(DmPolicy),
    /// A group is heard, by these rules.
    Group(ChatId, Group),
    /// A group is heard no more.
    RemoveGroup(ChatId),
    /// A group has another id.
    MoveGroup(ChatId, ChatId),
    /// A key of the file's; None takes it out.
    Set(Setting, Option<Value>),
}

/// The keys that [`Change::Set`] knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "named after the keys")]
pub enum Setting {
    AckReaction,
    ReplyToMode,
    TextChunkLimit,
    ChunkMode,
    MentionPatterns,
    Approvers,
}

impl Setting {
    /// As the file spells them.
    pub const ALL: [(&'static str, Self); 6] = [
        ("ackReaction", Self::AckReaction),
        ("replyToMode", Self::ReplyToMode),
        ("textChunkLimit", Self::TextChunkLimit),
        ("chunkMode", Self::ChunkMode),
        ("mentionPatterns", Self::MentionPatterns),
        ("approvers", Self::Approvers),
    ];
}

impl fmt::Display for Setting {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = Self::ALL.iter().find(|(_, setting)| setting == self);
        formatter.write_str(found.map_or("", |(name, _)| name))
    }
}

/// What a channel has that has no file: strangers may ask, and nobody is in.
impl Default for Document {
    fn default() -> Self {
        Self { object: Map::new(), access: Access::default(), manners: Manners::default() }
    }
}

impl Document {
    /// What a page on loopback has that has no file: whoever reaches it is the user, whom it calls by this id.
    pub fn of_page(user: &str) -> Self {
        let access = Access {
            dm_policy: DmPolicy::Allowlist,
            allow_from: [SenderId::new(user)].into(),
            ..Access::default()
        };
        Self { object: object(&access), access, manners: Manners::default() }
    }

    /// Understands the file, or names the key that it does not understand.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        match serde_json::from_str(text) {
            Ok(Value::Object(object)) => Self::read(object),
            Ok(_) => Err(Invalid::Json("it must be an object in braces".to_owned())),
            Err(error) => Err(Invalid::Json(error.to_string())),
        }
    }

    fn read(object: Map<String, Value>) -> Result<Self, Invalid> {
        let at = At { object: &object, path: String::new() };
        let access = Access {
            dm_policy: at.choice("dmPolicy", &DmPolicy::ALL)?.unwrap_or(DmPolicy::Pairing),
            allow_from: at.senders("allowFrom")?.unwrap_or_default(),
            groups: at.groups()?,
            mention_patterns: at.patterns()?,
            approvers: at.senders("approvers")?,
        };
        let manners = Manners {
            ack_reaction: at.text("ackReaction")?.filter(|text| !text.is_empty()),
            reply_to: at
                .choice(
                    "replyToMode",
                    &[("off", ReplyTo::Off), ("first", ReplyTo::First), ("all", ReplyTo::All)],
                )?
                .unwrap_or_default(),
            text_limit: at.limit("textChunkLimit")?,
            chunk_mode: at
                .choice("chunkMode", &[("length", ChunkMode::Length), ("newline", ChunkMode::Newline)])?
                .unwrap_or_default(),
        };
        Ok(Self { object, access, manners })
    }

    /// As it is written.
    pub fn render(&self) -> String {
        // Values that were read as JSON, or made of texts and numbers: there is nothing that could not be written.
        serde_json::to_string_pretty(&self.object).unwrap_or_default() + "\n"
    }

    /// With one thing changed, and all else as it was.
    pub fn with(&self, change: Change) -> Result<Self, Invalid> {
        let mut object = self.object.clone();
        match change {
            Change::Allow(sender) => list(&mut object, "allowFrom", |list| insert(list, &sender)),
            Change::Remove(sender) => self.remove(&mut object, &sender),
            Change::Policy(policy) => {
                object.insert("dmPolicy".to_owned(), policy.to_string().into());
            }
            Change::Group(chat, group) => groups(&mut object, |groups| {
                let rules = groups.entry(chat.into_string()).or_insert(Value::Null);
                if !rules.is_object() {
                    *rules = Value::Object(Map::new());
                }
                if let Value::Object(rules) = rules {
                    write_group(rules, &group);
                }
            }),
            Change::RemoveGroup(chat) => groups(&mut object, |groups| drop(groups.shift_remove(&*chat))),
            Change::MoveGroup(from, to) => groups(&mut object, |groups| {
                if let Some(rules) = groups.shift_remove(&*from) {
                    groups.entry(to.into_string()).or_insert(rules);
                }
            }),
            Change::Set(setting, Some(value)) => drop(object.insert(setting.to_string(), value)),
            Change::Set(setting, None) => drop(object.shift_remove(&setting.to_string())),
        }
        Self::read(object)
    }

    fn remove(&self, object: &mut Map<String, Value>, sender: &SenderId) {
        let other = |value: &Value| value.as_str() != Some(sender);
        list(object, "allowFrom", |list| list.retain(other));
        if self.access.approvers.is_some() {
            list(object, "approvers", |list| list.retain(other));
        }
        groups(object, |groups| {
            for (id, group) in &self.access.groups {
                let Members::Only(members) = &group.members else { continue };
                if members.contains(sender)
                    && let Some(Value::Object(rules)) = groups.get_mut(&**id)
                {
                    list(rules, "allowFrom", |list| {
                        list.retain(other);
                        if list.is_empty() {
                            // An empty list would let in everybody.
                            list.push(NO_ONE.into());
                        }
                    });
                }
            }
        });
    }

    /// An access by itself, for keeping it.
    pub fn of_access(access: &Access) -> Self {
        Self { object: object(access), access: access.clone(), manners: Manners::default() }
    }
}

fn object(access: &Access) -> Map<String, Value> {
    let ids = |list: &BTreeSet<SenderId>| list.iter().map(|id| Value::from(&**id)).collect::<Vec<_>>();
    let mut object = Map::new();
    object.insert("dmPolicy".to_owned(), access.dm_policy.to_string().into());
    object.insert("allowFrom".to_owned(), ids(&access.allow_from).into());
    let groups = access.groups.iter().map(|(id, group)| {
        let mut rules = Map::new();
        write_group(&mut rules, group);
        (id.to_string(), Value::Object(rules))
    });
    object.insert("groups".to_owned(), Value::Object(groups.collect()));
    let patterns: Vec<_> = access.mention_patterns.iter().map(Pattern::source).collect();
    object.insert("mentionPatterns".to_owned(), json!(patterns));
    if let Some(approvers) = &access.approvers {
        object.insert("approvers".to_owned(), ids(approvers).into());
    }
    object
}

fn write_group(rules: &mut Map<String, Value>, group: &Group) {
    rules.insert("requireMention".to_owned(), group.require_mention.into());
    let members: Vec<&str> = match &group.members {
        Members::Any => Vec::new(),
        Members::Only(members) if members.is_empty() => vec![NO_ONE],
        Members::Only(members) => members.iter().map(|id| &**id).collect(),
    };
    rules.insert("allowFrom".to_owned(), json!(members));
}

/// Changes the list under this key, made where it is missing. (A value of another kind would have been refused.)
fn list(object: &mut Map<String, Value>, key: &str, change: impl FnOnce(&mut Vec<Value>)) {
    let slot = object.entry(key).or_insert(Value::Null);
    let mut list = match slot.take() {
        Value::Array(list) => list,
        _ => Vec::new(),
    };
    change(&mut list);
    *slot = Value::Array(list);
}

/// Changes the groups, likewise.
fn groups(object: &mut Map<String, Value>, change: impl FnOnce(&mut Map<String, Value>)) {
    let slot = object.entry("groups").or_insert(Value::Null);
    let mut groups = match slot.take() {
        Value::Object(groups) => groups,
        _ => Map::new(),
    };
    change(&mut groups);
    *slot = Value::Object(groups);
}

fn insert(list: &mut Vec<Value>, id: &str) {
    if !list.iter().any(|value| value.as_str() == Some(id)) {
        list.push(id.into());
    }
}

/// A place in the file, for reading what is there.
struct At<'a> {
    object: &'a Map<String, Value>,
    path: String,
}

impl At<'_> {
    fn wrong(&self, key: &str, problem: impl Into<String>) -> Invalid {
        Invalid::Value { key: format!("{}{key}", self.path), problem: problem.into() }
    }

    /// None also for null, as the official plugins have it.
    fn get(&self, key: &str) -> Option<&Value> {
        self.object.get(key).filter(|value| !value.is_null())
    }

    fn text(&self, key: &str) -> Result<Option<String>, Invalid> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::String(text)) if text.len() <= TEXT => Ok(Some(text.clone())),
            Some(other) => Err(self.wrong(key, format!("must be a text, not {}", brief(other)))),
        }
    }

    fn choice<T: Copy>(&self, key: &str, choices: &[(&str, T)]) -> Result<Option<T>, Invalid> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let found = choices.iter().find(|(name, _)| value.as_str() == Some(name));
        found.map(|(_, choice)| Some(*choice)).ok_or_else(|| {
            let names = choices.iter().map(|(name, _)| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
            self.wrong(key, format!("must be one of {names}, not {}", brief(value)))
        })
    }

    fn limit(&self, key: &str) -> Result<Option<u32>, Invalid> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let number =
            value.as_u64().and_then(|number| u32::try_from(number).ok()).filter(|number| *number > 0);
        number
            .map(Some)
            .ok_or_else(|| self.wrong(key, format!("must be a whole number from 1 on, not {}", brief(value))))
    }

    fn flag(&self, key: &str) -> Result<Option<bool>, Invalid> {
        let Some(value) = self.get(key) else { return Ok(None) };
        value
            .as_bool()
            .map(Some)
            .ok_or_else(|| self.wrong(key, format!("must be true or false, not {}", brief(value))))
    }

    fn texts(&self, key: &str) -> Result<Option<Vec<&str>>, Invalid> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let Value::Array(list) = value else {
            return Err(self.wrong(key, format!("must be a list in brackets, not {}", brief(value))));
        };
        if list.len() > LIST {
            return Err(self.wrong(key, format!("has {} entries; {LIST} are allowed", list.len())));
        }
        let mut texts = Vec::with_capacity(list.len());
        for (index, value) in list.iter().enumerate() {
            match value {
                Value::String(text) if !text.is_empty() && text.len() <= TEXT => texts.push(text.as_str()),
                other => {
                    let problem = if let Value::Number(number) = other {
                        format!("must be a text in quotes: \"{number}\"")
                    } else {
                        format!("must be a text in quotes, not {}", brief(other))
                    };
                    return Err(self.wrong(&format!("{key}[{index}]"), problem));
                }
            }
        }
        Ok(Some(texts))
    }

    fn senders(&self, key: &str) -> Result<Option<BTreeSet<SenderId>>, Invalid> {
        let Some(list) = self.texts(key)? else { return Ok(None) };
        match list.iter().position(|id| *id != NO_ONE && !text::is_identifier(id)) {
            Some(index) => Err(self.wrong(&format!("{key}[{index}]"), STRANGE)),
            None => Ok(Some(list.into_iter().map(SenderId::new).collect())),
        }
    }

    fn patterns(&self) -> Result<BTreeSet<Pattern>, Invalid> {
        let list = self.texts("mentionPatterns")?.unwrap_or_default();
        if list.len() > PATTERNS {
            let problem = format!("has {} entries; {PATTERNS} are allowed", list.len());
            return Err(self.wrong("mentionPatterns", problem));
        }
        let compile = |(index, source): (usize, &str)| {
            Pattern::new(source).map_err(|problem| {
                let key = format!("mentionPatterns[{index}]");
                self.wrong(&key, format!("is no regular expression: {problem}"))
            })
        };
        list.into_iter().enumerate().map(compile).collect()
    }

    fn groups(&self) -> Result<std::collections::BTreeMap<ChatId, Group>, Invalid> {
        let groups = match self.get("groups") {
            None => return Ok(std::collections::BTreeMap::new()),
            Some(Value::Object(groups)) => groups,
            Some(other) => {
                return Err(
                    self.wrong("groups", format!("must be an object in braces, not {}", brief(other)))
                );
            }
        };
        let group = |(id, rules): (&String, &Value)| {
            if !text::is_identifier(id) {
                return Err(self.wrong("groups", STRANGE));
            }
            let Value::Object(rules) = rules else {
                let key = format!("groups.{id}");
                return Err(self.wrong(&key, format!("must be an object in braces, not {}", brief(rules))));
            };
            let at = At { object: rules, path: format!("groups.{id}.") };
            let group = Group {
                require_mention: at.flag("requireMention")?.unwrap_or(true),
                members: Members::of(at.senders("allowFrom")?.unwrap_or_default()),
            };
            Ok((ChatId::new(id), group))
        };
        groups.iter().map(group).collect()
    }
}

/// A value in a complaint.
fn brief(value: &Value) -> String {
    let text = value.to_string();
    let cut = text.floor_char_boundary(60);
    if cut < text.len() { format!("{}…", text.get(..cut).unwrap_or_default()) } else { text }
}

#[cfg(test)]
mod tests;
