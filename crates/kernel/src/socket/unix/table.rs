//! All `AF_UNIX` sockets: who is connected to whom, what is on its way, which name is whose.

use super::name::Name;
use crate::file::ObjectId;
use crate::socket::address::narrow;
use crate::socket::common::BUFFER;
use crate::socket::{Common, Right};
use abi::Errno;
use abi::layout::Ucred;
use abi::raw::net::{AF_UNIX, SO_SNDBUF, SOCK_DGRAM, SOL_SOCKET};
use foldhash::{HashMap, HashMapExt};
use std::cell::RefCell;
use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;

/// What a datagram or a piece of a stream takes besides its bytes: about what Linux charges (`SKB_TRUESIZE(0)`).
pub(super) const OVERHEAD: usize = 576;

/// `net.unix.max_dgram_qlen` at first.
const DATAGRAMS_MAX: usize = 10;

/// Names one socket for the life of the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct UnixId(u64);

/// The address of a socket, for itself and for those that are connected to it: it may get its name later, and be gone earlier.
pub(super) type Address = Rc<RefCell<Vec<u8>>>;

/// Where a socket stands.
#[derive(Debug)]
pub(super) enum State {
    Unconnected,
    Listening {
        backlog: usize,
        /// Connections that wait for accept(2).
        pending: VecDeque<UnixId>,
    },
    /// For datagrams: has a default destination.
    Connected {
        /// May be gone.
        peer: UnixId,
        /// What getpeername(2) answers.
        address: Address,
        /// What `SO_PEERCRED` answers.
        credentials: Ucred,
    },
}

/// A datagram or a piece of a stream that waits for its receiver.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) data: Vec<u8>,
    /// How many of its bytes were received.
    pub(super) at: usize,
    /// The sender's address.
    pub(super) from: Address,
    pub(super) credentials: Ucred,
    pub(super) rights: Vec<Right>,
    pub(super) mark: Mark,
}

/// Whether a piece of a stream is a byte of `MSG_OOB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    None,
    /// The last one, which `MSG_OOB` receives.
    Urgent,
    /// An earlier one, or one that was received: where it was stays known until a read has passed it.
    Past,
}

impl Message {
    /// The address that its receiver sees; `None`: the sender has no name.
    pub(super) fn visible_address(&self) -> Option<Vec<u8>> {
        let address = self.from.borrow();
        (address.len() > 2).then(|| address.clone())
    }

    /// Bytes not yet received.
    pub(super) fn left(&self) -> usize {
        self.data.len() - self.at
    }
}

/// One socket.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) common: Rc<Common>,
    pub(super) object: ObjectId,
    /// Who made it, or called listen(2) or connect(2).
    pub(super) owner: Ucred,
    /// `struct sockaddr_un`, only the family if it has no name.
    pub(super) address: Address,
    pub(super) bound: Option<Name>,
    pub(super) state: State,
    pub(super) queue: VecDeque<Message>,
    /// What the queue is charged for.
    pub(super) queued: usize,
    /// Nothing is received any more once the queue is empty.
    pub(super) no_receive: bool,
    /// Nothing is sent any more.
    pub(super) no_send: bool,
    pub(super) error: Option<Errno>,
    /// Who wants to know when there is room in the queue or the backlog again.
    pub(super) waiters: RefCell<BTreeSet<ObjectId>>,
}

impl Endpoint {
    pub(super) fn new(common: Rc<Common>, object: ObjectId, owner: Ucred) -> Self {
        Self {
            common,
            object,
            owner,
            address: Rc::new(RefCell::new(narrow(AF_UNIX).to_ne_bytes().to_vec())),
            bound: None,
            state: State::Unconnected,
            queue: VecDeque::new(),
            queued: 0,
            no_receive: false,
            no_send: false,
            error: None,
            waiters: RefCell::default(),
        }
    }

    pub(super) fn is_connection_based(&self) -> bool {
        self.common.kind != SOCK_DGRAM
    }

    pub(super) fn has_pending(&self) -> bool {
        matches!(&self.state, State::Listening { pending, .. } if !pending.is_empty())
    }

    pub(super) fn peer(&self) -> Option<UnixId> {
        match self.state {
            State::Connected { peer, .. } => Some(peer),
            _ => None,
        }
    }

    pub(super) fn peer_address(&self) -> Option<Vec<u8>> {
        match &self.state {
            State::Connected { address, .. } => Some(address.borrow().clone()),
            _ => None,
        }
    }

    /// Whether it has a name: of its own, or that of the listener which it comes from.
    pub(super) fn has_name(&self) -> bool {
        self.address.borrow().len() > 2
    }

    /// `SO_SNDBUF`.
    pub(super) fn sndbuf(&self) -> usize {
        let value = self.common.value(SOL_SOCKET, SO_SNDBUF).unwrap_or(BUFFER);
        usize::try_from(value).unwrap_or(0)
    }
}

/// All of them.
#[derive(Debug)]
pub(crate) struct Table {
    /// `net.unix.max_dgram_qlen`: more datagrams than this wait at no socket, but for those of its own pair.
    pub(crate) datagrams_max: usize,
    ends: HashMap<UnixId, Endpoint>,
    pub(super) names: HashMap<Name, UnixId>,
    last: u64,
    /// Where autobind looks for a free name next.
    pub(super) next_auto: u32,
    /// Descriptors that are on their way.
    pub(super) in_flight: usize,
}

impl Default for Table {
    fn default() -> Self {
        Self {
            datagrams_max: DATAGRAMS_MAX,
            ends: HashMap::new(),
            names: HashMap::new(),
            last: 0,
            next_auto: 0,
            in_flight: 0,
        }
    }
}

impl Table {
    pub(super) fn insert(&mut self, end: Endpoint) -> UnixId {
        self.last += 1;
        let id = UnixId(self.last);
        self.ends.insert(id, end);
        id
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Endpoint> {
        self.ends.values()
    }

    /// # Errors
    /// `ECONNREFUSED`: it is gone.
    pub(super) fn get(&self, id: UnixId) -> Result<&Endpoint, Errno> {
        self.ends.get(&id).ok_or(Errno::ECONNREFUSED)
    }

    /// # Errors
    /// `ECONNREFUSED`: it is gone.
    pub(super) fn get_mut(&mut self, id: UnixId) -> Result<&mut Endpoint, Errno> {
        self.ends.get_mut(&id).ok_or(Errno::ECONNREFUSED)
    }

    pub(super) fn remove(&mut self, id: UnixId) -> Option<Endpoint> {
        self.ends.remove(&id)
    }

    /// Whether `from` would have to wait before it could send to `to`: to the one that it is connected with both
    /// ways as its buffer says, to others as many datagrams as may wait there.
    pub(super) fn is_full(&self, from: UnixId, to: UnixId) -> bool {
        let (Some(sender), Some(receiver)) = (self.ends.get(&from), self.ends.get(&to)) else { return false };
        if from == to || receiver.peer() == Some(from) {
            receiver.queued >= sender.sndbuf()
        } else {
            receiver.queue.len() > self.datagrams_max
        }
    }

    /// Whether poll(2) says that it can be written to: at most a quarter of the buffer is taken (net/unix/af_unix.c,
    /// unix_writable).
    pub(super) fn is_writable(&self, id: UnixId) -> bool {
        let Some(end) = self.ends.get(&id) else { return false };
        match end.state {
            State::Listening { .. } => false,
            State::Unconnected => true,
            State::Connected { peer, .. } => match self.ends.get(&peer) {
                Some(receiver) if receiver.peer() == Some(id) => receiver.queued * 4 <= end.sndbuf(),
                Some(receiver) => {
                    let full = self.is_full(id, peer);
                    if full {
                        receiver.waiters.borrow_mut().insert(end.object);
                    }
                    !full
                }
                None => true,
            },
        }
    }
}
