//! Runs untrusted components. It does not depend on anything about chats.
//!
//! [`Engine`] turns bytes into a [`Component`](wasmtime::component::Component) through the compile cache and a compiler
//! in a separate process. [`Pool`] keeps instances of one component and runs one call at a time on each, within
//! [`Limits`].

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
