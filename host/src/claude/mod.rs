//! Finds facts about the Claude Code process that started this one, and about the organisation's policy. The protocol
//! gives a server neither.
//!
//! | item | question it answers |
//! | --- | --- |
//! | [`claude_code`], [`ancestors()`] | Which processes are above this one, and which of them is Claude Code? |
//! | [`Judge`] | Does the session receive this server's messages? The client's own log decides ([`log`]). |
//! | [`judge`] | Would the session receive them, according to its command line? |
//! | [`Policy`] | Has the organisation enabled channels, and for which plugins? |
//! | [`cure`] | What can a person do about a reason that Claude Code gives? |
//! | [`at_terminal`] | Is a person at this terminal, rather than a model? |
//! | [`outside`] | Was this process started by a program other than Claude Code? |
//!
//! None of this stops code that runs as the same user: such code can rename itself, detach from its ancestors and open
//! its own terminal. There are two goals: no session consumes messages that it never shows, and a model that follows an
//! injected instruction is refused.

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
