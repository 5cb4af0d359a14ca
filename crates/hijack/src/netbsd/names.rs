//! Names of sysctl nodes: NetBSD's, their numbers, and where they are below /proc/sys.

/// A node that NetBSD has under another name, or by numbers.
pub(super) struct Node {
    pub(super) name: &'static [u8],
    pub(super) numbers: &'static [i32],
    /// Linux's name.
    pub(super) path: &'static [u8],
}

/// sysctl(7), sys/sysctl.h, netinet/in.h: `CTL_KERN` is 1, `CTL_NET` 4, `PF_INET` 2.
pub(super) const NODES: &[Node] = &[
    Node { name: b"kern.ostype", numbers: &[1, 1], path: b"kernel/ostype" },
    Node { name: b"kern.osrelease", numbers: &[1, 2], path: b"kernel/osrelease" },
    Node { name: b"kern.version", numbers: &[1, 4], path: b"kernel/version" },
    Node { name: b"kern.maxfiles", numbers: &[1, 7], path: b"fs/file-max" },
    Node { name: b"kern.hostname", numbers: &[1, 10], path: b"kernel/hostname" },
    Node { name: b"kern.domainname", numbers: &[1, 22], path: b"kernel/domainname" },
    Node { name: b"kern.somaxconn", numbers: &[], path: b"net/core/somaxconn" },
    Node { name: b"net.inet.ip.ttl", numbers: &[4, 2, 0, 3], path: b"net/ipv4/ip_default_ttl" },
    Node { name: b"net.inet6.ip6.hlim", numbers: &[4, 24, 41, 3], path: b"net/ipv6/conf/default/hop_limit" },
    Node { name: b"net.inet6.ip6.v6only", numbers: &[4, 24, 41, 24], path: b"net/ipv6/bindv6only" },
];
