//! Who may speak to a session.
//!
//! All decisions here are pure functions of their arguments: they use no file, clock or database, and nothing of wasm
//! or MCP. `admission` and the hub keep the state and carry out the decisions.
//!
//! [`decide`] implements the table of `docs/access.md`, row by row.

pub mod access;
mod decision;
pub mod document;
pub mod pairing;
pub mod permission;
pub mod rate;

pub use self::{
    access::{Access, DmPolicy, Group, Members},
    decision::{Decision, Origin, Reason, Situation, decide, may_be_read},
};
