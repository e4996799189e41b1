//! What a notification carries of a message. Rules only: nothing here reads or writes.

mod key;

pub use self::key::{InvalidKey, check_key};
