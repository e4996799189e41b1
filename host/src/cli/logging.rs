//! Where the log goes, and how much of it.

use std::{io, path::Path, str::FromStr};

use tracing::level_filters::LevelFilter;
use tracing_appender::rolling::{RollingFileAppender, Rotation};
use tracing_subscriber::{
    Layer as _, filter::Targets, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

use super::stderr;
use crate::ingress::SECRET;

/// Days of logs that are kept.
const DAYS: usize = 7;

/// How much is logged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Level {
    file: LevelFilter,
    stderr: LevelFilter,
}

impl Level {
    /// For a terminal where something else is going on: only what matters appears there.
    pub(super) fn quiet(self) -> Self {
        Self { stderr: if self.file == LevelFilter::INFO { LevelFilter::WARN } else { self.stderr }, ..self }
    }

    /// For a command that says itself what is wrong: nothing of the log appears, unless it was asked for.
    pub(super) fn silent(self) -> Self {
        Self { stderr: if self.file == LevelFilter::INFO { LevelFilter::OFF } else { self.stderr }, ..self }
    }
}

impl FromStr for Level {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        LevelFilter::from_str(text)
            .map(|level| Self { file: level, stderr: level })
            .map_err(|_| "there is off, error, warn, info, debug, trace".to_owned())
    }
}

/// Logs to stderr and, with a folder, to a file for each day in it.
pub(super) fn start(level: Level, folder: Option<&Path>) {
    let stderr = fmt::layer()
        .with_writer(|| stderr::Log)
        .with_ansi(io::IsTerminal::is_terminal(&io::stderr()))
        .with_target(false)
        .without_time()
        .with_filter(filter(level.stderr));
    let file = folder.and_then(|folder| {
        RollingFileAppender::builder()
            .rotation(Rotation::DAILY)
            .filename_prefix("tidegate")
            .filename_suffix("log")
            .max_log_files(DAYS)
            .build(folder)
            .ok()
    });
    let file = file.map(|file| {
        fmt::layer()
            .with_writer(file)
            .with_ansi(false)
            .with_filter(filter(level.file).with_target(SECRET, LevelFilter::OFF))
    });
    // Only fails if it was done before.
    let _ = tracing_subscriber::registry().with(stderr).with(file).try_init();
}

/// Other crates speak of their own affairs, some of them with the content of messages.
fn filter(level: LevelFilter) -> Targets {
    Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_target("tidegate", level)
        .with_target("guest", level)
        .with_target("rmcp", level.min(LevelFilter::ERROR))
}
