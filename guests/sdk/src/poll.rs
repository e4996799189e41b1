//! Channels whose platform is asked for news.

pub use crate::bindings::exports::tidegate::channel::poll_source::{Batch, Update};
use crate::{Event, Fault, bindings::exports::tidegate::channel::poll_source as exports, panic};

/// A channel whose platform is asked for news.
pub trait PollSource {
    /// Asks once, from this cursor on; without one for the first time ever.
    fn poll(cursor: Option<String>) -> Result<Batch, Fault>;

    /// Says what one update tells. Nothing may be asked of the platform here: everybody waits for it.
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
        // A native build is for tests: there is nobody to export to.
        #[cfg(target_family = "wasm")]
        $crate::bindings::export!($channel with_types_in $crate::bindings);
        const _: () = {
            const fn is_a_channel<T: $crate::Channel + $crate::PollSource>() {}
            is_a_channel::<$channel>();
        };
    };
}
