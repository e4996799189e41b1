//! Channels that poll their platform.

pub use crate::bindings::exports::tidegate::channel::poll_source::{Batch, Update};
use crate::{Event, Fault, bindings::exports::tidegate::channel::poll_source as exports, panic};

/// A channel that polls its platform.
pub trait PollSource {
    /// Polls once, from this cursor on; without a cursor on the first poll.
    fn poll(cursor: Option<String>) -> Result<Batch, Fault>;

    /// Translates one update. Must not make requests to the platform: they would delay all following updates.
    fn translate(payload: Vec<u8>) -> Result<Vec<Event>, Fault>;
}

impl<T: PollSource> exports::Guest for T {
    fn poll(cursor: Option<String>) -> Result<Batch, Fault> {
        panic::report();
        <T as PollSource>::poll(cursor)
    }
    fn translate(payload: Vec<u8>) -> Result<Vec<Event>, Fault> {
        panic::report();
        <T as PollSource>::translate(payload)
    }
}

/// Makes a type that is a [`Channel`](crate::Channel) and a [`PollSource`] the component's implementation.
#[macro_export]
macro_rules! poll_channel {
    ($channel:ident) => {
        // A native build is for tests and has no component to export from.
        #[cfg(target_family = "wasm")]
        $crate::bindings::export!($channel with_types_in $crate::bindings);
        const _: () = {
            const fn is_a_channel<T: $crate::Channel + $crate::PollSource>() {}
            is_a_channel::<$channel>();
        };
    };
}
