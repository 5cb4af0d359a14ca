//! What `rump sockstat`, `/proc/net` and `TCP_INFO` show.

use std::net::{IpAddr, SocketAddr};

use crate::{
    Stack, addr,
    addr::{Endpoint, Flow},
    slab::Key,
    socket::{Kind, Socket, Tcp},
    tcp::{
        connection::{Connection, Owner},
        time_wait::FlowEntry,
    },
    types::{Domain, LinkId, Medium, Protocol, SocketId},
};

/// One line of `rump sockstat`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketInfo {
    /// The socket; `None` for what lives on without a program: closing, half open and TIME-WAIT connections.
    pub id: Option<SocketId>,
    /// Its protocol.
    pub protocol: Protocol,
    /// Its family.
    pub domain: Domain,
    /// Its state as ss(8) prints it (`LISTEN`, `ESTAB`, `TIME-WAIT`, `UNCONN`, …).
    pub state: &'static str,
    /// Local address.
    pub local: SocketAddr,
    /// Address of the peer; the unspecified one when there is none.
    pub remote: SocketAddr,
    /// Bytes received and not yet read; for a listener, the connections that wait for accept(2).
    pub recv_queue: usize,
    /// Bytes sent and not yet acknowledged; for a listener, its backlog.
    pub send_queue: usize,
}

/// Part of `struct tcp_info` (tcp(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TcpInfo {
    /// `tcpi_state`, numbered as in linux/tcp.h (1 `TCP_ESTABLISHED` … 11 `TCP_CLOSING`).
    pub state: u8,
    /// `tcpi_options`: 1 `TCPI_OPT_TIMESTAMPS`, 2 `TCPI_OPT_SACK`, 4 `TCPI_OPT_WSCALE`, 8 `TCPI_OPT_ECN`,
    /// 16 `TCPI_OPT_ECN_SEEN`.
    pub options: u8,
    /// `tcpi_snd_wscale` and `tcpi_rcv_wscale`.
    pub wscale: (u8, u8),
    /// `tcpi_rtt` in microseconds; 0: not measured.
    pub rtt_us: u32,
    /// `tcpi_rttvar` in microseconds.
    pub rttvar_us: u32,
    /// `tcpi_rto` in microseconds.
    pub rto_us: u32,
    /// `tcpi_backoff`: how often that has doubled.
    pub backoff: u8,
    /// `tcpi_snd_mss` in bytes.
    pub snd_mss: u32,
    /// `tcpi_rcv_mss` in bytes.
    pub rcv_mss: u32,
    /// `tcpi_unacked`, in bytes here.
    pub unacked: u32,
    /// `tcpi_rcv_space` in bytes.
    pub rcv_space: u32,
    /// `tcpi_total_retrans`.
    pub total_retrans: u32,
    /// `tcpi_segs_out`.
    pub segs_out: u32,
    /// `tcpi_segs_in`.
    pub segs_in: u32,
}

/// A network interface as netdevice(7) shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkInfo {
    /// Its index.
    pub id: LinkId,
    /// Its name.
    pub name: String,
    /// What its frames are.
    pub medium: Medium,
    /// Its addresses with the lengths of their prefixes.
    pub addrs: Vec<(IpAddr, u8)>,
    /// Largest IP packet in bytes.
    pub mtu: usize,
    /// `IFF_UP`.
    pub up: bool,
    /// `IFF_RUNNING`.
    pub running: bool,
    /// `IFF_PROMISC`.
    pub promiscuous: bool,
    /// Whether it is the loopback interface.
    pub loopback: bool,
    /// What has passed.
    pub counters: LinkCounters,
}

/// What has passed a link (`struct rtnl_link_stats64`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LinkCounters {
    /// Frames in.
    pub rx_packets: u64,
    /// Their bytes, headers of the link among them.
    pub rx_bytes: u64,
    /// Frames that were malformed.
    pub rx_errors: u64,
    /// Frames in that nobody took.
    pub rx_dropped: u64,
    /// Frames to groups.
    pub multicast: u64,
    /// Frames out.
    pub tx_packets: u64,
    /// Their bytes.
    pub tx_bytes: u64,
    /// Frames that could not be sent.
    pub tx_errors: u64,
    /// Frames for which there was no room.
    pub tx_dropped: u64,
}

/// What the stack has done since it was made (RFC 4022, RFC 4113, RFC 4293: names in /proc/net/snmp).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// IP packets that came in.
    pub ip_in_receives: u64,
    /// IP packets dropped as malformed.
    pub ip_in_hdr_errors: u64,
    /// IP packets for somebody else.
    pub ip_in_addr_errors: u64,
    /// IP packets that went out.
    pub ip_out_requests: u64,
    /// IP packets sent on for others.
    pub ip_forw_datagrams: u64,
    /// Fragments that came in.
    pub ip_reasm_reqds: u64,
    /// Packets put together from fragments.
    pub ip_reasm_oks: u64,
    /// Packets whose fragments did not fit, or not all came.
    pub ip_reasm_fails: u64,
    /// Packets that were cut.
    pub ip_frag_oks: u64,
    /// Packets that were too long and could not be cut.
    pub ip_frag_fails: u64,
    /// Fragments made.
    pub ip_frag_creates: u64,
    /// Calls that found no route.
    pub ip_out_no_routes: u64,
    /// ICMP messages that came in.
    pub icmp_in_msgs: u64,
    /// ICMP messages that went out.
    pub icmp_out_msgs: u64,
    /// connect(2) calls that sent a SYN.
    pub tcp_active_opens: u64,
    /// Connections that a listener began.
    pub tcp_passive_opens: u64,
    /// Connections that failed before they were established.
    pub tcp_attempt_fails: u64,
    /// Established connections that ended by RST.
    pub tcp_estab_resets: u64,
    /// Segments in.
    pub tcp_in_segs: u64,
    /// Segments out.
    pub tcp_out_segs: u64,
    /// Segments sent again.
    pub tcp_retrans_segs: u64,
    /// Segments dropped as malformed.
    pub tcp_in_errs: u64,
    /// RST segments out.
    pub tcp_out_rsts: u64,
    /// SYN or ACK segments dropped because a listener's queue was full.
    pub tcp_listen_overflows: u64,
    /// Datagrams delivered.
    pub udp_in_datagrams: u64,
    /// Datagrams for a port without a socket.
    pub udp_no_ports: u64,
    /// Datagrams dropped as malformed.
    pub udp_in_errors: u64,
    /// Datagrams dropped because a receive buffer was full.
    pub udp_rcvbuf_errors: u64,
    /// Datagrams out.
    pub udp_out_datagrams: u64,
}

impl Stack {
    pub(crate) fn report_sockets(&self) -> Vec<SocketInfo> {
        let held = self.sockets.iter().map(|(key, socket)| self.socket_info(key, socket));
        let orphans = self.connections.iter().filter_map(|(_, connection)| match connection.owner {
            Owner::Orphan | Owner::HalfOpen(_) | Owner::Queued(_) => Some(connection_info(None, connection)),
            _ => None,
        });
        let time_waits = self.flows.iter().filter_map(|(flow, entry)| match entry {
            FlowEntry::TimeWait(wait) => Some(flow_info(None, wait.domain, Protocol::Tcp, "TIME-WAIT", flow)),
            FlowEntry::Connection(_) => None,
        });
        held.chain(orphans).chain(time_waits).collect()
    }

    fn socket_info(&self, key: Key, socket: &Socket) -> SocketInfo {
        let id = SocketId(key);
        let nobody = Endpoint { ip: addr::unspecified(socket.domain), port: 0 };
        let bound = Flow { local: socket.bound_end().unwrap_or(nobody), remote: nobody };
        let domain = socket.domain;
        match &socket.kind {
            Kind::Tcp(Tcp::Closed) => flow_info(Some(id), domain, Protocol::Tcp, "UNCONN", &bound),
            Kind::Tcp(Tcp::Listening(listener)) => SocketInfo {
                recv_queue: listener.queue.len(),
                send_queue: listener.backlog,
                ..flow_info(Some(id), domain, Protocol::Tcp, "LISTEN", &bound)
            },
            Kind::Tcp(Tcp::Connection(key)) => match self.connections.get(*key) {
                Some(connection) => connection_info(Some(id), connection),
                None => flow_info(Some(id), domain, Protocol::Tcp, "UNCONN", &bound),
            },
            Kind::Packet(packet) => SocketInfo {
                recv_queue: packet.next_len(),
                ..flow_info(Some(id), domain, Protocol::Packet, "UNCONN", &bound)
            },
            Kind::Udp(udp) => {
                let state = if udp.flow.is_some() { "ESTAB" } else { "UNCONN" };
                let flow = udp.flow.as_ref().unwrap_or(&bound);
                SocketInfo {
                    recv_queue: udp.charged(),
                    ..flow_info(Some(id), domain, socket.protocol(), state, flow)
                }
            }
        }
    }
}

fn connection_info(id: Option<SocketId>, connection: &Connection) -> SocketInfo {
    let state = connection.state_name().0;
    SocketInfo {
        recv_queue: connection.engine.recv_queue(),
        send_queue: connection.engine.send_queue(),
        ..flow_info(id, connection.domain, Protocol::Tcp, state, &connection.flow)
    }
}

fn flow_info(
    id: Option<SocketId>,
    domain: Domain,
    protocol: Protocol,
    state: &'static str,
    flow: &Flow,
) -> SocketInfo {
    SocketInfo {
        id,
        protocol,
        domain,
        state,
        local: addr::to_program(domain, flow.local),
        remote: addr::to_program(domain, flow.remote),
        recv_queue: 0,
        send_queue: 0,
    }
}
