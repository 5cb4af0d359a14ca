//! What time does to addresses and routes: lifetimes end (RFC 4862, section 5.5.4), and an address that nobody has claimed for a second
//! is ours (RFC 4862, section 5.4).

use std::net::IpAddr;

use crate::{
    Stack,
    event::{Change, Event},
    link::Address,
    types::LinkId,
};

/// `RetransTimer` for one probe.
const DETECTION_NS: u64 = 1_000_000_000;

/// When to look next.
#[derive(Debug, Default)]
pub(crate) struct Upkeep {
    due_ns: Option<u64>,
}

impl Upkeep {
    pub(crate) fn next(&self) -> Option<u64> {
        self.due_ns
    }

    fn by(&mut self, at_ns: Option<u64>) {
        self.due_ns = [self.due_ns, at_ns].into_iter().flatten().min();
    }
}

impl Address {
    /// When something happens to it by itself.
    fn due_ns(&self) -> Option<u64> {
        let detected = self.has(Self::TENTATIVE).then(|| self.updated_ns + DETECTION_NS);
        let deprecated = self.preferred_until_ns.filter(|_| !self.has(Self::DEPRECATED));
        [detected, deprecated, self.valid_until_ns].into_iter().flatten().min()
    }
}

impl Stack {
    pub(crate) fn watch_lifetime(&mut self, _: LinkId, address: &Address) {
        self.upkeep.by(address.due_ns());
    }

    pub(crate) fn watch_expiry(&mut self, at_ns: Option<u64>) {
        self.upkeep.by(at_ns);
    }

    pub(crate) fn keep_up(&mut self) {
        if self.upkeep.due_ns.is_none_or(|at_ns| at_ns > self.now_ns) {
            return;
        }
        self.upkeep.due_ns = None;
        for (link, address) in self.addresses() {
            if address.valid_until_ns.is_some_and(|at_ns| at_ns <= self.now_ns) {
                // Its secondary ones may have gone with it already.
                let _ = self.remove_address(link, address.ip, address.prefix_len);
                continue;
            }
            self.age(link, &address);
        }
        let next_route = self.expire_routes();
        let next_address = self.links.iter().flat_map(|l| &l.addrs).filter_map(Address::due_ns).min();
        self.upkeep.by(next_route);
        self.upkeep.by(next_address);
    }

    fn age(&mut self, id: LinkId, address: &Address) {
        let now_ns = self.now_ns;
        let Some(link) = self.links.get_mut(id) else { return };
        let Some(found) =
            link.addrs.iter_mut().find(|a| a.ip == address.ip && a.prefix_len == address.prefix_len)
        else {
            return;
        };
        let detected = found.has(Address::TENTATIVE) && found.updated_ns + DETECTION_NS <= now_ns;
        if detected {
            found.flags &= !(Address::TENTATIVE | Address::OPTIMISTIC);
        }
        if found.preferred_until_ns.is_some_and(|at_ns| at_ns <= now_ns) {
            found.flags |= Address::DEPRECATED;
        }
        if found.flags != address.flags {
            let now = found.clone();
            self.note_event(Event::Address(Change::New, id, now));
        }
        if let (true, IpAddr::V6(ip)) = (detected, address.ip) {
            self.announce_v6(id, ip);
        }
    }
}
