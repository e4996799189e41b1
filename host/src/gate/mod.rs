//! Who may speak to a session.
//!
//! Everything here is a pure function of what it is given: no file, no clock, no database, nothing of wasm or
//! MCP. What keeps the state and carries the decisions out is `admission` and the hub.
//!
//! [`decide`] is the table of `docs/access.md`, row by row.

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
