//! Names of endpoints, looked up by the host's resolver, which may take its time: by a thread for each name. What is not found is
//! looked up again, less and less often.

use rustix::event::EventfdFlags;
use rustix::io::Errno;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// The pause behind the first failure; each further one doubles it, up to the longest.
const PAUSE: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// The host's resolver, or a test's.
pub(super) type Lookup = fn(&str) -> Option<SocketAddr>;

/// Lookups that go on.
pub(super) struct Names {
    found: Receiver<(usize, SocketAddr)>,
    wake: Arc<OwnedFd>,
    /// How many are not found yet.
    missing: usize,
    /// The threads end when these are dropped.
    _going_on: Vec<Sender<()>>,
}

impl Names {
    /// Looks up `HOST:PORT` for each of these peers.
    ///
    /// # Errors
    /// As eventfd(2).
    pub(super) fn look_up(names: Vec<(usize, String)>, lookup: Lookup) -> Result<Self, Errno> {
        let (sender, found) = channel();
        let wake = Arc::new(rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        let missing = names.len();
        let start = |(peer, name): (usize, String)| {
            let (sender, wake) = (sender.clone(), Arc::clone(&wake));
            let (going_on, dropped) = channel();
            std::thread::spawn(move || {
                if let Some(addr) = persist(&name, lookup, &dropped) {
                    let _ = sender.send((peer, addr));
                    let _ = rustix::io::write(&*wake, &1_u64.to_ne_bytes());
                }
            });
            going_on
        };
        let going_on = names.into_iter().map(start).collect();
        Ok(Self { found, wake, missing, _going_on: going_on })
    }

    /// What was found since this was called last: the peer, and where it is.
    pub(super) fn take_found(&mut self) -> Vec<(usize, SocketAddr)> {
        let _ = rustix::io::read(&*self.wake, &mut [0; 8]);
        let found: Vec<_> = self.found.try_iter().collect();
        self.missing -= found.len();
        found
    }

    /// How many names are not found yet.
    pub(super) fn missing(&self) -> usize {
        self.missing
    }
}

impl AsFd for Names {
    /// Readable when [`Names::take_found`] has something.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}

/// By the host's resolver: the first address of `HOST:PORT`.
pub(super) fn by_host(name: &str) -> Option<SocketAddr> {
    name.to_socket_addrs().ok()?.next()
}

/// Looks until it is found; none: nobody wants it any more.
fn persist(name: &str, lookup: Lookup, dropped: &Receiver<()>) -> Option<SocketAddr> {
    let mut pause = PAUSE;
    loop {
        if let Some(addr) = lookup(name) {
            return Some(addr);
        }
        if dropped.recv_timeout(pause) != Err(RecvTimeoutError::Timeout) {
            return None;
        }
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use std::sync::atomic::{AtomicUsize, Ordering};

    static ASKED: AtomicUsize = AtomicUsize::new(0);

    fn slow(name: &str) -> Option<SocketAddr> {
        match name {
            "later:1" if ASKED.fetch_add(1, Ordering::Relaxed) > 0 => "192.0.2.1:1".parse().ok(),
            "now:2" => "192.0.2.2:2".parse().ok(),
            _ => None,
        }
    }

    #[test]
    fn nobody_waits_for_a_name_and_each_is_asked_for_again() {
        let names =
            [(7, "later:1"), (8, "never:3"), (9, "now:2")].map(|(peer, name)| (peer, name.to_owned()));
        let mut names = Names::look_up(names.into(), slow).unwrap();
        let (mut found, wait) = (Vec::new(), Timespec { tv_sec: 10, tv_nsec: 0 });
        while found.len() < 2 {
            assert_eq!(poll(&mut [PollFd::new(&names, PollFlags::IN)], Some(&wait)), Ok(1));
            found.extend(names.take_found());
        }
        let at = |text: &str| text.parse::<SocketAddr>().unwrap();
        assert_eq!(found, [(9, at("192.0.2.2:2")), (7, at("192.0.2.1:1"))]);
        assert_eq!((names.missing(), ASKED.load(Ordering::Relaxed)), (1, 2));
    }
}
