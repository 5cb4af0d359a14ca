//! The listening socket: made once, by one server at a time, gone with it.

use crate::socket_unsafe;
use crate::url::Url;
use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, sockopt};
use std::net::SocketAddrV4;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// Connections that wait to be accepted; the host caps it at net.core.somaxconn.
const BACKLOG: i32 = 4096;

/// A listening socket. Its name is removed when this is dropped.
pub struct Listener {
    socket: OwnedFd,
    name: Option<Name>,
}

/// The names in the file system that belong to a unix:// server.
struct Name {
    path: PathBuf,
    lock_path: PathBuf,
    _lock: OwnedFd,
}

/// Why nothing listens.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Somebody else does.
    #[error("{0}: another server serves this URL; end it first (rump halt) or choose another path")]
    InUse(Url),
    /// The path names something that is no socket.
    #[error("{0}: there is a file of this name which is no socket; it is left alone")]
    NoSocket(Url),
    /// The host refused.
    #[error("{url}: {what}: {errno}")]
    Host {
        /// Where.
        url: Url,
        /// Doing what.
        what: &'static str,
        /// Why.
        errno: Errno,
    },
}

impl Listener {
    /// Listens at `url`. A unix:// socket that nobody serves any more is replaced.
    ///
    /// # Errors
    /// See [`ListenError`].
    pub fn bind(url: &Url) -> Result<Self, ListenError> {
        match url {
            Url::Unix(path) => bind_unix(url, path),
            Url::Tcp(address) => bind_tcp(url, *address),
        }
    }

    /// The next connection, close-on-exec and non-blocking.
    ///
    /// # Errors
    /// As accept4(2).
    pub fn accept(&self) -> Result<OwnedFd, Errno> {
        let stream = rustix::net::accept_with(&self.socket, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)?;
        if self.name.is_none() {
            sockopt::set_tcp_nodelay(&stream, true)?;
        }
        Ok(stream)
    }

    /// The path of a unix:// server.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.name.as_ref().map(|name| name.path.as_path())
    }

    /// Whether peers are of this host and have credentials (unix(7)).
    #[must_use]
    pub fn is_unix(&self) -> bool {
        self.name.is_some()
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        // The lock's name goes last: until then a second server waits for nothing and fails.
        let _ = std::fs::remove_file(&self.path);
        let _ = std::fs::remove_file(&self.lock_path);
    }
}

fn bind_tcp(url: &Url, address: SocketAddrV4) -> Result<Listener, ListenError> {
    let socket = socket(url, AddressFamily::INET)?;
    sockopt::set_socket_reuseaddr(&socket, true).map_err(failed(url, "SO_REUSEADDR"))?;
    rustix::net::bind(&socket, &address).map_err(|errno| match errno {
        Errno::ADDRINUSE => ListenError::InUse(url.clone()),
        errno => failed(url, "bind")(errno),
    })?;
    rustix::net::listen(&socket, BACKLOG).map_err(failed(url, "listen"))?;
    Ok(Listener { socket, name: None })
}

fn bind_unix(url: &Url, path: &Path) -> Result<Listener, ListenError> {
    let (lock_path, lock) = lock(url, path)?;
    // From here on the names are ours to remove, whatever happens.
    let address = SocketAddrUnix::new(path).map_err(failed(url, "the path"))?;
    if let Err(error) = make_way(url, path, &address) {
        let _ = std::fs::remove_file(lock_path);
        return Err(error);
    }
    let name = Name { path: path.to_owned(), lock_path, _lock: lock };
    let socket = socket(url, AddressFamily::UNIX)?;
    // unix_bind() gives the name the socket inode's own mode: never open to others, not even for a moment.
    rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR).map_err(failed(url, "chmod"))?;
    rustix::net::bind(&socket, &address).map_err(failed(url, "bind"))?;
    rustix::net::listen(&socket, BACKLOG).map_err(failed(url, "listen"))?;
    Ok(Listener { socket, name: Some(name) })
}

/// Locks `PATH.lock`, so that of two servers that start at once one is refused.
fn lock(url: &Url, path: &Path) -> Result<(PathBuf, OwnedFd), ListenError> {
    let mut lock_path = path.to_owned().into_os_string();
    lock_path.push(".lock");
    let lock_path = PathBuf::from(lock_path);
    loop {
        let flags = OFlags::CREATE | OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let file = rustix::fs::open(&lock_path, flags, Mode::RUSR | Mode::WUSR)
            .map_err(failed(url, "making the lock file beside it"))?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(ListenError::InUse(url.clone())),
            Err(errno) => return Err(failed(url, "flock")(errno)),
        }
        // Its owner may have removed the name between our open and our lock.
        let held = rustix::fs::fstat(&file).map_err(failed(url, "fstat"))?;
        match rustix::fs::stat(&lock_path) {
            Ok(named) if (named.st_dev, named.st_ino) == (held.st_dev, held.st_ino) => {
                return Ok((lock_path, file));
            }
            Ok(_) | Err(Errno::NOENT) => {}
            Err(errno) => return Err(failed(url, "stat")(errno)),
        }
    }
}

/// Removes a socket that nobody listens on any more.
fn make_way(url: &Url, path: &Path, address: &SocketAddrUnix) -> Result<(), ListenError> {
    let found = match rustix::fs::lstat(path) {
        Ok(found) => found,
        Err(Errno::NOENT) => return Ok(()),
        Err(errno) => return Err(failed(url, "lstat")(errno)),
    };
    if rustix::fs::FileType::from_raw_mode(found.st_mode) != rustix::fs::FileType::Socket {
        return Err(ListenError::NoSocket(url.clone()));
    }
    let probe = socket(url, AddressFamily::UNIX)?;
    match rustix::net::connect(&probe, address) {
        Err(Errno::CONNREFUSED) => rustix::fs::unlink(path).map_err(failed(url, "removing the dead socket")),
        Err(Errno::NOENT) => Ok(()),
        // EAGAIN: it listens, and its queue is full.
        Ok(()) | Err(Errno::AGAIN) => Err(ListenError::InUse(url.clone())),
        Err(errno) => Err(failed(url, "connect")(errno)),
    }
}

fn socket(url: &Url, family: AddressFamily) -> Result<OwnedFd, ListenError> {
    socket_unsafe::stream(family, SocketFlags::NONBLOCK).map_err(failed(url, "socket"))
}

fn failed<'a>(url: &'a Url, what: &'static str) -> impl Fn(Errno) -> ListenError + 'a {
    move |errno| ListenError::Host { url: url.clone(), what, errno }
}
