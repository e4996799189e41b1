use std::{collections::BTreeMap, sync::Arc};

use clap::Args;

use super::{
    Common,
    output::{self, Paint},
    survey::Survey,
};
use crate::{
    claude,
    guest::{Credential, Fault, Identity},
    hub::{Channel, Failure},
};

/// How often a secret may be mistyped.
const TRIES: u32 = 3;

/// Ask for a channel's secrets, check them with its platform, and keep them
///
/// For a person at a terminal. They go to the channel's .env file, which only you can read, and never into the sandbox.
#[derive(Args)]
pub(super) struct Configure {
    /// Which channel
    channel: String,
    /// Keep them in the system's keyring rather than in a file
    #[arg(long)]
    keyring: bool,
}

impl Configure {
    pub(super) fn run(self, common: &Common) -> anyhow::Result<()> {
        claude::at_terminal()?;
        let launcher = common.launcher(common.log.quiet())?;
        super::runtime()?.block_on(async {
            let channel = launcher.open(&self.channel).await?;
            self.ask(&channel, Survey::owner(&launcher.root().folder(channel.name())).is_some()).await
        })
    }

    async fn ask(&self, channel: &Arc<Channel>, served: bool) -> anyhow::Result<()> {
        let paint = Paint::stdout();
        let descriptor = channel.descriptor();
        let title = paint.bold(&descriptor.title);
        // Several credentials may be the same secret in several places.
        let mut wanted: Vec<&Credential> = descriptor.credentials.iter().collect();
        let mut seen = std::collections::BTreeSet::new();
        wanted.retain(|credential| seen.insert(&credential.env));
        if wanted.is_empty() {
            return Ok(output::print(&format!(
                "{title} needs no secrets: there is nothing to configure.\n"
            ))?);
        }
        for credential in &wanted {
            output::print(&format!("{title} needs {}. {}\n", credential.env, credential.help))?;
        }
        let mut left = TRIES;
        let (values, identity) = loop {
            let values = read(&wanted)?;
            let secrets = &channel.surroundings().secrets;
            secrets.suppose(&values);
            output::print(&paint.dim("Checking …\n"))?;
            left -= 1;
            match channel.inquire().await {
                Ok(identity) => break (values, Some(identity)),
                Err(Failure::Fault(Fault::Unsupported)) => break (values, None),
                Err(Failure::Fault(Fault::Unauthorized(reason))) if left > 0 => {
                    output::print(&format!("{} {reason}\n", paint.red("That is not it.")))?;
                }
                Err(failure) => {
                    anyhow::bail!("nothing was stored, because it could not be checked: {failure}");
                }
            }
        };
        channel.surroundings().secrets.store(&values, self.keyring)?;
        output::print(&self.done(channel, identity.as_ref(), served, paint))?;
        for credential in wanted.iter().filter(|credential| std::env::var_os(&credential.env).is_some()) {
            output::complain(&format!(
                "{0} is set in this environment too, and counts before what was stored: remove it there",
                credential.env
            ));
        }
        Ok(())
    }

    fn done(&self, channel: &Channel, identity: Option<&Identity>, served: bool, paint: Paint) -> String {
        let name = channel.name();
        let file = channel.surroundings().secrets.file().display();
        let place = if self.keyring { "the system's keyring".to_owned() } else { file.to_string() };
        let who = identity.map_or_else(
            || "Stored".to_owned(),
            |identity| format!("{} It is {}. Stored", paint.green("✓"), paint.bold(&identity.name)),
        );
        let next = if served {
            "A session serves the channel already. If it was waiting for this, it goes on by itself; otherwise start it again."
                .to_owned()
        } else {
            format!(
                "Next: start a session with it (claude --dangerously-load-development-channels server:{name}), \
                 or try it in this terminal: tidegate try {name}"
            )
        };
        let write = identity.and_then(|identity| identity.link.as_ref()).map_or_else(String::new, |link| {
            format!("Then write to {}: it answers with a code, and you confirm that in the session, or by\n  tidegate access {name} pair CODE\n", paint.cyan(link))
        });
        format!("{who} in {place}.\n{next}\n{write}")
    }
}

fn read(wanted: &[&Credential]) -> anyhow::Result<BTreeMap<String, String>> {
    let mut values = BTreeMap::new();
    for credential in wanted {
        let value = rpassword::prompt_password(format!("{} (not shown): ", credential.env))?;
        let value = value.trim();
        if value.is_empty() {
            anyhow::bail!("nothing was entered, nothing was stored");
        }
        if value.chars().any(|character| character.is_control() || character.is_whitespace()) {
            anyhow::bail!(
                "what was entered has spaces or control characters in it, which no such secret has: nothing was stored"
            );
        }
        values.insert(credential.env.clone(), value.to_owned());
    }
    Ok(values)
}
