//! The SDK of tidegate channels written in Rust.
//!
//! A channel implements [`Channel`] and the trait of its kind of source, and passes its type to one macro:
//!
//! ```ignore
//! struct Fakechat;
//! impl tidegate_guest::Channel for Fakechat { /* describe, send */ }
//! impl tidegate_guest::WebSource for Fakechat { /* handle, receive */ }
//! tidegate_guest::web_channel!(Fakechat);
//! ```
//!
//! Functions that a platform may lack have default methods that return [`Fault::Unsupported`]. A message's further
//! attributes ([`Message::extra`]) have keys of the form `[A-Za-z_][A-Za-z0-9_]*`, without a digit at the beginning;
//! `wit/types.wit` has the rest of the rule. The host omits other keys and reports this in its log. A guest keeps
//! nothing in memory between calls: any call may reach a new instance.

#[cfg(any(feature = "poll", feature = "web"))]
#[doc(hidden)]
#[allow(
    clippy::all,
    clippy::pedantic,
    clippy::restriction,
    clippy::nursery,
    clippy::allow_attributes,
    reason = "generated: which lints it breaks is wit-bindgen's affair"
)]
pub mod bindings {
    #[cfg(all(feature = "poll", not(feature = "web")))]
    wit_bindgen::generate!({
        path: "../../wit",
        world: "poll-channel",
        pub_export_macro: true,
        generate_all,
    });
    #[cfg(all(feature = "web", not(feature = "poll")))]
    wit_bindgen::generate!({
        path: "../../wit",
        world: "web-channel",
        pub_export_macro: true,
        generate_all,
    });
    // Only for native tests that build several channels at once: no component has this world.
    #[cfg(all(feature = "poll", feature = "web"))]
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "
            package tidegate:guest;
            world any-channel {
                include tidegate:channel/poll-channel@0.1.0;
                include tidegate:channel/web-channel@0.1.0;
            }
        ",
        world: "tidegate:guest/any-channel",
        pub_export_macro: true,
        generate_all,
    });
}

#[cfg(any(feature = "poll", feature = "web"))]
mod channel;
#[cfg(any(feature = "poll", feature = "web"))]
mod panic;
#[cfg(feature = "poll")]
mod poll;
#[cfg(feature = "web")]
mod web;

#[cfg(any(feature = "poll", feature = "web"))]
pub use bindings::{
    exports::tidegate::channel::{
        channel::{Credential, Descriptor, Features, Identity, Place, Setting, TextUnit, ValueForm},
        outbound::{Range, Sent, Wanted},
    },
    tidegate::channel::{
        environment, http, journal, log, state,
        types::{
            Attachment, AttachmentKind, Button, ButtonStyle, Chat, ChatKind, Event, Fault, Format, Happening,
            Message, Move, Outgoing, Press, Question, Saved, Sender, Topic, Upload,
        },
    },
};
#[cfg(any(feature = "poll", feature = "web"))]
pub use channel::Channel;
#[cfg(feature = "poll")]
pub use poll::{Batch, PollSource, Update};
#[cfg(feature = "web")]
pub use web::{Answer, Audience, Body, FieldValue, Request, Response, Signal, WebSource, page};
