//! What is known of neighbours.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    net::IpAddr,
};

use abi::Errno;

use crate::{
    Outgoing, Stack,
    event::{Change, Event},
    random::Keyed,
    types::{LinkId, Mac},
};

/// `net.ipv4.neigh.default.gc_thresh3`.
const NEIGHBOURS_MAX: usize = 1024;

/// How far a neighbour is known (`NUD_*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NeighbourState {
    /// It was asked for and has not answered.
    Incomplete,
    /// It has answered lately.
    Reachable,
    /// It has answered once.
    Stale,
    /// Used while stale: asked again soon.
    Delay,
    /// Asked again.
    Probe,
    /// It has not answered.
    Failed,
    /// Needs no asking.
    Noarp,
    /// Set by hand for good.
    Permanent,
}

impl NeighbourState {
    /// `NUD_*` (linux/neighbour.h).
    #[must_use]
    pub const fn number(self) -> u16 {
        match self {
            Self::Incomplete => 0x01,
            Self::Reachable => 0x02,
            Self::Stale => 0x04,
            Self::Delay => 0x08,
            Self::Probe => 0x10,
            Self::Failed => 0x20,
            Self::Noarp => 0x40,
            Self::Permanent => 0x80,
        }
    }

    /// The state with this number.
    #[must_use]
    pub fn from_number(number: u16) -> Option<Self> {
        use NeighbourState::{Delay, Failed, Incomplete, Noarp, Permanent, Probe, Reachable, Stale};
        [Incomplete, Reachable, Stale, Delay, Probe, Failed, Noarp, Permanent]
            .into_iter()
            .find(|state| state.number() == number)
    }

    /// Whether packets can be sent to its address.
    pub(super) fn is_valid(self) -> bool {
        !matches!(self, Self::Incomplete | Self::Failed)
    }
}

/// One neighbour as `ip neighbour` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Neighbour {
    /// Its address.
    pub ip: IpAddr,
    /// The link it is on.
    pub link: LinkId,
    /// Its Ethernet address, once known.
    pub mac: Option<Mac>,
    /// How far it is known.
    pub state: NeighbourState,
    /// `NTF_ROUTER`: it has said that it is a router.
    pub router: bool,
    /// When something was last sent to it, on the stack's clock.
    pub used_ns: u64,
    /// When it was last known to be there.
    pub confirmed_ns: u64,
    /// When this was last changed.
    pub updated_ns: u64,
    /// How often it was asked without an answer.
    pub probes: u32,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) known: Neighbour,
    /// Frames without a destination yet.
    pub(super) waiting: VecDeque<Outgoing>,
    /// Its place in the queue of what is due.
    due_ns: Option<u64>,
}

type Place = (LinkId, IpAddr);

/// The neighbours of all links.
#[derive(Debug)]
pub(crate) struct Neighbours {
    entries: HashMap<Place, Entry, Keyed>,
    due: BTreeSet<(u64, LinkId, IpAddr)>,
}

impl Neighbours {
    pub(crate) fn new(hasher: Keyed) -> Self {
        Self { entries: HashMap::with_hasher(hasher), due: BTreeSet::new() }
    }

    /// When the next neighbour wants something.
    pub(crate) fn next(&self) -> Option<u64> {
        self.due.first().map(|&(at_ns, ..)| at_ns)
    }

    pub(super) fn pop_due(&mut self, now_ns: u64) -> Option<Place> {
        let &(at_ns, link, ip) = self.due.first().filter(|&&(at_ns, ..)| at_ns <= now_ns)?;
        self.due.remove(&(at_ns, link, ip));
        if let Some(entry) = self.entries.get_mut(&(link, ip)) {
            entry.due_ns = None;
        }
        Some((link, ip))
    }

    pub(super) fn set_due(&mut self, place: Place, at_ns: Option<u64>) {
        let Some(entry) = self.entries.get_mut(&place) else { return };
        if let Some(before_ns) = std::mem::replace(&mut entry.due_ns, at_ns) {
            self.due.remove(&(before_ns, place.0, place.1));
        }
        if let Some(at_ns) = at_ns {
            self.due.insert((at_ns, place.0, place.1));
        }
    }

    pub(super) fn get_mut(&mut self, place: Place) -> Option<&mut Entry> {
        self.entries.get_mut(&place)
    }

    /// The entry, a new one if there was none. In a full table the one that was used least lately gives way.
    pub(super) fn entry(&mut self, place: Place, now_ns: u64) -> &mut Entry {
        if self.entries.len() >= NEIGHBOURS_MAX && !self.entries.contains_key(&place) {
            let passing = |(_, e): &(&Place, &Entry)| e.known.state != NeighbourState::Permanent;
            let oldest = self.entries.iter().filter(passing);
            let oldest = oldest.min_by_key(|(place, e)| (e.known.used_ns.max(e.known.updated_ns), **place));
            if let Some((&oldest, _)) = oldest {
                self.remove(oldest);
            }
        }
        let (link, ip) = place;
        self.entries.entry(place).or_insert_with(|| Entry {
            known: Neighbour {
                ip,
                link,
                mac: None,
                state: NeighbourState::Failed,
                router: false,
                used_ns: now_ns,
                confirmed_ns: now_ns,
                updated_ns: now_ns,
                probes: 0,
            },
            waiting: VecDeque::new(),
            due_ns: None,
        })
    }

    pub(super) fn remove(&mut self, place: Place) -> Option<Entry> {
        self.set_due(place, None);
        self.entries.remove(&place)
    }

    fn of_link(&self, link: LinkId) -> Vec<Place> {
        let mut places: Vec<_> = self.entries.keys().filter(|place| place.0 == link).copied().collect();
        places.sort_unstable();
        places
    }
}

impl Stack {
    /// `RTM_GETNEIGH` dump: the neighbours of all links.
    #[must_use]
    pub fn neighbours(&self) -> Vec<Neighbour> {
        let mut all: Vec<_> = self.neighbours.entries.values().map(|e| e.known.clone()).collect();
        all.sort_unstable_by_key(|n| (n.link, n.ip));
        all
    }

    /// `RTM_NEWNEIGH`: says which station has an address. `exclusive`: only if nothing is known of it (`NLM_F_EXCL`).
    ///
    /// # Errors
    /// `ENODEV`: no such link. `EINVAL`: not an Ethernet link, not a unicast address, or a state that is not one to set (failed and
    /// incomplete). `EEXIST`: it is known.
    pub fn add_neighbour(
        &mut self,
        link: LinkId,
        ip: IpAddr,
        mac: Mac,
        state: NeighbourState,
        exclusive: bool,
    ) -> Result<(), Errno> {
        let ethernet = self.links.get(link).ok_or(Errno::ENODEV)?.mac().is_some();
        if !ethernet || !crate::addr::is_unicast(ip) || !state.is_valid() {
            return Err(Errno::EINVAL);
        }
        if exclusive && self.neighbours.entries.contains_key(&(link, ip)) {
            return Err(Errno::EEXIST);
        }
        self.set_neighbour((link, ip), mac, state);
        self.pump();
        Ok(())
    }

    /// `RTM_DELNEIGH`.
    ///
    /// # Errors
    /// `ENODEV`: no such link. `ENOENT`: nothing is known of this address.
    pub fn remove_neighbour(&mut self, link: LinkId, ip: IpAddr) -> Result<(), Errno> {
        self.links.get(link).ok_or(Errno::ENODEV)?;
        let entry = self.neighbours.remove((link, ip)).ok_or(Errno::ENOENT)?;
        self.note_event(Event::Neighbour(Change::Del, entry.known));
        Ok(())
    }

    /// What was known of a link's neighbours is not true any more.
    pub(crate) fn forget_neighbours(&mut self, link: LinkId) {
        for place in self.neighbours.of_link(link) {
            if let Some(entry) = self.neighbours.remove(place) {
                self.note_event(Event::Neighbour(Change::Del, entry.known));
            }
        }
    }

    pub(super) fn note_neighbour(&mut self, place: (LinkId, IpAddr)) {
        if let Some(entry) = self.neighbours.entries.get(&place) {
            let known = entry.known.clone();
            self.note_event(Event::Neighbour(Change::New, known));
        }
    }
}
