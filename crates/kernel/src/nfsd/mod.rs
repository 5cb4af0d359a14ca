//! The kernel's NFS server: the sockets around [`nfs::Server`].
//!
//! It runs while something is exported, as process `nfsd`. Each request is a call of that process: where its file system has to wait for
//! a disk it is parked and run again as calls of programs are, and others go on meanwhile.

mod connection;
mod control;

use crate::Kernel;
use crate::call::{Answer, Call, CallId};
use crate::file::ObjectId;
use crate::mem::UserMem;
use crate::process::{Credentials, Descriptors, Pid};
use abi::Errno;
use connection::Connection;
pub(crate) use control::{exports, portlist, threads, versions};
use foldhash::HashMap;
use nfs::{Peer, Server};
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use tcpip::{Domain, Sending, SocketId};

/// Set in the numbers of our calls: those of programs count from 1.
const NFS_CALL: u64 = 1 << 63;
/// So many requests of one socket are carried out at once.
const RUNNING_MAX: usize = 16;
/// More clients are turned away.
const CONNECTIONS_MAX: usize = 256;
const BACKLOG: u32 = 64;
/// Longest datagram.
const DATAGRAM_MAX: usize = 65536;

/// The server and its sockets; without exports there are none.
#[derive(Default)]
pub(crate) struct Nfsd {
    pub(crate) server: Server,
    pid: Option<Pid>,
    sockets: HashMap<SocketId, Role>,
    connections: BTreeMap<ObjectId, Connection>,
    requests: HashMap<CallId, Request>,
    last: u64,
    /// Sockets to be looked at.
    changed: VecDeque<SocketId>,
    /// Nothing is exported any more.
    pub(crate) over: bool,
    /// Whether somebody else is asked where programs are.
    portmap_elsewhere: bool,
}

/// What a socket is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Listener,
    /// UDP, and how many of its requests are on their way.
    Datagrams(usize),
    Connection(ObjectId),
}

/// A request on its way.
struct Request {
    from: Origin,
    peer: Peer,
    bytes: Vec<u8>,
    reply: Option<Vec<u8>>,
}

/// Where a reply goes.
#[derive(Debug, Clone, Copy)]
enum Origin {
    Connection(ObjectId),
    Datagram { socket: SocketId, to: SocketAddr, source: IpAddr },
}

impl Call {
    /// Whether it is a request to the NFS server.
    pub(crate) const fn is_nfs(&self) -> bool {
        self.id.0 & NFS_CALL != 0
    }
}

impl Kernel {
    /// A socket has changed: whether it is the NFS server's, which looks at it soon.
    pub(crate) fn note_nfs(&mut self, socket: SocketId) -> bool {
        let ours = self.nfsd.sockets.contains_key(&socket);
        if ours && !self.nfsd.changed.contains(&socket) {
            self.nfsd.changed.push_back(socket);
        }
        ours
    }

    /// Does what there is to do for sockets of the NFS server; whether there was anything.
    pub(crate) fn serve_nfs(&mut self) -> bool {
        if std::mem::take(&mut self.nfsd.over) {
            self.stop_nfsd();
            return true;
        }
        let Some(socket) = self.nfsd.changed.pop_front() else { return false };
        match self.nfsd.sockets.get(&socket).copied() {
            Some(Role::Listener) => self.accept_nfs(socket),
            Some(Role::Datagrams(_)) => self.datagrams(socket),
            Some(Role::Connection(object)) => self.connection(object),
            None => {}
        }
        true
    }

    /// Runs a request, once more if it had to wait.
    pub(crate) fn run_nfs(&mut self, call: &Call) -> Answer {
        let request = self.nfsd.requests.get_mut(&call.id).ok_or(Errno::ESRCH)?;
        let (peer, now) = (request.peer, self.now.real_ns);
        request.reply = self.nfsd.server.answer(&mut self.fs.vfs, peer, &request.bytes, now);
        Ok(0)
    }

    /// A request has run for the last time.
    pub(crate) fn nfs_done(&mut self, id: CallId) {
        let Some(Request { from, peer, bytes, reply }) = self.nfsd.requests.remove(&id) else { return };
        if let Some(reply) = &reply {
            self.nfsd.server.remember(peer, &bytes, reply);
        }
        match from {
            Origin::Connection(object) => self.connection_answered(object, reply),
            Origin::Datagram { socket, to, source } => {
                if let Some(reply) = reply {
                    let how = Sending { source: Some(source), ..Sending::default() };
                    // A reply that is lost is asked for again.
                    let _ = self.net.stack.send_message(socket, &reply, Some(to), &how);
                }
                if let Some(Role::Datagrams(running)) = self.nfsd.sockets.get_mut(&socket) {
                    *running -= 1;
                    self.note_nfs(socket);
                }
            }
        }
    }

    fn submit_nfs(&mut self, from: Origin, peer: Peer, bytes: Vec<u8>) {
        let Some(pid) = self.nfsd.pid else { return };
        self.nfsd.last += 1;
        let id = CallId(self.nfsd.last | NFS_CALL);
        self.nfsd.requests.insert(id, Request { from, peer, bytes, reply: None });
        self.run(Call::new(id, pid, u32::MAX, [0; 6], UserMem::default()));
    }

    fn datagrams(&mut self, socket: SocketId) {
        let mut buf = vec![0; DATAGRAM_MAX];
        loop {
            match self.nfsd.sockets.get_mut(&socket) {
                Some(Role::Datagrams(running)) if *running < RUNNING_MAX => *running += 1,
                _ => return,
            }
            let received = match self.net.stack.recv_from(socket, &mut buf, false) {
                Ok(received) => received,
                Err(errno) => {
                    if let Some(Role::Datagrams(running)) = self.nfsd.sockets.get_mut(&socket) {
                        *running -= 1;
                    }
                    // Errors of peers that are gone; what came besides is still there.
                    match errno {
                        Errno::EAGAIN => return,
                        _ => continue,
                    }
                }
            };
            let peer = Peer {
                address: received.from.ip(),
                port: received.from.port(),
                stream: false,
                local: received.to.to_canonical(),
            };
            let from = Origin::Datagram { socket, to: received.from, source: received.to };
            self.submit_nfs(from, peer, buf[..received.len].to_vec());
        }
    }

    /// Begins to serve.
    ///
    /// # Errors
    /// `EADDRINUSE`: somebody else serves NFS or MOUNT.
    fn start_nfsd(&mut self) -> Result<(), Errno> {
        if self.nfsd.pid.is_some() {
            self.nfsd.over = false;
            return Ok(());
        }
        let mut verifier = [0; 8];
        self.fs.vfs.random(&mut verifier)?;
        let exports = std::mem::take(&mut self.nfsd.server.exports);
        self.nfsd.server = Server::new(verifier);
        self.nfsd.server.exports = exports;
        let root = Credentials { uid: 0, gid: 0, groups: Vec::new(), host_pid: 0 };
        self.nfsd.pid = Some(self.attach(root, b"nfsd", Descriptors::Strong));
        self.nfsd.portmap_elsewhere = false;
        for port in nfs::PORTS {
            match self.listen_nfs(port) {
                Err(Errno::EADDRINUSE) if port == nfs::PORTMAP_PORT => self.nfsd.portmap_elsewhere = true,
                Err(errno) => {
                    self.nfsd.over = true;
                    return Err(errno);
                }
                Ok(()) => {}
            }
        }
        Ok(())
    }

    /// One socket for connections and one for datagrams, of both families.
    fn listen_nfs(&mut self, port: u16) -> Result<(), Errno> {
        let at = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
        let stack = &mut self.net.stack;
        let (stream, datagram) = (stack.tcp_socket(Domain::Inet6), stack.udp_socket(Domain::Inet6));
        self.nfsd.sockets.insert(stream, Role::Listener);
        self.nfsd.sockets.insert(datagram, Role::Datagrams(0));
        let listening = stack
            .set_option(stream, tcpip::Opt::ReuseAddr(true))
            .and_then(|()| stack.bind(stream, at))
            .and_then(|()| stack.listen(stream, BACKLOG))
            .and_then(|()| stack.bind(datagram, at));
        if listening.is_err() {
            for socket in [stream, datagram] {
                self.nfsd.sockets.remove(&socket);
                self.net.close(socket);
            }
        }
        listening
    }

    /// Ends to serve: connections are closed, and what was asked for is dropped. Not from within a call, since others run then.
    fn stop_nfsd(&mut self) {
        let Some(pid) = self.nfsd.pid.take() else { return };
        for (socket, _) in std::mem::take(&mut self.nfsd.sockets) {
            self.net.close(socket);
        }
        self.nfsd.connections.clear();
        self.nfsd.requests.clear();
        self.nfsd.changed.clear();
        self.detach(pid);
    }
}
