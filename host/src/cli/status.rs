//! `tidegate status`: shows the state of channels.

use std::fmt::Write as _;

use clap::Args;
use serde::Serialize;

use super::{
    Common, access, candidates,
    output::{self, Paint},
    survey::{self, Kept, Survey},
};
use crate::{
    builtin, clock,
    event::ChannelName,
    gate::document::Document,
    journal::{NotedAttention, Refusal, SessionNote, Waiting},
    settings::Settings,
    state_root::StateRoot,
};

/// Show how channels stand: who serves them, who may write, what was turned away
#[derive(Args)]
pub(super) struct Status {
    /// Which channel; all of them without
    #[arg(add = candidates::channels())]
    channel: Option<String>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// The number of refusals that are shown.
const REFUSALS: u32 = 20;

#[derive(Serialize)]
struct Report {
    channel: String,
    folder: String,
    /// The process that serves the channel, in words; null if there is none.
    owner: Option<String>,
    /// Why the other fields are missing, if the journal cannot be read.
    unreadable: Option<String>,
    /// Why no session can load the channel, if its settings are wrong.
    settings: Option<String>,
    /// Why the channel is shut, if it is.
    shut: Option<String>,
    /// Who may write, in the format of `access.json`.
    access: Option<serde_json::Value>,
    /// Changes to `access.json` that were made outside of tidegate and that nobody has approved.
    withheld: Vec<String>,
    /// The sessions that have the channel, and whether they receive messages.
    sessions: Vec<Session>,
    pairings: Vec<Pairing>,
    /// When the last event was stored.
    last_event: Option<String>,
    events: u64,
    last_error: Option<Trouble>,
    /// The number of updates that the channel could not translate: `tidegate report` shows them.
    set_aside: usize,
    /// Events of people who may not write yet, which wait for a person's decision.
    waiting: Vec<Waiting>,
    /// Refusals, newest first.
    refusals: Vec<Refusal>,
}

#[derive(Serialize)]
struct Session {
    pid: u32,
    since: String,
    directory: String,
    /// "awaited", "open" or "closed".
    state: &'static str,
    /// The client's own reason against receiving messages.
    client_says: Option<String>,
    /// The evidence that the session is open, or why it is closed and what to do.
    why: Option<String>,
    /// The number of messages that were written to the session.
    written: u64,
    /// The number of those messages that the session has received.
    received: u64,
}

impl From<SessionNote> for Session {
    fn from(note: SessionNote) -> Self {
        let (state, why, client_says) = match note.attention {
            NotedAttention::Awaited => ("awaited", None, None),
            NotedAttention::Open(basis) => ("open", Some(basis), None),
            NotedAttention::Closed { word, reason } => ("closed", Some(reason), word),
        };
        Self {
            pid: note.process,
            since: clock::iso(note.since),
            directory: note.directory,
            state,
            client_says,
            why,
            written: note.written,
            received: note.received,
        }
    }
}

#[derive(Serialize)]
struct Pairing {
    sender: String,
    name: String,
    expires: String,
    denied: bool,
}

#[derive(Serialize)]
struct Trouble {
    at: String,
    text: String,
}

impl Status {
    pub(super) fn run(self, common: &Common) -> anyhow::Result<()> {
        let root = common.state_root()?;
        let path = root.settings();
        let (settings, wrong) = match Settings::read(&path) {
            Ok(settings) => (settings, None),
            Err(error) => (Settings::none(&path), Some(error)),
        };
        let names = match &self.channel {
            Some(name) => vec![Survey::named(&root, name)?],
            None => Survey::names(&root, &settings),
        };
        let faults = match &wrong {
            Some(error) => names.iter().map(|_| Some(error.to_string())).collect(),
            None => faults(common, &root, &names)?,
        };
        let surveys = names.into_iter().zip(faults).map(|(name, fault)| (Survey::of(&root, name), fault));
        let text = if self.json {
            let report = |(survey, fault)| Report { settings: fault, ..report(survey) };
            serde_json::to_string_pretty(&surveys.map(report).collect::<Vec<_>>())? + "\n"
        } else {
            let paint = Paint::stdout();
            let show = |(survey, fault): (Survey, Option<String>)| show(&survey, fault.as_deref(), paint);
            surveys.map(show).collect::<Vec<_>>().join("\n")
        };
        Ok(output::print(&text)?)
    }
}

/// Returns what is wrong with the settings of each channel. Without a settings file nothing can be wrong, so
/// no channel is loaded.
fn faults(common: &Common, root: &StateRoot, names: &[ChannelName]) -> anyhow::Result<Vec<Option<String>>> {
    if !root.settings().exists() {
        return Ok(names.iter().map(|_| None).collect());
    }
    let launcher = common.launcher(common.log.silent())?;
    super::runtime()?.block_on(async {
        let mut faults = Vec::with_capacity(names.len());
        for name in names {
            faults.push(survey::fault_in_settings(&launcher, name).await?);
        }
        Ok(faults)
    })
}

fn report(survey: Survey) -> Report {
    let mut report = Report {
        channel: survey.name.to_string(),
        folder: survey.folder.display().to_string(),
        owner: survey.owner,
        unreadable: None,
        settings: None,
        shut: None,
        access: None,
        withheld: Vec::new(),
        sessions: Vec::new(),
        pairings: Vec::new(),
        last_event: None,
        events: 0,
        last_error: None,
        set_aside: 0,
        waiting: Vec::new(),
        refusals: Vec::new(),
    };
    let filled = match survey.kept {
        Ok(Some(kept)) => fill(&mut report, &kept),
        Ok(None) => Ok(()),
        Err(error) => Err(error.into()),
    };
    report.unreadable = filled.err().map(|error| error.to_string());
    report
}

/// Adds what the channel keeps to the report.
fn fill(report: &mut Report, Kept { journal, admission }: &Kept) -> anyhow::Result<()> {
    match admission.rules_blocking() {
        Ok(rules) => {
            report.access = Some(serde_json::from_str(&Document::of_access(&rules.access).render())?);
            report.withheld = rules.withheld.iter().map(ToString::to_string).collect();
        }
        Err(shut) => report.shut = Some(shut.to_string()),
    }
    report.sessions = journal.sessions()?.into_iter().map(Session::from).collect();
    let pairings = admission.pending(clock::now())?.into_iter().map(|pending| Pairing {
        sender: pending.sender.into_string(),
        name: pending.name,
        expires: clock::iso(pending.expires_at),
        denied: pending.denied,
    });
    report.pairings = pairings.collect();
    let (last, events) = journal.last_event()?;
    report.last_event = last.map(clock::iso);
    report.events = events;
    report.last_error = journal.trouble()?.map(|(at, text)| Trouble { at: clock::iso(at), text });
    report.set_aside = journal.updates_set_aside()?.len();
    report.waiting = journal.waiting()?;
    report.refusals = admission.refusals(REFUSALS)?;
    Ok(())
}

fn session(survey: &Survey, note: &SessionNote, paint: Paint) -> String {
    let attention = match &note.attention {
        NotedAttention::Open(_) if survey.owner.is_none() => {
            paint.yellow("could receive messages, but cannot open the channel: see the last error")
        }
        NotedAttention::Open(_) if !survey.serves(note.process) => paint.yellow(
            "receives no messages while another session serves the channel, and follows when that one ends",
        ),
        NotedAttention::Awaited => {
            paint.yellow("is starting, and Claude Code has not said yet whether it receives messages")
        }
        NotedAttention::Open(basis) => {
            format!("receives messages ({basis}); {} written, {} received", note.written, note.received)
        }
        NotedAttention::Closed { reason, .. } => {
            paint.red(&format!("receives no messages: {}", output::harmless(reason)))
        }
    };
    format!("pid {} in {} {attention}", note.process, output::harmless(&note.directory))
}

fn show(survey: &Survey, fault: Option<&str>, paint: Paint) -> String {
    let mut text = format!("{}\n", paint.bold(&survey.name));
    let row = |text: &mut String, label: &str, value: &str| row(text, paint, label, value);
    match &survey.owner {
        Some(owner) => row(&mut text, "served", &output::harmless(owner)),
        None => row(&mut text, "served", &paint.dim("by no session at the moment")),
    }
    if let Some(fault) = fault {
        row(&mut text, "settings", &paint.red(&output::harmless(fault)));
    }
    let shown = match &survey.kept {
        Ok(Some(kept)) => show_kept(&mut text, survey, kept, paint),
        Ok(None) => {
            let next = match builtin::find(&survey.name) {
                Some(_) => format!("it has not run yet: `tidegate setup {}` begins", survey.name),
                None => match survey.meant() {
                    Some(meant) => format!(
                        "there is a table of this name in channels.toml, and no channel; did you mean \"{meant}\"?"
                    ),
                    None => "it has not run yet".to_owned(),
                },
            };
            row(&mut text, "state", &paint.dim(&next));
            Ok(())
        }
        Err(error) => Err(anyhow::anyhow!("{error}")),
    };
    if let Err(error) = shown {
        row(&mut text, "journal", &paint.red(&output::harmless(&error.to_string())));
    }
    text
}

fn row(text: &mut String, paint: Paint, label: &str, value: &str) {
    let _ = writeln!(text, "{}  {value}", paint.cyan(&format!("{label:<10}")));
}

/// Adds what the channel keeps to the text.
fn show_kept(text: &mut String, survey: &Survey, kept: &Kept, paint: Paint) -> anyhow::Result<()> {
    let Kept { journal, admission } = kept;
    let row = |text: &mut String, label: &str, value: &str| row(text, paint, label, value);
    let now = clock::now();
    for note in journal.sessions()? {
        row(text, "session", &session(survey, &note, paint));
    }
    match access::status(&survey.name, kept, paint) {
        Ok(access) => text.push_str(&access),
        Err(shut) => row(text, "shut", &paint.red(&output::harmless(&shut.to_string()))),
    }
    match journal.last_event()? {
        (Some(at), count) => row(text, "last event", &format!("{}, {count} kept", clock::ago(at, now))),
        (None, _) => row(text, "last event", "none is kept"),
    }
    if let Some((at, trouble)) = journal.trouble()? {
        row(text, "last error", &format!("{}: {}", clock::ago(at, now), output::harmless(&trouble)));
    }
    let aside = journal.updates_set_aside()?.len();
    if aside > 0 {
        row(text, "set aside", &format!("{aside} (tidegate report {} shows them)", survey.name));
    }
    let refusals = admission.refusals(REFUSALS)?;
    if !refusals.is_empty() {
        row(text, "dropped", "newest first");
    }
    for refusal in refusals {
        let title = if refusal.title.is_empty() { String::new() } else { format!(" \"{}\"", refusal.title) };
        let _ = writeln!(
            text,
            "  {} × {}: chat {}{title}, sender {} ({}), last {}",
            refusal.count,
            refusal.reason,
            output::harmless(&refusal.chat),
            output::harmless(&refusal.sender),
            refusal.name,
            clock::ago(refusal.last, now)
        );
    }
    Ok(())
}
