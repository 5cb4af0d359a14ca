//! The text of files in /proc.

pub(super) mod counts;
pub(super) mod fdinfo;
pub(crate) mod mounts;
pub(super) mod net;
pub(super) mod snmp;
pub(super) mod system;
pub(super) mod task;
