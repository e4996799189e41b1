//! Runs components that nobody trusts. Knows nothing of chat.
//!
//! [`Engine`] turns bytes into a [`Component`](wasmtime::component::Component) by way of the compile cache
//! and a compiler in a process of its own; [`Pool`] keeps instances of one component and lends them out, one
//! call at a time, within [`Limits`].

mod cache;
pub mod compiler;
mod configuration;
mod engine;
mod limits;
mod pool;
mod ticker;

pub use cache::Digest;
pub use engine::{CompileError, Engine};
pub use limits::{Limits, Meter};
pub use pool::{Call, CallError, Lane, Pool, Resident};
