//! `tidegate report`: shows updates that a channel could not translate.

use std::fmt::Write as _;

use clap::Args;
use serde::Serialize;

use super::{
    Common, candidates,
    output::{self, Paint},
    survey::Survey,
};
use crate::{clock, journal::SetAside};

/// Show what a platform has sent that its channel could not make sense of
///
/// Such an update is set aside, so that the rest goes on. It may hold what people wrote: read it before you pass it on.
#[derive(Args)]
pub(super) struct Report {
    /// Which channel
    #[arg(add = candidates::channels())]
    channel: String,
    /// As JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Shown {
    id: String,
    at: String,
    reason: String,
    /// The payload as the platform sent it. Bytes that are not UTF-8 are replaced.
    payload: String,
}

impl From<SetAside> for Shown {
    fn from(update: SetAside) -> Self {
        Self {
            id: update.id,
            at: clock::iso(update.at),
            reason: update.reason,
            payload: String::from_utf8_lossy(&update.payload).into_owned(),
        }
    }
}

impl Report {
    pub(super) fn run(self, common: &Common) -> anyhow::Result<()> {
        let root = common.state_root()?;
        let survey = Survey::of(&root, Survey::named(&root, &self.channel)?);
        let updates = survey.kept?.map(|kept| kept.journal.updates_set_aside()).transpose()?;
        let shown: Vec<Shown> = updates.into_iter().flatten().map(Shown::from).collect();
        let text = if self.json {
            serde_json::to_string_pretty(&shown)? + "\n"
        } else {
            show(&shown, Paint::stdout())
        };
        Ok(output::print(&text)?)
    }
}

fn show(updates: &[Shown], paint: Paint) -> String {
    if updates.is_empty() {
        return "nothing was set aside\n".to_owned();
    }
    let mut text = String::new();
    for Shown { id, at, reason, payload } in updates {
        let _ = writeln!(text, "{}  {at}  {}", paint.bold(&output::harmless(id)), output::harmless(reason));
        let _ = writeln!(text, "{}\n", output::harmless(payload));
    }
    text
}
