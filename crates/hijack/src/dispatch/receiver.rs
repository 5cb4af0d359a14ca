//! Who is at the other end of a host socket: a rump descriptor may go to another process of its kernel and to nobody else,
//! for whom it would be a socket that nobody serves (rumphijack(3): `ENOTSUP`).

use crate::Hijack;
use crate::world::World;
use abi::layout::Ucred;
use abi::raw::general::{O_CLOEXEC, O_RDONLY};
use abi::raw::net::SO_PEERCRED;
use abi::{Errno, nr};
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;
use zerocopy::FromBytes;

/// What says in hijacked programs' environment which kernel they use.
const SERVER: &[u8] = b"RUMP_SERVER=";

const AT_FDCWD: u64 = -100_i64 as u64;
/// `struct sockaddr_storage`.
pub(super) const SOCKADDR_MAX: usize = 128;
/// A process has no more mappings than fit here: 65,530 by default (vm.max_map_count).
const FILE_MAX: usize = 16 << 20;

impl<W: World> Hijack<W> {
    /// Whether what is sent over this host socket, to a name unless it is empty, can reach a process of our rump kernel, as far
    /// as can be told: by the process that made the other end (`SO_PEERCRED`), of which the one that reads it is a descendant at
    /// most; of a socket with a name by all that hold it.
    pub(super) fn reaches_our_kernel(&self, fd: u32, name: &[u8]) -> bool {
        if !name.is_empty() {
            let holders = self.holders(name);
            return !holders.is_empty() && holders.into_iter().all(|pid| self.is_of_our_kernel(pid));
        }
        let peer = self.socket_option::<{ size_of::<Ucred>() }>(fd, SO_PEERCRED.into());
        match peer.and_then(|peer| Ucred::read_from_bytes(&peer).ok()).map(|peer| peer.pid) {
            Some(pid @ 1..) => self.is_of_our_kernel(pid.unsigned_abs()),
            // Datagram sockets that were connected by name have no peer's credentials (unix(7), SO_PEERCRED).
            _ => self.peer_name(fd).is_some_and(|name| self.reaches_our_kernel(fd, &name)),
        }
    }

    /// The name of the socket that a socket is connected to, if it has one.
    fn peer_name(&self, fd: u32) -> Option<Vec<u8>> {
        let mut name = vec![0; SOCKADDR_MAX];
        let mut length = SOCKADDR_MAX as u32;
        let args = [fd.into(), name.as_mut_ptr() as u64, (&raw mut length) as u64, 0, 0, 0];
        self.world.host(nr::GETPEERNAME, args).ok()?;
        name.truncate(length as usize);
        Some(name).filter(|name| name.len() > size_of::<u16>())
    }

    fn is_of_our_kernel(&self, pid: u32) -> bool {
        if self.world.host(nr::GETPID, [0; 6]) == Ok(pid.into()) {
            return true;
        }
        match self.file(&format!("/proc/{pid}/maps\0")) {
            Ok(maps) => self.is_hijacked(&maps) && self.same_server(pid),
            // Gone; its children have the socket.
            Err(errno) => errno == Errno::ENOENT || errno == Errno::ESRCH,
        }
    }

    /// Whether this library is among a process's mappings.
    fn is_hijacked(&self, maps: &[u8]) -> bool {
        let name = self.inherited.library.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        !name.is_empty() && maps.windows(name.len()).any(|window| window == name)
    }

    /// Whether a hijacked process uses our server; also if it has overwritten its environment, as programs do that show a title.
    fn same_server(&self, pid: u32) -> bool {
        let Ok(environment) = self.file(&format!("/proc/{pid}/environ\0")) else { return false };
        let mut variables = environment.split(|byte| *byte == 0);
        let Some(server) = variables.find_map(|variable| variable.strip_prefix(SERVER)) else { return true };
        let own = [&self.inherited.server, &self.inherited.server_given];
        own.into_iter().flatten().any(|own| own == server)
    }

    /// The bytes of a host file; its path ends in a NUL.
    pub(super) fn file(&self, path: &str) -> Result<Vec<u8>, Errno> {
        let flags = u64::from(O_RDONLY | O_CLOEXEC);
        let fd = self.world.host(nr::OPENAT, [AT_FDCWD, path.as_ptr() as u64, flags, 0, 0, 0])?;
        let mut bytes = Vec::new();
        let mut piece = vec![0; 1 << 16];
        let outcome = loop {
            match self.world.host(nr::READ, [fd, piece.as_mut_ptr() as u64, piece.len() as u64, 0, 0, 0]) {
                Ok(0) => break Ok(()),
                Ok(len) => bytes.extend_from_slice(piece.get(..len as usize).unwrap_or_default()),
                Err(Errno::EINTR) => {}
                Err(errno) => break Err(errno),
            }
            if bytes.len() > FILE_MAX {
                break Err(Errno::EFBIG);
            }
        };
        let _ = self.world.host(nr::CLOSE, [fd, 0, 0, 0, 0, 0]);
        outcome.map(|()| bytes)
    }
}
