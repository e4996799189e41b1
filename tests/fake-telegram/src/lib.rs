//! A Telegram Bot API server for tests. It is faithful enough that bot libraries work against it unmodified, and a test
//! can make it slow, make it return errors, or stop it.
//!
//! ```no_run
//! use std::time::Duration;
//! use fake_telegram::{Fault, Server, User};
//!
//! let server = Server::start();
//! // … a bot begins to poll `server.address()` with `server.token()` …
//! let ada = User::new(42, "Ada").username("ada_l");
//! server.fault(Fault::too_many_requests(1).on("sendMessage"));
//! server.says(&ada, &ada.chat(), "hello");
//! let answer = server.hears(&ada.chat(), Duration::from_secs(5));
//! assert_eq!(answer["text"], "hello yourself");
//! ```

#![expect(clippy::indexing_slicing, reason = "JSON by name: what is not there is null, and can be set")]
#![expect(clippy::panic, reason = "where a test waits in vain it has failed")]

mod base64;
mod control;
mod draft;
mod entity;
mod error;
mod fault;
mod file;
mod http;
mod image;
mod method;
mod people;
mod poll;
mod queue;
mod record;
mod request;
mod scene;
mod server;
mod wire;
mod world;

pub use control::Control;
pub use draft::Draft;
pub use error::ApiError;
pub use fault::Fault;
pub use file::{File, MediaKind};
pub use people::{Chat, ChatKind, User};
pub use record::Call;
pub use request::Upload;
pub use scene::{Pressed, Told};
pub use server::{Server, TOKEN};
