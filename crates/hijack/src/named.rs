//! Files of the host that a tuple other than `path` and `blanket` makes the rump kernel's, by their names: what the calls of NetBSD's
//! list are files on Linux for.

use crate::config::{Config, Vfs};
use abi::raw::net::{AF_INET, AF_INET6, AF_PACKET, AF_UNIX};

/// A name and what makes it the rump kernel's.
struct Named {
    name: &'static [u8],
    /// What lies below it belongs to it.
    directory: bool,
    wanted: Wanted,
}

enum Wanted {
    Sysctl,
    Vfs(Vfs),
    Family(u32),
}

const NAMED: &[Named] = &[
    Named { name: b"/proc/sys", directory: true, wanted: Wanted::Sysctl },
    Named { name: b"/proc/fs/nfsd", directory: true, wanted: Wanted::Vfs(Vfs::Nfssvc) },
    file(b"/proc/mounts", Wanted::Vfs(Vfs::Getvfsstat)),
    file(b"/proc/self/mounts", Wanted::Vfs(Vfs::Getvfsstat)),
    file(b"/proc/self/mountinfo", Wanted::Vfs(Vfs::Getvfsstat)),
    file(b"/etc/mtab", Wanted::Vfs(Vfs::Getvfsstat)),
    Named { name: b"/sys/class/net", directory: true, wanted: Wanted::Family(AF_INET) },
    file(b"/proc/net/arp", Wanted::Family(AF_INET)),
    file(b"/proc/net/dev", Wanted::Family(AF_INET)),
    file(b"/proc/net/dev_mcast", Wanted::Family(AF_INET)),
    file(b"/proc/net/icmp", Wanted::Family(AF_INET)),
    file(b"/proc/net/igmp", Wanted::Family(AF_INET)),
    file(b"/proc/net/netstat", Wanted::Family(AF_INET)),
    file(b"/proc/net/raw", Wanted::Family(AF_INET)),
    file(b"/proc/net/route", Wanted::Family(AF_INET)),
    file(b"/proc/net/snmp", Wanted::Family(AF_INET)),
    file(b"/proc/net/sockstat", Wanted::Family(AF_INET)),
    file(b"/proc/net/softnet_stat", Wanted::Family(AF_INET)),
    file(b"/proc/net/tcp", Wanted::Family(AF_INET)),
    file(b"/proc/net/udp", Wanted::Family(AF_INET)),
    file(b"/proc/net/udplite", Wanted::Family(AF_INET)),
    file(b"/proc/net/icmp6", Wanted::Family(AF_INET6)),
    file(b"/proc/net/if_inet6", Wanted::Family(AF_INET6)),
    file(b"/proc/net/igmp6", Wanted::Family(AF_INET6)),
    file(b"/proc/net/ipv6_route", Wanted::Family(AF_INET6)),
    file(b"/proc/net/raw6", Wanted::Family(AF_INET6)),
    file(b"/proc/net/snmp6", Wanted::Family(AF_INET6)),
    file(b"/proc/net/sockstat6", Wanted::Family(AF_INET6)),
    file(b"/proc/net/tcp6", Wanted::Family(AF_INET6)),
    file(b"/proc/net/udp6", Wanted::Family(AF_INET6)),
    file(b"/proc/net/udplite6", Wanted::Family(AF_INET6)),
    file(b"/proc/net/packet", Wanted::Family(AF_PACKET)),
    file(b"/proc/net/unix", Wanted::Family(AF_UNIX)),
];

const fn file(name: &'static [u8], wanted: Wanted) -> Named {
    Named { name, directory: false, wanted }
}

impl Named {
    fn is_wanted(&self, config: &Config) -> bool {
        match self.wanted {
            Wanted::Sysctl => config.sysctl,
            Wanted::Vfs(group) => config.vfs.contains(group),
            Wanted::Family(family) => config.families.contains(family.into()),
        }
    }

    fn covers(&self, path: &[u8]) -> bool {
        match path.strip_prefix(self.name).map(<[u8]>::first) {
            Some(None) => true,
            Some(Some(b'/')) => self.directory,
            _ => false,
        }
    }
}

/// Whether any name is the rump kernel's.
pub(crate) fn any(config: &Config) -> bool {
    NAMED.iter().any(|named| named.is_wanted(config))
}

/// Whether this absolute path of the host's is the rump kernel's, where it has the same name.
pub(crate) fn is_rumps(config: &Config, path: &[u8]) -> bool {
    // Most paths do not begin with any of these letters.
    let possible = matches!(path.get(1), Some(b'p' | b'e' | b's'));
    possible && NAMED.iter().any(|named| named.covers(path) && named.is_wanted(config))
}

/// So many bytes at the start of a path say whether it is: the longest name and the border behind it.
pub(crate) fn decides() -> usize {
    NAMED.iter().map(|named| named.name.len()).max().unwrap_or_default() + 1
}

/// Which list of mounts a path names, as [`abi::private::MOUNTS`] counts them, if the list is the rump kernel's.
pub(crate) fn mounts(config: &Config, path: &[u8]) -> Option<u64> {
    match path {
        _ if !config.vfs.contains(Vfs::Getvfsstat) => None,
        b"/proc/mounts" | b"/proc/self/mounts" | b"/etc/mtab" => Some(0),
        b"/proc/self/mountinfo" => Some(1),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rumps(config: &str, path: &str) -> bool {
        is_rumps(&Config::parse(Some(config.as_bytes())).unwrap(), path.as_bytes())
    }

    #[test]
    fn each_tuple_has_its_files() {
        assert!(rumps("sysctl", "/proc/sys") && rumps("sysctl", "/proc/sys/kernel/ostype"));
        assert!(!rumps("sysctl", "/proc/sysvipc") && !rumps("path=/rump", "/proc/sys"));
        assert!(rumps("vfs=getvfsstat", "/etc/mtab") && !rumps("vfs=getvfsstat", "/etc/mtab/x"));
        assert!(rumps("vfs=all", "/proc/fs/nfsd/threads") && !rumps("vfs=all:nonfssvc", "/proc/fs/nfsd"));
        assert!(rumps("socket=inet", "/proc/net/tcp") && !rumps("socket=inet", "/proc/net/tcp6"));
        assert!(!rumps("socket=all:nolocal", "/proc/net/unix") && rumps("socket=local", "/proc/net/unix"));
        assert!(rumps("socket=inet", "/sys/class/net/lo/mtu") && !rumps("socket=inet", "/sys/class/network"));
        assert!(!rumps("socket=all,vfs=all,sysctl", "/proc") && !rumps("socket=all", "/"));
    }

    #[test]
    fn lists_of_mounts() {
        let config = Config::parse(Some(b"vfs=getvfsstat")).unwrap();
        assert_eq!(mounts(&config, b"/proc/self/mountinfo"), Some(1));
        assert_eq!(mounts(&config, b"/proc/mounts"), Some(0));
        assert_eq!(mounts(&config, b"/proc/mountsx"), None);
        assert_eq!(mounts(&Config::nothing(), b"/proc/mounts"), None);
    }

    #[test]
    fn names_fit_the_room_in_which_paths_are_decided() {
        assert!(decides() <= 64);
    }
}
