//! The rows, a file for each directory of /proc/sys.

mod fs;
mod kernel;
mod net_core;
mod net_ipv4;
mod net_ipv6;
mod net_unix;

use super::Row;

/// All of them.
pub(super) const TABLES: &[&[Row]] =
    &[fs::ROWS, kernel::ROWS, net_core::ROWS, net_ipv4::ROWS, net_ipv6::ROWS, net_unix::ROWS];
