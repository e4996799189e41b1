//! The reasons why channels receive nothing in this terminal.

use std::sync::Arc;

use super::super::port;
use crate::{
    contract::Source,
    event::ChannelName,
    hub::{Condition, Hub},
    ingress::web::{Listener, Unusable},
    launch::Launcher,
};

/// The reason why a channel receives nothing in this terminal.
pub(in crate::cli) struct Obstacle {
    pub(in crate::cli) channel: ChannelName,
    title: String,
    /// Sentences without a final full stop.
    reason: String,
    /// True if the channel cannot do anything else either.
    pub(in crate::cli) total: bool,
}

impl Obstacle {
    pub(in crate::cli) fn describe(&self) -> String {
        let what = if self.total { "cannot run" } else { "receives nothing here" };
        format!("{} {what}, because {}.", self.title, self.reason)
    }
}

/// Returns the obstacles of all channels, in the order of the channels.
pub(in crate::cli) async fn obstacles(
    launcher: &Arc<Launcher>,
    port: Option<u16>,
    hub: &Hub,
) -> anyhow::Result<Vec<Obstacle>> {
    let mut obstacles = Vec::new();
    for channel in hub.loaded().channels() {
        let condition = channel.condition();
        let Some(reason) = condition.reason() else { continue };
        let is_web = channel.guest().source() == Source::Web;
        let is_down = matches!(condition, Condition::Down { .. });
        let reason = match launcher.page_port(port, channel.descriptor())? {
            port if is_web && is_down => occupied(channel.name().clone(), port).await,
            _ => None,
        }
        .unwrap_or_else(|| reason.trim_end_matches('.').to_owned());
        let total = is_down || is_web && matches!(condition, Condition::Standby { .. });
        let title = channel.descriptor().title.clone();
        obstacles.push(Obstacle { channel: channel.name().clone(), title, reason, total });
    }
    Ok(obstacles)
}

/// Describes the program that uses a channel's port. Returns `None` if the port is not in use.
async fn occupied(name: ChannelName, port: u16) -> Option<String> {
    let Err(Unusable { in_use: true, .. }) = Listener::check(port, &name) else { return None };
    let holder = tokio::task::spawn_blocking(move || port::holder(port)).await.ok()?;
    let other = port.checked_add(1).unwrap_or(0);
    Some(format!(
        "port {port} is in use by {holder}. End that program, or choose another port, like `tidegate try {name} --port \
         {other}`"
    ))
}
