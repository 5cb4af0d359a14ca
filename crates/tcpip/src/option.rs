//! Socket options (socket(7), ip(7), ipv6(7), tcp(7)).

/// An option to set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opt {
    /// `SO_REUSEADDR`.
    ReuseAddr(bool),
    /// `SO_REUSEPORT`.
    ReusePort(bool),
    /// `SO_BROADCAST`.
    Broadcast(bool),
    /// `SO_KEEPALIVE`.
    KeepAlive(bool),
    /// `SO_LINGER`: seconds, or off.
    Linger(Option<u32>),
    /// `SO_SNDBUF` as the program gave it: doubled and limited here, as Linux does.
    SndBuf(u32),
    /// `SO_RCVBUF` as the program gave it: doubled and limited here, as Linux does.
    RcvBuf(u32),
    /// `IPV6_V6ONLY`; `EINVAL` once bound.
    V6Only(bool),
    /// `IP_TTL`, `IPV6_UNICAST_HOPS`: 1 to 255.
    Ttl(u8),
    /// `IP_TOS`, `IPV6_TCLASS`.
    Tos(u8),
    /// `TCP_NODELAY`.
    NoDelay(bool),
    /// `TCP_MAXSEG`: what we announce, 88 to 32767; 0: what the link allows.
    MaxSeg(u16),
    /// `TCP_KEEPIDLE` in seconds, 1 to 32767.
    KeepIdle(u32),
    /// `TCP_KEEPINTVL` in seconds, 1 to 32767.
    KeepIntvl(u32),
    /// `TCP_KEEPCNT`, 1 to 127.
    KeepCnt(u32),
    /// `TCP_USER_TIMEOUT` in milliseconds; 0: the default.
    UserTimeout(u32),
}

/// The options of a socket, as getsockopt(2) shows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// `SO_REUSEADDR`.
    pub reuse_addr: bool,
    /// `SO_REUSEPORT`.
    pub reuse_port: bool,
    /// `SO_BROADCAST`.
    pub broadcast: bool,
    /// `SO_KEEPALIVE`.
    pub keep_alive: bool,
    /// `SO_LINGER` in seconds.
    pub linger: Option<u32>,
    /// `SO_SNDBUF`.
    pub sndbuf: u32,
    /// `SO_RCVBUF`.
    pub rcvbuf: u32,
    /// `IPV6_V6ONLY`.
    pub v6only: bool,
    /// `IP_TTL`, `IPV6_UNICAST_HOPS`.
    pub ttl: u8,
    /// `IP_TOS`, `IPV6_TCLASS`.
    pub tos: u8,
    /// `TCP_NODELAY`.
    pub nodelay: bool,
    /// `TCP_MAXSEG`; 0: what the link allows.
    pub maxseg: u16,
    /// `TCP_KEEPIDLE` in seconds.
    pub keep_idle: u32,
    /// `TCP_KEEPINTVL` in seconds.
    pub keep_intvl: u32,
    /// `TCP_KEEPCNT`.
    pub keep_cnt: u32,
    /// `TCP_USER_TIMEOUT` in milliseconds; 0: the default.
    pub user_timeout_ms: u32,
}
