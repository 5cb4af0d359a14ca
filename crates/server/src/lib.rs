//! `rump_server`: the process around one rump kernel. Sockets, clocks, random numbers and descriptors of the host are
//! here and nowhere else; one thread owns them all.
#![deny(missing_docs)]

pub mod args;
pub mod clock;
pub mod components;
pub mod credentials;
pub mod daemon;
mod disks;
pub mod files;
mod heirs;
mod lane;
pub mod link;
pub mod listen;
mod memory;
mod outbox;
pub mod prefork;
mod relay;
mod remote;
mod replies;
mod requests;
pub mod server;
mod session;
mod sessions;
mod shared_unsafe;
mod signals_unsafe;
mod sitelists;
mod socket_unsafe;
mod space;
pub mod spec;
mod spin;
pub mod url;
mod view_unsafe;

/// The first line that a client reads. Minor version 5: CALL, CANCEL and OPTIONS are understood.
pub const BANNER: wire::banner::Banner<'static> = wire::banner::Banner {
    major: 0,
    minor: 5,
    ostype: "Linux",
    osrelease: env!("CARGO_PKG_VERSION"),
    machine: "x86_64",
};
