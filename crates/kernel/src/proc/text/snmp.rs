//! /proc/net/snmp: the counters of RFC 4293, RFC 4022 and RFC 4113. What the stack does not count is 0.

use crate::Kernel;
use crate::socket::inventory::TCP_ESTABLISHED;
use tcpip::{Domain, Protocol};

/// `TcpRtoAlgorithm`: Van Jacobson's. Times in milliseconds, as Linux tells them.
const VANJ: u64 = 4;
const RTO_MIN_MS: u64 = 200;
const RTO_MAX_MS: u64 = 120_000;

pub(crate) fn snmp(k: &Kernel) -> String {
    let counters = k.net.stack.counters();
    let established =
        [Domain::Inet, Domain::Inet6].into_iter().flat_map(|domain| k.inet_sockets(Protocol::Tcp, domain));
    let established = established.filter(|socket| socket.state == TCP_ESTABLISHED).count() as u64;
    let ip = [
        // 1: it forwards, 2: it does not (RFC 4293).
        ("Forwarding", if k.net.stack.settings().ip_forward { 1 } else { 2 }),
        ("DefaultTTL", k.net.stack.settings().ip_default_ttl.into()),
        ("InReceives", counters.ip_in_receives),
        ("InHdrErrors", counters.ip_in_hdr_errors),
        ("InAddrErrors", counters.ip_in_addr_errors),
        ("ForwDatagrams", counters.ip_forw_datagrams),
        ("InUnknownProtos", 0),
        ("InDiscards", 0),
        (
            "InDelivers",
            counters.ip_in_receives.saturating_sub(counters.ip_in_hdr_errors + counters.ip_in_addr_errors),
        ),
        ("OutRequests", counters.ip_out_requests),
        ("OutDiscards", 0),
        ("OutNoRoutes", counters.ip_out_no_routes),
        ("ReasmTimeout", 0),
        ("ReasmReqds", counters.ip_reasm_reqds),
        ("ReasmOKs", counters.ip_reasm_oks),
        ("ReasmFails", counters.ip_reasm_fails),
        ("FragOKs", counters.ip_frag_oks),
        ("FragFails", counters.ip_frag_fails),
        ("FragCreates", counters.ip_frag_creates),
    ];
    let icmp = [("InMsgs", counters.icmp_in_msgs), ("OutMsgs", counters.icmp_out_msgs)];
    let tcp = [
        ("RtoAlgorithm", VANJ),
        ("RtoMin", RTO_MIN_MS),
        ("RtoMax", RTO_MAX_MS),
        ("MaxConn", u64::MAX),
        ("ActiveOpens", counters.tcp_active_opens),
        ("PassiveOpens", counters.tcp_passive_opens),
        ("AttemptFails", counters.tcp_attempt_fails),
        ("EstabResets", counters.tcp_estab_resets),
        ("CurrEstab", established),
        ("InSegs", counters.tcp_in_segs),
        ("OutSegs", counters.tcp_out_segs),
        ("RetransSegs", counters.tcp_retrans_segs),
        ("InErrs", counters.tcp_in_errs),
        ("OutRsts", counters.tcp_out_rsts),
    ];
    let udp = [
        ("InDatagrams", counters.udp_in_datagrams),
        ("NoPorts", counters.udp_no_ports),
        ("InErrors", counters.udp_in_errors),
        ("OutDatagrams", counters.udp_out_datagrams),
        ("RcvbufErrors", counters.udp_rcvbuf_errors),
        ("SndbufErrors", 0),
    ];
    [table("Ip", &ip), table("Icmp", &icmp), table("Tcp", &tcp), table("Udp", &udp)].concat()
}

/// A line of names and a line of values.
pub(super) fn table(title: &str, rows: &[(&str, u64)]) -> String {
    let names: String = rows.iter().map(|(name, _)| format!(" {name}")).collect();
    // `MaxConn` is signed: -1, no limit.
    let values: String = rows.iter().map(|(_, value)| format!(" {}", value.cast_signed())).collect();
    format!("{title}:{names}\n{title}:{values}\n")
}
