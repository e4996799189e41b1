//! What can be found out about the Claude Code process that spawned this one, and about the organisation's
//! policy. The protocol tells a server neither.
//!
//! | ask | for |
//! | --- | --- |
//! | [`claude_code`], [`ancestors()`] | the processes above this one, and which of them is Claude Code |
//! | [`Judge`] | does the session take this server's messages? The client's own word decides ([`log`]) |
//! | [`judge`] | would it, as far as its command line tells? |
//! | [`Policy`] | has the organisation enabled channels, and for which plugins? |
//! | [`cure`] | what can a person do about a reason that Claude Code gives? |
//! | [`at_terminal`] | is a person at this terminal, rather than a model? |
//! | [`outside`] | was this started by something else than Claude Code? |
//!
//! None of this stops code that runs as the same user: such code can rename itself, detach from its ancestors and open
//! a terminal of its own. The aim is that no session consumes messages that are never shown, and that a model which
//! merely follows an injected instruction is refused.

mod ancestors;
mod cure;
pub mod log;
mod managed;
mod opt_in;
mod person;
mod reception;

pub use ancestors::{Process, Unreadable, Why, ancestors, claude_code, is_claude_code, nearest_claude_code};
pub use cure::cure;
pub use managed::{ChannelPolicy, Policy};
pub use opt_in::{ClaudeCode, InvalidOptIn, OptIn, Plugin, Reason, Verdict, judge};
pub use person::{Refused, at_terminal, in_models_shell, is_behind, outside};
pub use reception::{Basis, Heard, Judge, Reception};
