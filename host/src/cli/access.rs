//! `tidegate access`: who may write through a channel.

use std::fmt::Write as _;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::{
    Common, answers, candidates,
    output::{self, Paint},
    patience::announced,
    survey::{self, Kept, Named, Survey},
};
use crate::{
    builtin, claude, clock,
    event::{ChatId, SenderId},
    gate::{
        self, DmPolicy, Group, Members,
        access::Widening,
        document::{Change, Setting},
        pairing::Pending,
    },
    guest::{Descriptor, ValueForm},
    hub::invitation,
    journal::Waiting,
    launch,
    settings::nearest,
    text::shell_word,
};

/// Say who may write through a channel
///
/// For a person at a terminal: no session can do it, and no setting makes it work elsewhere.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    tidegate access telegram                      who may write, and who has asked\n  \
    tidegate access telegram pair ACD347          let in whoever was given this code\n  \
    tidegate access telegram group add -100123 --no-mention\n  \
    tidegate access telegram set mentionPatterns '[\"^hey claude\"]'")]
pub(super) struct Access {
    /// Which channel
    #[arg(add = candidates::channels())]
    channel: String,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Subcommand)]
enum Action {
    /// Show who may write, and who has asked (the default)
    Status,
    /// Let in the stranger who was given this code
    Pair {
        /// Six letters and digits
        code: String,
    },
    /// Turn down the stranger who was given this code, or who has this id
    Deny {
        /// A code, or the id that `status` shows
        #[arg(allow_hyphen_values = true, add = candidates::strangers())]
        code: String,
    },
    /// Let somebody write directly
    Allow {
        /// Their id on the platform
        #[arg(allow_hyphen_values = true, add = candidates::strangers())]
        id: String,
    },
    /// Let somebody write no more, directly and in groups
    Remove {
        /// Their id on the platform
        #[arg(allow_hyphen_values = true, add = candidates::senders())]
        id: String,
    },
    /// What becomes of direct messages
    Policy {
        /// pairing: strangers get a code; allowlist: strangers get nothing; disabled: nobody is heard
        #[arg(value_parser = policy, add = candidates::policies())]
        policy: DmPolicy,
    },
    /// Which groups are heard
    #[command(subcommand)]
    Group(GroupAction),
    /// Set a key of access.json; an empty value removes it
    Set {
        /// ackReaction, replyToMode, textChunkLimit, chunkMode, mentionPatterns, approvers
        #[arg(value_parser = setting, add = candidates::settings())]
        key: Setting,
        /// A text or a number; a list in brackets, or with commas between
        value: String,
    },
    /// Approve what something else has written into access.json
    Accept,
    /// Remove again what something else has written into access.json
    Reject,
}

#[derive(Subcommand)]
enum GroupAction {
    /// Hear a group, or change its rules
    Add {
        /// Its id on the platform: `tidegate status` shows those that have tried
        #[arg(allow_hyphen_values = true, add = candidates::strange_groups())]
        id: String,
        /// Hear every message, not only those that address the bot
        #[arg(long)]
        no_mention: bool,
        /// Hear only this member; may be given several times
        #[arg(long = "member", value_name = "ID", allow_hyphen_values = true)]
        members: Vec<String>,
    },
    /// Hear a group no more
    Rm {
        /// Its id on the platform
        #[arg(allow_hyphen_values = true, add = candidates::groups())]
        id: String,
    },
}

fn policy(text: &str) -> Result<DmPolicy, String> {
    let found = DmPolicy::ALL.iter().find(|(name, _)| *name == text);
    found.map(|(_, policy)| *policy).ok_or_else(|| {
        format!("no such policy{}", nearest(text, DmPolicy::ALL.iter().map(|(name, _)| *name)))
    })
}

fn setting(text: &str) -> Result<Setting, String> {
    let found = Setting::ALL.iter().find(|(name, _)| *name == text);
    found
        .map(|(_, setting)| *setting)
        .ok_or_else(|| format!("no such key{}", nearest(text, Setting::ALL.iter().map(|(name, _)| *name))))
}

impl Access {
    pub(super) fn run(self, common: &Common) -> anyhow::Result<()> {
        claude::at_terminal()?;
        let root = common.state_root()?;
        let action = self.action.unwrap_or(Action::Status);
        if matches!(action, Action::Status) {
            // Showing the status does not create the channel's folder.
            let survey = Survey::of(&root, Survey::named(&root, &self.channel)?);
            let text = match survey.kept? {
                Some(kept) => announced(&survey.name, || status(&survey.name, &kept, Paint::stdout()))?,
                None => format!("{0} has not run yet: `tidegate setup {0}` begins.\n", survey.name),
            };
            return Ok(output::print(&text)?);
        }
        let (name, new) = match Survey::named_or_new(&root, &self.channel)? {
            Named::Known(name) => (name, false),
            Named::New { name, close: Some(meant) } => {
                output::print(&format!(
                    "No channel \"{name}\" has run here; did you mean \"{meant}\"? Go on with {name}? (yes/no) "
                ))?;
                anyhow::ensure!(answers::says_yes()?, "nothing was changed");
                (name, true)
            }
            Named::New { name, close: None } => (name, true),
        };
        if let Some(builtin) = builtin::find(&name)
            && action.adds_ids()
        {
            let engine = launch::engine()?;
            let load = launch::load(&engine, builtin.name, builtin.bytes);
            action.check(&super::runtime()?.block_on(load)?.descriptor)?;
        }
        let folder = root.channel(&name)?;
        let kept = announced(&name, || survey::open(&name, &folder))?;
        let mut text = act(&name, &kept, action)?;
        if new {
            let _ = writeln!(text, "No channel has run under the name {name} yet: this holds once one does.");
        }
        Ok(output::print(&text)?)
    }
}

impl Action {
    /// Returns true if the action writes values to the file that only the platform can check, such as ids.
    fn adds_ids(&self) -> bool {
        matches!(self, Self::Allow { .. } | Self::Group(GroupAction::Add { .. }) | Self::Set { .. })
    }

    /// Fails for values that cannot exist on the platform.
    fn check(&self, descriptor: &Descriptor) -> anyhow::Result<()> {
        let title = &descriptor.title;
        let fits = |id: &str, form: Option<&ValueForm>, what: &str| match form {
            Some(form) if !form.fits(id) => anyhow::bail!(
                "\"{}\" cannot be {what} on {title}, which looks like {}: `tidegate status {}` shows the ids of those who \
                 have tried to write",
                output::harmless(id),
                form.example,
                descriptor.name
            ),
            _ => Ok(()),
        };
        let sender = |id: &str| fits(id, descriptor.sender_ids.as_ref(), "a person's id");
        match self {
            Self::Allow { id } => sender(id),
            Self::Group(GroupAction::Add { id, members, .. }) => {
                fits(id, descriptor.group_ids.as_ref(), "a group's id")?;
                members.iter().try_for_each(|id| sender(id))
            }
            Self::Set { key: Setting::AckReaction, value }
                if !value.is_empty() && !descriptor.has_reaction(value) =>
            {
                let reactions = descriptor.reactions.join(" ");
                anyhow::bail!("{title} has no reaction \"{}\"; it has {reactions}", output::harmless(value))
            }
            Self::Set { key: Setting::TextChunkLimit, value }
                if value.parse::<u32>().is_ok_and(|limit| limit > descriptor.max_text) =>
            {
                anyhow::bail!(
                    "a message of {title} has {} characters at most, so {value} changes nothing",
                    descriptor.max_text
                )
            }
            Self::Set { key: Setting::Approvers, value } => match interpret(Setting::Approvers, value) {
                Ok(Some(Value::Array(ids))) => ids.iter().filter_map(Value::as_str).try_for_each(sender),
                // Any other value is rejected when it is set.
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }
}

fn act(name: &str, kept: &Kept, action: Action) -> anyhow::Result<String> {
    let admission = &kept.admission;
    let now = clock::now();
    let change = |change| announced(name, || admission.change_blocking(change));
    let rules = || announced(name, || admission.rules_blocking());
    Ok(match action {
        Action::Status => announced(name, || status(name, kept, Paint::stdout()))?,
        Action::Pair { code } => {
            let paired = announced(name, || admission.pair_blocking(&code, now))?;
            let Pending { name, sender, .. } = paired;
            format!("{name} ({sender}) may write from now on.\n")
        }
        Action::Deny { code } => {
            // If the channel cannot send codes to strangers, their events wait in the journal instead.
            let sender = SenderId::new(code.clone());
            let erased = announced(name, || kept.journal.turn_down_blocking(&sender))?;
            if erased > 0 {
                let events = output::counted(erased, "event", "events");
                format!(
                    "{code} is turned down: {events} that waited went away. What they write from now on waits again.\n"
                )
            } else {
                match announced(name, || admission.deny_blocking(&code, now))? {
                    Some(Pending { name, sender, .. }) => {
                        format!("{name} ({sender}) is turned down, and gets no other code within the hour.\n")
                    }
                    None => anyhow::bail!(
                        "nobody waits with this code or id: `tidegate access {name}` shows who does"
                    ),
                }
            }
        }
        Action::Allow { id } => {
            change(Change::Allow(SenderId::new(identifier(&id)?)))?;
            format!("{id} may write from now on.\n")
        }
        Action::Remove { id } => {
            let rules = rules()?;
            let sender = SenderId::new(identifier(&id)?);
            let known = rules.access.allow_from.contains(&sender)
                || rules.access.groups.values().any(
                    |group| matches!(&group.members, Members::Only(members) if members.contains(&sender)),
                );
            anyhow::ensure!(known, "{id} may not write anyway: `tidegate access {name}` shows who may");
            change(Change::Remove(sender))?;
            format!("{id} may write no more.\n")
        }
        Action::Policy { policy } => {
            change(Change::Policy(policy))?;
            format!("dmPolicy is \"{policy}\" from now on.\n")
        }
        Action::Group(GroupAction::Add { id, no_mention, members }) => {
            let members = members.iter().map(|id| Ok(SenderId::new(identifier(id)?)));
            let members = Members::of(members.collect::<anyhow::Result<_>>()?);
            change(Change::Group(
                ChatId::new(identifier(&id)?),
                Group { require_mention: !no_mention, members },
            ))?;
            let how = if no_mention { "is heard" } else { "is heard when it addresses the bot" };
            format!("The group {id} {how} from now on.\n")
        }
        Action::Group(GroupAction::Rm { id }) => {
            let chat = ChatId::new(id);
            anyhow::ensure!(
                rules()?.access.groups.contains_key(&chat),
                "the group {chat} is not heard anyway"
            );
            change(Change::RemoveGroup(chat.clone()))?;
            format!("The group {chat} is heard no more.\n")
        }
        Action::Set { key, value } => {
            let value = interpret(key, &value)
                .map_err(|problem| anyhow::anyhow!("\"{key}\" cannot be set: {problem}"))?;
            let removed = value.is_none();
            change(Change::Set(key, value))?;
            match key {
                Setting::Approvers => approvers(name, &rules()?.access),
                _ if removed => format!("{key} is removed: the default holds from now on.\n"),
                _ => format!("{key} is set.\n"),
            }
        }
        Action::Accept => {
            let rules = rules()?;
            if !rules.withheld.is_empty() && !agrees(&rules.withheld)? {
                return Ok("Nothing was approved.\n".to_owned());
            }
            settled(&announced(name, || admission.accept_blocking(&rules.wanted))?, "From now on")
        }
        Action::Reject => settled(&announced(name, || admission.reject_blocking())?, "Rejected"),
    })
}

/// Describes who may answer permission prompts now.
fn approvers(name: &str, access: &gate::Access) -> String {
    let Some(named) = &access.approvers else {
        return "approvers is removed: everybody who may write directly may answer permission prompts.\n"
            .to_owned();
    };
    let mut text = match listed(access.approvers().map(ToString::to_string)).as_str() {
        "nobody" => "Nobody can answer permission prompts from now on.\n".to_owned(),
        people => format!("Permission prompts can be answered by {people} from now on.\n"),
    };
    for id in named.iter().filter(|id| !access.allow_from.contains(*id)) {
        let _ = writeln!(
            text,
            "{id} may not write, and so cannot answer: to change that, run `tidegate access {name} allow {id}`."
        );
    }
    text
}

/// Shows the changes to approve, and asks for approval.
fn agrees(withheld: &[Widening]) -> anyhow::Result<bool> {
    let list = withheld.iter().map(|widening| format!("- {widening}")).collect::<Vec<_>>().join("\n");
    output::print(&format!("{list}\nApprove only what you have written yourself. Approve? (yes/no) "))?;
    Ok(answers::says_yes()?)
}

fn settled(widening: &[Widening], how: &str) -> String {
    if widening.is_empty() {
        return "Nothing waits for approval.\n".to_owned();
    }
    widening.iter().fold(String::new(), |mut text, widening| {
        let _ = writeln!(text, "{how}: {widening}.");
        text
    })
}

/// Returns the id if it is a valid identifier that a session can be given.
fn identifier(id: &str) -> anyhow::Result<&str> {
    anyhow::ensure!(
        crate::text::is_identifier(id),
        "\"{}\" cannot be an id: it has spaces, invisible characters, or is too long",
        output::harmless(id)
    );
    Ok(id)
}

/// Converts the typed text into the value for the file. `None` removes the key.
fn interpret(key: Setting, text: &str) -> Result<Option<Value>, &'static str> {
    if text.is_empty() {
        return Ok(None);
    }
    Ok(Some(match key {
        Setting::AckReaction | Setting::ReplyToMode | Setting::ChunkMode => text.into(),
        Setting::TextChunkLimit => text.parse::<u32>().map_err(|_| "it must be a whole number")?.into(),
        Setting::MentionPatterns | Setting::Approvers if text.starts_with('[') => {
            serde_json::from_str(text).map_err(|_| "it must be a list of texts in quotes")?
        }
        Setting::MentionPatterns => vec![text].into(),
        Setting::Approvers => text.split(',').map(str::trim).collect::<Vec<_>>().into(),
    }))
}

/// Describes who may write, in text for a person.
pub(super) fn status(name: &str, Kept { admission, journal }: &Kept, paint: Paint) -> anyhow::Result<String> {
    let rules = admission.rules_blocking()?;
    let access = &rules.access;
    let mut text = String::new();
    let mut row = |label: &str, value: &str| {
        let _ = writeln!(text, "{}  {}", paint.cyan(&format!("{label:<10}")), output::harmless(value));
    };
    row("file", &admission.path().display().to_string());
    let policy = match access.dm_policy {
        DmPolicy::Disabled => "disabled: nobody is heard, not even in groups".to_owned(),
        policy => policy.to_string(),
    };
    row("policy", &policy);
    let (people, chats) = (admission.sender_names()?, admission.chat_names()?);
    let person = |id: &SenderId| named(id, people.get(id));
    row("may write", &listed(access.allow_from.iter().map(person)));
    if access.approvers.is_some() {
        row("approvers", &listed(access.approvers().map(person)));
    }
    if access.groups.is_empty() {
        row("groups", "none");
    }
    for (id, group) in &access.groups {
        let mention = if group.require_mention { "when the bot is addressed" } else { "every message" };
        row("group", &format!("{}: {}, {mention}", named(id, chats.get(id)), group.members));
    }
    for pattern in &access.mention_patterns {
        row("mention", pattern.source());
    }
    for widening in &rules.withheld {
        row("withheld", &format!("{widening} (written by something else: accept or reject it)"));
    }
    let now = clock::now();
    for pending in admission.pending(now)? {
        let minutes = pending.expires_at.saturating_sub(now).div_ceil(60_000);
        let state = if pending.denied { "turned down" } else { "asks to write" };
        row("pairing", &format!("{} ({}) {state}; {minutes} min left", pending.name, pending.sender));
    }
    for Waiting { sender, chat, count } in journal.waiting()? {
        let events = output::counted(count, "event waits", "events wait");
        let title = chat.title.as_deref().map(|title| format!(" in \"{title}\"")).unwrap_or_default();
        let who = named(&sender.id, Some(&sender.name));
        let ways = match (invitation::of_waiting(name, &chat, &sender), shell_word(&sender.id)) {
            (Some(allow), Some(id)) => format!("run `{allow}`, or `tidegate access {name} deny {id}`"),
            _ => "no command takes this id".to_owned(),
        };
        row("waiting", &format!("{events} from {who}{title}: {ways}"));
    }
    if let Some(rest) = admission.locked(now)? {
        row(
            "locked",
            &format!("too many wrong codes: none is accepted for {} min", rest.as_secs().div_ceil(60)),
        );
    }
    Ok(text)
}

/// Returns `42 (Ada)`, or only the id if the name is unknown or the same.
fn named(id: &str, name: Option<&String>) -> String {
    match name {
        Some(name) if name != id => format!("{id} ({name})"),
        _ => id.to_owned(),
    }
}

fn listed(people: impl Iterator<Item = String>) -> String {
    let list = people.collect::<Vec<_>>().join(", ");
    if list.is_empty() { "nobody".to_owned() } else { list }
}
