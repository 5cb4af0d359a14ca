//! The network of the kernel: its TCP/IP stack, and which file each of the stack's sockets belongs to.

use crate::file::ObjectId;
use crate::socket::Monitors;
use crate::{Kernel, Now};
use foldhash::HashMap;
use tcpip::{Config, LinkConfig, LinkId, SocketId, Stack};

/// The stack and whom to wake when one of its sockets changes.
pub(crate) struct Net {
    pub(crate) stack: Stack,
    objects: HashMap<SocketId, ObjectId>,
    /// Who is told of changes.
    pub(crate) monitors: Monitors,
}

impl Net {
    pub(crate) fn new(now: Now, seed: [u8; 32]) -> Self {
        let mut half = [0; 8];
        half.copy_from_slice(&seed[..8]);
        let mut stack = Stack::new(Config { seed: u64::from_le_bytes(half) });
        stack.advance(now.mono_ns);
        Self { stack, objects: HashMap::default(), monitors: Monitors::default() }
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
        self.stack.close(socket);
    }
}

impl Kernel {
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

    /// The next frame to send, and where.
    pub fn next_frame(&mut self) -> Option<(LinkId, Vec<u8>)> {
        self.net.stack.next_frame()
    }
}
