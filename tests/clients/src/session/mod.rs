//! A running client, controlled like by a person or by a program.

mod headless;
mod interactive;

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
    time::Duration,
};

use self::headless::Headless;
pub(crate) use self::interactive::Interactive;
use crate::{client::Client, description::fill};

/// The surroundings of a client: its folders, its model and its server.
pub(crate) struct Workplace<'a> {
    pub(crate) client: &'a Client,
    /// Its home folder.
    pub(crate) home: PathBuf,
    /// The folder in which it is started.
    pub(crate) project: PathBuf,
    /// The folder for its logs and those of the run.
    pub(crate) logs: PathBuf,
    /// The address of the model.
    pub(crate) model: String,
    /// The name of its only channel server.
    pub(crate) server: String,
    /// The time limit of one step.
    pub(crate) patience: Duration,
}

impl Workplace<'_> {
    /// Returns the path of the configuration of MCP servers for a run without a terminal.
    pub(crate) fn config(&self) -> PathBuf {
        self.logs.join("servers.json")
    }

    /// Returns the path of the client's own log of one run.
    pub(crate) fn log(&self, run: &str) -> PathBuf {
        self.logs.join(format!("{run}-client.log"))
    }

    /// Returns a command for the client with a clean environment. An empty value of `environment` removes a variable.
    pub(crate) fn command(
        &self,
        arguments: &[String],
        environment: &BTreeMap<String, String>,
        run: &str,
    ) -> Command {
        let (config, log) = (self.config(), self.log(run));
        let (config, log) = (config.to_string_lossy(), log.to_string_lossy());
        let values = [
            ("config", &*config),
            ("log", &*log),
            ("model", self.model.as_str()),
            ("server", self.server.as_str()),
        ];
        let mut command = clean(&self.client.program, &self.home, &self.project);
        command.args(arguments.iter().map(|argument| fill(argument, &values)));
        for (name, value) in self.client.description.environment.iter().chain(environment) {
            if value.is_empty() {
                command.env_remove(name);
            } else {
                command.env(name, fill(value, &values));
            }
        }
        command
    }
}

/// Returns a command that inherits only `PATH` from this process's environment.
pub(crate) fn clean(program: impl AsRef<OsStr>, home: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir(folder)
        .env_clear()
        .env("HOME", home)
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("TERM", "xterm-256color")
        .env("LANG", "C.UTF-8");
    command
}

/// A running client.
pub(crate) enum Session<'a> {
    /// Without a terminal.
    Headless(Headless),
    /// In a terminal.
    Interactive(Interactive<'a>),
}

impl<'a> Session<'a> {
    /// Starts the client, without a terminal if it supports that.
    pub(crate) fn start(workplace: &'a Workplace, run: &str) -> anyhow::Result<Self> {
        match &workplace.client.description.headless {
            Some(headless) => {
                let command = workplace.command(&headless.arguments, &headless.environment, run);
                Ok(Self::Headless(Headless::start(command, &workplace.logs, run)?))
            }
            None => Ok(Self::Interactive(Interactive::start(workplace, run)?)),
        }
    }

    /// Sends a prompt.
    pub(crate) fn say(&mut self, prompt: &str) -> anyhow::Result<()> {
        match self {
            Self::Headless(session) => session.say(prompt),
            Self::Interactive(session) => session.say(prompt),
        }
    }

    /// Fails if the client has ended.
    pub(crate) fn alive(&mut self) -> anyhow::Result<()> {
        match self {
            Self::Headless(session) => session.alive(),
            Self::Interactive(session) => session.alive(),
        }
    }

    /// Ends it in its regular way, and waits for its exit.
    pub(crate) fn end(self, patience: Duration) -> anyhow::Result<ExitStatus> {
        match self {
            Self::Headless(session) => session.end(patience),
            Self::Interactive(session) => session.end(),
        }
    }
}
