//! Tests of Telegram, from a person to a session and back: the built program between an MCP client and a Bot API
//! server.

mod bad_input;
mod clock;
mod configure;
mod custody;
mod faults;
mod files;
mod groups;
mod kill;
mod permission;
pub(crate) mod stage;
mod text;
mod trips;
