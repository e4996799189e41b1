use std::time::Duration;

use clap::Args;

use super::output;
use crate::{
    capability::files::Files,
    clock,
    event::{ChannelName, ChatId, SenderId},
    hub,
    journal::{self, Journal},
    state_root::StateRoot,
};

/// Erase what a channel has received, from the disk
///
/// Without a condition everything goes: messages, what the channel has remembered, files in both directions.
/// With conditions, the messages that meet all of them go.
#[derive(Args)]
pub(super) struct Forget {
    /// Which channel
    channel: String,
    /// Only messages of this chat
    #[arg(long, value_name = "ID")]
    chat: Option<String>,
    /// Only messages by this sender
    #[arg(long, value_name = "ID")]
    sender: Option<String>,
    /// Only messages that are older, like 12h or 30d
    #[arg(long, value_name = "AGE", value_parser = age)]
    older_than: Option<Duration>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl Forget {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let root = StateRoot::find()?;
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
        let forgotten = journal.forget(&conditions)?;
        let files = Files::open(&folder, &[], &[])?;
        let files = if everything { files.clear()? } else { hub::erase_all_but(&files, &journal.ids()?)? };
        let text = if self.json {
            serde_json::json!({"events": forgotten.events, "values": forgotten.values, "files": files})
                .to_string()
                + "\n"
        } else if everything {
            format!(
                "{name}: {} messages, {} remembered values and {files} files are erased\n",
                forgotten.events, forgotten.values
            )
        } else {
            format!(
                "{name}: {} messages are erased, and {files} files with the whole of long ones; other files stay until \
                 everything is forgotten\n",
                forgotten.events
            )
        };
        Ok(output::print(&text)?)
    }
}

/// `90s`, `12h`, `30d`.
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
