//! Groups (ip(7), ipv6(7), RFC 1112, RFC 3678): who listens to which, and what is said of it to routers (RFC 3376, RFC 3810).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use abi::Errno;
use smoltcp::wire::{IpAddress, IpProtocol, IpRepr, Ipv4Packet, Ipv6Packet};

use crate::{
    Stack,
    packet::{self, IPV6_HEADER, IpPacket},
    socket::Kind,
    types::{LinkId, SocketId},
};

/// `net.ipv4.igmp_max_memberships` is 20; a program that asks for more gets `ENOBUFS`.
const MEMBERSHIPS_MAX: usize = 256;
/// `net.ipv4.igmp_max_msf`.
const SOURCES_MAX: usize = 64;
/// All IGMPv3 and MLDv2 routers.
const ROUTERS_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 22);
const ROUTERS_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x16);
/// Types of IGMPv3's and MLDv2's report, and of the queries.
const IGMP_REPORT: u8 = 0x22;
const IGMP_QUERY: u8 = 0x11;
const IGMP_V2_REPORT: u8 = 0x16;
const MLD_REPORT: u8 = 143;
/// Kinds of group records (RFC 3376, section 4.2.12): what is, and what it becomes.
const MODE_IS_EXCLUDE: u8 = 2;
const TO_INCLUDE: u8 = 3;
const TO_EXCLUDE: u8 = 4;
/// IP's router alert option (RFC 2113), and IPv6's hop-by-hop header with it (RFC 2711), `PadN` behind it.
const ALERT_V4: [u8; 4] = [0x94, 4, 0, 0];
const ALERT_V6: [u8; 8] = [58, 0, 5, 2, 0, 0, 1, 0];

/// One group that a socket has joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Membership {
    pub(crate) link: LinkId,
    pub(crate) group: IpAddr,
    /// Only these are heard (`MCAST_JOIN_SOURCE_GROUP`); else all but these (`MCAST_BLOCK_SOURCE`).
    including: bool,
    sources: Vec<IpAddr>,
}

impl Membership {
    fn hears(&self, source: IpAddr) -> bool {
        self.sources.contains(&source) == self.including
    }
}

/// What is done about one source of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceChange {
    /// `MCAST_JOIN_SOURCE_GROUP`.
    Join,
    /// `MCAST_LEAVE_SOURCE_GROUP`.
    Leave,
    /// `MCAST_BLOCK_SOURCE`.
    Block,
    /// `MCAST_UNBLOCK_SOURCE`.
    Unblock,
}

impl Stack {
    /// `MCAST_JOIN_GROUP`, `IP_ADD_MEMBERSHIP`, `IPV6_JOIN_GROUP`. Without a link it is the one that the routes say.
    ///
    /// # Errors
    /// `EINVAL`: not a group. `ENODEV`: no such link. `EADDRINUSE`: it has joined. `ENOBUFS`: too many.
    pub fn join_group(&mut self, id: SocketId, group: IpAddr, link: Option<LinkId>) -> Result<(), Errno> {
        let link = self.link_of_group(group, link)?;
        self.add_membership(id, Membership { link, group, including: false, sources: Vec::new() })
    }

    /// `MCAST_LEAVE_GROUP`, `IP_DROP_MEMBERSHIP`, `IPV6_LEAVE_GROUP`.
    ///
    /// # Errors
    /// `EADDRNOTAVAIL`: it has not joined it.
    pub fn leave_group(&mut self, id: SocketId, group: IpAddr, link: Option<LinkId>) -> Result<(), Errno> {
        let groups = &mut self.sockets.find_mut(id)?.groups;
        let which = |m: &Membership| m.group == group && link.is_none_or(|link| m.link == link);
        let at = groups.iter().position(which).ok_or(Errno::EADDRNOTAVAIL)?;
        let gone = groups.remove(at);
        self.count_group(gone.link, group, false);
        Ok(())
    }

    /// The calls about single sources (RFC 3678, section 4).
    ///
    /// # Errors
    /// `EINVAL`: the socket hears the group the other way. `EADDRNOTAVAIL`: that source is not there, or is. `ENOBUFS`: too many.
    pub fn change_source(
        &mut self,
        id: SocketId,
        group: IpAddr,
        source: IpAddr,
        link: Option<LinkId>,
        change: SourceChange,
    ) -> Result<(), Errno> {
        let link = self.link_of_group(group, link)?;
        let including = matches!(change, SourceChange::Join | SourceChange::Leave);
        let adds = matches!(change, SourceChange::Join | SourceChange::Block);
        let groups = &mut self.sockets.find_mut(id)?.groups;
        let Some(found) = groups.iter_mut().find(|m| m.group == group && m.link == link) else {
            return match change {
                SourceChange::Join => self
                    .add_membership(id, Membership { link, group, including: true, sources: vec![source] }),
                _ => Err(Errno::EINVAL),
            };
        };
        if found.including != including {
            return Err(Errno::EINVAL);
        }
        let at = found.sources.iter().position(|s| *s == source);
        match (adds, at) {
            (true, Some(_)) | (false, None) => return Err(Errno::EADDRNOTAVAIL),
            (true, None) if found.sources.len() >= SOURCES_MAX => return Err(Errno::ENOBUFS),
            (true, None) => found.sources.push(source),
            (false, Some(at)) => {
                found.sources.remove(at);
            }
        }
        if including && found.sources.is_empty() {
            return self.leave_group(id, group, Some(link));
        }
        Ok(())
    }

    /// The groups that a link listens to for sockets, and how many times (`/proc/net/igmp`, `RTM_GETMULTICAST`).
    #[must_use]
    pub fn groups(&self) -> Vec<(LinkId, IpAddr, u32)> {
        self.links.iter().flat_map(|l| l.groups.iter().map(move |(ip, n)| (l.id, *ip, *n))).collect()
    }

    pub(crate) fn leave_all(&mut self, groups: Vec<Membership>) {
        for gone in groups {
            self.count_group(gone.link, gone.group, false);
        }
    }

    /// Whether a socket hears what `source` sends to `group` on a link. `all`: `IP_MULTICAST_ALL`.
    pub(crate) fn hears_group(&self, id: SocketId, link: LinkId, group: IpAddr, source: IpAddr) -> bool {
        let Some(socket) = self.sockets.get(id.0) else { return false };
        let joined = socket.groups.iter().find(|m| m.group == group && m.link == link);
        let all = if group.is_ipv4() { socket.options.multicast_all4 } else { socket.options.multicast_all6 };
        joined.map_or(all, |m| m.hears(source))
    }

    fn link_of_group(&self, group: IpAddr, link: Option<LinkId>) -> Result<LinkId, Errno> {
        if !group.is_multicast() {
            return Err(Errno::EINVAL);
        }
        if let Some(link) = link {
            return self.links.get(link).map(|l| l.id).ok_or(Errno::ENODEV);
        }
        let way = self.way(group, crate::route::Hints::default());
        // Without a route Linux has no link; who has one link and no default route means that one.
        let only = || self.links.iter().find(|l| !l.is_loopback() && l.up).map(|l| l.id);
        way.ok().map(|way| way.link).or_else(only).ok_or(Errno::ENODEV)
    }

    fn add_membership(&mut self, id: SocketId, new: Membership) -> Result<(), Errno> {
        let groups = &mut self.sockets.find_mut(id)?.groups;
        if groups.iter().any(|m| m.group == new.group && m.link == new.link) {
            return Err(Errno::EADDRINUSE);
        }
        if groups.len() >= MEMBERSHIPS_MAX {
            return Err(Errno::ENOBUFS);
        }
        let (link, group) = (new.link, new.group);
        groups.push(new);
        self.count_group(link, group, true);
        self.pump();
        Ok(())
    }

    /// The first to come and the last to go is told to the routers.
    fn count_group(&mut self, id: LinkId, group: IpAddr, join: bool) {
        let Some(link) = self.links.get_mut(id) else { return };
        let count = link.groups.entry(group).or_default();
        *count = if join { *count + 1 } else { count.saturating_sub(1) };
        let now = *count;
        if now == 0 {
            link.groups.remove(&group);
        }
        if (join && now == 1) || (!join && now == 0) {
            let kind = if join { TO_EXCLUDE } else { TO_INCLUDE };
            self.report_groups(id, &[(kind, group)]);
        }
    }

    /// All groups, when a link comes up or a router asks.
    pub(crate) fn report_all_groups(&mut self, id: LinkId, v4: bool) {
        let Some(link) = self.links.get(id) else { return };
        let groups = link.groups.keys().filter(|ip| ip.is_ipv4() == v4);
        let records: Vec<_> = groups.map(|ip| (MODE_IS_EXCLUDE, *ip)).collect();
        // A report fits any MTU.
        for some in records.chunks(32) {
            self.report_groups(id, some);
        }
    }

    fn report_groups(&mut self, id: LinkId, records: &[(u8, IpAddr)]) {
        // Groups that never leave the link are not reported (RFC 3376, section 5; RFC 3810, section 6).
        let told = |ip: &IpAddr| match ip {
            IpAddr::V4(ip) => *ip != Ipv4Addr::new(224, 0, 0, 1),
            IpAddr::V6(ip) => ip.octets()[1] & 0xf > 1 && *ip != Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1),
        };
        let records: Vec<_> = records.iter().filter(|(_, ip)| told(ip)).collect();
        let Some((_, first)) = records.first() else { return };
        let v4 = first.is_ipv4();
        let mut body = vec![if v4 { IGMP_REPORT } else { MLD_REPORT }, 0, 0, 0, 0, 0];
        body.extend_from_slice(&u16::try_from(records.len()).unwrap_or(0).to_be_bytes());
        for (kind, group) in records {
            body.extend_from_slice(&[*kind, 0, 0, 0]);
            match group {
                IpAddr::V4(ip) => body.extend_from_slice(&ip.octets()),
                IpAddr::V6(ip) => body.extend_from_slice(&ip.octets()),
            }
        }
        if v4 {
            self.send_igmp(id, ROUTERS_V4, body);
        } else {
            self.send_mld(id, body);
        }
    }

    fn send_igmp(&mut self, link: LinkId, to: Ipv4Addr, mut body: Vec<u8>) {
        if link == LinkId::LO {
            return;
        }
        let sum = packet::plain_checksum(&body);
        body[2..4].copy_from_slice(&sum.to_be_bytes());
        let src = self.source_for(link, to.into(), None);
        let len = body.len() + ALERT_V4.len();
        let header =
            IpRepr::new(IpAddress::from(src), IpAddress::from(IpAddr::V4(to)), IpProtocol::Igmp, len, 1);
        let mut frame = self.frames.take(header.buffer_len());
        header.emit(frame.bytes_mut(), &self.links.carrier(link).checksums());
        frame.bytes_mut()[20..24].copy_from_slice(&ALERT_V4);
        frame.bytes_mut()[24..].copy_from_slice(&body);
        let mut ip = Ipv4Packet::new_unchecked(frame.bytes_mut());
        ip.set_header_len(24);
        ip.fill_checksum();
        self.transmit(link, frame);
    }

    fn send_mld(&mut self, link: LinkId, mut body: Vec<u8>) {
        let IpAddr::V6(src) = self.source_for(link, ROUTERS_V6.into(), None) else { return };
        if link == LinkId::LO {
            return;
        }
        let sum = packet::checksum(src.into(), ROUTERS_V6.into(), 58, &body);
        body[2..4].copy_from_slice(&sum.to_be_bytes());
        let mut frame = self.frames.take(IPV6_HEADER + ALERT_V6.len() + body.len());
        let mut ip = Ipv6Packet::new_unchecked(frame.bytes_mut());
        ip.set_version(6);
        ip.set_traffic_class(0);
        ip.set_flow_label(0);
        ip.set_payload_len(u16::try_from(ALERT_V6.len() + body.len()).unwrap_or(0));
        ip.set_next_header(IpProtocol::HopByHop);
        ip.set_hop_limit(1);
        ip.set_src_addr(src);
        ip.set_dst_addr(ROUTERS_V6);
        let payload = &mut frame.bytes_mut()[IPV6_HEADER..];
        payload[..8].copy_from_slice(&ALERT_V6);
        payload[8..].copy_from_slice(&body);
        self.transmit(link, frame);
    }

    /// A router asks who listens to what (RFC 3376, RFC 2236). The answer is given at once: there are few hosts here.
    pub(crate) fn igmp_input(&mut self, link: LinkId, ip: &IpPacket<'_>) {
        let &[IGMP_QUERY, _, _, _, a, b, c, d, ..] = ip.payload else { return };
        if packet::plain_checksum(ip.payload) != 0 {
            return;
        }
        if ip.payload.len() >= 12 {
            return self.report_all_groups(link, true);
        }
        let asked = Ipv4Addr::new(a, b, c, d);
        let Some(found) = self.links.get(link) else { return };
        let groups: Vec<_> = found
            .groups
            .keys()
            .filter_map(|group| match group {
                IpAddr::V4(group) if asked.is_unspecified() || asked == *group => Some(*group),
                _ => None,
            })
            .collect();
        for group in groups {
            let [a, b, c, d] = group.octets();
            self.send_igmp(link, group, vec![IGMP_V2_REPORT, 0, 0, 0, a, b, c, d]);
        }
    }

    /// The sockets among `ids` that get a datagram for a group or for all hosts.
    pub(crate) fn group_receivers(
        &self,
        link: LinkId,
        ids: Vec<SocketId>,
        to: IpAddr,
        from: IpAddr,
    ) -> Vec<SocketId> {
        let hears = |id: &SocketId| {
            let socket = self.sockets.get(id.0);
            let here = socket.is_some_and(|s| {
                let peer = match &s.kind {
                    Kind::Udp(udp) => udp.flow.is_none_or(|flow| flow.remote.ip == from),
                    _ => false,
                };
                peer && s.speaks(to) && s.options.bound_link.is_none_or(|wanted| wanted == link)
            });
            here && (!to.is_multicast() || self.hears_group(*id, link, to, from))
        };
        ids.into_iter().filter(hears).collect()
    }
}
