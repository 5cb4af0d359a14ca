//! netdevice(7): interfaces are asked of any socket. glibc's if_nametoindex(3) and musl's take one of AF_UNIX, which is the host's.

use super::{Answer, Call, Verdict, row_of};
use crate::Hijack;
use crate::owner::SO_DOMAIN;
use crate::world::World;
use abi::nr;
use abi::raw::ioctl::*;
use abi::raw::net::{AF_INET, AF_UNIX, SOCK_DGRAM};

/// linux/sockios.h
const SIOCETHTOOL: u32 = 0x8946;

/// Whether this command is served for sockets of all families (net/core/dev_ioctl.c).
pub(super) fn concerns(command: u32) -> bool {
    matches!(
        command,
        SIOCGIFNAME
            | SIOCGIFINDEX
            | SIOCGIFCONF
            | SIOCGIFFLAGS
            | SIOCSIFFLAGS
            | SIOCGIFMETRIC
            | SIOCGIFMTU
            | SIOCSIFMTU
            | SIOCGIFHWADDR
            | SIOCSIFHWADDR
            | SIOCGIFMAP
            | SIOCGIFTXQLEN
            | SIOCETHTOOL
    )
}

/// Asks the rump kernel, by a socket for this once, if `call` is made on a host AF_UNIX socket.
pub(super) fn ioctl<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    let domain: Option<[u8; 4]> = h.socket_option(call.args[0] as u32, SO_DOMAIN);
    let is_unix = domain.is_some_and(|domain| u32::from_ne_bytes(domain) == AF_UNIX);
    if !is_unix || !h.config.families.contains(AF_INET.into()) {
        return Ok(Answer::Host);
    }
    let [_, command, address, ..] = call.args;
    let made = h.world.rump(row_of(nr::SOCKET)?, [AF_INET.into(), SOCK_DGRAM.into(), 0, 0, 0, 0], &[])?;
    made.result?;
    let socket = made.files.first().map_or(0, |file| u64::from(file.kernel_fd.0));
    let answer = h.world.rump(row_of(nr::IOCTL)?, [socket, command, address, 0, 0, 0], &[]);
    // The socket lives as long as its host descriptor.
    made.files.iter().filter_map(|file| file.host_fd).for_each(|fd| h.close_quietly(fd));
    answer?.result.map(Answer::Value)
}
