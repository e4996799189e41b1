//! Black-box tests of the built program, as its users and attackers use it.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod access;
mod attempt;
mod cli;
mod client;
mod client_log;
mod contention;
mod damage;
mod elicitation;
mod harness;
mod hostile;
mod http;
mod lifecycle;
mod open;
mod opt_in;
mod outbound;
mod pairing;
mod permission;
mod persistence;
mod person;
mod plugin;
mod poll;
mod preparing;
mod protocol;
mod setup;
mod snapshot;
mod state_root;
mod stderr;
mod stranger;
mod telegram;
mod web;
