//! TCP: sockets and connections around the engine.
//!
//! * `engine` the protocol of one connection;
//! * `connection` what belongs to it besides: who has it, its limits of time;
//! * `input` which connection, listener or TIME-WAIT a segment is for;
//! * `life` what follows when an engine's state has changed;
//! * `time_wait` what is left of a connection that was closed here first;
//! * `open`, `transfer`, `oob`, `close` the calls.

mod close;
pub(crate) mod connection;
pub(crate) mod engine;
mod input;
mod life;
mod oob;
mod open;
pub(crate) mod time_wait;
mod transfer;
