//! What waits in a netlink socket: answers to its own requests, and what the groups that it joined are told.

use crate::file::ObjectId;
use abi::Errno;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

/// More than this do not wait: a program that never reads gets `ENOBUFS` (netlink(7)).
const MESSAGES_MAX: usize = 1024;
/// `RTNLGRP_MAX` is 36 in Linux 6.1; there is room for a few more.
const GROUPS_MAX: u32 = 64;

/// One datagram and the group that it was for, 0: it is an answer.
#[derive(Debug, Clone)]
pub(super) struct Message {
    pub(super) bytes: Vec<u8>,
    pub(super) group: u32,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Inbox {
    /// Changes when something arrives.
    pub(super) object: ObjectId,
    messages: RefCell<VecDeque<Message>>,
    /// Bit n: a member of group n + 1.
    groups: Cell<u64>,
    /// Something was lost; told once.
    overrun: Cell<bool>,
}

impl Inbox {
    pub(super) fn new(object: ObjectId) -> Self {
        Self { object, messages: RefCell::default(), groups: Cell::new(0), overrun: Cell::new(false) }
    }

    /// Whether more requests may be answered.
    pub(super) fn is_full(&self) -> bool {
        self.messages.borrow().len() >= MESSAGES_MAX
    }

    pub(super) fn is_empty(&self) -> bool {
        self.messages.borrow().is_empty() && !self.overrun.get()
    }

    /// Whether messages were lost and nobody was told yet.
    pub(super) fn has_lost(&self) -> bool {
        self.overrun.get()
    }

    /// Something was.
    pub(super) fn lose(&self) {
        self.overrun.set(true);
    }

    /// Answers to a request of the socket's own.
    pub(super) fn answer(&self, answers: Vec<Vec<u8>>) {
        self.messages.borrow_mut().extend(answers.into_iter().map(|bytes| Message { bytes, group: 0 }));
    }

    /// What a group is told. Answers whether the socket is a member.
    pub(super) fn tell(&self, group: u32, bytes: &[u8]) -> bool {
        let member = self.groups.get() & bit(group).unwrap_or(0) != 0;
        if member && self.is_full() {
            self.overrun.set(true);
        } else if member {
            self.messages.borrow_mut().push_back(Message { bytes: bytes.to_vec(), group });
        }
        member
    }

    /// The next message, which stays if it is only looked at (`MSG_PEEK`).
    ///
    /// # Errors
    /// `EAGAIN`: there is none. `ENOBUFS`: some were lost; said once.
    pub(super) fn take(&self, peek: bool) -> Result<Message, Errno> {
        if self.overrun.take() {
            return Err(Errno::ENOBUFS);
        }
        let mut messages = self.messages.borrow_mut();
        let front = if peek { messages.front().cloned() } else { messages.pop_front() };
        front.ok_or(Errno::EAGAIN)
    }

    /// `nl_groups`: the groups 1 to 32 as bits.
    pub(super) fn mask(&self) -> u32 {
        let [a, b, c, d, ..] = self.groups.get().to_le_bytes();
        u32::from_le_bytes([a, b, c, d])
    }

    /// bind(2): the groups 1 to 32 become these.
    pub(super) fn set_mask(&self, mask: u32) {
        self.groups.set(self.groups.get() & !u64::from(u32::MAX) | u64::from(mask));
    }

    /// `NETLINK_ADD_MEMBERSHIP`, `NETLINK_DROP_MEMBERSHIP`.
    ///
    /// # Errors
    /// `EINVAL`: there is no such group.
    pub(crate) fn set_member(&self, group: u32, member: bool) -> Result<(), Errno> {
        let bit = bit(group)?;
        let groups = self.groups.get();
        self.groups.set(if member { groups | bit } else { groups & !bit });
        Ok(())
    }

    /// `NETLINK_LIST_MEMBERSHIPS`: the groups as bits, in words of 32.
    pub(crate) fn memberships(&self) -> Vec<u8> {
        self.groups.get().to_le_bytes().to_vec()
    }
}

fn bit(group: u32) -> Result<u64, Errno> {
    if (1..=GROUPS_MAX).contains(&group) { Ok(1 << (group - 1)) } else { Err(Errno::EINVAL) }
}
