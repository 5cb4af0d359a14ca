//! `type=user`: the outside through ordinary sockets of the host, as slirp does it: no privileges and no helper.
//!
//! * `network` the addresses between the rump kernel and its gateway;
//! * `gateway` the gateway: a second stack, which takes what is for others;
//! * `tcp`, `datagrams` connections and flows, each with a socket of the host;
//! * `forward` ports of the host that lead inside;
//! * `names` the host's name servers.

mod datagrams;
mod error_queue_unsafe;
mod forward;
mod gateway;
mod names;
mod network;
mod slots;
mod tcp;

use crate::link::kinds::{Kind, Opened, Opening, Plan};
use crate::link::values;
use crate::spec::Fields;
use forward::Forward;
use gateway::Gateway;
use names::HostNames;
use network::{NET, NET6, Network, Side};
use rustix::net::SocketType;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// The row of the table.
pub(crate) const KIND: Kind = Kind {
    name: "user",
    about: "the host's networks through sockets of its own; needs no privileges",
    ethernet: true,
    keys: &[
        ("net", "ADDRESS/LEN", "its network, by default 10.0.2.0/24: gateway .2, name server .3, guest .15"),
        ("net6", "ADDRESS/LEN", "its IPv6 network, by default fd72:756d:70::/64"),
        ("ipv6", "yes|no", "whether it has IPv6, by default if the host has a way to the outside by IPv6"),
        ("loopback", "yes|no", "whether the gateway's addresses are the host's loopback, by default no"),
        ("dnsfwd", "ADDRESS[:PORT]", "whom its name server asks instead of the host's; may be repeated"),
        ("hostfwd", "RULE", "[tcp|udp]:[HOSTADDR]:HOSTPORT-[GUESTADDR]:GUESTPORT; may be repeated"),
    ],
    parse,
};

/// Nothing of the host's is on this link, so that its packets may be long: a stream moves 136 MB/s with 1500, 460 MB/s with this, and
/// 320 MB/s with 65520 (2 shared cores; the host alone 430). Datagrams that may not be cut are cut by no host on their way either.
const MTU: usize = 32768;

#[derive(Debug)]
struct UserPlan {
    v4: Side,
    v6: Side,
    ipv6: Option<bool>,
    loopback: bool,
    names: Vec<SocketAddr>,
    forwards: Vec<Forward>,
}

fn parse(fields: &mut Fields) -> Result<Box<dyn Plan>, String> {
    let net = |v4: bool| {
        move |text: &str| {
            let net = values::prefix(text)?;
            if net.0.is_ipv4() == v4 {
                Side::of(net)
            } else {
                Err(format!("'{text}' is of the other family"))
            }
        }
    };
    let v6 = fields.parsed("net6", net(false))?;
    Ok(Box::new(UserPlan {
        v4: fields.parsed("net", net(true))?.map_or_else(|| Side::of(NET), Ok)?,
        ipv6: fields.parsed("ipv6", values::yes_no)?.or(v6.map(|_| true)),
        v6: v6.map_or_else(|| Side::of(NET6), Ok)?,
        loopback: fields.parsed("loopback", values::yes_no)?.unwrap_or(false),
        names: fields.all_parsed("dnsfwd", names::server)?,
        forwards: fields.all_parsed("hostfwd", Forward::parse)?,
    }))
}

impl Plan for UserPlan {
    fn open(&self, opening: Opening) -> Result<Opened, String> {
        let v6 = self.ipv6.unwrap_or_else(host_has_ipv6).then_some(self.v6);
        let network = Network { v4: self.v4, v6, loopback: self.loopback };
        let mtu = opening.mtu.unwrap_or(MTU);
        let names = HostNames::new(self.names.clone());
        let gateway = Gateway::new(network, names, &self.forwards, (mtu, random()?), opening.watch)?;
        // What the netspec says itself, or DHCP will say, is not said again.
        let said = |ip: &IpAddr| {
            let own = opening.addrs.iter().any(|(addr, _)| addr.is_ipv4() == ip.is_ipv4());
            own || (opening.dhcp && ip.is_ipv4())
        };
        let sides: Vec<Side> = network.sides().filter(|side| !said(&side.guest)).collect();
        Ok(Opened {
            addrs: sides.iter().map(|side| (side.guest, side.len)).collect(),
            mtu: Some(mtu),
            name_servers: sides.iter().map(|side| side.names).collect(),
            gateways: sides.iter().map(|side| side.gateway).collect(),
            ..Opened::plain(gateway)
        })
    }
}

/// Whether there is a way to the outside. Nothing is sent.
fn host_has_ipv6() -> bool {
    let somewhere = SocketAddr::new(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 1).into(), 9);
    let socket = forward::socket(somewhere.ip(), SocketType::DGRAM, None);
    socket.and_then(|socket| rustix::net::connect(&socket, &somewhere)).is_ok()
}

fn random() -> Result<u64, String> {
    let mut seed = [0; 8];
    rustix::rand::getrandom(&mut seed, rustix::rand::GetRandomFlags::empty())
        .map(|_| u64::from_ne_bytes(seed))
        .map_err(|errno| errno.to_string())
}
