//! `tidegate doctor`: what a support thread would ask for, each with a cure.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    io::{BufRead as _, BufReader},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;
use serde::Serialize;

use super::{
    Common,
    output::{self, Paint},
    survey::{Kept, Survey},
};
use crate::{
    builtin,
    claude::{self, ChannelPolicy, ClaudeCode, OptIn, Policy, Reason, Verdict},
    clock, contract,
    event::ChannelName,
    gate::DmPolicy,
    guest::Descriptor,
    hub::Channel,
    ingress::web::Listener,
    journal::{NotedAttention, SessionNote},
    launch::{self, Launcher},
    settings::{Settings, nearest},
};

/// Look for what keeps messages from arriving, and say what to do about it
///
/// Ends with 1 if something is wrong.
#[derive(Args)]
pub(super) struct Doctor {
    /// Which channel; all of them without
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

fn notice(found: impl Into<String>, cure: impl Into<String>) -> Finding {
    Finding { state: State::Notice, found: found.into(), cure: Some(cure.into()) }
}

fn bad(found: impl Into<String>, cure: impl Into<String>) -> Finding {
    Finding { state: State::Bad, found: found.into(), cure: Some(cure.into()) }
}

impl Doctor {
    pub(super) fn run(self, common: &Common) -> anyhow::Result<ExitCode> {
        let launcher = common.launcher(common.log.quiet())?;
        let runtime = super::runtime()?;
        let checks = runtime.block_on(examine(&launcher, self.channel.as_deref()))?;
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
    checks.add(None, "settings", tables(&settings, &names, &root.settings()));
    let policy = Policy::read();
    checks.add(
        None,
        "policy",
        match policy.channels() {
            ChannelPolicy::Enabled => good("no organisation's settings stand in the way on this machine"),
            ChannelPolicy::Unsaid(file) => notice(
                Reason::PolicyUnsaid(file.clone()).to_string(),
                "ask an administrator of your organisation",
            ),
            ChannelPolicy::Blocked(blocked) => bad(blocked, "ask an administrator of your organisation"),
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
    let survey = Survey::of(launcher.root(), name.clone())?;
    let mut add = |what, finding| checks.add(Some(&name), what, finding);
    let sessions = match &survey.kept {
        Some(kept) => kept.journal.sessions()?,
        None => Vec::new(),
    };
    for note in &sessions {
        add("session", taking(note, survey.serves(note.process)));
    }
    if sessions.is_empty() {
        add("session", session(&name, policy));
    }
    add(
        "owner",
        match &survey.owner {
            None if !sessions.is_empty() => notice(
                "served by nobody at the moment",
                "the sessions above take no messages: do what is said there",
            ),
            Some(owner) => good(format!("served ({owner})")),
            None => notice(
                "served by nobody at the moment",
                format!(
                    "start a session that has it in .mcp.json or as a plugin, or run `tidegate try {name}`"
                ),
            ),
        },
    );
    if let Some(builtin) = builtin::find(&name) {
        match launch::load(launcher.engine(), builtin.name, builtin.bytes).await {
            Ok(blueprint) => {
                let descriptor = blueprint.descriptor.clone();
                let own = settings.channel(&name, &descriptor.settings);
                let port = own.map(|own| own.port.or(descriptor.port));
                // A session that takes no messages has the page open all the same, to say why.
                let waiting = survey
                    .kept
                    .as_ref()
                    .is_some_and(|kept| kept.journal.sessions().is_ok_and(|sessions| !sessions.is_empty()));
                if survey.owner.is_none()
                    && !waiting
                    && let Ok(Some(port)) = port
                {
                    add("port", free(&name, port));
                }
                for finding in credentials(launcher, &descriptor).await? {
                    add("credential", finding);
                }
            }
            Err(error) => add("component", bad(error.to_string(), "get another build of tidegate")),
        }
    }
    let env = survey.folder.join(".env");
    if env.exists() {
        add("secrets", private(&env));
    }
    if survey.folder.is_dir() {
        add("folder", folder(&survey.folder));
    }
    if let Some(unused) = launcher.root().unused(&name) {
        add(
            "folder",
            notice(
                format!(
                    "{} is there, and is not used: this would be {}",
                    unused.display(),
                    survey.folder.display()
                ),
                format!("to use it: --home {}", unused.parent().unwrap_or(&unused).display()),
            ),
        );
    }
    if let Some(kept) = &survey.kept {
        for (what, finding) in remains(&name, kept)? {
            add(what, finding);
        }
    }
    for line in debug_log(&name) {
        add("client", Finding { state: State::Notice, found: line, cure: None });
    }
    Ok(())
}

/// Would the session around this terminal take messages?
fn session(name: &str, policy: &Policy) -> Finding {
    let claude = ClaudeCode::find();
    if let Ok(None) = &claude.process {
        return notice(
            "this terminal belongs to no Claude Code session, so whether yours takes messages cannot be seen from here",
            format!(
                "a session takes them if it was started with --dangerously-load-development-channels server:{name}, or \
                 plugin:{name}@tidegate where it is installed as a plugin"
            ),
        );
    }
    match claude::judge(OptIn::Auto, &claude, &[name], policy) {
        Verdict::In => good("the session around this terminal takes messages"),
        Verdict::Out(reason) => bad(reason.to_string(), "do as this line says"),
    }
}

/// What the channel has left behind.
fn remains(name: &ChannelName, kept: &Kept) -> anyhow::Result<Vec<(&'static str, Finding)>> {
    let Kept { journal, admission } = kept;
    let mut found = Vec::new();
    found.push((
        "access",
        match admission.rules_blocking() {
            Err(shut) => bad(shut.to_string(), "mend the file: what is wrong with it is said above"),
            Ok(rules) if rules.access.dm_policy == DmPolicy::Disabled => notice(
                "dmPolicy is disabled: nobody is heard",
                format!("tidegate access {name} policy pairing"),
            ),
            Ok(rules) if rules.access.allow_from.is_empty() && rules.access.groups.is_empty() => notice(
                format!("nobody may write yet (dmPolicy is {})", rules.access.dm_policy),
                format!("write to the bot and confirm the code, or: tidegate access {name} allow ID"),
            ),
            Ok(rules) => good(format!(
                "{} may write directly, {} groups are heard, dmPolicy is {}",
                rules.access.allow_from.len(),
                rules.access.groups.len(),
                rules.access.dm_policy
            )),
        },
    ));
    if admission.mode().is_some() {
        found.push(("access.json", private(admission.path())));
    }
    if let Ok(rules) = admission.rules_blocking() {
        for widening in &rules.withheld {
            found.push((
                "withheld",
                bad(
                    format!("access.json was changed by something else: {widening}"),
                    format!("tidegate access {name} accept, or reject"),
                ),
            ));
        }
    }
    let waiting = admission.pending(clock::now())?.iter().filter(|pending| !pending.denied).count();
    if waiting > 0 {
        let text = format!("{waiting} ask to write");
        found.push(("pairing", notice(text, format!("tidegate access {name}"))));
    }
    found.push((
        "last event",
        match journal.last_event()? {
            (Some(at), count) => good(format!("{} ({count} kept)", clock::iso(at))),
            (None, _) => notice(
                "none is kept",
                format!("write something; what is turned away shows in tidegate status {name}"),
            ),
        },
    ));
    let aside = journal.updates_set_aside()?.len();
    if aside > 0 {
        found.push((
            "set aside",
            notice(
                format!("{aside} updates of the platform's could not be understood"),
                format!("tidegate report {name} shows them: report them to whoever makes the channel"),
            ),
        ));
    }
    if let Some((at, trouble)) = journal.trouble()? {
        let text = format!("{}: {trouble}", clock::iso(at));
        found.push(("last error", notice(text, "if it still holds, it is said above what to do")));
    }
    let refusals = admission.refusals(u32::MAX)?;
    let dropped: u64 = refusals.iter().map(|refusal| refusal.count).sum();
    if dropped > 0 {
        let text = format!("{dropped} events went nowhere");
        found
            .push(("dropped", notice(text, format!("tidegate status {name} says from whom, where and why"))));
    }
    Ok(found)
}

/// Does a session that runs take messages?
fn taking(note: &SessionNote, serves: bool) -> Finding {
    let session = format!("the session of process {} in {}", note.process, note.directory);
    match &note.attention {
        NotedAttention::Awaited => {
            notice(format!("{session} is starting"), "ask again in some seconds: Claude Code says it then")
        }
        NotedAttention::Open(_) if !serves => notice(
            format!("{session} waits: messages go to the session that serves the channel"),
            "end that session if messages should come to this one",
        ),
        NotedAttention::Open(basis) => good(format!("{session} takes messages ({basis})")),
        NotedAttention::Closed { reason, .. } => bad(format!("{session} takes no messages"), reason.clone()),
    }
}

fn free(name: &ChannelName, port: u16) -> Finding {
    match Listener::bind(port, name) {
        Ok(_) => good(format!("{port} is free for its page")),
        Err(problem) => bad(problem, "as said"),
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
        found.push(bad(error.to_string(), format!("tidegate configure {}", descriptor.name)));
        return Ok(found);
    }
    // Several credentials may be the same secret in several places.
    let missing = descriptor.credentials.iter().filter(|credential| !secrets.has(&credential.name));
    let missing: BTreeMap<&str, &str> =
        missing.map(|credential| (credential.env.as_str(), credential.help.as_str())).collect();
    for (variable, help) in missing {
        let cure = format!("tidegate configure {} ({help})", descriptor.name);
        found.push(bad(format!("{variable} is not there"), cure));
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
            let note = |found| Finding { state: State::Notice, found, cure: None };
            std::iter::once(known).chain(identity.notes.into_iter().map(note)).collect()
        }
        Err(failure) => {
            let cure = "see that the credential is right and the platform can be reached";
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
            format!("chmod 600 {}", path.display()),
        ),
        Err(error) => bad(format!("{} cannot be looked at: {error}", path.display()), "make it yours"),
    }
}

/// May others write there?
fn folder(path: &Path) -> Finding {
    match fs::metadata(path) {
        Ok(metadata) if metadata.permissions().mode() & 0o022 == 0 => good(path.display().to_string()),
        Ok(_) => bad(
            format!("{} can be changed by others", path.display()),
            format!("chmod 700 {}", path.display()),
        ),
        Err(error) => bad(format!("{} cannot be looked at: {error}", path.display()), "make it yours"),
    }
}

/// Tables that no channel will ever read.
fn tables(settings: &Settings, names: &[ChannelName], path: &Path) -> Finding {
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
            "correct the name, if it was meant",
        ),
        None if path.exists() => good(format!("{} makes sense for {} channels", path.display(), names.len())),
        None => good(format!("{} is not there: the defaults hold", path.display())),
    }
}

/// What the client has noted about this channel in its debug log: the last few lines.
fn debug_log(name: &str) -> Vec<String> {
    const LINES: usize = 3;
    let folder = std::env::var_os("CLAUDE_CONFIG_DIR")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".claude")));
    let session = std::env::var("CLAUDE_CODE_SESSION_ID").ok().filter(|id| !id.contains('/'));
    let (Some(folder), Some(session)) = (folder, session) else { return Vec::new() };
    let Ok(file) = fs::File::open(folder.join("debug").join(format!("{session}.txt"))) else {
        return Vec::new();
    };
    let lines = BufReader::new(file).lines().map_while(Result::ok);
    let mut found: Vec<String> = lines
        .filter(|line| line.contains(name) && line.to_ascii_lowercase().contains("channel"))
        .map(|line| line.chars().take(300).collect())
        .collect();
    found.split_off(found.len().saturating_sub(LINES))
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
