//! Packet sockets (packet(7)): frames as the links carry them, for who rules the kernel.

use crate::Kernel;
use crate::call::Stop;
use crate::file::{FileKind, ObjectId, OpenFile};
use abi::Errno;
use abi::raw::net::{AF_PACKET, MSG_OOB, MSG_PEEK, SOCK_DGRAM, SOCK_RAW};
use tcpip::{FrameKind, LinkAddr, LinkId, Mac, Readiness, SocketId};

use super::{Common, Control, How, Incoming, Outgoing, Socket, Summary, ancillary, inet};

const FAMILY: u16 = AF_PACKET as u16;
/// `sizeof (struct sockaddr_ll)`; one for bind(2) may end behind `sll_ifindex`, one for sendto(2) behind `sll_halen`.
const SOCKADDR_LL: usize = 20;
const SOCKADDR_LL_MIN: usize = 8;

/// One packet socket.
pub(crate) struct Packet {
    common: Common,
    id: SocketId,
}

impl Packet {
    /// socket(2). `protocol`: an ethertype in the network's byte order.
    ///
    /// # Errors
    /// `EPERM`: not for this caller. `ESOCKTNOSUPPORT`: neither `SOCK_RAW` nor `SOCK_DGRAM`.
    pub(crate) fn new(k: &mut Kernel, kind: u32, protocol: u32, object: ObjectId) -> Result<Self, Errno> {
        if !k.is_ruled_by_caller() {
            return Err(Errno::EPERM);
        }
        if !matches!(kind, SOCK_RAW | SOCK_DGRAM) {
            return Err(Errno::ESOCKTNOSUPPORT);
        }
        let [low, high, ..] = protocol.to_ne_bytes();
        let id = k.net.stack.packet_socket(kind == SOCK_RAW, u16::from_be_bytes([low, high]));
        k.net.enter(id, object);
        Ok(Self { common: Common::new(AF_PACKET, kind, protocol), id })
    }
}

/// A `struct sockaddr_ll` as far as it is there. Whose family it says to be only bind(2) minds.
fn parse(addr: &[u8]) -> Result<LinkAddr, Errno> {
    let &[_, _, p0, p1, i0, i1, i2, i3, ref rest @ ..] = addr else { return Err(Errno::EINVAL) };
    let index = u32::from_ne_bytes([i0, i1, i2, i3]);
    let mac = rest.get(4..).and_then(|bytes| bytes.first_chunk::<6>()).map(|bytes| Mac(*bytes));
    Ok(LinkAddr {
        link: (index != 0).then(|| LinkId::from_index(index)),
        protocol: u16::from_be_bytes([p0, p1]),
        hatype: 0,
        kind: FrameKind::Host,
        mac,
    })
}

/// The bytes of a `struct sockaddr_ll`.
pub(super) fn emit(addr: &LinkAddr) -> Vec<u8> {
    let index = addr.link.map_or(0, LinkId::index);
    let mut bytes = FAMILY.to_ne_bytes().to_vec();
    bytes.extend_from_slice(&addr.protocol.to_be_bytes());
    bytes.extend_from_slice(&index.to_ne_bytes());
    bytes.extend_from_slice(&addr.hatype.to_ne_bytes());
    bytes.extend_from_slice(&[addr.kind.number(), if addr.mac.is_some() { 6 } else { 0 }]);
    bytes.extend_from_slice(&addr.mac.unwrap_or_default().0);
    bytes.resize(SOCKADDR_LL, 0);
    bytes
}

impl Socket for Packet {
    fn common(&self) -> &Common {
        &self.common
    }

    fn kind(&self) -> FileKind {
        FileKind::Packet
    }

    fn bind(&self, k: &mut Kernel, _f: &OpenFile, addr: &[u8]) -> Result<(), Stop> {
        if addr.len() < SOCKADDR_LL_MIN || !addr.starts_with(&FAMILY.to_ne_bytes()) {
            return Err(Errno::EINVAL.into());
        }
        let addr = parse(addr)?;
        Ok(k.net.stack.packet_bind(self.id, addr.link, addr.protocol)?)
    }

    fn local(&self, k: &Kernel) -> Result<Vec<u8>, Errno> {
        Ok(emit(&k.net.stack.packet_local(self.id)?))
    }

    fn peer(&self, _k: &Kernel) -> Result<Vec<u8>, Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    fn send(&self, k: &mut Kernel, _f: &OpenFile, message: &Outgoing<'_>) -> Result<usize, Stop> {
        if message.flags & MSG_OOB != 0 {
            return Err(Errno::EOPNOTSUPP.into());
        }
        if message.to.is_some_and(|to| to.len() < SOCKADDR_LL) {
            return Err(Errno::EINVAL.into());
        }
        let to = message.to.map(parse).transpose()?;
        Ok(k.net.stack.packet_send(self.id, message.data, to)?)
    }

    fn receive(&self, k: &mut Kernel, _f: &OpenFile, len: usize, flags: u32) -> Result<Incoming, Stop> {
        let got = k.net.stack.packet_recv(self.id, flags & MSG_PEEK != 0)?;
        let mut control = ancillary::timestamps(k, &self.common, got.at_ns);
        if self.common.flag(SOL_PACKET, PACKET_AUXDATA) {
            control.push(Control::Bytes { level: SOL_PACKET, kind: PACKET_AUXDATA, data: auxdata(&got) });
        }
        let mut data = got.data;
        // What the filter cut off is not missed.
        let full_len = data.len();
        data.truncate(len);
        let from = Some(emit(&got.from));
        Ok(Incoming { data, full_len, from, control, flags: 0 })
    }

    fn receive_error(&self, _k: &mut Kernel) -> Option<Result<Incoming, Errno>> {
        Some(Err(Errno::EAGAIN))
    }

    fn shutdown(&self, _k: &mut Kernel, _f: &OpenFile, _how: How) -> Result<(), Stop> {
        Err(Errno::EOPNOTSUPP.into())
    }

    fn poll(&self, k: &Kernel) -> u16 {
        let ready = k.net.stack.readiness(self.id);
        match k.net.rings.get(&self.id) {
            Some(ring) => inet::poll_bits(Readiness { readable: ring.is_readable(), ..ready }),
            None => inet::poll_bits(ready),
        }
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

    fn unsent(&self, _k: &Kernel) -> Result<usize, Errno> {
        Ok(0)
    }

    fn keeps_boundaries(&self) -> bool {
        true
    }

    fn inet(&self) -> Option<SocketId> {
        Some(self.id)
    }

    fn summary(&self, k: &Kernel) -> Summary {
        let bound = k.net.stack.packet_local(self.id).ok().and_then(|addr| addr.link);
        let name =
            bound.and_then(|link| k.net.stack.link(link).ok()).map_or_else(|| "*".to_owned(), |l| l.name);
        Summary { protocol: "packet", state: "UNCONN", local: name, foreign: "*".to_owned() }
    }
}

/// `SOL_PACKET`.
pub(super) const SOL_PACKET: u32 = 263;
pub(super) const PACKET_AUXDATA: u32 = 8;

/// `struct tpacket_auxdata`: there are no VLANs, and checksums are made where they are needed.
fn auxdata(got: &tcpip::Captured) -> Vec<u8> {
    /// `TP_STATUS_USER`.
    const USER: u32 = 1;
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let head = [USER, number(got.full_len), number(got.data.len())];
    let mut bytes: Vec<u8> = head.iter().flat_map(|n| n.to_ne_bytes()).collect();
    bytes.resize(20, 0);
    bytes
}
