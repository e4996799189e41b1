//! The program between a session and a Bot API server, both controlled by the test.

use std::{fmt::Write as _, path::PathBuf, process::Command};

use fake_telegram::{Chat, Server as Platform, User};
use serde_json::{Value, json};

use crate::harness::{Home, PATIENCE, Server};

/// Returns Ada, who may write on every stage by default.
pub(crate) fn ada() -> User {
    User::new(42, "Ada").username("ada_l")
}

/// Returns another person.
pub(crate) fn bob() -> User {
    User::new(43, "Bob")
}

/// A state root with its own platform.
pub(crate) struct Stage {
    pub(crate) home: Home,
    pub(crate) platform: Platform,
}

impl Stage {
    /// Creates a stage where Ada may write.
    pub(crate) fn new() -> Self {
        Self::with(&json!({"dmPolicy": "allowlist", "allowFrom": ["42"]}))
    }

    /// Creates a stage with this `access.json`.
    pub(crate) fn with(access: &Value) -> Self {
        let stage = Self::strange();
        stage.home.access("telegram", access);
        stage
    }

    /// Creates a stage without `access.json`: strangers may ask for access.
    pub(crate) fn strange() -> Self {
        let stage = Self { home: Home::new(), platform: Platform::start() };
        std::fs::create_dir(stage.folder()).unwrap();
        stage.token(&stage.platform.token());
        stage.settings(&[]);
        stage
    }

    /// Returns the channel's own folder.
    pub(crate) fn folder(&self) -> PathBuf {
        self.home.path().join("telegram")
    }

    /// Writes a token where the channel looks for it.
    pub(crate) fn token(&self, token: &str) {
        std::fs::write(self.folder().join(".env"), format!("TELEGRAM_BOT_TOKEN={token}\n")).unwrap();
    }

    /// Writes additional settings of the channel.
    pub(crate) fn settings(&self, settings: &[(&str, &str)]) {
        let mut text = format!("[telegram.settings]\napi_base = \"{}\"\n", self.platform.address());
        for (name, value) in settings {
            writeln!(text, "{name} = \"{value}\"").unwrap();
        }
        self.home.settings(&text);
    }

    /// Returns the current content of `access.json`.
    pub(crate) fn access(&self) -> Value {
        serde_json::from_str(&std::fs::read_to_string(self.folder().join("access.json")).unwrap()).unwrap()
    }

    /// Returns the command `tidegate serve telegram`.
    pub(crate) fn command(&self) -> Command {
        // Whoever runs these tests may be a session that was started without them.
        self.home.command(["serve", "telegram", "--opt-in", "always", "--log", "debug"])
    }

    /// Starts the server for a client before the handshake.
    pub(crate) fn spawn(&self) -> Server {
        Server::start(self.command())
    }

    /// Starts the server for a client, including the handshake.
    pub(crate) fn serve(&self) -> Server {
        let mut server = self.spawn();
        server.initialize();
        server
    }

    /// Starts the server for a client without dialogs.
    pub(crate) fn serve_mute(&self) -> Server {
        let mut server = self.spawn();
        server.initialize_as(&json!({}));
        server
    }

    /// Returns the text of the bot's next message to this chat.
    pub(crate) fn told(&self, chat: &Chat) -> String {
        let message = self.platform.hears(chat, PATIENCE);
        message["text"].as_str().unwrap_or_else(|| panic!("no text: {message}")).to_owned()
    }

    /// Returns the channel's public status.
    pub(crate) fn status(&self) -> Value {
        let output = self.home.run(["status", "telegram", "--json"], "");
        assert!(output.status.success(), "{}", output.stderr);
        serde_json::from_str::<Value>(&output.stdout).unwrap()[0].take()
    }
}

/// Returns the text of the next event, and its `meta`.
pub(crate) fn event(server: &mut Server) -> (String, Value) {
    let mut event = server.event();
    (event["content"].as_str().unwrap().to_owned(), event["meta"].take())
}
