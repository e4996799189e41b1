//! Black-box tests: the built program, as its users and its enemies meet it.

mod cli;
mod client;
mod harness;
mod hostile;
mod lifecycle;
mod persistence;
mod protocol;
mod web;
