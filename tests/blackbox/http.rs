//! Tests of which addresses a guest can reach.

mod credential;
mod limit;
mod policy;
mod proxy;
mod tls;
mod transfer;
mod upstream;
mod wasi;

use std::process::Command;

use serde_json::{Value, json};

use self::upstream::Upstream;
use crate::harness::{Home, Server, component, http};

/// The value of the courier's credential.
const TOKEN: &str = "12:secret-token_A";

/// A running courier, which sends requests for a test.
struct Courier {
    server: Server,
    port: u16,
}

impl Courier {
    /// Starts a courier. `settings` is the whole channels.toml.
    fn start(home: &Home, settings: &str) -> Self {
        Self::start_with(home, settings, |_| ())
    }

    fn start_with(home: &Home, settings: &str, prepare: impl FnOnce(&mut Command)) -> Self {
        home.settings(settings);
        home.access("courier", &json!({"dmPolicy": "allowlist", "allowFrom": ["c"]}));
        std::fs::write(home.path().join("courier/.env"), format!("COURIER_TOKEN={TOKEN}\n")).unwrap();
        let file = home.path().join("courier.wasm");
        std::fs::write(&file, component("courier")).unwrap();
        let mut command = home.command(["--log", "debug", "serve", "--port", "0", "--opt-in", "always"]);
        command.arg("--dangerously-load-development-channels").arg(&file);
        prepare(&mut command);
        let mut server = Server::start(command);
        server.initialize();
        let port = server.port("courier");
        Self { server, port }
    }

    /// Returns the outcome of this errand.
    fn run(&self, errand: &Value) -> Value {
        let response = http(self.port, "POST", "/", &[], errand.to_string().as_bytes());
        assert_eq!(response.status, 200, "{}", response.text());
        serde_json::from_slice(&response.body).unwrap()
    }

    fn get(&self, url: &str) -> Value {
        self.run(&json!({"url": url}))
    }

    /// Returns the reason why this errand was denied.
    #[track_caller]
    fn denied(&self, errand: &Value) -> String {
        let outcome = self.run(errand);
        outcome["denied"].as_str().unwrap_or_else(|| panic!("{errand} gives {outcome}")).to_owned()
    }
}

/// Starts a courier with this server as its platform, through the user's setting.
fn at(home: &Home, upstream: &Upstream) -> Courier {
    Courier::start(home, &format!("[courier.settings]\nbase = \"{}\"\n", upstream.origin()))
}

/// Starts a courier that may reach these origins.
fn granted(home: &Home, origins: &[&str]) -> Courier {
    Courier::start(home, &format!("[courier]\nnetwork = {}\n", json!(origins)))
}

/// Returns the user's log of the whole run, and all output on stderr.
fn log(home: &Home) -> String {
    let files = std::fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().path());
    let logs = files.filter(|path| path.extension().is_some_and(|extension| extension == "log"));
    logs.map(|path| std::fs::read_to_string(path).unwrap()).collect()
}
