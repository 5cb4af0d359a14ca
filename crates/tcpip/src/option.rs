//! Socket options (socket(7), ip(7), ipv6(7), tcp(7)).

use abi::Errno;

use crate::{
    Settings,
    types::{Domain, LinkId, Protocol},
};

/// `SOCK_MIN_RCVBUF`.
const MIN_RCVBUF: u32 = 2304;
/// `SOCK_MIN_SNDBUF`.
const MIN_SNDBUF: u32 = 4608;
const MAX_KEEP_SECONDS: u32 = 32767;
const MAX_KEEP_CNT: u32 = 127;
const MIN_MAXSEG: u16 = 88;

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
    /// `SO_OOBINLINE`.
    OobInline(bool),
    /// `TCP_DEFER_ACCEPT` in seconds: how long a listener waits for the first bytes of a connection; 0: not at all.
    DeferAccept(u32),
    /// `SO_RCVLOWAT`: from how many bytes on a stream is readable.
    RcvLowAt(u32),
    /// `IP_RECVERR`.
    RecvErr4(bool),
    /// `IPV6_RECVERR`.
    RecvErr6(bool),
    /// `IP_FREEBIND`: bind(2) takes addresses that are not ours.
    FreeBind(bool),
    /// `IP_TRANSPARENT`, as far as bind(2) is concerned.
    Transparent(bool),
    /// `IP_UNICAST_IF`, `IPV6_UNICAST_IF`: where packets leave that nothing else binds to a link.
    UnicastIf(Option<LinkId>),
    /// `SO_MARK`.
    Mark(u32),
    /// `SO_BINDTODEVICE`.
    BindToDevice(Option<LinkId>),
    /// `IP_MULTICAST_IF`.
    MulticastIf4(Option<LinkId>),
    /// `IPV6_MULTICAST_IF`.
    MulticastIf6(Option<LinkId>),
    /// `IP_MULTICAST_TTL`.
    MulticastTtl4(u8),
    /// `IPV6_MULTICAST_HOPS`.
    MulticastTtl6(u8),
    /// `IP_MULTICAST_LOOP`.
    MulticastLoop4(bool),
    /// `IPV6_MULTICAST_LOOP`.
    MulticastLoop6(bool),
    /// `IP_MULTICAST_ALL`.
    MulticastAll4(bool),
    /// `IPV6_MULTICAST_ALL`.
    MulticastAll6(bool),
    /// `IP_MTU_DISCOVER`: `IP_PMTUDISC_*`.
    MtuDiscover4(u8),
    /// `IPV6_MTU_DISCOVER`: `IPV6_PMTUDISC_*`.
    MtuDiscover6(u8),
    /// `IPV6_DONTFRAG`.
    DontFrag6(bool),
    /// `UDPLITE_SEND_CSCOV`: how many bytes checksums cover, the header's 8 among them; 0: all.
    SendCoverage(u16),
    /// `UDPLITE_RECV_CSCOV`: how many bytes they must cover; 0: all.
    RecvCoverage(u16),
    /// `UDP_SEGMENT`: bytes of each datagram that what is sent is cut into; 0: it is one.
    UdpSegment(u16),
    /// `UDP_GRO`.
    UdpGro(bool),
}

/// `IP_PMTUDISC_*` (ip(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Discovery {
    /// Routers may cut it.
    Dont,
    /// It is cut here to what the path carries.
    Want,
    /// It is not cut: `EMSGSIZE`.
    Do,
    /// Likewise, and what is known of the path does not matter.
    Probe,
}

impl Discovery {
    /// Whether routers are told not to cut it.
    pub(crate) fn sets_dont_fragment(self) -> bool {
        self != Self::Dont
    }
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
    /// The program has set `SO_SNDBUF`: it does not grow by itself (tcp(7)).
    pub(crate) sndbuf_set: bool,
    /// Likewise `SO_RCVBUF`.
    pub(crate) rcvbuf_set: bool,
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
    /// `SO_OOBINLINE`.
    pub oob_inline: bool,
    /// `TCP_DEFER_ACCEPT` in seconds.
    pub defer_accept: u32,
    /// `SO_RCVLOWAT`.
    pub rcvlowat: u32,
    /// `IP_RECVERR`.
    pub recverr4: bool,
    /// `IPV6_RECVERR`.
    pub recverr6: bool,
    /// `SO_MARK`.
    pub mark: u32,
    /// `IP_FREEBIND`.
    pub free_bind: bool,
    /// `IP_TRANSPARENT`.
    pub transparent: bool,
    /// `IP_UNICAST_IF`.
    pub unicast_if: Option<LinkId>,
    /// `SO_BINDTODEVICE`.
    pub bound_link: Option<LinkId>,
    /// `IP_MULTICAST_IF`.
    pub multicast_if4: Option<LinkId>,
    /// `IPV6_MULTICAST_IF`.
    pub multicast_if6: Option<LinkId>,
    /// `IP_MULTICAST_TTL`.
    pub multicast_ttl4: u8,
    /// `IPV6_MULTICAST_HOPS`.
    pub multicast_ttl6: u8,
    /// `IP_MULTICAST_LOOP`.
    pub multicast_loop4: bool,
    /// `IPV6_MULTICAST_LOOP`.
    pub multicast_loop6: bool,
    /// `IP_MULTICAST_ALL`.
    pub multicast_all4: bool,
    /// `IPV6_MULTICAST_ALL`.
    pub multicast_all6: bool,
    /// `IP_MTU_DISCOVER`.
    pub mtu_discover4: u8,
    /// `IPV6_MTU_DISCOVER`.
    pub mtu_discover6: u8,
    /// `IPV6_DONTFRAG`.
    pub dontfrag6: bool,
    /// `UDPLITE_SEND_CSCOV`.
    pub send_coverage: u16,
    /// `UDPLITE_RECV_CSCOV`; none: not asked for.
    pub recv_coverage: Option<u16>,
    /// `UDP_SEGMENT`.
    pub udp_segment: u16,
    /// `UDP_GRO`: what was sent as one is received as one.
    pub udp_gro: bool,
}

impl Options {
    /// What a new socket has.
    pub(crate) fn new(protocol: Protocol, domain: Domain, settings: &Settings) -> Self {
        let tcp = protocol == Protocol::Tcp;
        Self {
            reuse_addr: false,
            reuse_port: false,
            broadcast: false,
            keep_alive: false,
            linger: None,
            sndbuf: if tcp { settings.tcp_wmem[1] } else { settings.wmem_default },
            rcvbuf: if tcp { settings.tcp_rmem[1] } else { settings.rmem_default },
            sndbuf_set: false,
            rcvbuf_set: false,
            v6only: (settings.bindv6only || protocol == Protocol::Ping) && domain == Domain::Inet6,
            ttl: if domain == Domain::Inet { settings.ip_default_ttl } else { settings.hop_limit },
            tos: 0,
            nodelay: false,
            maxseg: 0,
            keep_idle: settings.tcp_keepalive_time,
            keep_intvl: settings.tcp_keepalive_intvl,
            keep_cnt: settings.tcp_keepalive_probes,
            user_timeout_ms: 0,
            oob_inline: false,
            defer_accept: 0,
            rcvlowat: 1,
            recverr4: false,
            recverr6: false,
            mark: 0,
            free_bind: false,
            transparent: false,
            unicast_if: None,
            bound_link: None,
            multicast_if4: None,
            multicast_if6: None,
            multicast_ttl4: 1,
            multicast_ttl6: 1,
            multicast_loop4: true,
            multicast_loop6: true,
            multicast_all4: domain == Domain::Inet,
            multicast_all6: true,
            mtu_discover4: 1,
            mtu_discover6: 1,
            dontfrag6: false,
            send_coverage: 0,
            recv_coverage: None,
            udp_segment: 0,
            udp_gro: false,
        }
    }

    /// Sets one.
    ///
    /// # Errors
    /// `EINVAL`: out of range.
    pub(crate) fn set(&mut self, opt: Opt, settings: &Settings) -> Result<(), Errno> {
        match opt {
            Opt::ReuseAddr(on) => self.reuse_addr = on,
            Opt::ReusePort(on) => self.reuse_port = on,
            Opt::Broadcast(on) => self.broadcast = on,
            Opt::KeepAlive(on) => self.keep_alive = on,
            Opt::Linger(linger) => self.linger = linger,
            Opt::SndBuf(size) => {
                self.sndbuf = size.min(settings.wmem_max).saturating_mul(2).max(MIN_SNDBUF);
                self.sndbuf_set = true;
            }
            Opt::RcvBuf(size) => {
                self.rcvbuf = size.min(settings.rmem_max).saturating_mul(2).max(MIN_RCVBUF);
                self.rcvbuf_set = true;
            }
            Opt::V6Only(on) => self.v6only = on,
            Opt::Ttl(ttl) => self.ttl = in_range(ttl, 1, u8::MAX)?,
            Opt::Tos(tos) => self.tos = tos,
            Opt::NoDelay(on) => self.nodelay = on,
            Opt::MaxSeg(0) => self.maxseg = 0,
            Opt::MaxSeg(size) => self.maxseg = in_range(size, MIN_MAXSEG, 32767)?,
            Opt::KeepIdle(s) => self.keep_idle = in_range(s, 1, MAX_KEEP_SECONDS)?,
            Opt::KeepIntvl(s) => self.keep_intvl = in_range(s, 1, MAX_KEEP_SECONDS)?,
            Opt::KeepCnt(n) => self.keep_cnt = in_range(n, 1, MAX_KEEP_CNT)?,
            Opt::UserTimeout(ms) => self.user_timeout_ms = ms,
            Opt::DeferAccept(seconds) => self.defer_accept = seconds,
            Opt::OobInline(on) => self.oob_inline = on,
            Opt::RcvLowAt(bytes) => self.rcvlowat = bytes.max(1),
            Opt::RecvErr4(on) => self.recverr4 = on,
            Opt::RecvErr6(on) => self.recverr6 = on,
            Opt::Mark(mark) => self.mark = mark,
            Opt::FreeBind(on) => self.free_bind = on,
            Opt::Transparent(on) => self.transparent = on,
            Opt::UnicastIf(link) => self.unicast_if = link,
            Opt::BindToDevice(link) => self.bound_link = link,
            Opt::MulticastIf4(link) => self.multicast_if4 = link,
            Opt::MulticastIf6(link) => self.multicast_if6 = link,
            Opt::MulticastTtl4(ttl) => self.multicast_ttl4 = ttl,
            Opt::MulticastTtl6(ttl) => self.multicast_ttl6 = ttl,
            Opt::MulticastLoop4(on) => self.multicast_loop4 = on,
            Opt::MulticastLoop6(on) => self.multicast_loop6 = on,
            Opt::MulticastAll4(on) => self.multicast_all4 = on,
            Opt::MulticastAll6(on) => self.multicast_all6 = on,
            Opt::MtuDiscover4(how) => self.mtu_discover4 = in_range(how, 0, 5)?,
            Opt::MtuDiscover6(how) => self.mtu_discover6 = in_range(how, 0, 5)?,
            Opt::DontFrag6(on) => self.dontfrag6 = on,
            Opt::SendCoverage(bytes) => self.send_coverage = bytes,
            Opt::RecvCoverage(bytes) => self.recv_coverage = Some(bytes),
            Opt::UdpSegment(bytes) => self.udp_segment = bytes,
            Opt::UdpGro(on) => self.udp_gro = on,
        }
        Ok(())
    }

    /// What is done about datagrams that are too long for their path.
    pub(crate) fn discovery(&self, v4: bool) -> Discovery {
        match if v4 { self.mtu_discover4 } else { self.mtu_discover6 } {
            _ if !v4 && self.dontfrag6 => Discovery::Do,
            2 => Discovery::Do,
            3 | 4 => Discovery::Probe,
            0 | 5 => Discovery::Dont,
            _ => Discovery::Want,
        }
    }

    /// Whether a datagram of which only `covered` bytes are covered by its checksum is taken (udplite(7)).
    pub(crate) fn takes_coverage(&self, covered: u16) -> bool {
        self.recv_coverage.is_none_or(|least| least != 0 && covered >= least)
    }
}

impl Opt {
    /// Whether it is one of tcp(7)'s.
    pub(crate) fn is_tcp(self) -> bool {
        use Opt::{DeferAccept, KeepCnt, KeepIdle, KeepIntvl, MaxSeg, NoDelay, UserTimeout};
        matches!(
            self,
            DeferAccept(_)
                | NoDelay(_)
                | MaxSeg(_)
                | KeepIdle(_)
                | KeepIntvl(_)
                | KeepCnt(_)
                | UserTimeout(_)
        )
    }
}

fn in_range<T: PartialOrd>(value: T, min: T, max: T) -> Result<T, Errno> {
    if value < min || value > max { Err(Errno::EINVAL) } else { Ok(value) }
}
