//! tidegate: one small host that loads chat channels as sandboxed WebAssembly components and connects them to
//! a running Claude Code session.
//!
//! From the bottom up: [`event`], [`contract`], [`notification`] and [`text`] are the vocabulary; [`gate`] decides who
//! may speak; [`sandbox`] runs untrusted code; [`journal`] stores what was received, and [`admission`] who was let in;
//! [`capability`] is what a guest may ask for, and [`guest`] what it may be asked; `ingress` receives events; `hub`
//! connects channels and sessions; `session` is one MCP connection; `cli` is the command line. A module never depends
//! on a module above it.

pub mod admission;
pub mod atomic_file;
pub mod builtin;
pub mod capability;
pub mod claude;
pub mod cli;
pub mod clock;
pub mod contract;
pub mod event;
pub mod gate;
pub mod guest;
pub mod hub;
pub mod ingress;
pub mod journal;
pub mod launch;
pub mod lock;
pub mod memory;
pub mod notification;
pub mod parent;
pub mod process;
pub mod sandbox;
pub mod session;
pub mod settings;
pub mod state_root;
pub mod stdio;
pub mod text;
