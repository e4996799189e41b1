//! `tidegate forget`: erases what a channel has received.

use std::{
    io::{IsTerminal as _, stdin},
    time::Duration,
};

use clap::Args;

use super::{
    Common, answers, candidates,
    output::{self, counted},
};
use crate::{
    capability::{Key, files::Files},
    claude, clock,
    event::{ChannelName, ChatId, SenderId},
    hub,
    journal::{self, Journal},
};

/// Erase what a channel has received, from the disk
///
/// Without a condition everything goes: messages, what the channel has remembered, files in both directions.
/// With conditions, the messages that meet all of them go. It names the folder and asks before it erases anything.
/// For a person: below Claude Code it refuses.
#[derive(Args)]
pub(super) struct Forget {
    /// Which channel
    #[arg(add = candidates::channels())]
    channel: String,
    /// Only messages of this chat
    #[arg(long, value_name = "ID", add = candidates::chats())]
    chat: Option<String>,
    /// Only messages by this sender
    #[arg(long, value_name = "ID", add = candidates::people())]
    sender: Option<String>,
    /// Only messages that are older, like 12h or 30d
    #[arg(long, value_name = "AGE", value_parser = age)]
    older_than: Option<Duration>,
    /// Do not ask: for scripts, which have no terminal to ask at
    #[arg(long)]
    yes: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl Forget {
    pub(super) fn run(self, common: &Common) -> anyhow::Result<()> {
        claude::outside()?;
        let root = common.state_root()?;
        let name = ChannelName::new(&self.channel)?;
        let folder = root.folder(&name);
        let path = folder.join("journal.db");
        if !path.is_file() {
            anyhow::bail!("there is nothing of a channel \"{name}\" in {}", folder.display());
        }
        let everything = self.chat.is_none() && self.sender.is_none() && self.older_than.is_none();
        let before = self
            .older_than
            .map(|age| clock::now().saturating_sub(u64::try_from(age.as_millis()).unwrap_or(u64::MAX)));
        let conditions = journal::Forget {
            chat: self.chat.map(ChatId::new),
            sender: self.sender.map(SenderId::new),
            before,
        };
        let journal = Journal::open(&path)?;
        let files = Files::open(&folder, &[], &[])?;
        if !self.yes {
            let messages = counted(journal.count(&conditions)?, "message", "messages");
            let rest = if everything {
                let files = counted(files.count_blocking()?, "file", "files");
                format!("{files}, and what the channel has remembered")
            } else {
                "and the files with the whole of long ones".to_owned()
            };
            if !agrees(&format!(
                "This erases from {}, the folder of {name}: {messages}, {rest}.",
                folder.display()
            ))? {
                anyhow::bail!("nothing was erased");
            }
        }
        let forgotten = journal.forget_blocking(&conditions)?;
        if everything {
            Key::forget(&folder)?;
        }
        let files =
            if everything { files.clear_blocking()? } else { hub::erase_all_but(&files, &journal.ids()?)? };
        let messages = counted(forgotten.events, "message", "messages");
        let text = if self.json {
            serde_json::json!({
                "folder": folder.display().to_string(),
                "events": forgotten.events,
                "values": forgotten.values,
                "files": files
            })
            .to_string()
                + "\n"
        } else if everything {
            format!(
                "Erased from {}, the folder of {name}: {messages}, {} and {}.\n",
                folder.display(),
                counted(files, "file", "files"),
                counted(forgotten.values, "remembered value", "remembered values")
            )
        } else {
            format!(
                "Erased from {}, the folder of {name}: {messages}, and {} with the whole of long ones. Other files stay \
                 until everything is forgotten.\n",
                folder.display(),
                counted(files, "file", "files")
            )
        };
        Ok(output::print(&text)?)
    }
}

/// Describes what is about to be erased, and asks for confirmation on standard error. Standard output is only for the
/// result.
fn agrees(what: &str) -> anyhow::Result<bool> {
    anyhow::ensure!(
        stdin().is_terminal(),
        "{what} Nobody can be asked about that, because the input is not a terminal: with --yes nobody is asked"
    );
    output::complain(&format!("{what}\nType yes to erase it, or press Enter to leave everything as it is:"));
    Ok(answers::says_yes()?)
}

/// Parses an age such as `90s`, `12h` or `30d`.
fn age(text: &str) -> Result<Duration, String> {
    let unit = |suffix: char| match suffix {
        's' => Some(1),
        'm' => Some(60),
        'h' => Some(3600),
        'd' => Some(86_400),
        'w' => Some(604_800),
        _ => None,
    };
    let parse = || {
        let suffix = text.chars().last()?;
        let number: u64 = text.strip_suffix(suffix)?.parse().ok()?;
        Some(Duration::from_secs(number.checked_mul(unit(suffix)?)?))
    };
    parse().ok_or_else(|| "give a whole number and a unit: 90s, 15m, 12h, 30d, 4w".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_have_units() {
        assert_eq!(age("12h"), Ok(Duration::from_hours(12)));
        assert_eq!(age("30d"), Ok(Duration::from_hours(720)));
        for wrong in ["", "12", "h", "-1d", "1.5h", "1y", "9999999999999999999d", "1ä"] {
            assert!(age(wrong).is_err(), "{wrong}");
        }
    }
}
