//! socket(7).

use crate::sysctl::{Row, count, numbers, one};

/// net/core/sysctl_net_core.c
const SOCK_MIN_RCVBUF: i64 = 2304;
const SOCK_MIN_SNDBUF: i64 = 4608;
/// What fits when it is doubled.
const BUFFER_MAX: i64 = i32::MAX as i64 / 2;

pub(super) const ROWS: &[Row] = &[
    numbers(
        "net/core/rmem_default",
        "`SO_RCVBUF` of new sockets other than TCP's.",
        (SOCK_MIN_RCVBUF, BUFFER_MAX),
        |k| vec![count(k.net.stack.settings().rmem_default)],
        |k, values| {
            k.net.stack.settings_mut().rmem_default = one(values)?;
            Ok(())
        },
    ),
    numbers(
        "net/core/rmem_max",
        "The most that `SO_RCVBUF` takes, before it is doubled.",
        (SOCK_MIN_RCVBUF, BUFFER_MAX),
        |k| vec![count(k.net.stack.settings().rmem_max)],
        |k, values| {
            k.net.stack.settings_mut().rmem_max = one(values)?;
            Ok(())
        },
    ),
    numbers(
        "net/core/wmem_default",
        "`SO_SNDBUF` of new sockets other than TCP's.",
        (SOCK_MIN_SNDBUF, BUFFER_MAX),
        |k| vec![count(k.net.stack.settings().wmem_default)],
        |k, values| {
            k.net.stack.settings_mut().wmem_default = one(values)?;
            Ok(())
        },
    ),
    numbers(
        "net/core/wmem_max",
        "The most that `SO_SNDBUF` takes, before it is doubled.",
        (SOCK_MIN_SNDBUF, BUFFER_MAX),
        |k| vec![count(k.net.stack.settings().wmem_max)],
        |k, values| {
            k.net.stack.settings_mut().wmem_max = one(values)?;
            Ok(())
        },
    ),
    numbers(
        "net/core/somaxconn",
        "The longest queue of connections that listen(2) gives.",
        (0, i32::MAX as i64),
        |k| vec![count(k.tunables.somaxconn)],
        |k, values| {
            k.tunables.somaxconn = one(values)?;
            Ok(())
        },
    ),
];
