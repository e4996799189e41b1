//! `access.json` in the format of the official plugins. Other content of the file is kept.

use std::{collections::BTreeSet, fmt};

use serde_json::{Map, Value, json};

use super::access::{Access, DmPolicy, Group, Members, NO_ONE, Pattern};
use crate::{
    event::{ChatId, SenderId},
    text::{self, ChunkMode},
};

/// Maximum length of a list, in entries, and of a text, in bytes. A list that a person keeps stays below both.
const LIST: usize = 10_000;
const TEXT: usize = 1024;
/// Maximum number of mention patterns. Each pattern is compiled, and matched against each message.
const PATTERNS: usize = 100;

/// The error for an id that could be mistaken for something else where it is shown.
const STRANGE: &str =
    "cannot be an id: it has spaces, quotes, brackets or invisible characters, or is too long";

/// The parsed file.
#[derive(Clone, Debug)]
pub struct Document {
    object: Map<String, Value>,
    /// Who may speak.
    pub access: Access,
    /// How the channel answers.
    pub manners: Manners,
}

/// How a channel answers. None of these settings affects who may speak.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manners {
    /// The emoji that marks each delivered message.
    pub ack_reaction: Option<String>,
    /// Which pieces of a long answer quote the message that it answers.
    pub reply_to: ReplyTo,
    /// Maximum length of a piece of an answer, in the platform's units.
    pub text_limit: Option<u32>,
    /// Where to cut a long answer.
    pub chunk_mode: ChunkMode,
}

/// Which pieces of a long answer quote the message that it answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReplyTo {
    /// No piece.
    Off,
    /// The first piece.
    #[default]
    First,
    /// Each piece.
    All,
}

/// Why the content of the file is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// The text is not JSON.
    #[error("it is not valid JSON: {0}")]
    Json(String),
    /// A value is invalid.
    #[error("\"{key}\" {problem}")]
    Value {
        /// The key with its path, such as `groups.-100.allowFrom[2]`.
        key: String,
        /// What is wrong with the value.
        problem: String,
    },
}

/// One change of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Lets a sender write directly.
    Allow(SenderId),
    /// Removes a sender from all lists of the file.
    Remove(SenderId),
    /// Sets how direct messages are handled.
    Policy(DmPolicy),
    /// Lets a group be heard, by these rules.
    Group(ChatId, Group),
    /// Removes a group.
    RemoveGroup(ChatId),
    /// Moves the rules of a group from the first id to the second.
    MoveGroup(ChatId, ChatId),
    /// Sets a key of the file. `None` removes it.
    Set(Setting, Option<Value>),
}

/// The keys that [`Change::Set`] can change.
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
    /// All settings, with their names in the file.
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

/// The document of a channel without a file: strangers may ask for a code, and nobody may write.
impl Default for Document {
    fn default() -> Self {
        Self { object: Map::new(), access: Access::default(), manners: Manners::default() }
    }
}

impl Document {
    /// Returns the document of a loopback page without a file. Each client that reaches the page counts as the user,
    /// who has this sender id.
    pub fn of_page(user: &str) -> Self {
        let access = Access {
            dm_policy: DmPolicy::Allowlist,
            allow_from: [SenderId::new(user)].into(),
            ..Access::default()
        };
        Self { object: object(&access), access, manners: Manners::default() }
    }

    /// Parses the file. The error names the invalid key, or says why the text is not JSON.
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

    /// Returns the text of the file.
    pub fn render(&self) -> String {
        // This cannot fail: the values were read as JSON, or consist of texts and numbers.
        serde_json::to_string_pretty(&self.object).unwrap_or_default() + "\n"
    }

    /// Returns a copy with one change. All other content stays as it was.
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

    /// Creates a document that contains only this access, so that it can be stored.
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

/// Changes the list under this key. Creates the list if it is missing. (Parsing rejects values of other types.)
fn list(object: &mut Map<String, Value>, key: &str, change: impl FnOnce(&mut Vec<Value>)) {
    let slot = object.entry(key).or_insert(Value::Null);
    let mut list = match slot.take() {
        Value::Array(list) => list,
        _ => Vec::new(),
    };
    change(&mut list);
    *slot = Value::Array(list);
}

/// Changes the groups in the same way.
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

/// An object in the file and its path, used to read its values.
struct At<'a> {
    object: &'a Map<String, Value>,
    path: String,
}

impl At<'_> {
    fn wrong(&self, key: &str, problem: impl Into<String>) -> Invalid {
        Invalid::Value { key: format!("{}{key}", self.path), problem: problem.into() }
    }

    /// Returns the value of a key. A null value counts as missing, as in the official plugins.
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

/// Returns a value as text for an error message, cut at 60 bytes.
fn brief(value: &Value) -> String {
    let text = value.to_string();
    let cut = text.floor_char_boundary(60);
    if cut < text.len() { format!("{}…", text.get(..cut).unwrap_or_default()) } else { text }
}

#[cfg(test)]
mod tests;
