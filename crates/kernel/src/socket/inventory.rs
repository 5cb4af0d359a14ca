//! All sockets of the kernel, as /proc/net and sock_diag(7) tell of them.

use super::unix::UnixSocket;
use crate::Kernel;
use crate::file::ObjectId;
use foldhash::{HashMap, HashMapExt};
use tcpip::{Domain, Protocol, SocketInfo};

/// linux/tcp_states.h
pub(crate) const TCP_ESTABLISHED: u8 = 1;
pub(crate) const TCP_CLOSE: u8 = 7;
pub(crate) const TCP_LISTEN: u8 = 10;

/// A socket of the TCP/IP stack, or a connection that has outlived its own.
pub(crate) struct InetSocket {
    pub(crate) info: SocketInfo,
    /// `TCP_*` of linux/tcp_states.h; UDP's are either established or closed.
    pub(crate) state: u8,
    /// `st_ino` of fstat(2); 0: no program has it any more.
    pub(crate) inode: u64,
    /// The user of a process that has it.
    pub(crate) uid: u32,
}

impl Kernel {
    /// The sockets of a protocol and family that Linux lists: those with a port.
    pub(crate) fn inet_sockets(&self, protocol: Protocol, domain: Domain) -> Vec<InetSocket> {
        let owners = self.socket_owners();
        let listed = |info: &SocketInfo| {
            let closed = protocol == Protocol::Tcp && info.state == "UNCONN";
            info.protocol == protocol && info.domain == domain && info.local.port() != 0 && !closed
        };
        let describe = |info: SocketInfo| {
            let object = info.id.and_then(|id| self.net.object(id));
            let uid = object.and_then(|object| owners.get(&object)).copied().unwrap_or(0);
            InetSocket {
                state: state_number(info.state),
                inode: object.map_or(0, |object| self.inode(object)),
                uid,
                info,
            }
        };
        self.net.stack.sockets().into_iter().filter(listed).map(describe).collect()
    }

    /// The AF_UNIX sockets.
    pub(crate) fn unix_sockets(&self) -> Vec<UnixSocket> {
        let mut sockets = self.unix.report(|object| self.inode(object));
        sockets.sort_by_key(|socket| socket.inode);
        sockets
    }

    /// How many descriptors' files are sockets.
    pub(crate) fn sockets_used(&self) -> usize {
        self.socket_owners().len()
    }

    fn socket_owners(&self) -> HashMap<ObjectId, u32> {
        let mut owners = HashMap::new();
        for process in self.processes.iter() {
            for (_, id) in process.fds.iter() {
                if let Ok(file) = self.files.get(id)
                    && file.ops.socket().is_some()
                {
                    owners.insert(file.object, process.who.uid);
                }
            }
        }
        owners
    }
}

/// The number of a state that ss(8) prints by this name (linux/tcp_states.h).
fn state_number(name: &str) -> u8 {
    const NAMES: [&str; 11] = [
        "ESTAB",
        "SYN-SENT",
        "SYN-RECV",
        "FIN-WAIT-1",
        "FIN-WAIT-2",
        "TIME-WAIT",
        "UNCONN",
        "CLOSE-WAIT",
        "LAST-ACK",
        "LISTEN",
        "CLOSING",
    ];
    NAMES
        .iter()
        .position(|known| *known == name)
        .and_then(|at| u8::try_from(at + 1).ok())
        .unwrap_or(TCP_CLOSE)
}
