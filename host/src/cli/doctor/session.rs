//! Checks that a session receives a channel's messages.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::PathBuf,
};

use super::finding::{Finding, bad, good, notice, split};
use crate::{
    builtin,
    claude::{self, ClaudeCode, OptIn, Policy, Verdict},
    cli::survey::Survey,
    journal::{NotedAttention, SessionNote},
};

/// Checks whether the session around this terminal would receive messages.
pub(super) fn session(name: &str, policy: &Policy) -> Finding {
    let claude = ClaudeCode::find();
    if let Ok(None) = &claude.process {
        let start = format!("Start one with `claude --dangerously-load-development-channels server:{name}`");
        let cure = match builtin::find(name) {
            Some(_) => format!("{start}, or plugin:{name}@tidegate where it is installed as a plugin"),
            None => format!("{start}; its entry in .mcp.json runs `tidegate serve --load FILE`"),
        };
        return notice("no session has this channel at the moment", cure);
    }
    match claude::judge(OptIn::Auto, &claude, &[name], policy) {
        Verdict::In => good("the session around this terminal receives messages"),
        Verdict::Out(reason) => bad(reason.found(), reason.cure()),
    }
}

/// Checks whether a session serves the channel. `sessions` are those that have the channel now.
pub(super) fn owner(survey: &Survey, sessions: &[SessionNote]) -> Finding {
    let name = &survey.name;
    let trial = match builtin::find(name) {
        Some(_) => format!("`tidegate try {name}`"),
        None => "`tidegate try --load FILE`".to_owned(),
    };
    match &survey.owner {
        Some(owner) => good(format!("served by {owner}")),
        None if sessions.is_empty() => notice(
            "no session serves it at the moment",
            format!("Start a session that has it in .mcp.json or as a plugin, or run {trial}"),
        ),
        None => notice(
            "no session serves it at the moment: see those above",
            format!("Start a session that receives messages, or run {trial}"),
        ),
    }
}

/// Checks whether a running session receives messages.
pub(super) fn receiving(survey: &Survey, note: &SessionNote) -> Finding {
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

/// Returns the client's debug log and its last few lines about this channel.
pub(super) fn debug_log(name: &str) -> Option<(PathBuf, Vec<String>)> {
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
