//! ip(7) and tcp(7).

use crate::sysctl::{Row, count, numbers, one, three};
use abi::Errno;

/// `MAX_TCP_KEEPIDLE`, `MAX_TCP_KEEPINTVL`: also what the socket options take.
const KEEP_SECONDS_MAX: i64 = 32767;
const BUFFER_MAX: i64 = i32::MAX as i64;

pub(super) const ROWS: &[Row] = &[
    numbers(
        "net/ipv4/conf/all/forwarding",
        "`net.ipv4.ip_forward` by another name.",
        (0, 1),
        |k| vec![i64::from(k.net.stack.settings().ip_forward)],
        |k, values| {
            k.net.stack.settings_mut().ip_forward = one::<u8>(values)? != 0;
            Ok(())
        },
    ),
    numbers(
        "net/ipv4/ip_default_ttl",
        "`IP_TTL` of new sockets.",
        (1, 255),
        |k| vec![count(k.net.stack.settings().ip_default_ttl)],
        |k, values| {
            k.net.stack.settings_mut().ip_default_ttl = one(values)?;
            Ok(())
        },
    ),
    numbers(
        "net/ipv4/ip_forward",
        "Packets for others are sent on: this host is a router.",
        (0, 1),
        |k| vec![i64::from(k.net.stack.settings().ip_forward)],
        |k, values| {
            k.net.stack.settings_mut().ip_forward = one::<u8>(values)? != 0;
            Ok(())
        },
    ),
    numbers(
        "net/ipv4/ip_local_port_range",
        "The first and the last port that bind(2) to port 0 and connect(2) take. Not below `ip_unprivileged_port_start`.",
        (1, 65535),
        |k| {
            let (first, last) = k.net.stack.settings().ip_local_port_range;
            vec![first.into(), last.into()]
        },
        |k, values| {
            let range = (one(values)?, one(values.get(1..).unwrap_or_default())?);
            if range.1 < range.0 || range.0 < k.tunables.ip_unprivileged_port_start {
                return Err(Errno::EINVAL);
            }
            k.net.stack.settings_mut().ip_local_port_range = range;
            Ok(())
        },
    ),
    numbers(
        "net/ipv4/ip_unprivileged_port_start",
        "Ports below this one are for root.",
        (0, 65535),
        |k| vec![k.tunables.ip_unprivileged_port_start.into()],
        |k, values| {
            let start = one(values)?;
            if start > k.net.stack.settings().ip_local_port_range.0 {
                return Err(Errno::EINVAL);
            }
            k.tunables.ip_unprivileged_port_start = start;
            Ok(())
        },
    ),
    numbers(
        "net/ipv4/tcp_fastopen",
        "TCP Fast Open (RFC 7413), which there is not: `MSG_FASTOPEN` is refused, and programs connect first.",
        (0, 0),
        |_| vec![0],
        |_, _| Ok(()),
    ),
    numbers(
        "net/ipv4/tcp_fin_timeout",
        "Seconds that a closed connection waits for its peer's FIN.",
        (1, 65535),
        |k| vec![count(k.net.stack.settings().tcp_fin_timeout)],
        |k, values| {
            k.net.stack.settings_mut().tcp_fin_timeout = one(values)?;
            Ok(())
        },
    ),
    numbers(
        "net/ipv4/tcp_keepalive_intvl",
        "Seconds between keep-alive probes (`TCP_KEEPINTVL` of new sockets).",
        (1, KEEP_SECONDS_MAX),
        |k| vec![count(k.net.stack.settings().tcp_keepalive_intvl)],
        |k, values| {
            k.net.stack.settings_mut().tcp_keepalive_intvl = one(values)?;
            Ok(())
        },
    ),
    numbers(
        "net/ipv4/tcp_keepalive_probes",
        "Probes without an answer that end a connection (`TCP_KEEPCNT` of new sockets).",
        (1, 127),
        |k| vec![count(k.net.stack.settings().tcp_keepalive_probes)],
        |k, values| {
            k.net.stack.settings_mut().tcp_keepalive_probes = one(values)?;
            Ok(())
        },
    ),
    numbers(
        "net/ipv4/tcp_keepalive_time",
        "Seconds of silence before the first probe (`TCP_KEEPIDLE` of new sockets).",
        (1, KEEP_SECONDS_MAX),
        |k| vec![count(k.net.stack.settings().tcp_keepalive_time)],
        |k, values| {
            k.net.stack.settings_mut().tcp_keepalive_time = one(values)?;
            Ok(())
        },
    ),
    numbers(
        "net/ipv4/tcp_max_tw_buckets",
        "The most connections in TIME-WAIT; further ones are forgotten at once.",
        (0, 1 << 20),
        |k| vec![count(k.net.stack.settings().tcp_max_tw_buckets)],
        |k, values| {
            k.net.stack.settings_mut().tcp_max_tw_buckets = one(values)?;
            Ok(())
        },
    ),
    numbers(
        "net/ipv4/tcp_rmem",
        "The least, `SO_RCVBUF` of new sockets, and the most that a receive buffer grows to by itself, in bytes.",
        (1, BUFFER_MAX),
        |k| k.net.stack.settings().tcp_rmem.map(i64::from).to_vec(),
        |k, values| {
            k.net.stack.settings_mut().tcp_rmem = three(values)?;
            Ok(())
        },
    ),
    numbers(
        "net/ipv4/tcp_syn_retries",
        "Retransmissions of a SYN before connect(2) answers `ETIMEDOUT`.",
        (1, 127),
        |k| vec![count(k.net.stack.settings().tcp_syn_retries)],
        |k, values| {
            k.net.stack.settings_mut().tcp_syn_retries = one(values)?;
            Ok(())
        },
    ),
    numbers(
        "net/ipv4/tcp_synack_retries",
        "Retransmissions of a SYN-ACK before a half-open connection is given up.",
        (0, 255),
        |k| vec![count(k.net.stack.settings().tcp_synack_retries)],
        |k, values| {
            k.net.stack.settings_mut().tcp_synack_retries = one(values)?;
            Ok(())
        },
    ),
    numbers(
        "net/ipv4/tcp_ecn",
        "Marks of congestion (RFC 3168) on connections made from now on: 0 none, 1 ours ask for them, 2 those that are asked use them.",
        (0, 2),
        |k| vec![i64::from(k.net.stack.settings().tcp_ecn)],
        |k, values| {
            k.net.stack.settings_mut().tcp_ecn = one(values)?;
            Ok(())
        },
    ),
    numbers(
        "net/ipv4/tcp_timestamps",
        "Whether connections made from now on have timestamps where the peer has them (RFC 7323).",
        (0, 2),
        |k| vec![i64::from(k.net.stack.settings().tcp_timestamps)],
        |k, values| {
            k.net.stack.settings_mut().tcp_timestamps = one::<u32>(values)? > 0;
            Ok(())
        },
    ),
    numbers(
        "net/ipv4/tcp_wmem",
        "The least, `SO_SNDBUF` of new sockets, and the most that a send buffer grows to by itself, in bytes.",
        (1, BUFFER_MAX),
        |k| k.net.stack.settings().tcp_wmem.map(i64::from).to_vec(),
        |k, values| {
            k.net.stack.settings_mut().tcp_wmem = three(values)?;
            Ok(())
        },
    ),
];
