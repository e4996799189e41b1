//! The program between a session and a Bot API server, both in the test's hands.

use std::{fmt::Write as _, path::PathBuf, process::Command};

use fake_telegram::{Chat, Server as Platform, User};
use serde_json::{Value, json};

use crate::harness::{Home, PATIENCE, Server};

/// Ada, who may write on every stage that does not say otherwise.
pub(crate) fn ada() -> User {
    User::new(42, "Ada").username("ada_l")
}

/// Somebody else.
pub(crate) fn bob() -> User {
    User::new(43, "Bob")
}

/// A state root that belongs to a platform of its own.
pub(crate) struct Stage {
    pub(crate) home: Home,
    pub(crate) platform: Platform,
}

impl Stage {
    /// Where Ada may write.
    pub(crate) fn new() -> Self {
        Self::with(&json!({"dmPolicy": "allowlist", "allowFrom": ["42"]}))
    }

    /// Where this is `access.json`.
    pub(crate) fn with(access: &Value) -> Self {
        let stage = Self::strange();
        stage.home.access("telegram", access);
        stage
    }

    /// Where there is no `access.json`: strangers may ask.
    pub(crate) fn strange() -> Self {
        let stage = Self { home: Home::new(), platform: Platform::start() };
        std::fs::create_dir(stage.folder()).unwrap();
        stage.token(&stage.platform.token());
        stage.settings(&[]);
        stage
    }

    /// The channel's own folder.
    pub(crate) fn folder(&self) -> PathBuf {
        self.home.path().join("telegram")
    }

    /// Puts a token where the channel looks for it.
    pub(crate) fn token(&self, token: &str) {
        std::fs::write(self.folder().join(".env"), format!("TELEGRAM_BOT_TOKEN={token}\n")).unwrap();
    }

    /// Further settings of the channel's own.
    pub(crate) fn settings(&self, settings: &[(&str, &str)]) {
        let mut text = format!("[telegram.settings]\napi_base = \"{}\"\n", self.platform.address());
        for (name, value) in settings {
            writeln!(text, "{name} = \"{value}\"").unwrap();
        }
        self.home.settings(&text);
    }

    /// What `access.json` says by now.
    pub(crate) fn access(&self) -> Value {
        serde_json::from_str(&std::fs::read_to_string(self.folder().join("access.json")).unwrap()).unwrap()
    }

    /// `tidegate serve telegram`, not yet started.
    pub(crate) fn command(&self) -> Command {
        // Whoever runs these tests may be a session that was started without them.
        self.home.command(["serve", "telegram", "--opt-in", "always", "--log", "debug"])
    }

    /// Serves a client that has said nothing yet.
    pub(crate) fn spawn(&self) -> Server {
        Server::start(self.command())
    }

    /// Serves a client that has shaken hands.
    pub(crate) fn serve(&self) -> Server {
        let mut server = self.spawn();
        server.initialize();
        server
    }

    /// Serves a client that cannot ask its user anything.
    pub(crate) fn serve_mute(&self) -> Server {
        let mut server = self.spawn();
        server.initialize_as(&json!({}));
        server
    }

    /// The text of the bot's next message to this chat.
    pub(crate) fn told(&self, chat: &Chat) -> String {
        let message = self.platform.hears(chat, PATIENCE);
        message["text"].as_str().unwrap_or_else(|| panic!("no text: {message}")).to_owned()
    }

    /// How the channel stands, as everybody may know.
    pub(crate) fn status(&self) -> Value {
        let output = self.home.run(["status", "telegram", "--json"], "");
        assert!(output.status.success(), "{}", output.stderr);
        serde_json::from_str::<Value>(&output.stdout).unwrap()[0].take()
    }
}

/// The `meta` of the next event, and what it says.
pub(crate) fn event(server: &mut Server) -> (String, Value) {
    let mut event = server.event();
    (event["content"].as_str().unwrap().to_owned(), event["meta"].take())
}
