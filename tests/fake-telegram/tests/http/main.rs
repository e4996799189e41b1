//! The server as a plain HTTP client sees it.

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

/// Whatever takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(20);

fn ada() -> User {
    User::new(42, "Ada").username("ada_l")
}

/// A server that Ada has written to.
fn acquainted() -> Server {
    let server = Server::start();
    server.knows(&ada().chat());
    server
}
