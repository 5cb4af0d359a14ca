//! Whose descriptor is it? What the table does not know is asked of the descriptor itself.

use crate::Hijack;
use crate::fds::{Entry, Kind, RumpFd};
use crate::world::World;
use abi::raw::net::{AF_UNIX, SOL_SOCKET};
use abi::{Errno, nr, private, table};

/// asm-generic/socket.h
pub(crate) const SO_DOMAIN: u64 = 39;
/// asm-generic/socket.h
const SO_COOKIE: u64 = 57;
/// asm-generic/socket.h
const SO_SNDBUF: u64 = 7;

/// Send buffers of up to so many bytes may be a rump file's.
const SMALL: u32 = 8192;

/// The kernel that a descriptor belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    /// The host, or nobody.
    Host,
    /// The rump kernel of this session.
    Rump(RumpFd),
}

impl<W: World> Hijack<W> {
    /// Whose descriptor this register holds.
    ///
    /// # Errors
    /// `EBADF`: it is the library's own, or belonged to a kernel that is gone; `ENOTCONN`.
    pub(crate) fn owner(&self, register: u64) -> Result<Owner, Errno> {
        let owner = self.owner_for_now(register)?;
        if let Owner::Rump(rump) = owner {
            self.end_direct(rump);
        }
        Ok(owner)
    }

    /// As [`Hijack::owner`], for a call that has nothing to do with the file's position.
    pub(crate) fn owner_for_now(&self, register: u64) -> Result<Owner, Errno> {
        let owner = self.owner_at_once(register);
        if let Err(errno) = owner
            && self.entry(register as u32) != Entry::Own
        {
            self.slow_down(register as u32, errno);
        }
        owner
    }

    /// As [`Hijack::owner`], and nobody who comes again and again to what is lost is slowed down.
    pub(crate) fn owner_at_once(&self, register: u64) -> Result<Owner, Errno> {
        // The kernel takes descriptors as int: the upper half of the register does not count.
        let fd = register as u32;
        if i32::try_from(fd).is_err() {
            return Ok(Owner::Host);
        }
        match self.entry(fd) {
            Entry::Host => Ok(Owner::Host),
            Entry::Own => Err(Errno::EBADF),
            // In a vfork child the table tells of the parent's descriptors.
            Entry::Rump(rump) if !self.world.in_vfork_child() => self.current(fd, rump).map(Owner::Rump),
            Entry::Rump(_) | Entry::Unknown => self.probe(fd),
        }
    }

    /// A descriptor of an earlier session is asked for again: its file is still there if only the connection was
    /// lost, and not if the kernel was.
    fn current(&self, fd: u32, rump: RumpFd) -> Result<RumpFd, Errno> {
        if rump.generation == self.world.generation() {
            return Ok(rump);
        }
        let cookie = self.cookie(fd).ok_or(Errno::EBADF)?;
        let now = match self.identify(fd, cookie) {
            Err(Errno::ENOENT) => return self.netlink_again(fd, cookie).ok_or(Errno::EBADF),
            now => now?,
        };
        self.learn(fd, Entry::Rump(now));
        Ok(now)
    }

    /// Asks the host's kernel which socket this is, and the rump kernel whether it is one of its files.
    fn probe(&self, fd: u32) -> Result<Owner, Errno> {
        let owner = match self.cookie(fd).filter(|_| self.is_as_small(fd)) {
            None => Owner::Host,
            Some(cookie) => match self.identify(fd, cookie) {
                Ok(rump) => Owner::Rump(rump),
                // Without a kernel there is nothing of a kernel's.
                Err(Errno::ENOENT | Errno::ENOTCONN) => Owner::Host,
                Err(errno) => return Err(errno),
            },
        };
        self.learn(
            fd,
            match owner {
                Owner::Host => Entry::Host,
                Owner::Rump(rump) => Entry::Rump(rump),
            },
        );
        Ok(owner)
    }

    /// Whether a socket's send buffer is as small as that of a rump file's host descriptor, the least that Linux allows (4,608
    /// bytes; `SOCK_MIN_SNDBUF`): nobody else's is. So sockets of the host are told without a connection, which a sandbox cannot make.
    fn is_as_small(&self, fd: u32) -> bool {
        let size: Option<[u8; 4]> = self.socket_option(fd, SO_SNDBUF);
        size.is_some_and(|size| u32::from_ne_bytes(size) <= SMALL)
    }

    /// The cookie of an AF_UNIX socket; `None` for everything else, which cannot be the rump kernel's.
    pub(crate) fn cookie(&self, fd: u32) -> Option<u64> {
        let domain: [u8; 4] = self.socket_option(fd, SO_DOMAIN)?;
        (u32::from_ne_bytes(domain) == AF_UNIX).then_some(())?;
        self.socket_option(fd, SO_COOKIE).map(u64::from_ne_bytes)
    }

    pub(crate) fn socket_option<const N: usize>(&self, fd: u32, option: u64) -> Option<[u8; N]> {
        let mut value = [0u8; N];
        let mut length = u32::try_from(N).ok()?;
        let (value_at, length_at) = (value.as_mut_ptr() as u64, (&raw mut length) as u64);
        let args = [u64::from(fd), SOL_SOCKET.into(), option, value_at, length_at, 0];
        self.world.host(nr::GETSOCKOPT, args).ok().map(|_| value)
    }

    fn identify(&self, fd: u32, cookie: u64) -> Result<RumpFd, Errno> {
        let row = table::lookup(private::IDENTIFY).ok_or(Errno::ENOSYS)?;
        let ask = |shown: &[u32]| {
            let reply = self.world.rump(row, [cookie, 0, 0, 0, 0, 0], shown)?;
            reply.result.map(|kernel_fd| (reply, kernel_fd))
        };
        let (reply, kernel_fd) = match ask(&[]) {
            // Another user's file is told of to those alone who show that they have it.
            Err(Errno::ENOENT) => ask(&[fd])?,
            found => found?,
        };
        let kernel_fd = u32::try_from(kernel_fd).map_err(|_| Errno::EIO)?;
        let kind = reply.files.first().map_or(Kind::Other, |file| file.kind);
        Ok(RumpFd {
            kernel_fd: crate::fds::KernelFd(kernel_fd),
            kind,
            generation: self.world.generation(),
            watched: false,
            lone: false,
        })
    }
}
