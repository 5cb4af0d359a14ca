//! socket(2).

use crate::call::{Answer, Stop};
use crate::cx::Cx;
use crate::file::ObjectId;
use crate::socket::{Common, Netlink, Packet, Socket, SocketFile, Tcp, Udp, Unix};
use abi::Errno;
use abi::raw::general::{O_CLOEXEC, O_NONBLOCK, O_RDWR};
use abi::raw::net::{
    AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_UNIX, IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_UDPLITE, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET,
    SOCK_STREAM,
};

/// `SOCK_NONBLOCK`: the same bit as `O_NONBLOCK` on x86-64.
pub(super) const SOCK_NONBLOCK: u32 = O_NONBLOCK;
/// `SOCK_CLOEXEC`: the same bit as `O_CLOEXEC`.
pub(super) const SOCK_CLOEXEC: u32 = O_CLOEXEC;

/// `SOCK_TYPE_MASK`.
pub(super) const TYPE_MASK: u32 = 0xf;
/// `SOCK_MAX`: types from here on do not exist.
const TYPE_MAX: u32 = 11;

pub(crate) fn socket(cx: &mut Cx<'_>) -> Answer {
    let (family, kind, protocol) = (cx.uint(0), cx.uint(1), cx.uint(2));
    let flags = kind_flags(kind)?;
    let object = cx.kernel.files.new_object();
    let socket = create(cx, family, kind & TYPE_MASK, protocol, object)?;
    let file = Box::new(SocketFile::new(socket, &cx.process()?.who));
    cx.install_on(file, O_RDWR | flags.nonblock, flags.cloexec, 0, object)
}

/// What else the type argument says.
pub(super) struct KindFlags {
    /// `O_NONBLOCK` or 0.
    pub(super) nonblock: u32,
    pub(super) cloexec: bool,
}

/// Parts the type argument.
///
/// # Errors
/// `EINVAL`: an unknown flag or type.
pub(super) fn kind_flags(kind: u32) -> Result<KindFlags, Errno> {
    if kind & !(TYPE_MASK | SOCK_NONBLOCK | SOCK_CLOEXEC) != 0 || kind & TYPE_MASK >= TYPE_MAX {
        return Err(Errno::EINVAL);
    }
    Ok(KindFlags { nonblock: kind & SOCK_NONBLOCK, cloexec: kind & SOCK_CLOEXEC != 0 })
}

fn create(
    cx: &mut Cx<'_>,
    family: u32,
    kind: u32,
    protocol: u32,
    object: ObjectId,
) -> Result<Box<dyn Socket>, Stop> {
    let k = &mut *cx.kernel;
    match family {
        AF_INET | AF_INET6 => match kind {
            SOCK_STREAM if protocol == 0 || protocol == IPPROTO_TCP as u32 => {
                Ok(Box::new(Tcp::new(k, family, object)))
            }
            SOCK_DGRAM if protocol == 0 || protocol == IPPROTO_UDP as u32 => {
                Ok(Box::new(Udp::new(k, family, object)))
            }
            SOCK_DGRAM if protocol == IPPROTO_UDPLITE as u32 => Ok(Box::new(Udp::lite(k, family, object))),
            SOCK_DGRAM if is_icmp(family, protocol) => Ok(Box::new(Udp::ping(k, family, object))),
            SOCK_RAW => Ok(Box::new(Udp::raw(k, family, protocol, object)?)),
            SOCK_STREAM | SOCK_DGRAM => Err(Errno::EPROTONOSUPPORT.into()),
            _ => Err(Errno::ESOCKTNOSUPPORT.into()),
        },
        AF_PACKET => Ok(Box::new(Packet::new(k, kind, protocol, object)?)),
        AF_UNIX => Ok(Box::new(Unix::new(k, unix_kind(kind, protocol)?, object))),
        AF_NETLINK => match kind {
            SOCK_RAW | SOCK_DGRAM if matches!(protocol, Netlink::ROUTE | Netlink::SOCK_DIAG) => {
                Ok(Box::new(Netlink::new(k, Common::new(family, kind, protocol), object)))
            }
            SOCK_RAW | SOCK_DGRAM => Err(Errno::EPROTONOSUPPORT.into()),
            _ => Err(Errno::ESOCKTNOSUPPORT.into()),
        },
        _ => Err(Errno::EAFNOSUPPORT.into()),
    }
}

/// Whether it is the ICMP of this family.
fn is_icmp(family: u32, protocol: u32) -> bool {
    protocol == if family == AF_INET { IPPROTO_ICMP as u32 } else { IPPROTO_ICMPV6 }
}

/// The type of an `AF_UNIX` socket: `SOCK_RAW` is an old name of `SOCK_DGRAM` (net/unix/af_unix.c, unix_create).
///
/// # Errors
/// `EPROTONOSUPPORT`, `ESOCKTNOSUPPORT`.
pub(super) fn unix_kind(kind: u32, protocol: u32) -> Result<u32, Errno> {
    if protocol != 0 && protocol != AF_UNIX {
        return Err(Errno::EPROTONOSUPPORT);
    }
    match kind {
        SOCK_STREAM | SOCK_DGRAM | SOCK_SEQPACKET => Ok(kind),
        SOCK_RAW => Ok(SOCK_DGRAM),
        _ => Err(Errno::ESOCKTNOSUPPORT),
    }
}
