//! The host's name servers, as resolv.conf(5) has them at the time.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6};
use std::path::Path;
use std::time::SystemTime;

const PATH: &str = "/etc/resolv.conf";
const PORT: u16 = 53;
/// `MAXNS`.
const SERVERS_MAX: usize = 3;
/// The file is looked at no more often.
const LOOK_NS: u64 = 1_000_000_000;

/// What the file said when it was read last, or what was said instead of it.
#[derive(Debug)]
pub(super) struct HostNames {
    /// The file is not looked at.
    fixed: bool,
    servers: Vec<SocketAddr>,
    changed: Option<SystemTime>,
    look_at_ns: u64,
}

impl HostNames {
    /// The host's, or these if there are any.
    pub(super) fn new(instead: Vec<SocketAddr>) -> Self {
        Self { fixed: !instead.is_empty(), servers: instead, changed: None, look_at_ns: 0 }
    }

    /// The servers; never none: without the file it is this host, as for the C library.
    pub(super) fn servers(&mut self, now_ns: u64) -> &[SocketAddr] {
        if !self.fixed && now_ns >= self.look_at_ns {
            self.look_at_ns = now_ns.saturating_add(LOOK_NS);
            let changed = Path::new(PATH).metadata().and_then(|found| found.modified()).ok();
            if self.servers.is_empty() || changed != self.changed {
                self.changed = changed;
                self.servers = parse(&std::fs::read_to_string(PATH).unwrap_or_default());
            }
        }
        &self.servers
    }
}

/// `ADDRESS`, `ADDRESS:PORT` or `[ADDRESS]:PORT`.
pub(super) fn server(text: &str) -> Result<SocketAddr, String> {
    let bare = text.parse().map(|ip: IpAddr| SocketAddr::new(ip, PORT));
    bare.or_else(|_| text.parse()).map_err(|_| format!("'{text}' is neither ADDRESS nor ADDRESS:PORT"))
}

fn parse(text: &str) -> Vec<SocketAddr> {
    let words = |line: &str| -> Option<SocketAddr> {
        let mut words = line.split_whitespace();
        words.next().filter(|word| *word == "nameserver")?;
        address(words.next()?)
    };
    let servers: Vec<_> = text.lines().filter_map(words).take(SERVERS_MAX).collect();
    if servers.is_empty() { vec![SocketAddr::new(Ipv4Addr::LOCALHOST.into(), PORT)] } else { servers }
}

/// An address, perhaps with the scope that a link-local one needs.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, scope) = text.split_once('%').unwrap_or((text, ""));
    match ip.parse().ok()? {
        IpAddr::V6(ip) if !scope.is_empty() => {
            Some(SocketAddrV6::new(ip, PORT, 0, interface_index(scope)?).into())
        }
        ip => Some(SocketAddr::new(ip, PORT)),
    }
}

fn interface_index(name: &str) -> Option<u32> {
    let any =
        super::forward::socket(Ipv4Addr::LOCALHOST.into(), rustix::net::SocketType::DGRAM, None).ok()?;
    name.parse().ok().or_else(|| rustix::net::netdevice::name_to_index(&any, name).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files() {
        let shown = |text: &str| parse(text).iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        assert_eq!(shown(""), "127.0.0.1:53");
        assert_eq!(shown("# nameserver 1.1.1.1\nnameserver\t9.9.9.9 # x\nsearch a"), "9.9.9.9:53");
        assert_eq!(server("::1"), Ok("[::1]:53".parse().unwrap()));
        assert_eq!(server("127.0.0.1:5353"), Ok("127.0.0.1:5353".parse().unwrap()));
        assert!(server("localhost").is_err());
        assert_eq!(shown("nameserver ::1\nnameserver fe80::1%1\nnameserver x"), "[::1]:53 [fe80::1%1]:53");
    }
}
