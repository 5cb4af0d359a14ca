//! Links that configure themselves: DHCPv4 (RFC 2131) and stateless autoconfiguration of IPv6 (RFC 4861, RFC 4862, RFC 8106).

use std::{collections::BTreeMap, net::IpAddr};

use abi::Errno;

use crate::{Stack, event::Event, types::LinkId};

mod dhcp;
mod dhcp_server;
mod domains;
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
    resolving: BTreeMap<(LinkId, Origin), Told>,
}

/// How names are found (resolv.conf(5)).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Resolving {
    /// Who is asked, one after the other.
    pub servers: Vec<IpAddr>,
    /// The domains in which short names are looked up.
    pub domains: Vec<String>,
}

/// What one has told of it.
type Told = Resolving;

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
    /// What the user, DHCP and router advertisements have said of name servers and domains, for resolv.conf(5).
    #[must_use]
    pub fn resolving(&self) -> Resolving {
        Resolving::of(self.autoconf.resolving.values())
    }

    /// What the user says for a link, as long as there is one. Domains that cannot stand in resolv.conf(5) are left out.
    ///
    /// # Errors
    /// `ENODEV`: no such link.
    pub fn set_own_resolving(&mut self, link: LinkId, told: Resolving) -> Result<(), Errno> {
        self.links.get(link).ok_or(Errno::ENODEV)?;
        let domains = domains::usable(told.domains);
        self.set_resolving(link, Origin::Hand, Resolving { domains, ..told });
        Ok(())
    }

    fn set_resolving(&mut self, link: LinkId, origin: Origin, told: Told) {
        let before = self.resolving();
        if told == Told::default() {
            self.autoconf.resolving.remove(&(link, origin));
        } else {
            self.autoconf.resolving.insert((link, origin), told);
        }
        let now = self.resolving();
        if now != before {
            self.note_event(Event::Resolving(now));
        }
    }

    /// What one has told before.
    fn told(&self, link: LinkId, origin: Origin) -> Told {
        self.autoconf.resolving.get(&(link, origin)).cloned().unwrap_or_default()
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
        self.set_resolving(link, Origin::Router, Told::default());
        self.set_resolving(link, Origin::Dhcp, Told::default());
        if self.links.get(link).is_none() {
            self.set_resolving(link, Origin::Hand, Told::default());
            self.autoconf.offers.remove(&link);
        }
    }
}
