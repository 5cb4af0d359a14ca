//! A DHCPv4 client (RFC 2131): address, prefix, default router, MTU and name servers of a link, for as long as they are lent.

use std::{
    collections::btree_map::Entry,
    net::{IpAddr, Ipv4Addr},
};

use abi::Errno;
use smoltcp::{
    phy::ChecksumCapabilities,
    wire::{
        DhcpMessageType, DhcpPacket, DhcpRepr, EthernetAddress, EthernetProtocol, IpAddress, IpProtocol,
        IpRepr, UdpPacket, UdpRepr,
    },
};

use super::{Origin, Resolving, domains};
use crate::{
    Stack, ethernet,
    link::Address,
    packet::IpPacket,
    route::{Route, RouteMatch, RouteUpdate},
    types::{LinkId, Mac},
};

const SECOND_NS: u64 = 1_000_000_000;
pub(super) const CLIENT_PORT: u16 = 68;
pub(super) const SERVER_PORT: u16 = 67;
/// Between two tries: 1 s doubled up to 64 s. (RFC 2131, section 4.1 begins with 4 s; a lab of its own is quicker.)
const FIRST_RETRY_NS: u64 = SECOND_NS;
const LAST_RETRY_NS: u64 = 64 * SECOND_NS;
/// Requests for an offer before another is looked for.
const REQUESTS: u32 = 4;
/// A server that names no time (RFC 2131, section 3.3, wants one).
const LEASE_S: u32 = 3600;
const LEASE_MIN_S: u32 = 30;
/// Subnet mask, router, name servers, domain, MTU, broadcast, lease, T1, T2.
const PARAMETERS: &[u8] = &[1, 3, 6, 15, 26, 28, 51, 58, 59, 119];
const OPTION_DOMAIN: u8 = 15;
const OPTION_MTU: u8 = 26;
const OPTION_SEARCH: u8 = 119;

/// The client of one link.
#[derive(Debug)]
pub(super) struct Client {
    state: State,
    xid: u32,
    due_ns: Option<u64>,
    tries: u32,
    /// What this client has set.
    lease: Option<Lease>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// A DISCOVER was sent.
    Selecting,
    /// An offer was asked for.
    Requesting {
        ip: Ipv4Addr,
        server: Ipv4Addr,
    },
    Bound,
    /// The server is asked for more time.
    Renewing,
    /// Any server is.
    Rebinding,
}

#[derive(Debug, Clone)]
struct Lease {
    ip: Ipv4Addr,
    prefix_len: u8,
    server: Ipv4Addr,
    renew_ns: u64,
    rebind_ns: u64,
    ends_ns: u64,
}

impl Client {
    pub(super) fn due_ns(&self) -> Option<u64> {
        self.due_ns
    }

    fn retry_ns(&self) -> u64 {
        (FIRST_RETRY_NS << self.tries.min(6)).min(LAST_RETRY_NS)
    }
}

impl Stack {
    /// Lets DHCP configure a link, or no longer. What it has set goes with it.
    ///
    /// # Errors
    /// `ENODEV`: no such link. `EOPNOTSUPP`: not an Ethernet link.
    pub fn set_dhcp(&mut self, link: LinkId, on: bool) -> Result<(), Errno> {
        self.links.get(link).ok_or(Errno::ENODEV)?.mac().ok_or(Errno::EOPNOTSUPP)?;
        if !on {
            self.give_up_lease(link);
            self.autoconf.clients.remove(&link);
            return Ok(());
        }
        if let Entry::Vacant(place) = self.autoconf.clients.entry(link) {
            place.insert(Client { state: State::Selecting, xid: 0, due_ns: None, tries: 0, lease: None });
            self.restart_dhcp(link);
            self.configure();
        }
        Ok(())
    }

    /// The address that DHCP has got for a link, while it has one.
    #[must_use]
    pub fn dhcp_lease(&self, link: LinkId) -> Option<Ipv4Addr> {
        self.autoconf.clients.get(&link)?.lease.as_ref().map(|lease| lease.ip)
    }

    pub(super) fn restart_dhcp(&mut self, link: LinkId) {
        let (xid, now_ns) = (self.random.next(), self.now_ns);
        let up = self.links.get(link).is_some_and(|l| l.up);
        if let Some(client) = self.autoconf.clients.get_mut(&link) {
            client.state = State::Selecting;
            client.xid = (xid & 0xffff_ffff) as u32;
            client.tries = 0;
            client.due_ns = up.then_some(now_ns);
        }
    }

    /// The link is down: what was lent is looked for again when it comes up.
    pub(super) fn suspend_dhcp(&mut self, link: LinkId) {
        self.give_up_lease(link);
        if self.links.get(link).is_none() {
            self.autoconf.clients.remove(&link);
        } else if let Some(client) = self.autoconf.clients.get_mut(&link) {
            client.due_ns = None;
        }
    }

    /// Whether a packet to an address that is not ours yet may be the answer of a server.
    pub(crate) fn is_for_dhcp(&self, link: LinkId, ip: &IpPacket<'_>) -> bool {
        let to_client = ip.payload.get(2..4) == Some(&CLIENT_PORT.to_be_bytes());
        ip.protocol == IpProtocol::Udp && to_client && self.autoconf.clients.contains_key(&link)
    }

    pub(super) fn serve_dhcp(&mut self) {
        let now_ns = self.now_ns;
        let due = |(link, c): (&LinkId, &Client)| c.due_ns.filter(|at_ns| *at_ns <= now_ns).map(|_| *link);
        for link in self.autoconf.clients.iter().filter_map(due).collect::<Vec<_>>() {
            self.serve_client(link);
        }
    }

    fn serve_client(&mut self, link: LinkId) {
        let now_ns = self.now_ns;
        let Some(client) = self.autoconf.clients.get_mut(&link) else { return };
        if let (State::Bound | State::Renewing | State::Rebinding, Some(lease)) =
            (client.state, &client.lease)
        {
            let state = match now_ns {
                now_ns if now_ns >= lease.ends_ns => {
                    self.give_up_lease(link);
                    self.restart_dhcp(link);
                    return self.serve_client(link);
                }
                now_ns if now_ns >= lease.rebind_ns => State::Rebinding,
                _ => State::Renewing,
            };
            // Half of what is left, but at least a minute (RFC 2131, section 4.4.5).
            let next_ns = if state == State::Renewing { lease.rebind_ns } else { lease.ends_ns };
            let wait_ns = ((next_ns - now_ns) / 2).max(60 * SECOND_NS);
            client.state = state;
            client.due_ns = Some((now_ns + wait_ns).min(next_ns));
            return self.send_dhcp(link);
        }
        if matches!(client.state, State::Requesting { .. }) && client.tries >= REQUESTS {
            self.restart_dhcp(link);
        }
        let Some(client) = self.autoconf.clients.get_mut(&link) else { return };
        client.due_ns = Some(now_ns + client.retry_ns());
        client.tries += 1;
        self.send_dhcp(link);
    }

    fn send_dhcp(&mut self, id: LinkId) {
        let Some(mac) = self.links.get(id).filter(|l| l.is_usable()).and_then(|l| l.mac()) else { return };
        let Some(client) = self.autoconf.clients.get(&id) else { return };
        let held = client.lease.as_ref();
        let own = held.map_or(Ipv4Addr::UNSPECIFIED, |lease| lease.ip);
        let (message_type, requested_ip, server_identifier) = match client.state {
            State::Selecting => (DhcpMessageType::Discover, None, None),
            State::Requesting { ip, server } => (DhcpMessageType::Request, Some(ip), Some(server)),
            State::Bound | State::Renewing | State::Rebinding => (DhcpMessageType::Request, None, None),
        };
        let repr = DhcpRepr {
            message_type,
            transaction_id: client.xid,
            secs: 0,
            client_hardware_address: EthernetAddress(mac.0),
            client_ip: own,
            your_ip: Ipv4Addr::UNSPECIFIED,
            server_ip: Ipv4Addr::UNSPECIFIED,
            router: None,
            subnet_mask: None,
            relay_agent_ip: Ipv4Addr::UNSPECIFIED,
            // Without an address an answer to one would have to be taken all the same; that works, too.
            broadcast: held.is_none(),
            requested_ip,
            client_identifier: Some(EthernetAddress(mac.0)),
            server_identifier,
            parameter_request_list: Some(PARAMETERS),
            dns_servers: None,
            max_size: Some(1432),
            lease_duration: None,
            renew_duration: None,
            rebind_duration: None,
            additional_options: &[],
        };
        let to = match (client.state, held) {
            (State::Renewing, Some(lease)) => lease.server,
            _ => Ipv4Addr::BROADCAST,
        };
        let mut message = vec![0; repr.buffer_len()];
        if repr.emit(&mut DhcpPacket::new_unchecked(&mut message[..])).is_ok() {
            self.send_from_client(id, mac, (own, to), &message);
        }
    }

    /// A datagram that needs neither a route nor an address.
    fn send_from_client(&mut self, link: LinkId, mac: Mac, (src, dst): (Ipv4Addr, Ipv4Addr), message: &[u8]) {
        let caps = ChecksumCapabilities::default();
        let udp = UdpRepr { src_port: CLIENT_PORT, dst_port: SERVER_PORT };
        let (from, to) = (IpAddress::Ipv4(src), IpAddress::Ipv4(dst));
        let ip = IpRepr::new(from, to, IpProtocol::Udp, udp.header_len() + message.len(), 64);
        let mut frame = ethernet::frame(Mac::BROADCAST, mac, EthernetProtocol::Ipv4, ip.buffer_len());
        let packet = ethernet::payload_mut(&mut frame);
        ip.emit(&mut *packet, &caps);
        let mut datagram = UdpPacket::new_unchecked(&mut packet[ip.header_len()..]);
        udp.emit(&mut datagram, &from, &to, message.len(), |bytes| bytes.copy_from_slice(message), &caps);
        if dst.is_broadcast() {
            self.put_on_link(link, frame);
        } else {
            let hop = self.next_hop(link, dst.into(), None);
            self.send_to_neighbour(link, hop, frame);
        }
    }

    /// A message to the client's port; `false`: there is no client that waits for it.
    pub(crate) fn dhcp_input(&mut self, link: LinkId, data: &[u8]) -> bool {
        let Some(client) = self.autoconf.clients.get(&link) else { return false };
        let Some(mac) = self.links.get(link).and_then(|l| l.mac()) else { return false };
        let Ok(packet) = DhcpPacket::new_checked(data) else { return true };
        let Ok(repr) = DhcpRepr::parse(&packet) else { return true };
        if repr.transaction_id != client.xid || repr.client_hardware_address.0 != mac.0 {
            return true;
        }
        let Some(server) = repr.server_identifier else { return true };
        let waits = matches!(client.state, State::Requesting { .. } | State::Renewing | State::Rebinding);
        match (repr.message_type, client.state) {
            (DhcpMessageType::Offer, State::Selecting) if crate::addr::is_unicast(repr.your_ip.into()) => {
                let now_ns = self.now_ns;
                if let Some(client) = self.autoconf.clients.get_mut(&link) {
                    client.state = State::Requesting { ip: repr.your_ip, server };
                    (client.tries, client.due_ns) = (0, Some(now_ns));
                }
                self.serve_dhcp();
            }
            (DhcpMessageType::Ack, _) if waits => {
                let mtu = packet.options().find(|option| option.kind == OPTION_MTU);
                let mtu =
                    mtu.and_then(|option| option.data.first_chunk::<2>()).map(|mtu| u16::from_be_bytes(*mtu));
                self.take_lease(link, &repr, server, mtu);
                let servers = repr.dns_servers.iter().flatten().map(|ip| IpAddr::V4(*ip)).collect();
                if self.dhcp_lease(link).is_some() {
                    self.set_resolving(
                        link,
                        Origin::Dhcp,
                        Resolving { servers, domains: domains_of(&packet) },
                    );
                }
            }
            (DhcpMessageType::Nak, _) if waits => {
                self.give_up_lease(link);
                self.restart_dhcp(link);
                // A server that refuses again and again is not asked faster than one that is silent.
                let now_ns = self.now_ns;
                if let Some(client) = self.autoconf.clients.get_mut(&link) {
                    client.due_ns = Some(now_ns + FIRST_RETRY_NS);
                }
            }
            _ => {}
        }
        true
    }

    fn take_lease(&mut self, link: LinkId, repr: &DhcpRepr<'_>, server: Ipv4Addr, mtu: Option<u16>) {
        let ip = repr.your_ip;
        if !crate::addr::is_unicast(ip.into()) || ip.is_loopback() {
            return;
        }
        let mask = repr.subnet_mask.map_or(24, |mask| mask.to_bits().leading_ones());
        let prefix_len = u8::try_from(mask).unwrap_or(32);
        let seconds = repr.lease_duration.unwrap_or(LEASE_S).max(LEASE_MIN_S);
        let after = |s: u64| self.now_ns.saturating_add(s.saturating_mul(SECOND_NS));
        let lease_s = u64::from(seconds);
        let renew_s = repr.renew_duration.map_or(lease_s / 2, u64::from).min(lease_s);
        let rebind_s = repr.rebind_duration.map_or(lease_s * 7 / 8, u64::from).clamp(renew_s, lease_s);
        let lease = Lease {
            ip,
            prefix_len,
            server,
            renew_ns: after(renew_s),
            rebind_ns: after(rebind_s),
            ends_ns: after(lease_s),
        };
        let held = self.autoconf.clients.get(&link).and_then(|client| client.lease.clone());
        let same = held.is_some_and(|held| held.ip == ip && held.prefix_len == prefix_len);
        if !same {
            self.give_up_lease(link);
        }
        let ends_ns = Some(lease.ends_ns).filter(|_| seconds != u32::MAX);
        if let Some(client) = self.autoconf.clients.get_mut(&link) {
            client.state = State::Bound;
            (client.tries, client.due_ns) = (0, Some(lease.renew_ns).filter(|_| ends_ns.is_some()));
            client.lease = Some(lease);
        }
        let address = Address {
            flags: if ends_ns.is_some() { 0 } else { Address::PERMANENT },
            valid_until_ns: ends_ns,
            preferred_until_ns: ends_ns,
            ..Address::new(ip.into(), prefix_len)
        };
        // One that was set by hand stays as it is.
        let _ = if same { self.change_address(link, address) } else { self.add_address(link, address) };
        if let Some(mtu) =
            mtu.map(usize::from).filter(|mtu| *mtu >= 576 && *mtu < self.links.carrier(link).mtu)
        {
            let _ = self.set_mtu(link, mtu);
        }
        if let (Some(router), false) = (repr.router.filter(|ip| !ip.is_unspecified()), same) {
            let gateway = IpAddr::V4(router);
            // With a prefix of 32 the router is a neighbour all the same.
            let route = Route {
                protocol: Route::PROTOCOL_DHCP,
                source: Some(ip.into()),
                on_link: true,
                ..Route::default_via(gateway, Some(link))
            };
            let _ = self.add_route(route, RouteUpdate::Add);
        }
    }

    /// Takes back what DHCP has set.
    fn give_up_lease(&mut self, link: LinkId) {
        let Some(lease) = self.autoconf.clients.get_mut(&link).and_then(|client| client.lease.take()) else {
            return;
        };
        let any = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let which =
            RouteMatch { link: Some(link), protocol: Some(Route::PROTOCOL_DHCP), ..RouteMatch::to(any, 0) };
        // Either may have been removed by hand, or with the link.
        let _ = self.remove_route(&which);
        let _ = self.remove_address(link, lease.ip.into(), lease.prefix_len);
        self.set_resolving(link, Origin::Dhcp, Resolving::default());
    }
}

/// The list of domains (RFC 3397), in one option or several; without it the host's own (RFC 2132, section 3.17).
fn domains_of(packet: &DhcpPacket<&[u8]>) -> Vec<String> {
    let of = |kind: u8| packet.options().filter(move |option| option.kind == kind);
    let list = domains::list(&of(OPTION_SEARCH).flat_map(|option| option.data).copied().collect::<Vec<_>>());
    if list.is_empty() {
        of(OPTION_DOMAIN).flat_map(|option| domains::text(option.data)).collect()
    } else {
        list
    }
}
