//! Checks the server's dialogs with the client's user: a stranger writes, and the user lets them in.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context as _, bail};
use fake_telegram::{Server as Bot, User};
use regex::Regex;
use serde_json::Value;

use crate::{
    description::Form,
    server::Server,
    session::{Interactive, Workplace},
    step::Outcome,
    wait,
};

const CHANNEL: &str = "telegram";

/// A bot that strangers can write to, and the server that connects it to the client.
pub(super) struct Platform {
    bot: Bot,
    server: Server,
}

impl Platform {
    pub(super) fn start(program: &Path, work: &Path) -> anyhow::Result<Self> {
        let bot = Bot::start();
        // The client need not take this channel's messages: the dialog is all that is looked at.
        let server = Server::new(program, CHANNEL, "always", work, "dialogs")?;
        fs::write(server.folder().join(".env"), format!("TELEGRAM_BOT_TOKEN={}\n", bot.token()))?;
        server.settings(&format!("[telegram.settings]\napi_base = \"{}\"\n", bot.address()))?;
        Ok(Self { bot, server })
    }

    pub(super) fn server(&self) -> &Server {
        &self.server
    }

    pub(super) fn step(&self, workplace: &Workplace, session: &mut Interactive) -> Outcome {
        let Some(form) = &workplace.client.description.form else {
            return Outcome::Unavailable("it shows no forms of servers".into());
        };
        match self.let_in(form, workplace.patience, session) {
            Ok(()) => Outcome::Pass,
            Err(error) => Outcome::Fail(format!("{error:#}\nthe server's log: {}", self.server.log_text())),
        }
    }

    /// Makes a stranger write and get a code; types the code into the form; checks that the stranger gets a
    /// confirmation.
    fn let_in(&self, form: &Form, patience: Duration, session: &mut Interactive) -> anyhow::Result<()> {
        let stranger = User::new(42, "Ada");
        self.bot.says(&stranger, &stranger.chat(), "let me in");
        let told = self.hears(&stranger, patience, session).context("no code for the stranger")?;
        let code = Regex::new(r"\b[A-Z0-9]{6}\b")?
            .find(&told)
            .with_context(|| format!("no code in what the stranger is told: {told}"))?;
        session.fill_in(form, code.as_str())?;
        let told = self.hears(&stranger, patience, session).context("no word to the stranger")?;
        if !told.starts_with("Paired") {
            bail!("the stranger is not let in, but told: {told}");
        }
        Ok(())
    }

    /// Returns the bot's next message to this person.
    fn hears(&self, person: &User, patience: Duration, session: &mut Interactive) -> anyhow::Result<String> {
        wait::until("a message of the bot's", patience, || {
            session.alive()?;
            let message = self.bot.try_hears(&person.chat(), Duration::ZERO);
            Ok(message.and_then(|message| message.get("text").and_then(Value::as_str).map(str::to_owned)))
        })
    }
}
