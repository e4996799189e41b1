//! Who may speak through a channel, according to its `access.json`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use regex::{Regex, RegexBuilder};

use crate::{
    event::{ChatId, SenderId},
    text::{self, TextUnit},
};

/// Who may speak to a session through one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// How a direct message from a stranger is handled.
    pub dm_policy: DmPolicy,
    /// Who may write directly.
    pub allow_from: BTreeSet<SenderId>,
    /// The groups that are heard.
    pub groups: BTreeMap<ChatId, Group>,
    /// Patterns that address the bot, in addition to the platform's own mentions.
    pub mention_patterns: BTreeSet<Pattern>,
    /// Who may answer permission prompts. `None` means all senders who may write directly.
    pub approvers: Option<BTreeSet<SenderId>>,
}

/// How direct messages are handled. Each value lets in more than the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DmPolicy {
    /// Nothing is let in, not even from groups.
    Disabled,
    /// Only senders in `allowFrom` are let in. Strangers get no answer.
    Allowlist,
    /// Strangers are told a code that a person can confirm.
    Pairing,
}

/// A group's own rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Only messages that address the bot are heard.
    pub require_mention: bool,
    /// Whose messages are heard.
    pub members: Members,
}

/// Whose messages are heard in a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Members {
    /// All members, except bots.
    Any,
    /// Only these senders. An empty set means nobody.
    Only(BTreeSet<SenderId>),
}

/// The entry in a group's list that stands for nobody, because an empty list means any member. It cannot be an id.
pub const NO_ONE: &str = "no one";

impl Members {
    /// Converts the list in the file. An empty list means any member.
    pub fn of(listed: BTreeSet<SenderId>) -> Self {
        if listed.is_empty() {
            return Self::Any;
        }
        Self::Only(listed.into_iter().filter(|id| **id != *NO_ONE).collect())
    }

    /// Returns the value for nobody.
    fn none() -> Self {
        Self::Only(BTreeSet::new())
    }

    /// Returns the members whom both let in.
    fn meet(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Any, members) | (members, Self::Any) => members.clone(),
            (Self::Only(left), Self::Only(right)) => Self::Only(left & right),
        }
    }
}

/// A case-insensitive regular expression, compared by its source text.
#[derive(Clone, Debug)]
pub struct Pattern {
    source: String,
    regex: Regex,
}

impl Pattern {
    /// Maximum size of a compiled pattern, in bytes.
    const SIZE: usize = 256 << 10;
    /// Maximum nesting depth, because compiling recurses to this depth.
    const DEPTH: u32 = 32;

    /// Compiles the pattern. The error text is for people.
    pub fn new(source: &str) -> Result<Self, String> {
        let regex = RegexBuilder::new(source)
            .case_insensitive(true)
            .size_limit(Self::SIZE)
            .nest_limit(Self::DEPTH)
            .build();
        match regex {
            Ok(regex) => Ok(Self { source: source.to_owned(), regex }),
            // The error text has several lines, with a caret below the pattern. Its last line gives the reason.
            Err(error) => {
                let text = error.to_string();
                let reason = text.lines().last().unwrap_or_default().trim();
                Err(reason.strip_prefix("error: ").unwrap_or(reason).to_owned())
            }
        }
    }

    /// Returns the source text of the pattern.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Returns true if the text contains a match.
    pub fn is_in(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Pattern {}

impl PartialOrd for Pattern {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Pattern {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.source.cmp(&other.source)
    }
}

/// The access without a file: strangers may ask for a code, and nobody may write.
impl Default for Access {
    fn default() -> Self {
        Self {
            dm_policy: DmPolicy::Pairing,
            allow_from: BTreeSet::new(),
            groups: BTreeMap::new(),
            mention_patterns: BTreeSet::new(),
            approvers: None,
        }
    }
}

impl Access {
    /// Returns true if this sender may answer permission prompts. A sender who may not write never may.
    pub fn is_approver(&self, sender: &SenderId) -> bool {
        self.allow_from.contains(sender)
            && self.approvers.as_ref().is_none_or(|approvers| approvers.contains(sender))
    }

    /// Returns the senders who may answer permission prompts.
    pub fn approvers(&self) -> impl Iterator<Item = &SenderId> {
        self.allow_from.iter().filter(|sender| self.is_approver(sender))
    }

    /// Returns the rules of a chat that is a group, or the rules of the group that the chat is a part of.
    pub fn group(&self, chat: &ChatId, group: Option<&ChatId>) -> Option<&Group> {
        self.groups.get(chat).or_else(|| self.groups.get(group?))
    }

    /// Returns the intersection: it lets in only what both let in.
    #[must_use]
    pub fn meet(&self, other: &Self) -> Self {
        let groups = self.groups.keys().chain(other.groups.keys()).map(|id| {
            let group = match (self.groups.get(id), other.groups.get(id)) {
                (Some(left), Some(right)) => Group {
                    require_mention: left.require_mention || right.require_mention,
                    members: left.members.meet(&right.members),
                },
                // The entry is needed: without it, a thread would be heard by the rules of its parent.
                _ => Group { require_mention: true, members: Members::none() },
            };
            (id.clone(), group)
        });
        let approvers = match (&self.approvers, &other.approvers) {
            (None, None) => None,
            (Some(one), None) | (None, Some(one)) => Some(one.clone()),
            (Some(left), Some(right)) => Some(left & right),
        };
        Self {
            dm_policy: self.dm_policy.min(other.dm_policy),
            allow_from: &self.allow_from & &other.allow_from,
            groups: groups.collect(),
            mention_patterns: &self.mention_patterns & &other.mention_patterns,
            approvers,
        }
    }

    /// Returns the differences in which this lets in more than `baseline`. Empty if there are none.
    pub fn beyond(&self, baseline: &Self) -> Vec<Widening> {
        let mut found = Vec::new();
        if self.dm_policy > baseline.dm_policy {
            found.push(Widening::Policy(self.dm_policy));
        }
        found.extend(self.allow_from.difference(&baseline.allow_from).cloned().map(Widening::Sender));
        for (id, group) in &self.groups {
            match baseline.groups.get(id) {
                _ if group.members == Members::none() => {}
                Some(before) if before.members != Members::none() => {
                    if group.members.meet(&before.members) != group.members {
                        found.push(Widening::Members(id.clone(), group.members.clone()));
                    }
                    if before.require_mention && !group.require_mention {
                        found.push(Widening::Unaddressed(id.clone()));
                    }
                }
                _ => found.push(Widening::Group(id.clone(), group.clone())),
            }
        }
        let patterns = self.mention_patterns.difference(&baseline.mention_patterns);
        found.extend(patterns.map(|pattern| Widening::Pattern(pattern.source.clone())));
        let wider = match (&self.approvers, &baseline.approvers) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(now), Some(before)) => !now.is_subset(before),
        };
        if wider {
            found.push(Widening::Approvers(self.approvers.clone()));
        }
        found
    }
}

/// One difference in which a changed file lets in more than was approved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Widening {
    /// The policy for direct messages lets in more.
    Policy(DmPolicy),
    /// A sender may write directly.
    Sender(SenderId),
    /// A group is heard.
    Group(ChatId, Group),
    /// More of a group's members are heard.
    Members(ChatId, Members),
    /// A group is heard without a mention.
    Unaddressed(ChatId),
    /// A pattern addresses the bot.
    Pattern(String),
    /// More people may answer permission prompts: these senders, or all who may write directly.
    Approvers(Option<BTreeSet<SenderId>>),
}

impl fmt::Display for Widening {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Policy(policy) => write!(formatter, "dmPolicy becomes \"{policy}\""),
            Self::Sender(sender) => write!(formatter, "{sender} may write directly"),
            Self::Group(chat, group) => {
                let how = if group.require_mention { "" } else { ", without a mention" };
                write!(formatter, "the group {chat} is heard: {}{how}", group.members)
            }
            Self::Members(chat, members) => {
                write!(formatter, "more members of the group {chat} are heard: {members}")
            }
            Self::Unaddressed(chat) => {
                write!(formatter, "the group {chat} is heard without a mention")
            }
            Self::Pattern(pattern) => {
                let shown = text::abridge(&text::visible(pattern), 100, TextUnit::Scalar).replace('\n', " ");
                write!(formatter, "\"{shown}\" counts as a mention")
            }
            Self::Approvers(None) => {
                formatter.write_str("whoever may write directly may answer permission prompts")
            }
            Self::Approvers(Some(ids)) => {
                write!(formatter, "more people may answer permission prompts: {}", listed(ids))
            }
        }
    }
}

impl fmt::Display for Members {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => formatter.write_str("any member"),
            Self::Only(ids) => formatter.write_str(&listed(ids)),
        }
    }
}

fn listed(ids: &BTreeSet<SenderId>) -> String {
    let list = ids.iter().map(|id| &**id).collect::<Vec<_>>().join(", ");
    if list.is_empty() { "nobody".to_owned() } else { list }
}

impl DmPolicy {
    /// All policies, with their names in the file.
    pub const ALL: [(&'static str, Self); 3] =
        [("pairing", Self::Pairing), ("allowlist", Self::Allowlist), ("disabled", Self::Disabled)];
}

impl fmt::Display for DmPolicy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = Self::ALL.iter().find(|(_, policy)| policy == self);
        formatter.write_str(found.map_or("", |(name, _)| name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Drops the return value of a change.
    fn forget<T>(_: T) {}

    fn ids(list: &[&str]) -> BTreeSet<SenderId> {
        list.iter().map(|id| SenderId::new(*id)).collect()
    }

    fn group(require_mention: bool, members: &[&str]) -> Group {
        Group { require_mention, members: Members::of(ids(members)) }
    }

    fn access() -> Access {
        Access {
            dm_policy: DmPolicy::Allowlist,
            allow_from: ids(&["1", "2"]),
            groups: [
                (ChatId::new("open"), group(true, &[])),
                (ChatId::new("closed"), group(true, &["1", "2"])),
            ]
            .into(),
            mention_patterns: [Pattern::new("bot").unwrap()].into(),
            approvers: Some(ids(&["1"])),
        }
    }

    #[test]
    fn each_way_to_let_in_more_is_noticed() {
        type Change = fn(&mut Access);
        let changes: [(Change, &str); 10] = [
            (|access| access.dm_policy = DmPolicy::Pairing, "dmPolicy becomes \"pairing\""),
            (|access| forget(access.allow_from.insert(SenderId::new("3"))), "3 may write directly"),
            (
                |access| forget(access.groups.insert(ChatId::new("new"), group(true, &["1"]))),
                "the group new is heard",
            ),
            (
                |access| forget(access.groups.insert(ChatId::new("closed"), group(true, &[]))),
                "more members of the group closed",
            ),
            (
                |access| forget(access.groups.insert(ChatId::new("closed"), group(true, &["1", "3"]))),
                "more members of the group closed",
            ),
            (
                |access| forget(access.groups.insert(ChatId::new("open"), group(false, &[]))),
                "the group open is heard without a mention",
            ),
            (
                |access| forget(access.mention_patterns.insert(Pattern::new(".").unwrap())),
                "\".\" counts as a mention",
            ),
            (|access| access.approvers = None, "whoever may write directly may answer"),
            (|access| access.approvers = Some(ids(&["1", "2"])), "more people may answer"),
            (|access| access.approvers = Some(ids(&["2"])), "more people may answer"),
        ];
        for (change, expected) in changes {
            let mut wider = access();
            change(&mut wider);
            let found = wider.beyond(&access());
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found[0].to_string().contains(expected), "{}", found[0]);
            // The intersection lets in only what was approved.
            assert!(wider.meet(&access()).beyond(&access()).is_empty());
        }
    }

    #[test]
    fn letting_in_fewer_needs_nobody() {
        type Change = fn(&mut Access);
        let changes: [Change; 8] = [
            |access| access.dm_policy = DmPolicy::Disabled,
            |access| forget(access.allow_from.remove(&SenderId::new("1"))),
            |access| forget(access.groups.remove(&ChatId::new("open"))),
            |access| forget(access.groups.insert(ChatId::new("closed"), group(true, &["1"]))),
            |access| forget(access.groups.insert(ChatId::new("open"), group(true, &["9"]))),
            |access| access.mention_patterns.clear(),
            |access| access.approvers = Some(ids(&[])),
            |_| {},
        ];
        for change in changes {
            let mut narrower = access();
            change(&mut narrower);
            assert!(narrower.beyond(&access()).is_empty(), "{:?}", narrower.beyond(&access()));
            assert!(narrower.beyond(&narrower.meet(&access())).is_empty(), "all of it holds");
        }
    }

    #[test]
    fn a_group_that_only_one_of_two_files_hears_is_not_heard_by_its_parents_rules() {
        let (thread, parent) = (ChatId::new("closed"), ChatId::new("open"));
        let mut other = access();
        other.groups.insert(thread.clone(), group(true, &["3"]));
        for other in [other, Access { groups: [(parent.clone(), group(true, &[]))].into(), ..access() }] {
            for both in [other.meet(&access()), access().meet(&other)] {
                assert_eq!(both.group(&thread, Some(&parent)).unwrap().members, Members::none());
            }
        }
    }

    #[test]
    fn an_approver_must_be_allowed_to_write() {
        let mut access = access();
        access.approvers = Some(ids(&["1", "9"]));
        assert!(access.is_approver(&SenderId::new("1")));
        assert!(!access.is_approver(&SenderId::new("2")));
        assert!(!access.is_approver(&SenderId::new("9")));
        assert_eq!(access.approvers().count(), 1);
    }
}
