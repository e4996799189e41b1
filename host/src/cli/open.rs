//! `tidegate open`: shows the link with the key to a channel's page.

use std::io;

use anyhow::Context as _;
use clap::Args;

use super::{Common, candidates, output, survey::Survey};
use crate::{
    builtin, claude,
    contract::Source,
    ingress::web::link::{self, Wish},
    launch,
};

/// Show the link to a channel's page, with the key that lets a browser answer permission prompts
#[derive(Args)]
#[command(
    after_help = "Whoever has the link can answer for you: it is shown to a person at a terminal only, and to no program \
    below Claude Code.\n\n\
    Examples:\n  \
    tidegate open fakechat           the link, good until the session ends\n  \
    tidegate open fakechat --keep    … good for a day, for every session until then\n  \
    tidegate open fakechat --new     a new link; the last one is good no more"
)]
pub(super) struct Open {
    /// The channel
    #[arg(add = candidates::channels())]
    channel: String,
    /// Keep the key for a day, in the channel's folder: pages that have it need no new link after a restart
    #[arg(long)]
    keep: bool,
    /// Replace the key: pages that have the last one may not answer any more
    #[arg(long, conflicts_with = "keep")]
    new: bool,
}

impl Open {
    pub(super) fn run(&self, common: &Common) -> anyhow::Result<()> {
        claude::at_terminal()?;
        let root = common.state_root()?;
        let name = Survey::named(&root, &self.channel)?;
        let folder = root.folder(&name);
        if let Some(builtin) = builtin::find(&name) {
            let engine = launch::engine()?;
            let load = launch::load(&engine, builtin.name, builtin.bytes);
            let blueprint = super::runtime()?.block_on(load)?;
            anyhow::ensure!(
                blueprint.source == Source::Web,
                "{name} has no page: its permission prompts are answered in its chats"
            );
        }
        let Some(owner) = Survey::owner(&folder) else {
            anyhow::bail!(
                "nobody serves {name} at the moment: start a session with it, or `tidegate try {name}`, and ask again"
            );
        };
        let wish = match (self.keep, self.new) {
            (true, _) => Wish::Keep,
            (_, true) => Wish::New,
            _ => Wish::Link,
        };
        let answer = match link::ask(&folder, wish) {
            Err(error)
                if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) =>
            {
                anyhow::bail!("{name} has no page that answers permission prompts ({owner})");
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => anyhow::bail!(
                "the path of {} is too long for a socket in it: use a shorter folder, by --home or TIDEGATE_HOME",
                folder.display()
            ),
            answer => answer.with_context(|| format!("{name} is served ({owner}), and does not answer"))?,
        };
        let link = answer.map_err(|reason| anyhow::anyhow!("no link: {reason}"))?;
        output::print(&format!("{link}\n"))?;
        if self.keep {
            output::complain("It is good for a day from now.");
        }
        Ok(())
    }
}
