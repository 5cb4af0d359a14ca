//! Packets that wait for a neighbour's address, and neighbours that are asked (RFC 4861, section 7.3; arp(7)).

use std::net::IpAddr;

use super::NeighbourState;
use crate::{
    Outgoing, Stack, ethernet,
    types::{LinkId, Mac},
};

const SECOND_NS: u64 = 1_000_000_000;
/// `mcast_solicit`, `ucast_solicit`: how often a neighbour is asked, and (`retrans_time`) how long each answer is waited for.
const SOLICITATIONS: u32 = 3;
const RETRANS_NS: u64 = SECOND_NS;
/// `base_reachable_time`.
const REACHABLE_NS: u64 = 30 * SECOND_NS;
/// `delay_first_probe_time`.
const DELAY_NS: u64 = 5 * SECOND_NS;
/// `gc_stale_time`: how long what failed, and what is not used, is kept.
const KEPT_NS: u64 = 60 * SECOND_NS;
/// Frames that wait for one neighbour; Linux keeps 100 full ones (`unres_qlen_bytes`).
const WAITING_MAX: usize = 100;

/// What a message says about its sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Learned {
    pub(super) mac: Mac,
    /// It answers our question: the neighbour hears us.
    pub(super) solicited: bool,
    /// It holds against another address that is known.
    pub(super) overrides: bool,
    /// It is good enough to begin with: the sender talks to us.
    pub(super) creates: bool,
    pub(super) router: Option<bool>,
}

impl Stack {
    /// Sends an Ethernet frame, whose destination is still to be filled in, to a neighbour.
    pub(crate) fn send_to_neighbour(&mut self, link: LinkId, hop: IpAddr, frame: impl Into<Outgoing>) {
        let (now_ns, place, mut frame) = (self.now_ns, (link, hop), frame.into());
        let entry = self.neighbours.entry(place, now_ns);
        entry.known.used_ns = now_ns;
        if let Some(mac) = entry.known.mac.filter(|_| entry.known.state.is_valid()) {
            ethernet::set_destination(&mut frame.bytes, mac);
            if entry.known.state == NeighbourState::Stale {
                entry.known.state = NeighbourState::Delay;
                entry.known.updated_ns = now_ns;
                self.neighbours.set_due(place, Some(now_ns + DELAY_NS));
                self.note_neighbour(place);
            }
            self.put_on_link(link, frame);
            return;
        }
        if entry.waiting.len() >= WAITING_MAX {
            entry.waiting.pop_front();
        }
        entry.waiting.push_back(frame);
        if entry.known.state != NeighbourState::Incomplete {
            entry.known.state = NeighbourState::Incomplete;
            (entry.known.probes, entry.known.updated_ns) = (0, now_ns);
            self.solicit_again(place);
        }
    }

    /// Something about a neighbour has become due.
    pub(crate) fn serve_neighbours(&mut self) {
        while let Some(place) = self.neighbours.pop_due(self.now_ns) {
            let now_ns = self.now_ns;
            let Some(entry) = self.neighbours.get_mut(place) else { continue };
            match entry.known.state {
                NeighbourState::Incomplete | NeighbourState::Probe if entry.known.probes < SOLICITATIONS => {
                    self.solicit_again(place);
                }
                NeighbourState::Incomplete | NeighbourState::Probe => self.fail(place),
                NeighbourState::Delay => {
                    entry.known.state = NeighbourState::Probe;
                    (entry.known.probes, entry.known.updated_ns) = (0, now_ns);
                    self.note_neighbour(place);
                    self.solicit_again(place);
                }
                NeighbourState::Reachable => {
                    let recently = entry.known.used_ns > entry.known.confirmed_ns;
                    entry.known.state = if recently { NeighbourState::Delay } else { NeighbourState::Stale };
                    entry.known.updated_ns = now_ns;
                    let wait_ns = if recently { DELAY_NS } else { KEPT_NS };
                    self.neighbours.set_due(place, Some(now_ns + wait_ns));
                    self.note_neighbour(place);
                }
                NeighbourState::Stale | NeighbourState::Failed => {
                    // Its end is not announced: `ip monitor` is told of what fails and what is deleted.
                    let idle_ns = now_ns.saturating_sub(entry.known.used_ns.max(entry.known.updated_ns));
                    if idle_ns >= KEPT_NS {
                        self.neighbours.remove(place);
                    } else {
                        self.neighbours.set_due(place, Some(now_ns + KEPT_NS - idle_ns));
                    }
                }
                NeighbourState::Noarp | NeighbourState::Permanent => {}
            }
        }
    }

    /// What a message of the neighbour's said (neigh_update).
    pub(super) fn learn(&mut self, place: (LinkId, IpAddr), learned: Learned) {
        let now_ns = self.now_ns;
        if !learned.mac.is_unicast() {
            return;
        }
        if self.neighbours.get_mut(place).is_none() && !learned.creates {
            return;
        }
        let known = &mut self.neighbours.entry(place, now_ns).known;
        if matches!(known.state, NeighbourState::Permanent | NeighbourState::Noarp) {
            return;
        }
        known.router = learned.router.unwrap_or(known.router);
        let other = known.mac.is_some_and(|mac| mac != learned.mac) && known.state.is_valid();
        if other && !learned.overrides {
            // RFC 4861, section 7.2.5: the news is not believed, but what was known is doubted.
            if known.state == NeighbourState::Reachable {
                known.state = NeighbourState::Stale;
                self.neighbours.set_due(place, Some(now_ns + KEPT_NS));
                self.note_neighbour(place);
            }
            return;
        }
        let state = match (learned.solicited, known.state.is_valid() && !other) {
            (true, _) => NeighbourState::Reachable,
            // Nothing new, and it does not say whether the neighbour hears us.
            (false, true) => return,
            (false, false) => NeighbourState::Stale,
        };
        self.set_neighbour(place, learned.mac, state);
    }

    /// Sets what is known, and sends what has waited for it.
    pub(super) fn set_neighbour(&mut self, place: (LinkId, IpAddr), mac: Mac, state: NeighbourState) {
        let now_ns = self.now_ns;
        let entry = self.neighbours.entry(place, now_ns);
        let news = entry.known.mac != Some(mac) || entry.known.state != state;
        entry.known.mac = Some(mac);
        entry.known.state = state;
        entry.known.probes = 0;
        if news {
            entry.known.updated_ns = now_ns;
        }
        let waiting = std::mem::take(&mut entry.waiting);
        let due = match state {
            NeighbourState::Reachable => {
                entry.known.confirmed_ns = now_ns;
                Some(Some(now_ns + REACHABLE_NS))
            }
            NeighbourState::Stale => Some(Some(now_ns + KEPT_NS)),
            NeighbourState::Permanent | NeighbourState::Noarp => Some(None),
            _ => None,
        };
        if let Some(due_ns) = due {
            self.neighbours.set_due(place, due_ns);
        }
        if news {
            self.note_neighbour(place);
        }
        for frame in waiting {
            self.send_to_neighbour(place.0, place.1, frame);
        }
    }

    fn solicit_again(&mut self, place: (LinkId, IpAddr)) {
        let now_ns = self.now_ns;
        let Some(entry) = self.neighbours.get_mut(place) else { return };
        entry.known.probes += 1;
        let known_mac = entry.known.mac.filter(|_| entry.known.state == NeighbourState::Probe);
        let source = entry.waiting.front().and_then(|frame| ethernet::source_of(&frame.bytes));
        self.neighbours.set_due(place, Some(now_ns + RETRANS_NS));
        match place.1 {
            IpAddr::V4(ip) => self.solicit_v4(place.0, ip, known_mac, source),
            IpAddr::V6(ip) => self.solicit_v6(place.0, ip, known_mac, source),
        }
    }

    /// It has not answered: who sent what waits is told (arp_error_report, ndisc_error_report).
    fn fail(&mut self, place: (LinkId, IpAddr)) {
        let now_ns = self.now_ns;
        let Some(entry) = self.neighbours.get_mut(place) else { return };
        entry.known.state = NeighbourState::Failed;
        entry.known.updated_ns = now_ns;
        let waiting = std::mem::take(&mut entry.waiting);
        self.neighbours.set_due(place, Some(now_ns + KEPT_NS));
        self.note_neighbour(place);
        for frame in waiting {
            self.undeliverable(place.0, ethernet::packet_of(&frame.bytes));
        }
    }
}
