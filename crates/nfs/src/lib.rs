//! An NFS server as a value: version 3 (RFC 1813) with its MOUNT protocol (RFC 1813, appendix I) and a port mapper (RFC 1833).
//!
//! A [`Server`] is shown one request at a time and answers it from a [`vfs::Vfs`]. It opens no socket, reads no clock and waits for
//! nothing: where the tree answers [`vfs::remote::WAITS`], so that the request has to be shown again later, its answer is void.
//! [`record::Records`] cuts requests out of a TCP stream. All that comes from the wire is hostile until checked.
//!
//! Not served: locks (NLM, NSM), access control lists (NFSACL), NFSv2 and NFSv4, any security but AUTH_SYS.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod cache;
pub mod export;
mod handle;
mod mount;
mod nfs3;
mod portmap;
pub mod record;
mod rpc;
mod server;
mod xdr;

pub use export::{Export, Exports};
pub use server::{Peer, Server};

/// Where NFS is served (RFC 1813, section 2.1; IANA `nfs`).
pub const NFS_PORT: u16 = 2049;
/// Where MOUNT is served (IANA `mountd`).
pub const MOUNT_PORT: u16 = 20048;
/// Where it is asked for these (RFC 1833; IANA `sunrpc`).
pub const PORTMAP_PORT: u16 = 111;
/// All of them. Each program is served on each.
pub const PORTS: [u16; 3] = [NFS_PORT, MOUNT_PORT, PORTMAP_PORT];
