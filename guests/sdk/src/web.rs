//! Channels with a page or webhook on loopback.

pub use crate::bindings::{
    exports::tidegate::channel::web_source::{Answer, Body, FieldValue, Request, Response, Signal},
    tidegate::channel::web::{self as page, Audience},
};
use crate::{Event, Fault, bindings::exports::tidegate::channel::web_source as exports, panic};

/// A channel whose page or webhook the host serves on loopback.
pub trait WebSource {
    /// Answers one HTTP request.
    fn handle(request: Request) -> Result<Answer, Fault>;

    /// Handles a signal of a browser's WebSocket.
    fn receive(connection: u64, signal: Signal) -> Result<Vec<Event>, Fault>;
}

impl<T: WebSource> exports::Guest for T {
    fn handle(request: Request) -> Result<Answer, Fault> {
        panic::report();
        <T as WebSource>::handle(request)
    }
    fn receive(connection: u64, signal: Signal) -> Result<Vec<Event>, Fault> {
        panic::report();
        <T as WebSource>::receive(connection, signal)
    }
}

/// Makes a type that is a [`Channel`](crate::Channel) and a [`WebSource`] the component's implementation.
#[macro_export]
macro_rules! web_channel {
    ($channel:ident) => {
        // A native build is for tests and has no component to export from.
        #[cfg(target_family = "wasm")]
        $crate::bindings::export!($channel with_types_in $crate::bindings);
        const _: () = {
            const fn is_a_channel<T: $crate::Channel + $crate::WebSource>() {}
            is_a_channel::<$channel>();
        };
    };
}
