//! `rump_server`: the process around one rump kernel. Sockets, clocks, random numbers and descriptors of the host are
//! here and nowhere else; one thread owns them all.
#![deny(missing_docs)]

pub mod args;
pub mod clock;
pub mod components;
pub mod credentials;
pub mod daemon;
pub mod files;
mod frame;
pub mod listen;
mod outbox;
pub mod prefork;
mod replies;
mod requests;
pub mod server;
mod session;
mod sessions;
mod signals_unsafe;
pub mod spec;
pub mod url;

/// The first line that a client reads. Minor version 5: CALL, CANCEL and OPTIONS are understood. Linux's version is
/// the one whose calls the table lists.
pub const BANNER: &str = "RUMPSP-0.5-Linux-6.18.0/x86_64\n";
