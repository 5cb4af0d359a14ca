//! unix(7).

use crate::sysctl::{Row, count, numbers, one};

pub(super) const ROWS: &[Row] = &[numbers(
    "net/unix/max_dgram_qlen",
    "The most datagrams that wait at an AF_UNIX socket.",
    (0, i32::MAX as i64),
    |k| vec![count(k.unix.datagrams_max)],
    |k, values| {
        k.unix.datagrams_max = one(values)?;
        Ok(())
    },
)];
