//! UDP sockets (udp(7)), those of UDP-Lite (udplite(7)), ping sockets (icmp(7)) and raw ones (raw(7)), which are like them.

use crate::Kernel;
use crate::call::Stop;
use crate::file::{ObjectId, OpenFile};
use abi::Errno;
use abi::raw::net::{
    AF_INET, IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_UDP, IPPROTO_UDPLITE, MSG_DONTWAIT, MSG_MORE, MSG_OOB,
    MSG_PEEK, SO_NO_CHECK, SO_REUSEADDR, SOCK_DGRAM, SOCK_RAW, SOL_SOCKET,
};
use tcpip::{Protocol, SocketId};

use super::cork::Cork;
use super::option::udp::{UDP_CORK, UDP_SEGMENT};
use super::{Common, How, Incoming, Outgoing, Socket, Summary, address, ancillary, inet, sending};

const UDP: u32 = IPPROTO_UDP as u32;

/// One UDP socket.
pub(crate) struct Udp {
    common: Common,
    id: SocketId,
    cork: Cork,
}

impl Udp {
    /// socket(2); its readiness will change with `object`.
    pub(crate) fn new(k: &mut Kernel, family: u32, object: ObjectId) -> Self {
        let id = k.net.stack.udp_socket(inet::domain(family));
        k.net.enter(id, object);
        Self { common: Common::new(family, SOCK_DGRAM, IPPROTO_UDP as u32), id, cork: Cork::default() }
    }

    /// socket(2) with `IPPROTO_UDPLITE`.
    pub(crate) fn lite(k: &mut Kernel, family: u32, object: ObjectId) -> Self {
        let id = k.net.stack.udplite_socket(inet::domain(family));
        k.net.enter(id, object);
        Self { common: Common::new(family, SOCK_DGRAM, IPPROTO_UDPLITE as u32), id, cork: Cork::default() }
    }
}

impl Udp {
    /// The port that it is bound to.
    fn port(&self, k: &Kernel) -> u16 {
        k.net.stack.local_addr(self.id).map_or(0, |addr| addr.port())
    }

    /// socket(2), a ping socket (icmp(7)); everybody may have one, as where `net.ipv4.ping_group_range` holds all groups.
    pub(crate) fn ping(k: &mut Kernel, family: u32, object: ObjectId) -> Self {
        let id = k.net.stack.ping_socket(inet::domain(family));
        k.net.enter(id, object);
        let protocol = if family == AF_INET { IPPROTO_ICMP as u32 } else { IPPROTO_ICMPV6 };
        Self { common: Common::new(family, SOCK_DGRAM, protocol), id, cork: Cork::default() }
    }

    /// socket(2) with `SOCK_RAW` (raw(7)): for who rules the kernel.
    ///
    /// # Errors
    /// `EPERM`. `EPROTONOSUPPORT`: no protocol.
    pub(crate) fn raw(k: &mut Kernel, family: u32, protocol: u32, object: ObjectId) -> Result<Self, Errno> {
        let number =
            u8::try_from(protocol).ok().filter(|number| *number > 0).ok_or(Errno::EPROTONOSUPPORT)?;
        if !k.is_ruled_by_caller() {
            return Err(Errno::EPERM);
        }
        let id = k.net.stack.raw_socket(inet::domain(family), number);
        k.net.enter(id, object);
        let common = Common::new(family, SOCK_RAW, protocol);
        // Several may have the same protocol (net/ipv4/af_inet.c, SK_CAN_REUSE).
        common.remember(SOL_SOCKET, SO_REUSEADDR, 1);
        Ok(Self { common, id, cork: Cork::default() })
    }

    fn protocol(&self) -> Protocol {
        const UDPLITE: u32 = IPPROTO_UDPLITE as u32;
        match self.common.protocol {
            _ if self.common.kind == SOCK_RAW => Protocol::Raw,
            UDP => Protocol::Udp,
            UDPLITE => Protocol::UdpLite,
            _ => Protocol::Ping,
        }
    }
}

impl Socket for Udp {
    fn common(&self) -> &Common {
        &self.common
    }

    fn bind(&self, k: &mut Kernel, _f: &OpenFile, addr: &[u8]) -> Result<(), Stop> {
        if matches!(self.protocol(), Protocol::Ping | Protocol::Raw) {
            // Identifiers are nobody's privilege.
            return Ok(k.net.stack.bind(self.id, address::for_bind(self.common.family, addr)?)?);
        }
        inet::bind(k, self.id, &self.common, addr)
    }

    fn connect(&self, k: &mut Kernel, _f: &OpenFile, addr: &[u8]) -> Result<(), Stop> {
        inet::connect(k, self.id, &self.common, addr)
    }

    fn local(&self, k: &Kernel) -> Result<Vec<u8>, Errno> {
        inet::local(k, self.id, self.common.family)
    }

    fn peer(&self, k: &Kernel) -> Result<Vec<u8>, Errno> {
        inet::peer(k, self.id, self.common.family)
    }

    fn send(&self, k: &mut Kernel, _f: &OpenFile, message: &Outgoing<'_>) -> Result<usize, Stop> {
        let is_udp = matches!(self.protocol(), Protocol::Udp | Protocol::UdpLite);
        if is_udp {
            // Before anything can fail (net/ipv4/af_inet.c, inet_send_prepare).
            k.net.stack.take_port(self.id)?;
        }
        // Only IPv4's looks at it.
        if message.flags & MSG_OOB != 0 && self.common.family == AF_INET {
            return Err(Errno::EOPNOTSUPP.into());
        }
        let to = match message.to {
            Some(addr) => address::for_send(self.common.family, addr)?,
            None => None,
        };
        if is_udp && message.flags & MSG_OOB != 0 && to.is_some_and(|to| to.ip().to_canonical().is_ipv4()) {
            return Err(Errno::EOPNOTSUPP.into());
        }
        if to.is_some_and(|to| to.port() == 0) && !matches!(self.protocol(), Protocol::Ping | Protocol::Raw) {
            return Err(Errno::EINVAL.into());
        }
        let may = (is_udp, k.is_ruled_by_caller());
        let mut how = sending::read(self.common.family, may, &message.control.others)?;
        how.urgent = is_udp && message.flags & MSG_OOB != 0;
        // Without checksums nothing is cut (net/ipv4/udp.c, udp_send_skb).
        let cut = || how.segment_size.map(i32::from).or(self.common.value(UDP, UDP_SEGMENT));
        if self.common.flag(SOL_SOCKET, SO_NO_CHECK) && cut().is_some_and(|size| size > 0) {
            return Err(Errno::EINVAL.into());
        }
        let more = message.flags & MSG_MORE != 0 || self.common.flag(UDP, UDP_CORK);
        Ok(self.cork.send(k, self.id, message.data, (to, how, more))?)
    }

    fn receive(&self, k: &mut Kernel, f: &OpenFile, len: usize, flags: u32) -> Result<Incoming, Stop> {
        let mut data = vec![0; len.min(usize::from(u16::MAX))];
        let got = match k.net.stack.recv_from(self.id, &mut data, flags & MSG_PEEK != 0) {
            // Only who would wait is told that nothing is to come (net/core/datagram.c, __skb_wait_for_more_packets).
            Err(Errno::ESHUTDOWN) if !f.nonblock() && flags & MSG_DONTWAIT == 0 => {
                return Ok(Incoming::default());
            }
            Err(Errno::ESHUTDOWN) => return Err(Errno::EAGAIN.into()),
            got => got?,
        };
        data.truncate(got.len);
        Ok(Incoming {
            data,
            full_len: got.full_len,
            from: Some(address::emit(self.common.family, got.from)),
            control: ancillary::of_datagram(k, &self.common, &got, self.port(k)),
            flags: 0,
        })
    }

    fn receive_error(&self, k: &mut Kernel) -> Option<Result<Incoming, Errno>> {
        Some(inet::receive_error(k, self.id, self.common.family))
    }

    fn at_mark(&self, _k: &Kernel) -> Result<bool, Errno> {
        Err(Errno::ENOTTY)
    }

    fn shutdown(&self, k: &mut Kernel, _f: &OpenFile, how: How) -> Result<(), Stop> {
        inet::shutdown(k, self.id, how)
    }

    fn poll(&self, k: &Kernel) -> u16 {
        inet::poll_bits_of_datagrams(k.net.stack.readiness(self.id))
    }

    fn close(&self, k: &mut Kernel) {
        k.net.close(self.id);
    }

    fn take_error(&self, k: &mut Kernel) -> Option<Errno> {
        k.net.stack.take_error(self.id)
    }

    fn unread(&self, k: &Kernel) -> Result<usize, Errno> {
        Ok(k.net.stack.unread(self.id))
    }

    fn unsent(&self, k: &Kernel) -> Result<usize, Errno> {
        Ok(k.net.stack.unsent(self.id))
    }

    fn uncork(&self, k: &mut Kernel) {
        self.cork.pull(k, self.id);
    }

    fn keeps_boundaries(&self) -> bool {
        true
    }

    fn inet(&self) -> Option<SocketId> {
        Some(self.id)
    }

    fn summary(&self, k: &Kernel) -> Summary {
        inet::summary(k, self.id, self.protocol(), self.common.family)
    }
}
