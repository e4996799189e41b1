//! `tidegate doctor`: what a support thread would ask for, each with a cure.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    io::{self, BufRead as _, BufReader},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;
use serde::Serialize;

use super::{
    Common, candidates,
    output::{self, Paint},
    port,
    survey::{Kept, Survey},
};
use crate::{
    admission::Admission,
    builtin::{self, Builtin},
    claude::{self, ChannelPolicy, ClaudeCode, OptIn, Policy, Reason, Verdict},
    clock,
    contract::{self, Source},
    event::ChannelName,
    gate::DmPolicy,
    guest::Descriptor,
    hub::Channel,
    ingress::web::Listener,
    journal::{self, NotedAttention, SessionNote},
    launch::{self, Launcher},
    settings::{Settings, nearest},
};

/// Look for what keeps messages from arriving, and say what to do about it
///
/// Ends with 1 if something is wrong.
#[derive(Args)]
pub(super) struct Doctor {
    /// Which channel; all of them without
    #[arg(add = candidates::channels())]
    channel: Option<String>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// How a check went.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Good,
    Notice,
    Bad,
}

/// One thing that was looked at.
#[derive(Serialize)]
struct Check {
    /// Null for what concerns all channels.
    channel: Option<ChannelName>,
    what: &'static str,
    state: State,
    found: String,
    /// What to do.
    cure: Option<String>,
}

#[derive(Default)]
struct Checks(Vec<Check>);

impl Checks {
    fn add(&mut self, channel: Option<&ChannelName>, what: &'static str, finding: Finding) {
        let Finding { state, found, cure } = finding;
        self.0.push(Check { channel: channel.cloned(), what, state, found, cure });
    }
}

struct Finding {
    state: State,
    found: String,
    cure: Option<String>,
}

fn good(found: impl Into<String>) -> Finding {
    Finding { state: State::Good, found: found.into(), cure: None }
}

/// Nothing is wrong, and this would be next.
fn ready(found: impl Into<String>, next: impl Into<String>) -> Finding {
    Finding { state: State::Good, found: found.into(), cure: Some(next.into()) }
}

fn notice(found: impl Into<String>, cure: impl Into<String>) -> Finding {
    Finding { state: State::Notice, found: found.into(), cure: Some(cure.into()) }
}

fn bad(found: impl Into<String>, cure: impl Into<String>) -> Finding {
    Finding { state: State::Bad, found: found.into(), cure: Some(cure.into()) }
}

impl Doctor {
    pub(super) fn run(self, common: &Common) -> anyhow::Result<ExitCode> {
        let checks = match common.launcher(common.log.silent()) {
            Ok(launcher) => super::runtime()?.block_on(examine(&launcher, self.channel.as_deref()))?,
            // Without valid settings there is nothing else to look at.
            Err(launch::Error::Settings(error)) => {
                let mut checks = Checks::default();
                let cure = edit(&common.state_root()?.settings());
                checks.add(None, "settings", bad(error.to_string(), cure));
                checks
            }
            Err(error) => return Err(error.into()),
        };
        let text = if self.json {
            serde_json::to_string_pretty(&checks.0)? + "\n"
        } else {
            show(&checks.0, Paint::stdout())
        };
        output::print(&text)?;
        let healthy = checks.0.iter().all(|check| check.state != State::Bad);
        Ok(if healthy { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

async fn examine(launcher: &Launcher, channel: Option<&str>) -> anyhow::Result<Checks> {
    let root = launcher.root();
    let settings = Settings::read(&root.settings())?;
    let names = match channel {
        Some(name) => vec![Survey::named(root, name)?],
        None => Survey::names(root, &settings),
    };
    let mut checks = Checks::default();
    checks.add(
        None,
        "version",
        good(format!("tidegate {}, channel contract {}", env!("CARGO_PKG_VERSION"), contract::VERSION)),
    );
    checks.add(None, "state root", folder(root.path()));
    checks.add(None, "settings", tables(&settings, &root.settings()));
    let policy = Policy::read();
    checks.add(
        None,
        "policy",
        match policy.channels() {
            ChannelPolicy::Enabled => good("no organisation's settings stand in the way on this machine"),
            ChannelPolicy::Unsaid(file) => {
                let reason = Reason::PolicyUnsaid(file.clone());
                notice(reason.found(), reason.cure())
            }
            ChannelPolicy::Blocked(blocked) => bad(&blocked.found, blocked.cure),
        },
    );
    for name in names {
        one(&mut checks, launcher, &settings, &policy, name).await?;
    }
    Ok(checks)
}

async fn one(
    checks: &mut Checks,
    launcher: &Launcher,
    settings: &Settings,
    policy: &Policy,
    name: ChannelName,
) -> anyhow::Result<()> {
    let survey = Survey::of(launcher.root(), name.clone());
    let mut add = |what, finding| checks.add(Some(&name), what, finding);
    // What one part of a journal says cannot be relied on where another is damaged.
    let kept = survey.kept.as_ref().map_err(broken).and_then(|kept| {
        let Some(kept) = kept else { return Ok(None) };
        let read = || anyhow::Ok((kept.journal.sessions()?, remains(launcher.root().path(), &name, kept)?));
        read().map(Some).map_err(|error| match error.downcast_ref() {
            Some(error) => broken(error),
            None => bad(
                error.to_string(),
                format!("`ls -la {}` shows whether you may read it", survey.folder.display()),
            ),
        })
    });
    let (sessions, remains, journal_works) = match kept {
        Ok(Some((sessions, remains))) => (sessions, remains, true),
        Ok(None) => (Vec::new(), Vec::new(), true),
        Err(finding) => {
            add("journal", finding);
            (Vec::new(), Vec::new(), false)
        }
    };
    if let Some(unused) = launcher.root().unused(&name) {
        add(
            "folder",
            notice(
                format!(
                    "{} is not used, because the channel's folder is {}",
                    unused.display(),
                    survey.folder.display()
                ),
                format!("To use it, add `--home {}`", unused.parent().unwrap_or(&unused).display()),
            ),
        );
    }
    let builtin = builtin::find(&name);
    if let Some(builtin) = builtin
        && matches!(survey.kept, Ok(None))
        && survey.owner.is_none()
        && is_untouched(launcher, settings, &name, builtin).await?
    {
        add("set up", ready("not yet, and nothing is wrong with that", format!("`tidegate setup {name}`")));
        return Ok(());
    }
    if builtin.is_none() && matches!(survey.kept, Ok(None)) && survey.owner.is_none() && sessions.is_empty() {
        let next = "A channel in a file is tried by `tidegate try --load FILE`";
        add("set up", ready("not yet: it has never run", next));
        return Ok(());
    }
    for note in &sessions {
        add("session", receiving(&survey, note));
    }
    if sessions.is_empty() && journal_works {
        add("session", session(&name, policy));
    }
    match &survey.owner {
        Some(owner) => add("owner", good(format!("served by {owner}"))),
        None if !journal_works => {}
        None if sessions.is_empty() => add(
            "owner",
            notice(
                "no session serves it at the moment",
                format!(
                    "Start a session that has it in .mcp.json or as a plugin, or run `tidegate try {name}`"
                ),
            ),
        ),
        None => add(
            "owner",
            notice(
                "no session serves it at the moment: see those above",
                format!("Start a session that receives messages, or run `tidegate try {name}`"),
            ),
        ),
    }
    if let Some(builtin) = builtin {
        match launch::load(launcher.engine(), builtin.name, builtin.bytes).await {
            Ok(blueprint) => {
                let descriptor = blueprint.descriptor.clone();
                // A session that receives no messages has the page open all the same, to say why.
                let shown = sessions.iter().any(|note| !matches!(note.attention, NotedAttention::Open(_)));
                let looks = survey.owner.is_none() && !shown && blueprint.source == Source::Web;
                let looked = settings_or_port(launcher, &descriptor, looks);
                let loads = looked.as_ref().is_none_or(|(what, _)| *what != "settings");
                if let Some((what, finding)) = looked {
                    add(what, finding);
                }
                // They are tried by a channel that runs.
                if journal_works && loads {
                    for finding in credentials(launcher, &descriptor).await? {
                        add("credential", finding);
                    }
                }
            }
            Err(error) => {
                let cure =
                    "Install tidegate again, or another version of it, and run `tidegate doctor` again";
                add("component", bad(error.to_string(), cure));
            }
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
    if let Some((path, lines)) = debug_log(&name) {
        for line in lines {
            add("client", notice(line, format!("Claude Code's debug log has more: {}", path.display())));
        }
    }
    Ok(())
}

/// Whether nobody has begun to set this channel up: it has no secret, no settings and no folder of its own.
async fn is_untouched(
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

/// What is wrong with the channel's table in `channels.toml`; where nothing is, and if that is wanted, whether its port is
/// free.
fn settings_or_port(
    launcher: &Launcher,
    descriptor: &Descriptor,
    port: bool,
) -> Option<(&'static str, Finding)> {
    match launcher.page_port(None, descriptor) {
        Ok(number) => port.then(|| ("port", free(&descriptor.name, number))),
        // No session can load the channel.
        Err(error) => Some(("settings", bad(error.to_string(), edit(&launcher.root().settings())))),
    }
}

/// How a file is corrected.
fn edit(path: &Path) -> String {
    format!("Correct it: `${{EDITOR:-vi}} {}`", path.display())
}

/// A journal that cannot be used.
fn broken(error: &journal::Error) -> Finding {
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

/// Would the session around this terminal receive messages?
fn session(name: &str, policy: &Policy) -> Finding {
    let claude = ClaudeCode::find();
    if let Ok(None) = &claude.process {
        return notice(
            "no session has this channel at the moment, and this terminal belongs to none",
            format!(
                "Start one with `claude --dangerously-load-development-channels server:{name}`, or plugin:{name}@tidegate \
                 where it is installed as a plugin"
            ),
        );
    }
    match claude::judge(OptIn::Auto, &claude, &[name], policy) {
        Verdict::In => good("the session around this terminal receives messages"),
        Verdict::Out(reason) => bad(reason.found(), reason.cure()),
    }
}

/// What the channel has left behind.
fn remains(root: &Path, name: &ChannelName, kept: &Kept) -> anyhow::Result<Vec<(&'static str, Finding)>> {
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

/// Who may write?
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
            format!("Write to the bot and confirm the code, or run `tidegate access {name} allow ID`"),
        ),
        Ok(rules) => good(format!(
            "{} may write directly, {} heard, dmPolicy is {}",
            output::counted(rules.access.allow_from.len(), "person", "people"),
            output::counted(rules.access.groups.len(), "group is", "groups are"),
            rules.access.dm_policy
        )),
    }
}

/// Does a session that runs receive messages?
fn receiving(survey: &Survey, note: &SessionNote) -> Finding {
    let name = &survey.name;
    let session = format!("the session of process {} in {}", note.process, note.directory);
    match &note.attention {
        NotedAttention::Awaited => notice(
            format!("{session} is starting, and Claude Code has not said yet whether it receives messages"),
            format!("Run `tidegate doctor {name}` again in some seconds"),
        ),
        NotedAttention::Open(_) if survey.owner.is_none() => bad(
            format!("{session} could receive messages, but cannot open the channel"),
            format!(
                "Remove what the lines \"port\" and \"last error\" of `tidegate doctor {name}` name: the session then opens \
                 it by itself"
            ),
        ),
        NotedAttention::Open(_) if !survey.serves(note.process) => notice(
            format!("{session} receives no messages, because another session serves the channel"),
            "End that session if messages should come to this one",
        ),
        NotedAttention::Open(basis) => good(format!("{session} receives messages ({basis})")),
        NotedAttention::Closed { word, reason } => {
            let (what, cure) = split(reason, word.as_deref());
            let cure = cure.unwrap_or("Start the session again; its /status in Claude Code may say more");
            bad(format!("{session} receives no messages: {what}"), cure)
        }
    }
}

/// What was found, and what to do: reasons are two sentences or more. `word` is what the client said, which the first
/// sentence may quote: it can have full stops in it.
fn split<'a>(reason: &'a str, word: Option<&str>) -> (&'a str, Option<&'a str>) {
    let quoted = word.and_then(|word| Some(reason.find(word)? + word.len())).unwrap_or(0);
    let end = reason.get(quoted..).and_then(|rest| rest.find(". ")).map(|end| quoted + end);
    match end.and_then(|end| reason.split_at_checked(end)) {
        Some((what, cure)) => (what, Some(cure.trim_start_matches(". "))),
        None => (reason, None),
    }
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
    // Several credentials may be the same secret in several places.
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
                // Something to know, and nothing to do.
                (found, None) => good(found),
            };
            std::iter::once(known).chain(identity.notes.into_iter().map(note)).collect()
        }
        Err(failure) => {
            let cure = format!(
                "Check that the platform can be reached from here; `tidegate configure {}` sets the credential anew",
                channel.name()
            );
            vec![bad(failure.to_string(), cure)]
        }
    }
}

/// What others may do with a file, of its mode.
const PRIVATE: u32 = 0o077;

/// May others read it?
fn private(path: &Path) -> Finding {
    match fs::metadata(path) {
        Ok(metadata) if metadata.permissions().mode() & PRIVATE == 0 => {
            good(format!("{} is readable by you alone", path.display()))
        }
        Ok(metadata) => bad(
            format!(
                "{} is open to others (mode {:o})",
                path.display(),
                metadata.permissions().mode() & 0o777
            ),
            format!("`chmod 600 {}`", path.display()),
        ),
        Err(error) => unreadable(path, &error),
    }
}

/// May others write there?
fn folder(path: &Path) -> Finding {
    match fs::metadata(path) {
        Ok(metadata) if metadata.permissions().mode() & 0o022 == 0 => good(path.display().to_string()),
        Ok(_) => bad(
            format!("{} can be changed by others", path.display()),
            format!("`chmod 700 {}`", path.display()),
        ),
        Err(error) => unreadable(path, &error),
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Finding {
    bad(
        format!("{} cannot be read ({error})", path.display()),
        format!("`ls -ld {}` shows whose it is: it has to belong to you", path.display()),
    )
}

/// Tables that no channel will ever read.
fn tables(settings: &Settings, path: &Path) -> Finding {
    let builtins = || builtin::ALL.iter().map(|builtin| builtin.name);
    let strange = settings.channels().find(|table| {
        let close = nearest(table, builtins()).contains("did you mean");
        close && builtin::find(table).is_none()
    });
    match strange {
        Some(table) => notice(
            format!(
                "[{table}] in {} is the table of no built-in channel{}",
                path.display(),
                nearest(table, builtins())
            ),
            "Rename the table, or remove it",
        ),
        None if path.exists() => good(format!("{} is valid", path.display())),
        None => good(format!("the defaults, because there is no {}", path.display())),
    }
}

/// What the client has noted about this channel in its debug log: the file, and the last few lines.
fn debug_log(name: &str) -> Option<(PathBuf, Vec<String>)> {
    const LINES: usize = 3;
    let folder = std::env::var_os("CLAUDE_CONFIG_DIR")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".claude")));
    let session = std::env::var("CLAUDE_CODE_SESSION_ID").ok().filter(|id| !id.contains('/'));
    let path = folder?.join("debug").join(format!("{}.txt", session?));
    let lines = BufReader::new(fs::File::open(&path).ok()?).lines().map_while(Result::ok);
    let mut found: Vec<String> = lines
        .filter(|line| line.contains(name) && line.to_ascii_lowercase().contains("channel"))
        .map(|line| line.chars().take(300).collect())
        .collect();
    let last = found.split_off(found.len().saturating_sub(LINES));
    Some((path, last))
}

fn show(checks: &[Check], paint: Paint) -> String {
    let mut text = String::new();
    let mut last = None;
    for check in checks {
        if last != Some(&check.channel) {
            let title = check.channel.as_deref().map_or("tidegate", |name| name);
            let gap = if last.is_some() { "\n" } else { "" };
            let _ = writeln!(text, "{gap}{}", paint.bold(title));
            last = Some(&check.channel);
        }
        let mark = match check.state {
            State::Good => paint.green("✓"),
            State::Notice => paint.yellow("•"),
            State::Bad => paint.red("✗"),
        };
        let _ = writeln!(text, "  {mark} {:<12} {}", check.what, output::harmless(&check.found));
        if let Some(cure) = &check.cure {
            let _ = writeln!(text, "    {:<12} {}", "", paint.dim(&format!("→ {}", output::harmless(cure))));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn a_reason_is_a_finding_and_a_cure() {
        for (reason, word, expected) in [
            ("it is so. Do this. Do that", None, ("it is so", Some("Do this. Do that"))),
            ("it is so", None, ("it is so", None)),
            (
                "refused (\"no. Not now.\"). Do this",
                Some("no. Not now."),
                ("refused (\"no. Not now.\")", Some("Do this")),
            ),
            ("another text. Do this", Some("no"), ("another text", Some("Do this"))),
        ] {
            assert_eq!(split(reason, word), expected, "{reason}");
        }
    }
}
