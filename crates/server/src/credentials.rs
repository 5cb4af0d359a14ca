//! Whose process a client is.

use kernel::Credentials;
use rustix::net::sockopt;
use std::os::fd::OwnedFd;

/// The credentials of a unix:// peer (SO_PEERCRED, unix(7)): who they are on the host.
///
/// # Errors
/// As getsockopt(2).
pub fn of_peer(stream: &OwnedFd) -> Result<Credentials, rustix::io::Errno> {
    let peer = sockopt::socket_peercred(stream)?;
    let host_pid = peer.pid.as_raw_nonzero().get().unsigned_abs();
    let groups = groups_of(host_pid).unwrap_or_default();
    Ok(Credentials { uid: peer.uid.as_raw(), gid: peer.gid.as_raw(), groups, host_pid })
}

/// The credentials of a tcp:// peer: rump_sp has no authentication, so whoever connects is root there, as with
/// the original. That is why tcp:// beyond loopback has to be asked for.
#[must_use]
pub fn of_stranger() -> Credentials {
    Credentials { uid: 0, gid: 0, groups: Vec::new(), host_pid: 0 }
}

/// The same client; if it is the server's own user, as root.
#[must_use]
pub fn as_root(who: Credentials) -> Credentials {
    let own = who.uid == rustix::process::geteuid().as_raw();
    if own { Credentials { uid: 0, gid: 0, groups: Vec::new(), ..who } } else { who }
}

/// Supplementary groups, from proc_pid_status(5).
fn groups_of(pid: u32) -> Option<Vec<u32>> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("Groups:"))?;
    Some(line.split_whitespace().filter_map(|group| group.parse().ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_are_who_they_are() {
        let (one, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        let who = of_peer(&one.into()).unwrap();
        let own = rustix::process::geteuid().as_raw();
        assert_eq!((who.uid, who.host_pid), (own, std::process::id()));
    }
}
