use clap::Args;

use super::{logging, serve::Channels};

/// x
#[derive(Args)]
pub(super) struct Try {
    #[command(flatten)]
    channels: Channels,
}

impl Try {
    pub(super) fn run(self, _level: logging::Level) -> anyhow::Result<()> {
        let _ = self.channels.order();
        Ok(())
    }
}
