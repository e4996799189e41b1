//! `tidegate configure`: a channel's secrets.

use std::{collections::BTreeMap, io::ErrorKind, sync::Arc};

use clap::Args;

use super::{
    Common,
    answers::Answers,
    candidates,
    output::{self, Paint},
    survey::Survey,
};
use crate::{
    claude,
    guest::{Credential, Fault, Identity},
    hub::{Channel, Failure},
};

/// The number of attempts to enter valid secrets.
const TRIES: u32 = 3;

/// Ask for a channel's secrets, check them with its platform, and keep them
///
/// For a person at a terminal. They go to the channel's .env file, which only you can read, and never into the sandbox.
#[derive(Args)]
pub(super) struct Configure {
    /// Which channel
    #[arg(add = candidates::channels())]
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
            let served = Survey::owner(&launcher.root().folder(channel.name())).is_some();
            if wanted(&channel).is_empty() {
                let title = Paint::stdout().bold(&channel.descriptor().title);
                return Ok(output::print(&format!(
                    "{title} needs no secrets: there is nothing to configure.\n"
                ))?);
            }
            if let Stored::New(identity) = store(&channel, self.keyring, &mut Answers::default()).await? {
                output::print(&done(&channel, identity.as_ref(), served))?;
            }
            Ok(())
        })
    }
}

/// What happened to a channel's secrets.
pub(super) enum Stored {
    /// New secrets were stored. They belong to this account, if the platform reports it.
    New(Option<Identity>),
    /// The person kept the existing secrets.
    Kept(Option<Identity>),
}

impl Stored {
    /// Returns the account that the secrets belong to.
    pub(super) fn identity(self) -> Option<Identity> {
        match self {
            Self::New(identity) | Self::Kept(identity) => identity,
        }
    }
}

/// Returns the secrets that a channel needs. Several credentials may use the same secret in different places, so
/// duplicates are removed.
pub(super) fn wanted(channel: &Channel) -> Vec<&Credential> {
    let mut wanted: Vec<&Credential> = channel.descriptor().credentials.iter().collect();
    let mut seen = std::collections::BTreeSet::new();
    wanted.retain(|credential| seen.insert(&credential.env));
    wanted
}

/// Asks for a channel's secrets, checks them and stores them. Prints the account and where the secrets are stored.
pub(super) async fn store(
    channel: &Arc<Channel>,
    in_keyring: bool,
    answers: &mut Answers,
) -> anyhow::Result<Stored> {
    let paint = Paint::stdout();
    let title = paint.bold(&channel.descriptor().title);
    let wanted = wanted(channel);
    let secrets = &channel.surroundings().secrets;
    if wanted.iter().all(|credential| secrets.has(&credential.name))
        && let Some(kept) = keep(channel, answers).await?
    {
        return Ok(kept);
    }
    if in_keyring {
        secrets.check_keyring()?;
    }
    for credential in &wanted {
        output::print(&format!("{title} needs {}. {}\n", credential.env, credential.help))?;
    }
    let mut left = TRIES;
    let (values, identity) = loop {
        let values = read(&wanted)?;
        secrets.suppose(&values);
        output::print(&paint.dim("Checking …\n"))?;
        left -= 1;
        match channel.inquire().await {
            Ok(identity) => break (values, Some(identity)),
            Err(Failure::Fault(Fault::Unsupported)) => break (values, None),
            Err(Failure::Fault(Fault::Unauthorized(reason))) if left > 0 => {
                // Print only the first sentence: the rest says to run this command, which is already running.
                let found = reason.split(". ").next().unwrap_or_default();
                output::print(&format!("{} {found}.\n", paint.red("✗")))?;
            }
            Err(failure) => anyhow::bail!("nothing was stored, because it could not be checked: {failure}"),
        }
    };
    secrets.store(&values, in_keyring)?;
    let place =
        if in_keyring { "the system's keyring".to_owned() } else { secrets.file().display().to_string() };
    let who = identity.as_ref().map_or_else(
        || "Stored".to_owned(),
        |identity| format!("{} It is {}. Stored", paint.green("✓"), paint.bold(&identity.name)),
    );
    output::print(&format!("{who} in {place}.\n"))?;
    for credential in wanted.iter().filter(|credential| std::env::var_os(&credential.env).is_some()) {
        output::complain(&format!(
            "{0} is set in this environment too, and counts before what was stored: remove it there",
            credential.env
        ));
    }
    Ok(Stored::New(identity))
}

/// Prints the account of the stored secrets, and keeps the secrets unless the person wants to replace them.
async fn keep(channel: &Arc<Channel>, answers: &mut Answers) -> anyhow::Result<Option<Stored>> {
    let paint = Paint::stdout();
    let title = paint.bold(&channel.descriptor().title);
    let names: Vec<&str> = wanted(channel).into_iter().map(|credential| credential.env.as_str()).collect();
    let names = names.join(", ");
    let (found, identity) = match channel.inquire().await {
        Ok(identity) => (format!("is stored already: it is {}", paint.bold(&identity.name)), Some(identity)),
        Err(Failure::Fault(Fault::Unsupported)) => ("is stored already".to_owned(), None),
        Err(Failure::Fault(Fault::Unauthorized(reason))) => {
            output::print(&format!("{names} is stored already, but does not work: {reason}\n"))?;
            return Ok(None);
        }
        Err(failure) => (format!("is stored already, but could not be checked ({failure})"), None),
    };
    output::print(&format!("{title}: {names} {found}.\n"))?;
    if answers.confirm("Replace it?").await? {
        return Ok(None);
    }
    output::print("It stays as it is.\n")?;
    Ok(Some(Stored::Kept(identity)))
}

/// Returns what to do after the secrets are stored.
fn done(channel: &Channel, identity: Option<&Identity>, served: bool) -> String {
    let name = channel.name();
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
        format!(
            "Then write to {}: it answers with a code, and you confirm that in the session, or by\n  tidegate access {name} pair CODE\n",
            Paint::stdout().cyan(link)
        )
    });
    format!("{next}\n{write}")
}

/// Asks for each secret until the input has a valid form. After a bad copy a person pastes again at once, and the shell
/// must not receive that.
fn read(wanted: &[&Credential]) -> anyhow::Result<BTreeMap<String, String>> {
    let mut values = BTreeMap::new();
    for credential in wanted {
        let value = loop {
            let typed = prompt(&credential.env)?;
            match complaint(credential, &typed) {
                None => break typed,
                Some(complaint) => output::print(&format!("{complaint} Ctrl-C ends this.\n"))?,
            }
        };
        values.insert(credential.env.clone(), value);
    }
    Ok(values)
}

fn prompt(name: &str) -> anyhow::Result<String> {
    match rpassword::prompt_password(format!("{name} (not shown): ")) {
        Ok(typed) => Ok(typed.trim().to_owned()),
        Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::UnexpectedEof) => {
            anyhow::bail!("interrupted, and nothing was stored")
        }
        Err(error) => {
            anyhow::bail!("{name} cannot be asked for, because this process has no terminal: {error}")
        }
    }
}

/// Returns why the input cannot be this secret.
fn complaint(credential: &Credential, typed: &str) -> Option<String> {
    let name = &credential.env;
    if typed.is_empty() {
        return Some("Nothing was entered.".to_owned());
    }
    if typed.chars().any(|character| character.is_control() || character.is_whitespace()) {
        return Some(format!("That is no {name}: it has spaces or control characters in it."));
    }
    let form = credential.form.as_ref().filter(|form| !form.fits(typed))?;
    Some(format!("That is no {name}, which looks like {}. Was it copied whole?", form.example))
}
