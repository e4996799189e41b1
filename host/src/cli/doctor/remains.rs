//! Checks what a channel keeps: who may write, and what happened to received messages.

use std::path::Path;

use super::{
    file::private,
    finding::{Finding, bad, edit, good, notice, split},
};
use crate::{
    admission::Admission,
    builtin,
    cli::{output, survey::Kept},
    clock,
    event::ChannelName,
    gate::DmPolicy,
    journal,
};

/// Returns the findings about what the channel keeps.
pub(super) fn remains(
    root: &Path,
    name: &ChannelName,
    kept: &Kept,
) -> anyhow::Result<Vec<(&'static str, Finding)>> {
    let Kept { journal, admission } = kept;
    let mut found = Vec::new();
    found.push(("access", access(name, admission)));
    if admission.mode().is_some() {
        found.push(("access.json", private(admission.path())));
    }
    if let Ok(rules) = admission.rules_blocking() {
        for widening in &rules.withheld {
            found.push((
                "withheld",
                bad(
                    format!("something other than tidegate has changed access.json ({widening})"),
                    format!(
                        "If you made this change, run `tidegate access {name} accept`, otherwise `tidegate access \
                         {name} reject`"
                    ),
                ),
            ));
        }
    }
    let waiting = admission.pending(clock::now())?.iter().filter(|pending| !pending.denied).count();
    if waiting > 0 {
        let text = output::counted(waiting, "person asks to write", "people ask to write");
        let cure =
            format!("`tidegate access {name}` shows who, and `tidegate access {name} pair CODE` lets one in");
        found.push(("pairing", notice(text, cure)));
    }
    let events: usize = journal.waiting()?.iter().map(|waiting| waiting.count).sum();
    if events > 0 {
        let text = output::counted(events, "event waits", "events wait");
        let text = format!("{text} for your decision");
        found.push((
            "waiting",
            notice(text, format!("`tidegate access {name}` says from whom, and what to run")),
        ));
    }
    found.push((
        "last event",
        match journal.last_event()? {
            (Some(at), count) => good(format!("{} ({count} kept)", clock::ago(at, clock::now()))),
            (None, _) => notice(
                "none is kept",
                format!("Write something: `tidegate status {name}` shows what is turned away"),
            ),
        },
    ));
    let aside = journal.updates_set_aside()?.len();
    if aside > 0 {
        let updates = output::counted(aside, "update", "updates");
        found.push((
            "set aside",
            notice(
                format!("the channel could not understand {updates} of the platform"),
                format!("Send what `tidegate report {name}` shows to the author of the channel"),
            ),
        ));
    }
    if let Some((at, trouble)) = journal.trouble()? {
        let (what, cure) = split(&trouble, None);
        let cure = match cure {
            Some(cure) => format!("If messages still do not arrive: {cure}"),
            None => {
                format!("If messages still do not arrive, look into tidegate.*.log in {}", root.display())
            }
        };
        found.push(("last error", notice(format!("{}: {what}", clock::ago(at, clock::now())), cure)));
    }
    let refusals = admission.refusals(u32::MAX)?;
    let dropped: u64 = refusals.iter().map(|refusal| refusal.count).sum();
    if dropped > 0 {
        let text = format!("{} dropped", output::counted(dropped, "event was", "events were"));
        let cure = format!("`tidegate status {name}` says from whom, where and why");
        found.push(("dropped", notice(text, cure)));
    }
    Ok(found)
}

/// Checks who may write.
fn access(name: &ChannelName, admission: &Admission) -> Finding {
    match admission.rules_blocking() {
        Err(shut) => bad(
            shut.to_string(),
            format!("{}; `tidegate access {name}` then shows who may write", edit(admission.path())),
        ),
        Ok(rules) if rules.access.dm_policy == DmPolicy::Disabled => notice(
            "nobody is heard, because dmPolicy is disabled",
            format!("`tidegate access {name} policy pairing`"),
        ),
        Ok(rules) if rules.access.allow_from.is_empty() && rules.access.groups.is_empty() => notice(
            format!("nobody may write yet (dmPolicy is {})", rules.access.dm_policy),
            match rules.access.dm_policy {
                DmPolicy::Pairing => format!(
                    "Write to it. If it answers with a code, `tidegate access {name} pair CODE` lets you in; otherwise `tidegate \
                     access {name}` shows the command that does"
                ),
                _ => format!(
                    "`tidegate access {name} allow ID`; `tidegate status {name}` has the ids of those who tried"
                ),
            },
        ),
        Ok(rules) => {
            let found = format!(
                "{} may write directly, {} heard, dmPolicy is {}",
                output::counted(rules.access.allow_from.len(), "person", "people"),
                output::counted(rules.access.groups.len(), "group is", "groups are"),
                rules.access.dm_policy
            );
            // For a channel in a file it is unknown here whether it carries permission prompts.
            if builtin::find(name).is_none() || rules.access.approvers().next().is_some() {
                return good(found);
            }
            let cure = if rules.access.allow_from.is_empty() {
                format!("`tidegate access {name} allow ID` lets somebody write directly, and answer them")
            } else {
                format!(
                    "`tidegate access {name} set approvers ''` lets everybody answer who may write directly"
                )
            };
            notice(format!("{found}; nobody can answer permission prompts"), cure)
        }
    }
}

/// Reports a journal that cannot be used.
pub(super) fn broken(error: &journal::Error) -> Finding {
    let text = error.to_string();
    match error {
        journal::Error::Damaged(damage) => bad(damage.found(), damage.cure()),
        journal::Error::Format { .. } => {
            bad(text, "Install a newer tidegate: `tidegate --version` shows which one this is")
        }
        journal::Error::Busy { .. } => bad(text, "End the other process, and run `tidegate doctor` again"),
        journal::Error::Sqlite { path, .. } | journal::Error::Sync { path, .. } => {
            let path = path.display();
            bad(
                text,
                format!("`ls -l {path}; df -h {path}` shows whether it belongs to you and its disk is full"),
            )
        }
    }
}
