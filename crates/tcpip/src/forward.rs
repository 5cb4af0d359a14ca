//! Packets for others (RFC 1812, RFC 8200): this host is a router if it was told so.

use std::net::IpAddr;

use abi::Errno;
use smoltcp::wire::{Ipv4Packet, Ipv6Packet};

use crate::{Stack, addr, icmp::Problem, packet::IpPacket, route::Hints, types::LinkId};

impl Stack {
    /// Whether packets of this family are sent on (`net.ipv4.ip_forward`, `net.ipv6.conf.all.forwarding`).
    fn forwards(&self, ip: &IpPacket<'_>) -> bool {
        if ip.src.is_ipv4() { self.settings.ip_forward } else { self.settings.forwarding }
    }

    /// Sends a packet on that is not for us.
    pub(crate) fn forward(&mut self, link: LinkId, ip: &IpPacket<'_>) {
        let confined = |ip: IpAddr| match ip {
            IpAddr::V4(v4) => v4.is_link_local(),
            IpAddr::V6(v6) => v6.is_unicast_link_local(),
        };
        let stays = confined(ip.src) || confined(ip.dst);
        if !self.forwards(ip) || !addr::is_unicast(ip.src) || !addr::is_unicast(ip.dst) || stays {
            self.counters.ip_in_addr_errors += 1;
            return;
        }
        if ip.ttl <= 1 {
            return self.send_problem(link, ip, Problem::TimeExceeded);
        }
        let hints = Hints { source: Some(ip.src), from_link: Some(link), ..Hints::default() };
        let way = match self.way(ip.dst, hints) {
            Ok(way) if way.link != LinkId::LO => way,
            Ok(_) => return,
            Err(errno) => {
                self.counters.ip_out_no_routes += 1;
                let problem = match errno {
                    // A black hole says nothing.
                    Errno::EINVAL => return,
                    Errno::EACCES => Problem::Prohibited,
                    Errno::EHOSTUNREACH => Problem::Host,
                    _ => Problem::Network,
                };
                return self.send_problem(link, ip, problem);
            }
        };
        let mtu = self.path_mtu(ip.dst, &way);
        if ip.offload.longest(ip) > mtu && !ip.may_be_fragmented() {
            return self.send_problem(link, ip, Problem::TooBig(mtu));
        }
        let mut packet = with_ttl(ip.bytes, ip.ttl - 1);
        let here = self.source_for(link, ip.src, None);
        if self.record_in(&mut packet, way.source, here).is_none() {
            return;
        }
        self.counters.ip_forw_datagrams += 1;
        self.output_within(way.link, &packet, ip.offload, mtu);
    }
}

fn with_ttl(packet: &[u8], ttl: u8) -> Vec<u8> {
    let mut packet = packet.to_vec();
    if packet.first().map(|byte| byte >> 4) == Some(4) {
        let mut ip = Ipv4Packet::new_unchecked(&mut packet[..]);
        ip.set_hop_limit(ttl);
        ip.fill_checksum();
    } else {
        Ipv6Packet::new_unchecked(&mut packet[..]).set_hop_limit(ttl);
    }
    packet
}
