//! Programs with every call caught and left to the host do what they do natively.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;
mod compiled;
mod prepared;
mod programs;
