//! The checks of one channel.

use super::{
    component,
    file::{folder, private},
    finding::{Checks, Finding, bad, notice, ready},
    remains::{broken, remains},
    session,
};
use crate::{
    builtin,
    claude::Policy,
    cli::survey::Survey,
    event::ChannelName,
    journal::{NotedAttention, SessionNote},
    launch::Launcher,
    settings::Settings,
};

pub(super) async fn examine(
    checks: &mut Checks,
    launcher: &Launcher,
    settings: &Settings,
    policy: &Policy,
    name: ChannelName,
) -> anyhow::Result<()> {
    let survey = Survey::of(launcher.root(), name.clone());
    let mut add = |what, finding| checks.add(Some(&name), what, finding);
    let (sessions, remains, journal_works) = match kept(launcher, &survey) {
        Ok((sessions, remains)) => (sessions, remains, true),
        Err(finding) => {
            add("journal", finding);
            (Vec::new(), Vec::new(), false)
        }
    };
    if let Some(finding) = unused(launcher, &survey) {
        add("folder", finding);
    }
    let builtin = builtin::find(&name);
    if matches!(survey.kept, Ok(None)) && survey.owner.is_none() {
        let next = match builtin {
            Some(builtin) if component::is_untouched(launcher, settings, &name, builtin).await? => {
                Some(ready("not yet, and nothing is wrong with that", format!("`tidegate setup {name}`")))
            }
            Some(_) => None,
            // The settings check already reports the name that may have been meant.
            None if survey.meant().is_some() => return Ok(()),
            None => Some(ready(
                "not yet: it has never run",
                "A channel in a file is tried by `tidegate try --load FILE`",
            )),
        };
        if let Some(next) = next {
            add("set up", next);
            return Ok(());
        }
    }
    for note in &sessions {
        add("session", session::receiving(&survey, note));
    }
    if sessions.is_empty() && journal_works {
        add("session", session::session(&name, policy));
    }
    if journal_works || survey.owner.is_some() {
        add("owner", session::owner(&survey, &sessions));
    }
    if let Some(builtin) = builtin {
        // A session that receives no messages keeps the page open too, to show the reason.
        let open = |note: &SessionNote| !matches!(note.attention, NotedAttention::Open(_));
        let shown = survey.owner.is_some() || sessions.iter().any(open);
        for (what, finding) in component::built_in(launcher, builtin, shown, journal_works).await? {
            add(what, finding);
        }
    }
    let env = survey.folder.join(".env");
    if env.exists() {
        add("secrets", private(&env));
    }
    if survey.folder.is_dir() {
        add("folder", folder(&survey.folder));
    }
    for (what, finding) in remains {
        add(what, finding);
    }
    if let Some((path, lines)) = session::debug_log(&name) {
        for line in lines {
            add("client", notice(line, format!("Claude Code's debug log has more: {}", path.display())));
        }
    }
    Ok(())
}

type Remains = Vec<(&'static str, Finding)>;

/// Returns the sessions that have the channel, and the findings about what it keeps. Both are empty if the channel has
/// never run. Any error replaces both, because one part of a journal is not reliable if another part is damaged.
fn kept(launcher: &Launcher, survey: &Survey) -> Result<(Vec<SessionNote>, Remains), Finding> {
    let Some(kept) = survey.kept.as_ref().map_err(broken)? else { return Ok(Default::default()) };
    let read = || {
        let remains = remains(launcher.root().path(), &survey.name, kept)?;
        anyhow::Ok((kept.journal.sessions()?, remains))
    };
    read().map_err(|error| {
        if let Some(error) = error.downcast_ref() {
            return broken(error);
        }
        let cure = format!("`ls -la {}` shows whether you may read it", survey.folder.display());
        bad(error.to_string(), cure)
    })
}

/// Reports a folder of the channel that is not used because another folder has priority.
fn unused(launcher: &Launcher, survey: &Survey) -> Option<Finding> {
    let unused = launcher.root().unused(&survey.name)?;
    let found = format!(
        "{} is not used, because the channel's folder is {}",
        unused.display(),
        survey.folder.display()
    );
    let cure = format!("To use it, add `--home {}`", unused.parent().unwrap_or(&unused).display());
    Some(notice(found, cure))
}
