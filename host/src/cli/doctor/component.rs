//! Checks that a built-in channel can run: its settings are valid, its port is free, and the platform accepts its
//! credentials.

use std::collections::BTreeMap;

use super::finding::{Finding, bad, edit, good, notice, split};
use crate::{
    builtin::Builtin,
    cli::port,
    contract::Source,
    event::ChannelName,
    guest::{Descriptor, Fault},
    hub::{Channel, Failure},
    ingress::web::Listener,
    launch::{self, Launcher},
    settings::Settings,
};

/// Returns true if the setup of this channel has not begun: it has no secret, no settings and no folder.
pub(super) async fn is_untouched(
    launcher: &Launcher,
    settings: &Settings,
    name: &ChannelName,
    builtin: Builtin,
) -> anyhow::Result<bool> {
    if launcher.root().folder(name).is_dir() || settings.channels().any(|table| *table == **name) {
        return Ok(false);
    }
    let descriptor = launch::load(launcher.engine(), builtin.name, builtin.bytes).await?.descriptor;
    Ok(descriptor.credentials.iter().all(|credential| std::env::var_os(&credential.env).is_none()))
}

/// Checks the channel's component and what it requires. `shown` is true if a session has its page open. `tried` is true
/// if its credentials can be tried, for which the channel must be able to run.
pub(super) async fn built_in(
    launcher: &Launcher,
    builtin: Builtin,
    shown: bool,
    tried: bool,
) -> anyhow::Result<Vec<(&'static str, Finding)>> {
    let blueprint = match launch::load(launcher.engine(), builtin.name, builtin.bytes).await {
        Ok(blueprint) => blueprint,
        Err(error) => {
            let cure = "Install tidegate again, or another version of it, and run `tidegate doctor` again";
            return Ok(vec![("component", bad(error.to_string(), cure))]);
        }
    };
    let descriptor = &blueprint.descriptor;
    let mut found = Vec::new();
    match launcher.page_port(None, descriptor) {
        Ok(number) if !shown && blueprint.source == Source::Web => {
            found.push(("port", free(&descriptor.name, number)));
        }
        Ok(_) => {}
        // No session can load the channel.
        Err(error) => {
            let cure = match &error {
                launch::Error::PortVariable { variable, .. } => {
                    format!("`unset {variable}`, or set it to a number")
                }
                _ => edit(&launcher.root().settings()),
            };
            found.push(("settings", bad(error.to_string(), cure)));
            return Ok(found);
        }
    }
    if tried {
        found.extend(
            credentials(launcher, descriptor).await?.into_iter().map(|finding| ("credential", finding)),
        );
    }
    Ok(found)
}

fn free(name: &ChannelName, port: u16) -> Finding {
    match Listener::check(port, name) {
        Ok(()) => good(format!("{port} is free for its page")),
        Err(unusable) if unusable.in_use => {
            let cure = format!("{}; for a trial: `tidegate try {name} --port 0`", unusable.cure);
            bad(format!("port {port} is in use by {}", port::holder(port)), cure)
        }
        Err(unusable) => {
            bad(unusable.found, format!("{}; for a trial: `tidegate try {name} --port 0`", unusable.cure))
        }
    }
}

async fn credentials(launcher: &Launcher, descriptor: &Descriptor) -> anyhow::Result<Vec<Finding>> {
    let mut found = Vec::new();
    if descriptor.credentials.is_empty() {
        return Ok(found);
    }
    let channel = launcher.open(&descriptor.name).await?;
    let secrets = &channel.surroundings().secrets;
    if let Err(error) = secrets.refresh() {
        found.push(bad(error.to_string(), format!("Run `tidegate configure {}`", descriptor.name)));
        return Ok(found);
    }
    // Several credentials may use the same secret in different places, so duplicates are removed.
    let missing = descriptor.credentials.iter().filter(|credential| !secrets.has(&credential.name));
    let missing: BTreeMap<&str, &str> =
        missing.map(|credential| (credential.env.as_str(), credential.help.as_str())).collect();
    for (variable, help) in missing {
        let cure = format!("Run `tidegate configure {}`. {help}", descriptor.name);
        found.push(bad(format!("{variable} is not set"), cure));
    }
    if found.is_empty() {
        found.extend(accepted(&channel).await);
    }
    Ok(found)
}

async fn accepted(channel: &Channel) -> Vec<Finding> {
    match channel.inquire().await {
        Ok(identity) => {
            let known = good(format!("accepted: this is {} ({})", identity.name, identity.id));
            let note = |text: String| match split(&text, None) {
                (found, Some(cure)) => notice(found, cure),
                // A note without a cure is only for information.
                (found, None) => good(found),
            };
            std::iter::once(known).chain(identity.notes.into_iter().map(note)).collect()
        }
        Err(failure) => {
            let name = channel.name();
            let cure = match &failure {
                Failure::Fault(Fault::Unauthorized(_)) => format!("`tidegate configure {name}` sets it anew"),
                _ => format!(
                    "Check that the platform can be reached from here, and run `tidegate doctor {name}` again: the credential \
                     may be right"
                ),
            };
            vec![bad(failure.to_string(), cure)]
        }
    }
}
