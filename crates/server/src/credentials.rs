//! Whose process a client is.

use kernel::Credentials;
use rustix::net::{UCred, sockopt};
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

/// The credentials of who sent a message (`SCM_CREDENTIALS`, unix(7)), which has its real ids. `None`: the others differ. They are asked of
/// /proc, by when it may have begun a set-user-ID program.
#[must_use]
pub fn of_sender(sender: UCred) -> Option<Credentials> {
    let host_pid = sender.pid.as_raw_nonzero().get().unsigned_abs();
    let (uid, gid) = (sender.uid.as_raw(), sender.gid.as_raw());
    let all = |name, id| numbers(host_pid, name).is_some_and(|ids| ids.iter().all(|other| *other == id));
    let groups = groups_of(host_pid)?;
    (all("Uid:", uid) && all("Gid:", gid)).then_some(Credentials { uid, gid, groups, host_pid })
}

/// Supplementary groups.
fn groups_of(pid: u32) -> Option<Vec<u32>> {
    numbers(pid, "Groups:")
}

/// The numbers of a line of proc_pid_status(5).
fn numbers(pid: u32, name: &str) -> Option<Vec<u32>> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.split_whitespace().filter_map(|number| number.parse().ok()).collect())
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

    #[test]
    fn senders_are_who_they_are() {
        use rustix::process::{Uid, getegid, getpid};
        let own = rustix::process::geteuid();
        let who = of_sender(UCred { pid: getpid(), uid: own, gid: getegid() }).unwrap();
        assert_eq!((who.uid, who.host_pid), (own.as_raw(), std::process::id()));
        let other = Uid::from_raw(own.as_raw() + 1);
        assert_eq!(of_sender(UCred { pid: getpid(), uid: other, gid: getegid() }), None);
    }
}
