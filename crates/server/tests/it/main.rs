//! The real rump_server, seen by clients that speak rump_sp byte by byte.
#![allow(clippy::unwrap_used, reason = "a test ends there")]

mod client;
mod commandline;
mod daemon;
mod fork;
mod hostile;
mod lane;
mod load;
mod lone;
mod passing;
mod protocol;
mod readiness;
mod relay;
mod server;
mod vectors;
