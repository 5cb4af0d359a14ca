//! The client against a server that does what the test says.

#![allow(clippy::unwrap_used, reason = "a test ends there")]

mod descriptors;
mod forks;
mod lane;
mod peer;
mod raw_unsafe;
mod scripted;
mod signals;
mod transcript;
mod vectors;
