//! The targets and the level of the log.

use std::{io, path::Path, str::FromStr};

use tracing::level_filters::LevelFilter;
use tracing_appender::rolling::{RollingFileAppender, Rotation};
use tracing_subscriber::{
    Layer as _, filter::Targets, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

use super::stderr;
use crate::ingress::SECRET;

/// The number of days for which log files are kept.
const DAYS: usize = 7;

/// The log levels of the file and of standard error.
#[derive(Clone, Copy, Debug)]
pub(super) struct Level {
    file: LevelFilter,
    stderr: LevelFilter,
}

impl Level {
    /// Returns the level for a terminal that is used for other output: only warnings and errors appear there, unless
    /// another level than the default was set.
    pub(super) fn quiet(self) -> Self {
        Self { stderr: if self.file == LevelFilter::INFO { LevelFilter::WARN } else { self.stderr }, ..self }
    }

    /// Returns the level for a command that reports problems itself: nothing of the log appears, unless another level
    /// than the default was set.
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

/// Logs to standard error and, if there is a folder, to a daily file in it.
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
    // Fails only if a subscriber is already set.
    let _ = tracing_subscriber::registry().with(stderr).with(file).try_init();
}

/// Restricts the logs of other crates: they concern internals, and some contain the content of messages.
fn filter(level: LevelFilter) -> Targets {
    Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_target("tidegate", level)
        .with_target("guest", level)
        .with_target("rmcp", level.min(LevelFilter::ERROR))
}
