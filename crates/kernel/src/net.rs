//! The network of the kernel: its TCP/IP stack, and which file each of the stack's sockets belongs to.

use crate::file::ObjectId;
use crate::socket::{Monitors, Ring};
use crate::{Kernel, Now};
use foldhash::HashMap;
use tcpip::{Config, LinkConfig, LinkId, Offload, Outgoing, SocketId, Stack};

/// The stack and whom to wake when one of its sockets changes.
pub(crate) struct Net {
    pub(crate) stack: Stack,
    objects: HashMap<SocketId, ObjectId>,
    /// Who is told of changes.
    pub(crate) monitors: Monitors,
    /// Of packet sockets.
    pub(crate) rings: HashMap<SocketId, Ring>,
}

impl Net {
    pub(crate) fn new(now: Now, seed: [u8; 32]) -> Self {
        let mut half = [0; 8];
        half.copy_from_slice(&seed[..8]);
        let mut stack = Stack::new(Config { seed: u64::from_le_bytes(half) });
        stack.advance(now.mono_ns);
        Self { stack, objects: HashMap::default(), monitors: Monitors::default(), rings: HashMap::default() }
    }

    /// The object that changes with this socket.
    pub(crate) fn object(&self, socket: SocketId) -> Option<ObjectId> {
        self.objects.get(&socket).copied()
    }

    pub(crate) fn enter(&mut self, socket: SocketId, object: ObjectId) {
        self.objects.insert(socket, object);
    }

    /// The last close(2) of a socket.
    pub(crate) fn close(&mut self, socket: SocketId) {
        self.objects.remove(&socket);
        self.rings.remove(&socket);
        self.stack.close(socket);
    }
}

impl Kernel {
    /// Moves what a packet socket has received to its ring, if it has one, as far as there is room.
    pub(crate) fn fill_ring(&mut self, socket: SocketId) {
        let Some(ring) = self.net.rings.get_mut(&socket) else { return };
        while ring.has_room() {
            let Ok(frame) = self.net.stack.packet_recv(socket, false) else { return };
            let age_ns = self.now.mono_ns.saturating_sub(frame.at_ns);
            if ring.put(&frame, self.now.real_ns.saturating_sub(age_ns)).is_err() {
                return;
            }
        }
    }

    /// Adds a link to the network.
    ///
    /// # Errors
    /// As [`Stack::add_link`].
    pub fn add_link(&mut self, config: LinkConfig) -> Result<LinkId, abi::Errno> {
        self.change_network(|stack| stack.add_link(config))
    }

    /// Removes a link from the network.
    ///
    /// # Errors
    /// As [`Stack::remove_link`].
    pub fn remove_link(&mut self, link: LinkId) -> Result<(), abi::Errno> {
        self.change_network(|stack| stack.remove_link(link))
    }

    /// The network as it is: links, addresses, routes, neighbours.
    #[must_use]
    pub const fn network(&self) -> &Stack {
        &self.net.stack
    }

    /// Changes links, addresses, routes or neighbours; what waits for sockets goes on as they change.
    pub fn change_network<T>(&mut self, change: impl FnOnce(&mut Stack) -> T) -> T {
        let result = change(&mut self.net.stack);
        self.settle();
        result
    }

    /// A frame that arrived on `link`, as its medium has them. Any bytes will do.
    pub fn frame_in(&mut self, link: LinkId, frame: &[u8]) {
        self.net.stack.frame_in(link, frame);
        self.settle();
    }

    /// As [`Kernel::frame_in`], with what its sender has left to be done for it ([`Stack::frame_in_with`]).
    pub fn frame_in_with(&mut self, link: LinkId, frame: &[u8], offload: Offload) {
        self.net.stack.frame_in_with(link, frame, offload);
        self.settle();
    }

    /// The next frame to send, and where.
    pub fn next_frame(&mut self) -> Option<(LinkId, Vec<u8>)> {
        self.net.stack.next_frame()
    }

    /// As [`Kernel::next_frame`], for links that take offloads ([`Stack::next_frame_with`]).
    pub fn next_frame_with(&mut self) -> Option<(LinkId, Outgoing)> {
        self.net.stack.next_frame_with()
    }
}
