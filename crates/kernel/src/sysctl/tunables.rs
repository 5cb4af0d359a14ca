//! What sysctl(8) sets outside the TCP/IP stack.

/// The settings, each named as its node.
#[derive(Debug, Clone)]
pub(crate) struct Tunables {
    pub(crate) hostname: String,
    pub(crate) domainname: String,
    pub(crate) file_max: usize,
    pub(crate) mount_max: usize,
    pub(crate) pipe_max_size: usize,
    pub(crate) somaxconn: u32,
    pub(crate) ip_unprivileged_port_start: u16,
}

impl Default for Tunables {
    /// Linux's on a machine with plenty of memory.
    fn default() -> Self {
        Self {
            hostname: "rump".into(),
            domainname: "(none)".into(),
            file_max: usize::MAX >> 1,
            mount_max: 100_000,
            pipe_max_size: 1 << 20,
            somaxconn: 4096,
            ip_unprivileged_port_start: 1024,
        }
    }
}
