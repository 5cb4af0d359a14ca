//! What has changed in the network: what `ip monitor` is told (rtnetlink(7)).

use std::collections::VecDeque;

use crate::{
    Resolving, Stack,
    link::Address,
    neighbour::Neighbour,
    report::LinkInfo,
    route::{Route, Rule},
    types::LinkId,
};

/// So many wait for whoever asks; the oldest give way. A netlink socket would answer `ENOBUFS` long before.
const EVENTS_MAX: usize = 4096;

/// Whether something came or was changed, or went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// `RTM_NEW…`.
    New,
    /// `RTM_DEL…`.
    Del,
}

/// Something changed, and what it is now, or was last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// `RTM_NEWLINK`, `RTM_DELLINK`.
    Link(Change, LinkInfo),
    /// `RTM_NEWADDR`, `RTM_DELADDR`.
    Address(Change, LinkId, Address),
    /// `RTM_NEWROUTE`, `RTM_DELROUTE`.
    Route(Change, Route),
    /// `RTM_NEWRULE`, `RTM_DELRULE`.
    Rule(Change, Rule),
    /// `RTM_NEWNEIGH`, `RTM_DELNEIGH`.
    Neighbour(Change, Neighbour),
    /// The name servers and domains that are known now.
    Resolving(Resolving),
}

/// Events that nobody has fetched yet.
#[derive(Debug, Default)]
pub(crate) struct Events(VecDeque<Event>);

impl Stack {
    /// What has changed since this was asked last, oldest first.
    pub fn next_event(&mut self) -> Option<Event> {
        self.events.0.pop_front()
    }

    pub(crate) fn note_event(&mut self, event: Event) {
        if self.events.0.len() >= EVENTS_MAX {
            self.events.0.pop_front();
        }
        self.events.0.push_back(event);
    }
}
