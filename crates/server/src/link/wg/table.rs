//! Which peer an address is behind (AllowedIPs): the longest prefix tells.

use std::net::IpAddr;

/// Prefixes and peers, the longest first.
#[derive(Debug, Default)]
pub(super) struct Table(Vec<(u128, u8, bool, usize)>);

impl Table {
    /// `ip/len` is behind this peer. The last one to have a prefix keeps it (wg(8)).
    pub(super) fn insert(&mut self, ip: IpAddr, len: u8, peer: usize) {
        let prefix = high_bits(ip) & mask(len);
        self.0.retain(|(other, other_len, v4, _)| (*other, *other_len, *v4) != (prefix, len, ip.is_ipv4()));
        let at = self.0.partition_point(|(_, other, ..)| *other >= len);
        self.0.insert(at, (prefix, len, ip.is_ipv4(), peer));
    }

    /// The peer that an address is behind.
    pub(super) fn find(&self, ip: IpAddr) -> Option<usize> {
        let bits = high_bits(ip);
        let fits = |(prefix, len, v4, _): &&(u128, u8, bool, usize)| {
            *v4 == ip.is_ipv4() && bits & mask(*len) == *prefix
        };
        self.0.iter().find(fits).map(|(.., peer)| *peer)
    }
}

fn high_bits(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => u128::from(ip.to_bits()) << 96,
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

fn mask(len: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(len)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_of_its_family() {
        let mut table = Table::default();
        for (text, len, peer) in
            [("0.0.0.0", 0, 0), ("10.1.2.3", 16, 1), ("10.1.9.9", 32, 2), ("::", 0, 3), ("10.1.0.0", 16, 4)]
        {
            table.insert(text.parse().unwrap(), len, peer);
        }
        let find = |text: &str| table.find(text.parse().unwrap());
        assert_eq!(
            (find("192.0.2.1"), find("10.1.7.7"), find("10.1.9.9"), find("2001:db8::1")),
            (Some(0), Some(4), Some(2), Some(3))
        );
        assert_eq!(Table::default().find("10.0.0.1".parse().unwrap()), None);
    }
}
