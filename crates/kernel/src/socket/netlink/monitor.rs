//! Changes of the network for those who asked to be told (`ip monitor`): members of the groups of rtnetlink(7).

use super::Inbox;
use super::route::{address, link, neighbour, route, rule};
use super::wire;
use crate::Kernel;
use std::net::IpAddr;
use std::rc::Rc;
use tcpip::{Change, Event};

// linux/rtnetlink.h, enum rtnetlink_groups
const RTNLGRP_LINK: u32 = 1;
const RTNLGRP_NEIGH: u32 = 3;
const RTNLGRP_IPV4_IFADDR: u32 = 5;
const RTNLGRP_IPV4_ROUTE: u32 = 7;
const RTNLGRP_IPV4_RULE: u32 = 8;
const RTNLGRP_IPV6_IFADDR: u32 = 9;
const RTNLGRP_IPV6_ROUTE: u32 = 11;
const RTNLGRP_IPV6_RULE: u32 = 19;

/// The `NETLINK_ROUTE` sockets that are open.
#[derive(Debug, Default)]
pub(crate) struct Monitors(Vec<Rc<Inbox>>);

impl Monitors {
    pub(super) fn add(&mut self, inbox: &Rc<Inbox>) {
        self.0.push(Rc::clone(inbox));
    }

    pub(super) fn remove(&mut self, inbox: &Rc<Inbox>) {
        self.0.retain(|known| !Rc::ptr_eq(known, inbox));
    }
}

impl Kernel {
    /// Tells what has changed in the network since this was called last.
    pub(crate) fn tell_monitors(&mut self) {
        while let Some(event) = self.net.stack.next_event() {
            if let Event::Resolving(resolving) = &event {
                self.write_resolv_conf(resolving);
            }
            if self.net.monitors.0.is_empty() {
                continue;
            }
            let Some((group, kind, body)) = self.notice(&event) else { continue };
            let message = wire::notification(kind, &body);
            let told: Vec<_> =
                self.net.monitors.0.iter().filter(|m| m.tell(group, &message)).map(|m| m.object).collect();
            for object in told {
                self.wake(object);
            }
        }
    }

    /// The group that is told of an event, and the message's type and body; none: rtnetlink has no message for it.
    fn notice(&self, event: &Event) -> Option<(u32, u16, Vec<u8>)> {
        let of = |change: &Change, [new, del]: [u16; 2]| match change {
            Change::New => new,
            Change::Del => del,
        };
        let by_family = |ip: IpAddr, [v4, v6]: [u32; 2]| if ip.is_ipv4() { v4 } else { v6 };
        let notice = match event {
            Event::Link(change, info) => (RTNLGRP_LINK, of(change, link::NEW_DEL), link::body(info)),
            Event::Address(change, id, a) => (
                by_family(a.ip, [RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR]),
                of(change, address::NEW_DEL),
                address::body(self, *id, a),
            ),
            Event::Route(change, r) => (
                by_family(r.dst, [RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE]),
                of(change, route::NEW_DEL),
                route::body(self, r, 0),
            ),
            Event::Rule(change, r) => (
                if r.v6 { RTNLGRP_IPV6_RULE } else { RTNLGRP_IPV4_RULE },
                of(change, rule::NEW_DEL),
                rule::body(&self.net.stack, r),
            ),
            Event::Neighbour(change, n) => {
                (RTNLGRP_NEIGH, of(change, neighbour::NEW_DEL), neighbour::body(self, n))
            }
            Event::Resolving(_) => return None,
        };
        Some(notice)
    }
}
