//! What a type of link is to the rest of the server.

use crate::link::LINK;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use tcpip::{Mac, Offload, Offloads};

/// What carries the frames of one link. Nothing here blocks.
pub(crate) trait Backend {
    /// Something happened at a descriptor that [`Watch::add`] was told of by this number.
    fn event(&mut self, number: u32, flags: EventFlags);

    /// Takes at most `most` frames that have come in, each to `deliver`, with what is left to be done for it. Answers whether there may
    /// be more.
    fn receive(&mut self, most: usize, deliver: &mut Deliver<'_>) -> bool;

    /// Sends a frame for which this is left to be done: nothing, unless [`Backend::takes_offloads`] says otherwise.
    fn send(&mut self, frame: &[u8], offload: Offload) -> Sent;

    /// What its other side does for frames.
    fn takes_offloads(&self) -> Offloads {
        Offloads::None
    }

    /// Sends off what [`Backend::send`] has taken: called once behind several.
    fn flush(&mut self) {}

    /// What has become due is to be done.
    fn advance(&mut self, _now_ns: u64) {}

    /// When [`Backend::advance`] wants to be called at the latest.
    fn next_deadline(&self) -> Option<u64> {
        None
    }

    /// Whether there is somebody at the other end, as far as can be told.
    fn has_carrier(&self) -> bool {
        true
    }

    /// Whether frames have come in of which no event tells.
    fn has_input(&self) -> bool {
        false
    }

    /// The server goes to sleep until an event; from now on events tell of every frame. Answers whether it may: none has come in meanwhile.
    fn sleep(&mut self) -> bool {
        true
    }

    /// The server is awake.
    fn wake(&mut self) {}

    /// The interface has this Ethernet address now; none: frames for others are wanted, too (`IFF_PROMISC`).
    fn take_only(&mut self, _mac: Option<Mac>) {}

    /// Frames that were for us and that it knows to have lost.
    fn missed(&self) -> u64 {
        0
    }

    /// What is to be said about its state beyond the counters, in a few words.
    fn remark(&self) -> String {
        String::new()
    }
}

/// Where frames go that have come in.
pub(crate) type Deliver<'a> = dyn FnMut(&[u8], Offload) + 'a;

/// What became of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sent {
    /// It is sent.
    Done,
    /// There is no room: to be tried again after the next event.
    Full,
    /// It cannot be sent.
    Dropped,
}

/// A link's part of the server's epoll set.
#[derive(Debug, Clone)]
pub(crate) struct Watch {
    epoll: Rc<OwnedFd>,
    link: u32,
}

impl Watch {
    pub(crate) fn new(epoll: Rc<OwnedFd>, link: u32) -> Self {
        Self { epoll, link }
    }

    /// Watches a descriptor until it is closed; its events carry `number`, which is below 65,536.
    ///
    /// # Errors
    /// As epoll_ctl(2).
    pub(crate) fn add(&self, fd: impl AsFd, number: u32, flags: EventFlags) -> Result<(), Errno> {
        epoll::add(&self.epoll, fd, EventData::new_u64(self.token(number)), flags)
    }

    /// Watches it for something else.
    ///
    /// # Errors
    /// As epoll_ctl(2).
    pub(crate) fn modify(&self, fd: impl AsFd, number: u32, flags: EventFlags) -> Result<(), Errno> {
        epoll::modify(&self.epoll, fd, EventData::new_u64(self.token(number)), flags)
    }

    const fn token(&self, number: u32) -> u64 {
        LINK | (self.link as u64) << NUMBER_BITS | number as u64
    }
}

const NUMBER_BITS: u32 = 16;

/// Which link's descriptor an event is about, and which of its descriptors.
pub(crate) const fn parse_token(token: u64) -> (u32, u32) {
    let link = (token & !LINK) >> NUMBER_BITS;
    (link as u32, (token & ((1 << NUMBER_BITS) - 1)) as u32)
}
