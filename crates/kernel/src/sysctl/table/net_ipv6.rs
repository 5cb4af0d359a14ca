//! ipv6(7).

use crate::sysctl::{Row, count, numbers, one};

pub(super) const ROWS: &[Row] = &[
    numbers(
        "net/ipv6/bindv6only",
        "`IPV6_V6ONLY` of new sockets.",
        (0, 1),
        |k| vec![i64::from(k.net.stack.settings().bindv6only)],
        |k, values| {
            k.net.stack.settings_mut().bindv6only = one::<u8>(values)? != 0;
            Ok(())
        },
    ),
    numbers(
        "net/ipv6/conf/all/forwarding",
        "IPv6 packets for others are sent on: this host is a router.",
        (0, 1),
        |k| vec![i64::from(k.net.stack.settings().forwarding)],
        |k, values| {
            k.net.stack.settings_mut().forwarding = one::<u8>(values)? != 0;
            Ok(())
        },
    ),
    numbers(
        "net/ipv6/conf/default/hop_limit",
        "`IPV6_UNICAST_HOPS` of new sockets.",
        (1, 255),
        |k| vec![count(k.net.stack.settings().hop_limit)],
        |k, values| {
            k.net.stack.settings_mut().hop_limit = one(values)?;
            Ok(())
        },
    ),
];
