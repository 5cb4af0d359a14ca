//! What sysctl(8) sets in the stack. A change acts on sockets, ports and connections made afterwards.

/// The settings, named as tcp(7), ip(7), ipv6(7) and socket(7) name them. Values are used as they are: ranges are the caller's check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// `net.ipv4.ip_local_port_range`: the first and the last ephemeral port.
    pub ip_local_port_range: (u16, u16),
    /// `net.ipv4.ip_default_ttl`.
    pub ip_default_ttl: u8,
    /// `net.ipv6.conf.default.hop_limit`.
    pub hop_limit: u8,
    /// `net.ipv4.ip_forward`.
    pub ip_forward: bool,
    /// `net.ipv6.conf.all.forwarding`.
    pub forwarding: bool,
    /// `net.ipv6.bindv6only`: `IPV6_V6ONLY` of new sockets.
    pub bindv6only: bool,
    /// `net.core.rmem_default`: `SO_RCVBUF` of new sockets other than TCP's.
    pub rmem_default: u32,
    /// `net.core.wmem_default`: `SO_SNDBUF` of new sockets other than TCP's.
    pub wmem_default: u32,
    /// `net.core.rmem_max`: the most that `SO_RCVBUF` takes.
    pub rmem_max: u32,
    /// `net.core.wmem_max`: the most that `SO_SNDBUF` takes.
    pub wmem_max: u32,
    /// `net.ipv4.tcp_rmem`: the least, `SO_RCVBUF` of a new socket, and the most that a buffer grows to by itself.
    pub tcp_rmem: [u32; 3],
    /// `net.ipv4.tcp_wmem`, likewise.
    pub tcp_wmem: [u32; 3],
    /// `net.ipv4.tcp_keepalive_time` in seconds.
    pub tcp_keepalive_time: u32,
    /// `net.ipv4.tcp_keepalive_intvl` in seconds.
    pub tcp_keepalive_intvl: u32,
    /// `net.ipv4.tcp_keepalive_probes`.
    pub tcp_keepalive_probes: u32,
    /// `net.ipv4.tcp_syn_retries`.
    pub tcp_syn_retries: u32,
    /// `net.ipv4.tcp_synack_retries`.
    pub tcp_synack_retries: u32,
    /// `net.ipv4.tcp_timestamps`: connections have them where the peer does.
    pub tcp_timestamps: bool,
    /// `net.ipv4.tcp_ecn`: 0 no connection uses marks of congestion, 1 ours ask for it, 2 those that are asked do.
    pub tcp_ecn: u32,
    /// `net.ipv4.tcp_fin_timeout` in seconds.
    pub tcp_fin_timeout: u32,
    /// `net.ipv4.tcp_max_tw_buckets`.
    pub tcp_max_tw_buckets: u32,
}

impl Default for Settings {
    /// Linux's on a machine with plenty of memory.
    fn default() -> Self {
        Self {
            ip_local_port_range: (32768, 60999),
            ip_default_ttl: 64,
            hop_limit: 64,
            ip_forward: false,
            forwarding: false,
            bindv6only: false,
            rmem_default: 212_992,
            wmem_default: 212_992,
            rmem_max: 212_992,
            wmem_max: 212_992,
            tcp_rmem: [4096, 131_072, 6_291_456],
            tcp_wmem: [4096, 16_384, 4_194_304],
            tcp_keepalive_time: 7200,
            tcp_keepalive_intvl: 75,
            tcp_keepalive_probes: 9,
            tcp_syn_retries: 6,
            tcp_synack_retries: 5,
            tcp_timestamps: true,
            tcp_ecn: 2,
            tcp_fin_timeout: 60,
            tcp_max_tw_buckets: 65536,
        }
    }
}
