//! `AF_NETLINK` sockets (netlink(7)): of `NETLINK_SOCK_DIAG`, what ss(8) asks, and of `NETLINK_ROUTE` (rtnetlink(7)) what ip(8) and
//! getifaddrs(3) do with links, addresses, routes and neighbours.
//!
//! * `wire` messages and attributes as bytes;
//! * `inbox` what waits in a socket;
//! * `route` what rtnetlink(7) is asked, one file for each kind of object;
//! * `monitor` what the members of groups are told;
//! * `diag` sock_diag(7).

mod diag;
mod inbox;
mod monitor;
mod route;
mod wire;

pub(crate) use inbox::Inbox;
pub(crate) use monitor::Monitors;

use crate::Kernel;
use crate::call::Stop;
use crate::file::{FileKind, ObjectId, OpenFile};
use abi::Errno;
use abi::raw::general::{POLLERR, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM};
use abi::raw::net::{AF_NETLINK, MSG_PEEK};
use std::cell::Cell;
use std::rc::Rc;

use super::address::{self, narrow};
use super::{Common, How, Incoming, Outgoing, Socket, Summary};

/// `sizeof (struct sockaddr_nl)`.
const SOCKADDR_NL_LEN: usize = 12;

/// One netlink socket.
pub(crate) struct Netlink {
    common: Common,
    /// Its address, `nl_pid`; 0 before it has one.
    port: Cell<u32>,
    inbox: Rc<Inbox>,
}

impl Netlink {
    /// `NETLINK_ROUTE`.
    pub(crate) const ROUTE: u32 = 0;
    /// `NETLINK_SOCK_DIAG`.
    pub(crate) const SOCK_DIAG: u32 = 4;

    /// socket(2); its readiness changes with `object`.
    pub(crate) fn new(k: &mut Kernel, common: Common, object: ObjectId) -> Self {
        let inbox = Rc::new(Inbox::new(object));
        if common.protocol == Self::ROUTE {
            k.net.monitors.add(&inbox);
        }
        Self { common, port: Cell::new(0), inbox }
    }

    /// In the place of a socket that was in these groups and has lost what they were told.
    pub(crate) fn again(k: &mut Kernel, common: Common, object: ObjectId, groups: u32) -> Self {
        let again = Self::new(k, common, object);
        again.autobind();
        again.inbox.set_mask(groups);
        again.inbox.lose();
        again
    }

    /// Takes an address of its own if it has none. Any number that is unique will do (netlink(7)).
    fn autobind(&self) {
        if self.port.get() == 0 {
            let [low, high] = [self.inbox.object.0 & 0x7fff_ffff, 1 << 31];
            self.port.set(u32::try_from(low | high).unwrap_or(1 << 31));
        }
    }

    fn manners(&self) -> wire::Manners {
        use super::option::netlink::{LEVEL, NETLINK_CAP_ACK, NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK};
        let flag = |name| self.common.flag(LEVEL, name);
        wire::Manners {
            cap: flag(NETLINK_CAP_ACK),
            extended: flag(NETLINK_EXT_ACK),
            strict: flag(NETLINK_GET_STRICT_CHK),
        }
    }

    fn emit_address(port: u32, groups: u32) -> Vec<u8> {
        let family = narrow(AF_NETLINK).to_ne_bytes();
        [&family[..], &[0; 2], &port.to_ne_bytes(), &groups.to_ne_bytes()].concat()
    }
}

/// The port and groups of a `struct sockaddr_nl`.
fn parse(addr: &[u8]) -> Result<(u32, u32), Errno> {
    if addr.len() < SOCKADDR_NL_LEN || address::family(addr) != Some(AF_NETLINK) {
        return Err(Errno::EINVAL);
    }
    let field = |at: usize| {
        addr[at..].first_chunk::<4>().map(|bytes| u32::from_ne_bytes(*bytes)).ok_or(Errno::EINVAL)
    };
    Ok((field(4)?, field(8)?))
}

impl Socket for Netlink {
    fn common(&self) -> &Common {
        &self.common
    }

    fn kind(&self) -> FileKind {
        FileKind::Netlink
    }

    fn inbox(&self) -> Option<&Inbox> {
        Some(&self.inbox)
    }

    fn bind(&self, _k: &mut Kernel, _f: &OpenFile, addr: &[u8]) -> Result<(), Stop> {
        let (port, groups) = parse(addr)?;
        let own = self.port.get();
        if own != 0 && port != own {
            return Err(Errno::EINVAL.into());
        }
        if port == 0 {
            self.autobind();
        } else {
            self.port.set(port);
        }
        self.inbox.set_mask(groups);
        Ok(())
    }

    fn connect(&self, _k: &mut Kernel, _f: &OpenFile, addr: &[u8]) -> Result<(), Stop> {
        if !address::is_unspec(addr) {
            let (port, groups) = parse(addr)?;
            if port != 0 || groups != 0 {
                // Only root may speak to other processes; there are none that listen.
                return Err(Errno::EPERM.into());
            }
        }
        self.autobind();
        Ok(())
    }

    fn local(&self, _k: &Kernel) -> Result<Vec<u8>, Errno> {
        Ok(Self::emit_address(self.port.get(), self.inbox.mask()))
    }

    fn peer(&self, _k: &Kernel) -> Result<Vec<u8>, Errno> {
        Ok(Self::emit_address(0, 0))
    }

    fn send(&self, k: &mut Kernel, _f: &OpenFile, message: &Outgoing<'_>) -> Result<usize, Stop> {
        if let Some(addr) = message.to
            && parse(addr)?.0 != 0
        {
            return Err(Errno::ECONNREFUSED.into());
        }
        self.autobind();
        if self.inbox.is_full() {
            return Err(Errno::ENOBUFS.into());
        }
        for request in wire::requests(message.data, self.manners()) {
            let answers = match self.common.protocol {
                Self::SOCK_DIAG => diag::answer(k, request, self.port.get()),
                _ => route::answer(k, request, self.port.get()),
            };
            self.inbox.answer(answers);
        }
        k.wake(self.inbox.object);
        Ok(message.data.len())
    }

    fn receive(&self, _k: &mut Kernel, _f: &OpenFile, len: usize, flags: u32) -> Result<Incoming, Stop> {
        let message = self.inbox.take(flags & MSG_PEEK != 0)?;
        let mut data = message.bytes;
        let full_len = data.len();
        data.truncate(len);
        let groups = message.group.checked_sub(1).map_or(0, |at| 1_u32.checked_shl(at).unwrap_or(0));
        let from = Some(Self::emit_address(0, groups));
        Ok(Incoming { data, full_len, from, ..Incoming::default() })
    }

    fn shutdown(&self, _k: &mut Kernel, _f: &OpenFile, _how: How) -> Result<(), Stop> {
        Err(Errno::EOPNOTSUPP.into())
    }

    fn poll(&self, _k: &Kernel) -> u16 {
        let readable = if self.inbox.is_empty() { 0 } else { POLLIN | POLLRDNORM };
        let lost = if self.inbox.has_lost() { POLLERR } else { 0 };
        u16::try_from(readable | lost | POLLOUT | POLLWRNORM).unwrap_or(u16::MAX)
    }

    fn close(&self, k: &mut Kernel) {
        k.net.monitors.remove(&self.inbox);
    }

    fn unread(&self, _k: &Kernel) -> Result<usize, Errno> {
        Err(Errno::ENOTTY)
    }

    fn unsent(&self, _k: &Kernel) -> Result<usize, Errno> {
        Err(Errno::ENOTTY)
    }

    fn keeps_boundaries(&self) -> bool {
        true
    }

    fn summary(&self, _k: &Kernel) -> Summary {
        let name = if self.common.protocol == Self::SOCK_DIAG { "tcpdiag" } else { "rtnl" };
        let local = format!("{name}:{}", self.port.get());
        Summary { protocol: "nl", state: "UNCONN", local, foreign: "*".to_owned() }
    }
}
