//! The server as a client sees it, and as somebody sees it who means harm.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod client;
mod export;
mod files;
mod hostile;
