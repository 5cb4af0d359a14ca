//! Links that configure themselves: DHCPv4 (RFC 2131) and stateless autoconfiguration of IPv6 (RFC 4861, RFC 4862, RFC 8106).

use std::{collections::BTreeMap, net::IpAddr};

use abi::Errno;

use crate::{Stack, event::Event, types::LinkId};

mod dhcp;
mod dhcp_server;
mod router;

use dhcp::Client;
pub use dhcp_server::DhcpOffer;
use router::Solicitation;

/// What links have been told.
#[derive(Debug, Default)]
pub(crate) struct Autoconf {
    clients: BTreeMap<LinkId, Client>,
    /// What is lent to others.
    offers: BTreeMap<LinkId, DhcpOffer>,
    solicitations: BTreeMap<LinkId, Solicitation>,
    name_servers: BTreeMap<(LinkId, Origin), Vec<IpAddr>>,
}

/// Who has said something of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Origin {
    /// The user.
    Hand,
    Dhcp,
    Router,
}

impl Autoconf {
    pub(crate) fn next(&self) -> Option<u64> {
        let clients = self.clients.values().filter_map(Client::due_ns);
        clients.chain(self.solicitations.values().map(Solicitation::due_ns)).min()
    }
}

impl Stack {
    /// The name servers that the user, DHCP and router advertisements have named, for resolv.conf(5).
    #[must_use]
    pub fn name_servers(&self) -> Vec<IpAddr> {
        let mut all: Vec<IpAddr> = Vec::new();
        for ip in self.autoconf.name_servers.values().flatten() {
            if !all.contains(ip) {
                all.push(*ip);
            }
        }
        all
    }

    /// The name servers that the user says for a link, as long as there is one.
    ///
    /// # Errors
    /// `ENODEV`: no such link.
    pub fn set_own_name_servers(&mut self, link: LinkId, servers: Vec<IpAddr>) -> Result<(), Errno> {
        self.links.get(link).ok_or(Errno::ENODEV)?;
        self.set_name_servers(link, Origin::Hand, servers);
        Ok(())
    }

    fn set_name_servers(&mut self, link: LinkId, origin: Origin, servers: Vec<IpAddr>) {
        let before = self.name_servers();
        if servers.is_empty() {
            self.autoconf.name_servers.remove(&(link, origin));
        } else {
            self.autoconf.name_servers.insert((link, origin), servers);
        }
        let now = self.name_servers();
        if now != before {
            self.note_event(Event::NameServers(now));
        }
    }

    /// Does what has become due.
    pub(crate) fn configure(&mut self) {
        self.solicit_routers();
        self.serve_dhcp();
    }

    /// A link has come up.
    pub(crate) fn begin_autoconf(&mut self, link: LinkId) {
        self.begin_solicitation(link);
        self.restart_dhcp(link);
    }

    /// A link is down.
    pub(crate) fn end_autoconf(&mut self, link: LinkId) {
        self.autoconf.solicitations.remove(&link);
        self.suspend_dhcp(link);
        self.set_name_servers(link, Origin::Router, Vec::new());
        self.set_name_servers(link, Origin::Dhcp, Vec::new());
        if self.links.get(link).is_none() {
            self.set_name_servers(link, Origin::Hand, Vec::new());
            self.autoconf.offers.remove(&link);
        }
    }
}
