//! What is true of all messages.

mod examples;
mod expectation;
mod grammar;
mod pathological;
mod properties;
