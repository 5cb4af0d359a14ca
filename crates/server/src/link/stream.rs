//! `type=stream`: Ethernet over a unix stream socket, each frame behind its length in four bytes, the highest first: the form of
//! passt, QEMU's `-netdev stream` and gvisor-tap-vsock.

use crate::link::backend::{Backend, Deliver, Sent, Watch};
use crate::link::framing::{self, Inbox, Outbox};
use crate::link::kinds::{Kind, Opened, Opening, Plan};
use crate::link::values;
use crate::spec::Fields;
use rustix::event::epoll::EventFlags;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use std::os::fd::{BorrowedFd, OwnedFd, RawFd};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use tcpip::Offload;

/// The row of the table.
pub(crate) const KIND: Kind = Kind {
    name: "stream",
    about: "Ethernet over a unix stream socket, as QEMU and gvisor-tap-vsock speak it",
    ethernet: true,
    keys: &[
        ("path", "SOCKET", "the other end's socket, or where to listen"),
        ("fd", "NUMBER", "a connected socket that the server inherits, instead of path"),
        ("listen", "yes|no", "whether to wait for the other end at path, by default no"),
    ],
    parse,
};

const LISTENER: u32 = 0;
const STREAM: u32 = 1;

/// After a connection was lost or refused, the next try comes so much later, and each time twice as much.
const RETRY_FIRST_NS: u64 = 100_000_000;
const RETRY_MOST_NS: u64 = 5_000_000_000;

#[derive(Debug)]
enum StreamPlan {
    Connect(PathBuf),
    Listen(PathBuf),
    Inherited(RawFd),
}

fn parse(fields: &mut Fields) -> Result<Box<dyn Plan>, String> {
    let listens = fields.parsed("listen", values::yes_no)?.unwrap_or(false);
    let fd = fields.parsed("fd", values::descriptor)?;
    if fd.is_none() {
        let path = fields.required_path("path").map_err(|why| format!("{why} (or 'fd=')"))?;
        return Ok(Box::new(if listens { StreamPlan::Listen(path) } else { StreamPlan::Connect(path) }));
    }
    match (fd, fields.take("path")) {
        (Some(fd), None) if !listens => Ok(Box::new(StreamPlan::Inherited(fd))),
        _ => Err("'fd=' goes neither with 'path=' nor with 'listen=yes'".to_owned()),
    }
}

impl Plan for StreamPlan {
    fn open(&self, opening: Opening) -> Result<Opened, String> {
        let mut stream = Stream::new(opening.watch);
        match self {
            Self::Inherited(fd) => {
                stream.attach(inherited(*fd)?).map_err(|errno| format!("fd {fd}: {errno}"))?
            }
            Self::Connect(path) => stream.connect_to(&opening.directory.join(path))?,
            Self::Listen(path) => stream.listen_at(&opening.directory.join(path))?,
        }
        Ok(Opened::plain(stream))
    }
}

/// A copy of a descriptor that the server was started with.
fn inherited(fd: RawFd) -> Result<OwnedFd, String> {
    let borrowed = crate::link::fds_unsafe::borrow(fd).map_err(|errno| format!("fd {fd}: {errno}"))?;
    copy_of_stream(borrowed).map_err(|errno| match errno {
        Errno::NOTSOCK | Errno::PROTOTYPE => format!("fd {fd} is no stream socket"),
        errno => format!("fd {fd}: {errno}"),
    })
}

fn copy_of_stream(fd: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
    if rustix::net::sockopt::socket_type(fd)? != SocketType::STREAM {
        return Err(Errno::PROTOTYPE);
    }
    rustix::io::fcntl_dupfd_cloexec(fd, 0)
}

/// One end of a stream of frames, which may come and go.
pub(crate) struct Stream {
    watch: Watch,
    /// Where to connect to, when the connection is lost.
    target: Option<PathBuf>,
    listener: Option<Listener>,
    connection: Option<Connection>,
    now_ns: u64,
    retry_at_ns: Option<u64>,
    retry_after_ns: u64,
}

struct Connection {
    fd: OwnedFd,
    inbox: Inbox,
    outbox: Outbox,
    /// Whether epoll was asked to tell of room.
    waits_for_room: bool,
}

/// A listening socket, whose name goes with it.
struct Listener {
    fd: OwnedFd,
    path: PathBuf,
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = rustix::fs::unlink(&self.path);
    }
}

impl Stream {
    pub(crate) fn new(watch: Watch) -> Self {
        Self {
            watch,
            target: None,
            listener: None,
            connection: None,
            now_ns: crate::clock::mono_ns(),
            retry_at_ns: None,
            retry_after_ns: RETRY_FIRST_NS,
        }
    }

    /// Uses a connected socket.
    ///
    /// # Errors
    /// As epoll_ctl(2).
    pub(crate) fn attach(&mut self, fd: OwnedFd) -> Result<(), Errno> {
        rustix::io::ioctl_fionbio(&fd, true)?;
        self.watch.add(&fd, STREAM, EventFlags::IN)?;
        self.connection = Some(Connection {
            fd,
            inbox: Inbox::default(),
            outbox: Outbox::default(),
            waits_for_room: false,
        });
        self.retry_at_ns = None;
        self.retry_after_ns = RETRY_FIRST_NS;
        Ok(())
    }

    /// Nobody has to listen there yet; what can never be a socket is refused.
    fn connect_to(&mut self, path: &Path) -> Result<(), String> {
        let failed = |errno: Errno| format!("stream {}: {errno}", path.display());
        if std::fs::metadata(path).is_ok_and(|found| !found.file_type().is_socket()) {
            return Err(failed(Errno::NOTSOCK));
        }
        self.target = Some(path.to_owned());
        match connect(path).and_then(|fd| self.attach(fd)) {
            Ok(()) => Ok(()),
            Err(Errno::NOENT | Errno::CONNREFUSED | Errno::AGAIN) => {
                tracing::info!("stream {}: nobody listens there yet", path.display());
                self.retry_later();
                Ok(())
            }
            Err(errno) => Err(failed(errno)),
        }
    }

    fn listen_at(&mut self, path: &Path) -> Result<(), String> {
        let failed = |errno: Errno| match errno {
            Errno::ADDRINUSE => format!("stream {}: somebody listens there already", path.display()),
            errno => format!("stream {}: {errno}", path.display()),
        };
        let fd = listen(path).map_err(failed)?;
        self.watch.add(&fd, LISTENER, EventFlags::IN).map_err(failed)?;
        self.listener = Some(Listener { fd, path: path.to_owned() });
        Ok(())
    }

    /// A newcomer takes the place of whoever is connected: after a crash the other end may be back before its end is seen.
    fn accept(&mut self) {
        let Some(listener) = &self.listener else { return };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        if let Ok(fd) = rustix::net::accept_with(&listener.fd, flags)
            && let Err(errno) = self.attach(fd)
        {
            tracing::warn!("stream: {errno}");
        }
    }

    fn lose(&mut self, why: &str) {
        tracing::info!("stream: the connection is lost: {why}");
        self.connection = None;
        if self.target.is_some() {
            self.retry_later();
        }
    }

    fn retry_later(&mut self) {
        self.retry_at_ns = Some(self.now_ns.saturating_add(self.retry_after_ns));
        self.retry_after_ns = (self.retry_after_ns * 2).min(RETRY_MOST_NS);
    }
}

impl Backend for Stream {
    fn event(&mut self, number: u32, flags: EventFlags) {
        if number == LISTENER {
            return self.accept();
        }
        let Some(connection) = &mut self.connection else { return };
        if flags.contains(EventFlags::OUT) {
            connection.flush(&self.watch);
        }
    }

    fn receive(&mut self, most: usize, deliver: &mut Deliver<'_>) -> bool {
        let Some(connection) = &mut self.connection else { return false };
        match connection.inbox.receive(&connection.fd, most, &mut |frame| deliver(frame, Offload::NONE)) {
            Ok(more) => more,
            Err(why) => {
                self.lose(&why.to_string());
                false
            }
        }
    }

    fn send(&mut self, frame: &[u8], _: Offload) -> Sent {
        let Some(connection) = self.connection.as_mut().filter(|_| frame.len() <= framing::FRAME_MAX) else {
            return Sent::Dropped;
        };
        if connection.outbox.push(frame) { Sent::Done } else { Sent::Full }
    }

    fn flush(&mut self) {
        if let Some(connection) = &mut self.connection {
            connection.flush(&self.watch);
        }
    }

    fn advance(&mut self, now_ns: u64) {
        self.now_ns = now_ns;
        if self.retry_at_ns.is_none_or(|at_ns| at_ns > now_ns) {
            return;
        }
        let Some(path) = self.target.clone() else { return };
        self.retry_at_ns = None;
        if connect(&path).and_then(|fd| self.attach(fd)).is_err() {
            self.retry_later();
        }
    }

    fn next_deadline(&self) -> Option<u64> {
        self.retry_at_ns
    }

    fn has_carrier(&self) -> bool {
        self.connection.is_some()
    }

    fn remark(&self) -> String {
        if self.has_carrier() { "connected" } else { "not connected" }.to_owned()
    }
}

impl Connection {
    /// Sends what there is room for; epoll tells when there is room for the rest. That the other end has gone is seen by
    /// whoever reads.
    fn flush(&mut self, watch: &Watch) {
        let wanted = !self.outbox.flush(&self.fd);
        if wanted != self.waits_for_room {
            let flags = if wanted { EventFlags::IN | EventFlags::OUT } else { EventFlags::IN };
            if watch.modify(&self.fd, STREAM, flags).is_ok() {
                self.waits_for_room = wanted;
            }
        }
    }
}

fn socket() -> Result<OwnedFd, Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
}

fn connect(path: &Path) -> Result<OwnedFd, Errno> {
    let fd = socket()?;
    rustix::net::connect(&fd, &SocketAddrUnix::new(path)?)?;
    Ok(fd)
}

/// A socket that a dead server left is replaced; one that is served is not.
fn listen(path: &Path) -> Result<OwnedFd, Errno> {
    let address = SocketAddrUnix::new(path)?;
    let fd = socket()?;
    match rustix::net::bind(&fd, &address) {
        Err(Errno::ADDRINUSE) if connect(path).is_err_and(|errno| errno == Errno::CONNREFUSED) => {
            rustix::fs::unlink(path)?;
            rustix::net::bind(&fd, &address)?;
        }
        bound => bound?,
    }
    rustix::fs::chmod(path, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR)?;
    rustix::net::listen(&fd, 4)?;
    Ok(fd)
}
