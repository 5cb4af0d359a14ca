//! `hostfwd=`: ports of the host that lead to the rump kernel, in QEMU's form.

use super::network::Network;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;

const FORM: &str =
    "expected [tcp|udp]:[HOSTADDR]:HOSTPORT-[GUESTADDR]:GUESTPORT, as in tcp:127.0.0.1:8080-:80";
const BACKLOG: i32 = 128;

/// One forwarded port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Forward {
    pub(super) udp: bool,
    /// Where it listens.
    host: SocketAddr,
    /// None: the guest's own address.
    guest: Option<IpAddr>,
    guest_port: u16,
}

impl Forward {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        Self::of(text).ok_or_else(|| format!("'{text}' is no forward: {FORM}"))
    }

    fn of(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(':')?;
        let udp = match kind {
            "udp" => true,
            "tcp" | "" => false,
            _ => return None,
        };
        let (host, guest) = rest.rsplit_once('-')?;
        let (host, host_port) = end(host)?;
        let (guest, guest_port) = end(guest)?;
        let host = SocketAddr::new(host.unwrap_or(Ipv4Addr::LOCALHOST.into()), host_port);
        Some(Self { udp, host, guest, guest_port }).filter(|_| guest_port > 0)
    }

    /// Where it leads.
    pub(super) fn target(&self, network: &Network) -> Option<SocketAddr> {
        let ip = match self.guest {
            Some(ip) => ip,
            // Who listens on an IPv6 address means a guest's IPv6 address, if it has one.
            None => network.side(self.host.ip()).unwrap_or(network.v4).guest,
        };
        network.side(ip).map(|_| SocketAddr::new(ip, self.guest_port))
    }

    /// The listening socket, or for UDP the one that receives.
    pub(super) fn open(&self) -> Result<OwnedFd, String> {
        self.bound().map_err(|errno| {
            let kind = if self.udp { "udp" } else { "tcp" };
            format!("hostfwd {kind}:{}: {errno}", self.host)
        })
    }

    fn bound(&self) -> Result<OwnedFd, Errno> {
        let kind = if self.udp { SocketType::DGRAM } else { SocketType::STREAM };
        let fd = socket(self.host.ip(), kind, None)?;
        if !self.udp {
            sockopt::set_socket_reuseaddr(&fd, true)?;
        }
        rustix::net::bind(&fd, &self.host)?;
        if !self.udp {
            rustix::net::listen(&fd, BACKLOG)?;
        }
        Ok(fd)
    }
}

/// `[ADDRESS:]PORT`, an IPv6 address in brackets; the address may be empty.
fn end(text: &str) -> Option<(Option<IpAddr>, u16)> {
    let (ip, port) = text.rsplit_once(':').unwrap_or(("", text));
    let bare = ip.strip_prefix('[').and_then(|ip| ip.strip_suffix(']'));
    let ip = match (bare, ip) {
        (None, "") => None,
        (Some(bare), _) => Some(IpAddr::V6(bare.parse().ok()?)),
        (None, ip) => Some(IpAddr::V4(ip.parse().ok()?)),
    };
    let digits = port.bytes().all(|byte| byte.is_ascii_digit());
    Some((ip, port.parse().ok().filter(|_| digits)?))
}

/// A socket of the host that never blocks.
pub(super) fn socket(
    ip: IpAddr,
    kind: SocketType,
    protocol: Option<rustix::net::Protocol>,
) -> Result<OwnedFd, Errno> {
    let family = if ip.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    rustix::net::socket_with(family, kind, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC, protocol)
}

#[cfg(test)]
mod tests {
    use super::super::network::{NET, NET6, Side};
    use super::*;

    #[test]
    fn forms() {
        let network =
            Network { v4: Side::of(NET).unwrap(), v6: Some(Side::of(NET6).unwrap()), loopback: false };
        let shown = |text: &str| {
            let forward = Forward::parse(text)?;
            Ok(format!("{} {} {}", forward.udp, forward.host, forward.target(&network).unwrap()))
        };
        let ok = |text: &str| Ok::<_, String>(text.to_owned());
        assert_eq!(shown("tcp:127.0.0.1:8080-80"), ok("false 127.0.0.1:8080 10.0.2.15:80"));
        assert_eq!(shown("tcp::8080-:80"), ok("false 127.0.0.1:8080 10.0.2.15:80"));
        assert_eq!(shown(":0.0.0.0:8080-10.0.2.16:80"), ok("false 0.0.0.0:8080 10.0.2.16:80"));
        assert_eq!(shown("udp:[::1]:53-:53"), ok("true [::1]:53 [fd72:756d:70::15]:53"));
        for bad in [
            "",
            "tcp",
            "tcp:80",
            "tcp:80-",
            "tcp::80-:0",
            "icmp::80-:80",
            "tcp:host:80-:80",
            "tcp::+80-:80",
            "tcp::99999-:80",
            "tcp:::1:80-:80",
        ] {
            assert!(shown(bad).is_err_and(|why| why.contains(FORM)), "{bad}");
        }
    }
}
