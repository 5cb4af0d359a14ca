//! `AF_NETLINK` sockets (netlink(7)): of `NETLINK_SOCK_DIAG`, what ss(8) asks, and of `NETLINK_ROUTE` (rtnetlink(7)), what
//! getifaddrs(3), getaddrinfo(3) and if_nameindex(3) ask. Links, addresses and routes can be listed; changing them is refused, and there are no
//! notifications.

mod diag;
mod route;
mod wire;

use crate::Kernel;
use crate::call::Stop;
use crate::file::{ObjectId, OpenFile};
use abi::Errno;
use abi::raw::general::{POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM};
use abi::raw::net::{AF_NETLINK, MSG_PEEK};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use super::address::{self, narrow};
use super::{Common, How, Incoming, Outgoing, Socket, Summary};

/// `sizeof (struct sockaddr_nl)`.
const SOCKADDR_NL_LEN: usize = 12;
/// More answers than this do not wait: a program that never reads gets `ENOBUFS` (netlink(7)).
const ANSWERS_MAX: usize = 256;

/// One netlink socket.
pub(crate) struct Netlink {
    common: Common,
    object: ObjectId,
    /// Its address, `nl_pid`; 0 before it has one.
    port: Cell<u32>,
    groups: Cell<u32>,
    answers: RefCell<VecDeque<Vec<u8>>>,
}

impl Netlink {
    /// `NETLINK_ROUTE`.
    pub(crate) const ROUTE: u32 = 0;
    /// `NETLINK_SOCK_DIAG`.
    pub(crate) const SOCK_DIAG: u32 = 4;

    /// socket(2); its readiness changes with `object`.
    pub(crate) fn new(common: Common, object: ObjectId) -> Self {
        Self { common, object, port: Cell::new(0), groups: Cell::new(0), answers: RefCell::default() }
    }

    /// Takes an address of its own if it has none. Any number that is unique will do (netlink(7)).
    fn autobind(&self) {
        if self.port.get() == 0 {
            let [low, high] = [self.object.0 & 0x7fff_ffff, 1 << 31];
            self.port.set(u32::try_from(low | high).unwrap_or(1 << 31));
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
        self.groups.set(groups);
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
        Ok(Self::emit_address(self.port.get(), self.groups.get()))
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
        if self.answers.borrow().len() > ANSWERS_MAX {
            return Err(Errno::ENOBUFS.into());
        }
        let root = k.is_ruled_by_caller();
        for request in wire::requests(message.data) {
            let answers = match self.common.protocol {
                Self::SOCK_DIAG => diag::answer(k, request, self.port.get()),
                _ => route::answer(&k.net.stack, request, self.port.get(), root),
            };
            self.answers.borrow_mut().extend(answers);
        }
        k.wake(self.object);
        Ok(message.data.len())
    }

    fn receive(&self, _k: &mut Kernel, _f: &OpenFile, len: usize, flags: u32) -> Result<Incoming, Stop> {
        let mut answers = self.answers.borrow_mut();
        let front = if flags & MSG_PEEK != 0 { answers.front().cloned() } else { answers.pop_front() };
        let mut data = front.ok_or(Errno::EAGAIN)?;
        let full_len = data.len();
        data.truncate(len);
        let from = Some(Self::emit_address(0, 0));
        Ok(Incoming { data, full_len, from, ..Incoming::default() })
    }

    fn shutdown(&self, _k: &mut Kernel, _f: &OpenFile, _how: How) -> Result<(), Stop> {
        Err(Errno::EOPNOTSUPP.into())
    }

    fn poll(&self, _k: &Kernel) -> u16 {
        let readable = if self.answers.borrow().is_empty() { 0 } else { POLLIN | POLLRDNORM };
        u16::try_from(readable | POLLOUT | POLLWRNORM).unwrap_or(u16::MAX)
    }

    fn close(&self, _k: &mut Kernel) {}

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
