//! The candidates that a shell offers for an argument. They are read on request from the folder of the channel that the
//! command line names.

use std::collections::BTreeMap;

use clap_complete::{ArgValueCandidates, CompletionCandidate};

use super::survey::{Kept, Survey};
use crate::{
    clock,
    event::ChannelName,
    gate::{DmPolicy, Reason, document::Setting, pairing::Pending},
    journal::{Refusal, Waiting},
    settings::Settings,
    state_root::StateRoot,
    text,
};

/// The number of refusals to read.
const REFUSALS: u32 = 100;

type Found = anyhow::Result<BTreeMap<String, String>>;

/// Offers the names of channels.
pub(super) fn channels() -> ArgValueCandidates {
    offered(|words| {
        let root = words.root()?;
        let settings = Settings::read(&root.settings())?;
        Ok(Survey::names(&root, &settings).iter().map(|name| (name.to_string(), String::new())).collect())
    })
}

/// Offers people who may write.
pub(super) fn senders() -> ArgValueCandidates {
    offered(|words| {
        let Kept { admission, .. } = words.kept()?;
        let (rules, mut names) = (admission.rules_blocking()?, admission.sender_names()?);
        let mut help = |id| names.remove(id).unwrap_or_default();
        Ok(rules.access.allow_from.iter().map(|id| (id.to_string(), help(id))).collect())
    })
}

/// Offers people who have tried to write.
pub(super) fn strangers() -> ArgValueCandidates {
    offered(|words| {
        let Kept { admission, journal } = words.kept()?;
        let waiting = journal
            .waiting()?
            .into_iter()
            .map(|Waiting { sender, .. }| (sender.id.into_string(), sender.name));
        let refused = admission.refusals(REFUSALS)?.into_iter();
        let refused = refused.map(|Refusal { sender, name, .. }| (sender.into_string(), name));
        let asking = admission.pending(clock::now())?.into_iter();
        let asking = asking.map(|Pending { sender, name, .. }| (sender.into_string(), name));
        Ok(asking.chain(waiting).chain(refused).collect())
    })
}

/// Offers policies for direct messages.
pub(super) fn policies() -> ArgValueCandidates {
    offered(|_| Ok(DmPolicy::ALL.iter().map(|(name, _)| ((*name).to_owned(), String::new())).collect()))
}

/// Offers the keys of `access.json` that can be set.
pub(super) fn settings() -> ArgValueCandidates {
    offered(|_| Ok(Setting::ALL.iter().map(|(name, _)| ((*name).to_owned(), String::new())).collect()))
}

/// Offers groups that are heard.
pub(super) fn groups() -> ArgValueCandidates {
    offered(|words| {
        let Kept { admission, .. } = words.kept()?;
        let (rules, mut names) = (admission.rules_blocking()?, admission.chat_names()?);
        let mut help = |id| names.remove(id).unwrap_or_default();
        Ok(rules.access.groups.keys().map(|id| (id.to_string(), help(id))).collect())
    })
}

/// Offers groups that have tried to write.
pub(super) fn strange_groups() -> ArgValueCandidates {
    offered(|words| {
        let refused = words.kept()?.admission.refusals(REFUSALS)?.into_iter();
        let groups = refused.filter(|refusal| refusal.reason == Reason::Group);
        Ok(groups.map(|Refusal { chat, title, .. }| (chat.to_string(), title)).collect())
    })
}

/// Offers chats from which something was received, with the people who wrote there.
pub(super) fn chats() -> ArgValueCandidates {
    offered(|words| {
        let names = words.kept()?.admission.chat_names()?;
        Ok(names.into_iter().map(|(id, name)| (id.to_string(), name)).collect())
    })
}

/// Offers people from whom something was received.
pub(super) fn people() -> ArgValueCandidates {
    offered(|words| {
        let names = words.kept()?.admission.sender_names()?;
        Ok(names.into_iter().map(|(id, name)| (id.to_string(), name)).collect())
    })
}

fn offered(find: fn(&Words) -> Found) -> ArgValueCandidates {
    ArgValueCandidates::new(move || {
        // A shell cannot show an error during completion.
        let found = find(&Words::typed()).unwrap_or_default();
        let candidate = |(value, help): (String, String)| {
            let help = (!help.is_empty() && help != value).then(|| help.into());
            CompletionCandidate::new(value).help(help)
        };
        // A shell inserts a candidate into the line unchanged. Other people choose the ids, so only offer values that
        // cannot become a command.
        found.into_iter().filter(|(value, _)| text::is_plain_word(value)).map(candidate).collect()
    })
}

/// The words of the command line so far.
struct Words(Vec<String>);

impl Words {
    fn typed() -> Self {
        Self(std::env::args().skip_while(|word| word != "--").skip(1).collect())
    }

    fn root(&self) -> anyhow::Result<StateRoot> {
        let after = self.0.iter().position(|word| word == "--home").and_then(|at| self.0.get(at + 1));
        let joined = self.0.iter().find_map(|word| word.strip_prefix("--home="));
        Ok(StateRoot::find(joined.or(after.map(String::as_str)).map(AsRef::as_ref))?)
    }

    /// Returns what the named channel keeps.
    fn kept(&self) -> anyhow::Result<Kept> {
        let root = self.root()?;
        let settings = Settings::read(&root.settings())?;
        let names: Vec<ChannelName> = Survey::names(&root, &settings);
        let channel = names.into_iter().find(|name| self.0.iter().skip(2).any(|word| *word == **name));
        let survey = Survey::of(&root, channel.ok_or_else(|| anyhow::anyhow!("no channel is named yet"))?);
        survey.kept?.ok_or_else(|| anyhow::anyhow!("the channel has not run yet"))
    }
}
