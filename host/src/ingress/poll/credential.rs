//! The credentials that a channel needs: waits for them, and checks for other ones.

use std::{sync::Arc, time::Duration};

use tokio::time::sleep;

use super::{LOOK, REFUSED, interrupt};
use crate::{capability::Unavailable, hub::Channel};

/// Waits until every credential has a value.
pub(super) async fn wait(channel: &Arc<Channel>) {
    let mut pause = LOOK;
    let surroundings = channel.surroundings();
    let missing = || {
        let wanted = channel.descriptor().credentials.iter().map(|one| (one.name.as_str(), one.env.as_str()));
        surroundings.missing_credential(wanted)
    };
    while missing().is_some() {
        let refreshed = refresh(channel).await;
        let Some(missing) = missing() else { return };
        let reason = match refreshed {
            Ok(_) => format!(
                "it has no {missing} yet: run `tidegate configure {}` in a terminal, or put {missing}=… into {}",
                channel.name(),
                surroundings.secrets.file().display()
            ),
            Err(error) => format!("its secrets cannot be read: {error}"),
        };
        interrupt(channel, reason);
        sleep(pause).await;
        pause = look(channel, pause);
    }
}

/// Returns how long to wait before the next check for other credentials. It grows with a keyring, which may ask a
/// person each time.
pub(super) fn look(channel: &Channel, last: Duration) -> Duration {
    if channel.surroundings().secrets.in_keyring() { last.saturating_mul(2).min(REFUSED) } else { LOOK }
}

/// Checks for other credentials. Returns whether some were stored.
pub(super) async fn refresh(channel: &Arc<Channel>) -> Result<bool, Unavailable> {
    let surroundings = Arc::clone(channel.surroundings());
    // A locked keyring may block this until a person unlocks it.
    let refreshed = tokio::task::spawn_blocking(move || surroundings.secrets.refresh()).await;
    // An error means that the process ends.
    refreshed.unwrap_or(Ok(false))
}
