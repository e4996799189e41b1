//! Tests of the server through a plain HTTP client.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails where something is not as it should be"
)]

mod client;
mod faults;
mod files;
mod messages;
mod updates;

use std::time::Duration;

use fake_telegram::{Server, User};

/// The time limit of each wait.
const PATIENCE: Duration = Duration::from_secs(20);

fn ada() -> User {
    User::new(42, "Ada").username("ada_l")
}

/// Starts a server on which Ada has written to the bot.
fn acquainted() -> Server {
    let server = Server::start();
    server.knows(&ada().chat());
    server
}
