//! The host descriptors of rump files.
//!
//! Each file is a pair of connected AF_UNIX stream sockets: A goes to the program, B stays here. B tells of the last
//! close of A, and drives what the host's poll(2) and epoll(7) say about A (ARCHITECTURE.md, Descriptors).

use foldhash::HashMap;
use kernel::{FileId, FileKind};
use rustix::event::epoll;
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, Shutdown, SocketFlags, SocketType, sockopt};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// poll(2) bits.
pub const POLLIN: u16 = 0x1;
/// poll(2) bits.
pub const POLLPRI: u16 = 0x2;
/// poll(2) bits.
pub const POLLOUT: u16 = 0x4;
/// poll(2) bits.
pub const POLLERR: u16 = 0x8;
/// poll(2) bits.
pub const POLLHUP: u16 = 0x10;
/// poll(2) bits.
pub const POLLRDHUP: u16 = 0x2000;

/// What the client puts into A's send buffer to make A unwritable. A stream socket is writable while a quarter of
/// its send buffer is free (`unix_writable`); the smallest buffer is 4,608 bytes, and this takes 2,304 of them.
const FILLER: usize = 1024;

/// More than so many tokens inside are brought down to one by the next reply that touches the file. The socket
/// holds 277, and an edge is lost beyond.
const TOKENS_MANY: u32 = 64;

/// What the client has to do at A, by a reply's word.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hint {
    /// So many tokens to take out.
    pub drain: u32,
    /// Whether to put a filler in.
    pub fill: bool,
}

/// All B ends.
pub struct Files {
    epoll: OwnedFd,
    files: HashMap<FileId, HostFile>,
    by_cookie: HashMap<u64, FileId>,
    by_inode: HashMap<u64, FileId>,
}

struct HostFile {
    b: OwnedFd,
    cookie: u64,
    /// The inode of A.
    inode: u64,
    kind: FileKind,
    /// The user in whose process it was born.
    uid: u32,
    /// Bytes sent to A which no reply told to take out.
    tokens: u32,
    /// One of them was sent as urgent.
    urgent: bool,
    /// A reply told to put a filler in, and none has come out here since.
    filled: bool,
    /// Whether the file is writable as far as the kernel has said.
    writable: bool,
    /// Which ends were shut down.
    shut: Option<Shutdown>,
}

impl Files {
    /// No files yet.
    ///
    /// # Errors
    /// As epoll_create1(2).
    pub fn new() -> Result<Self, Errno> {
        Ok(Self {
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            files: HashMap::default(),
            by_cookie: HashMap::default(),
            by_inode: HashMap::default(),
        })
    }

    /// Makes the pair of a file that was born; answers A with its `SO_COOKIE` and its inode.
    ///
    /// # Errors
    /// `EMFILE` and what else socketpair(2) and setsockopt(2) say.
    pub fn birth(&mut self, file: FileId, kind: FileKind, uid: u32) -> Result<(OwnedFd, u64, u64), Errno> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (a, b) = rustix::net::socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        // Clients tell by it that a socket may be a rump file's.
        sockopt::set_socket_send_buffer_size(&a, 1)?;
        let cookie = sockopt::socket_cookie(&a)?;
        let inode = rustix::fs::fstat(&a)?.st_ino;
        let events = epoll::EventFlags::IN | epoll::EventFlags::RDHUP | epoll::EventFlags::ET;
        epoll::add(&self.epoll, &b, epoll::EventData::new_u64(file.0), events)?;
        self.by_cookie.insert(cookie, file);
        self.by_inode.insert(inode, file);
        self.files.insert(
            file,
            HostFile {
                b,
                cookie,
                inode,
                kind,
                uid,
                tokens: 0,
                urgent: false,
                filled: false,
                writable: true,
                shut: None,
            },
        );
        Ok((a, cookie, inode))
    }

    /// The file whose A has this inode number, which a program of its user or root has read in /proc.
    #[must_use]
    pub fn find(&self, inode: u64, uid: u32) -> Option<FileId> {
        let file = *self.by_inode.get(&inode)?;
        let owner = self.files.get(&file)?.uid;
        (uid == 0 || uid == owner).then_some(file)
    }

    /// The file whose A has this `SO_COOKIE`. Cookies can be guessed: a user other than the file's and root has to
    /// show the descriptor itself.
    #[must_use]
    pub fn identify(&self, cookie: u64, uid: u32, shown: &[OwnedFd]) -> Option<FileId> {
        let file = *self.by_cookie.get(&cookie)?;
        let owner = self.files.get(&file)?.uid;
        let trusted = uid == 0 || uid == owner;
        (trusted || shown.iter().any(|fd| sockopt::socket_cookie(fd) == Ok(cookie))).then_some(file)
    }

    /// The `SO_COOKIE` of a file's A.
    #[must_use]
    pub fn cookie(&self, file: FileId) -> Option<u64> {
        self.files.get(&file).map(|host| host.cookie)
    }

    /// Brings A to this readiness as far as it can be done from here.
    pub fn ready(&mut self, file: FileId, mask: u16, edge: bool) {
        if let Some(host) = self.files.get_mut(&file) {
            host.ready(mask, edge);
        }
    }

    /// The rest, which the client has to do at A: it has just used the file.
    pub fn touched(&mut self, file: FileId, mask: u16) -> Hint {
        self.files.get_mut(&file).map(|host| host.touched(mask)).unwrap_or_default()
    }

    /// Files whose A was closed for the last time since this was last asked.
    pub fn take_closed(&mut self) -> Vec<FileId> {
        const BATCH: usize = 64;
        let mut closed = Vec::new();
        loop {
            let mut space = [MaybeUninit::<epoll::Event>::uninit(); BATCH];
            let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
            let Ok((events, _)) = epoll::wait(&self.epoll, &mut space[..], Some(&now)) else { return closed };
            for event in events.iter() {
                let (file, flags) = (FileId(event.data.u64()), event.flags);
                let Some(host) = self.files.get_mut(&file) else { continue };
                if host.is_closed(flags) {
                    closed.push(file);
                } else {
                    host.take_fillers();
                }
            }
            if events.len() < BATCH {
                return closed;
            }
        }
    }

    /// The kernel is gone, and all its files are closed.
    pub fn forget_all(&mut self) {
        self.files.clear();
        self.by_cookie.clear();
        self.by_inode.clear();
    }

    /// The kernel has closed the file.
    pub fn forget(&mut self, file: FileId) {
        if let Some(host) = self.files.remove(&file) {
            self.by_cookie.remove(&host.cookie);
            self.by_inode.remove(&host.inode);
        }
    }
}

impl AsFd for Files {
    /// Readable when [`Files::take_closed`] has something to do.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}

impl HostFile {
    fn ready(&mut self, mask: u16, edge: bool) {
        let readable = mask & (POLLIN | POLLRDHUP | POLLHUP | POLLERR) != 0;
        if readable && (edge || self.tokens == 0) {
            self.post(SendFlags::empty());
        }
        if mask & POLLPRI != 0 && !self.urgent {
            self.urgent = self.post(SendFlags::OOB);
        }
        self.writable = mask & POLLOUT != 0;
        if self.filled {
            self.take_fillers();
        }
        self.hang_up(mask);
    }

    fn touched(&mut self, mask: u16) -> Hint {
        self.ready(mask, false);
        let readable = mask & (POLLIN | POLLERR | POLLHUP | POLLRDHUP) != 0;
        let keep = u32::from(self.shut.is_some() || readable);
        let mut hint = Hint::default();
        if self.urgent && mask & POLLPRI == 0 && self.shut.is_none() {
            // The urgent one may be the last: all go, and what is to stay is posted behind them.
            (hint.drain, self.tokens, self.urgent) = (self.tokens, 0, false);
            if readable {
                self.post(SendFlags::empty());
            }
        } else if !self.urgent && (keep == 0 || self.tokens > TOKENS_MANY) {
            hint.drain = self.tokens.saturating_sub(keep);
            self.tokens -= hint.drain;
        }
        // After a full hang-up A is writable for good, and a write to it fails.
        if !self.writable && !self.filled && self.shut != Some(Shutdown::Both) {
            hint.fill = true;
            self.filled = true;
        }
        hint
    }

    /// Posts a token; whether it could. An urgent one (Linux 5.15) shows as `POLLPRI` until it is taken, and as `POLLIN` too.
    fn post(&mut self, how: SendFlags) -> bool {
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL | how;
        let posted = self.shut.is_none() && rustix::net::send(&self.b, &[1], flags).is_ok();
        self.tokens += u32::from(posted);
        posted
    }

    /// Takes all fillers out if the file is writable (one who wants SIGIO puts in as many as there is room for). What has not arrived yet
    /// is taken when it does.
    fn take_fillers(&mut self) {
        let mut space = [0; FILLER * 4];
        while self.writable {
            match rustix::net::recv(&self.b, &mut space[..], RecvFlags::DONTWAIT) {
                Ok((_, taken)) if taken > 0 => self.filled = false,
                Err(Errno::INTR) => {}
                _ => return,
            }
        }
    }

    /// Hang-up cannot be taken back, so it is shown only where it is for good: a connection's both directions
    /// ended, or a pipe's other end closed. (A fresh TCP socket polls `POLLHUP` too.) The token that stays inside
    /// turns the last close of A into an error on B, which is the only sign left then.
    fn hang_up(&mut self, mask: u16) {
        let gone = mask & POLLHUP != 0 && (mask & POLLRDHUP != 0 || self.kind == FileKind::Pipe);
        let wanted = match (gone, mask & POLLRDHUP != 0) {
            (true, _) => Shutdown::Both,
            (false, true) => Shutdown::Write,
            (false, false) => return,
        };
        if self.shut == Some(wanted) || self.shut == Some(Shutdown::Both) {
            return;
        }
        if self.tokens == 0 {
            self.post(SendFlags::empty());
        }
        if rustix::net::shutdown(&self.b, wanted).is_ok() {
            self.shut = Some(wanted);
        }
    }

    fn is_closed(&self, flags: epoll::EventFlags) -> bool {
        match self.shut {
            Some(Shutdown::Both) => flags.contains(epoll::EventFlags::ERR),
            _ => flags.intersects(epoll::EventFlags::HUP | epoll::EventFlags::ERR),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    const NOW: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

    fn poll_of(a: &OwnedFd) -> PollFlags {
        let wanted = PollFlags::IN | PollFlags::OUT | PollFlags::RDHUP | PollFlags::PRI;
        let mut fds = [PollFd::new(a, wanted)];
        poll(&mut fds, Some(&NOW)).unwrap();
        fds[0].revents()
    }

    fn obey(a: &OwnedFd, hint: Hint) {
        for _ in 0..hint.drain {
            assert_eq!(rustix::io::read(a, &mut [0; 1]), Ok(1));
        }
        if hint.fill {
            assert_eq!(rustix::io::write(a, &[0; FILLER]), Ok(FILLER));
        }
    }

    fn file(kind: FileKind) -> (Files, OwnedFd) {
        let mut files = Files::new().unwrap();
        let (a, cookie, inode) = files.birth(FileId(7), kind, 5).unwrap();
        assert_eq!(files.identify(cookie, 0, &[]), Some(FileId(7)));
        assert_eq!(inode, rustix::fs::fstat(&a).unwrap().st_ino);
        assert_eq!([0, 5, 6].map(|uid| files.find(inode, uid).is_some()), [true, true, false]);
        (files, a)
    }

    #[test]
    fn readable_and_writable_come_and_go() {
        let (mut files, a) = file(FileKind::Socket);
        assert_eq!(poll_of(&a), PollFlags::OUT);
        let hint = files.touched(FileId(7), 0);
        assert_eq!(hint, Hint { drain: 0, fill: true });
        obey(&a, hint);
        assert_eq!(poll_of(&a), PollFlags::empty(), "one filler makes it unwritable");
        files.ready(FileId(7), POLLIN, true);
        assert_eq!(poll_of(&a), PollFlags::IN);
        files.ready(FileId(7), POLLIN | POLLOUT, true);
        assert_eq!(poll_of(&a), PollFlags::IN | PollFlags::OUT);
        obey(&a, files.touched(FileId(7), POLLOUT));
        assert_eq!(poll_of(&a), PollFlags::OUT, "both tokens are taken");
        assert_eq!(files.take_closed(), []);
    }

    #[test]
    fn a_filler_that_arrives_late_is_taken() {
        let (mut files, a) = file(FileKind::Socket);
        let hint = files.touched(FileId(7), 0);
        files.ready(FileId(7), POLLOUT, true);
        obey(&a, hint);
        assert_eq!(poll_of(&a), PollFlags::empty());
        assert_eq!(files.take_closed(), []);
        assert_eq!(poll_of(&a), PollFlags::OUT);
    }

    #[test]
    fn a_token_posted_after_the_reply_stays() {
        let (mut files, a) = file(FileKind::Socket);
        files.ready(FileId(7), POLLIN | POLLOUT, true);
        let hint = files.touched(FileId(7), POLLOUT);
        files.ready(FileId(7), POLLIN | POLLOUT, true);
        obey(&a, hint);
        assert_eq!(poll_of(&a), PollFlags::IN | PollFlags::OUT);
    }

    #[test]
    fn each_event_is_an_edge() {
        let (mut files, a) = file(FileKind::Socket);
        let set = epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
        let flags = epoll::EventFlags::IN | epoll::EventFlags::ET;
        epoll::add(&set, &a, epoll::EventData::new_u64(0), flags).unwrap();
        let edges = || {
            let mut space = [MaybeUninit::<epoll::Event>::uninit(); 4];
            epoll::wait(&set, &mut space[..], Some(&NOW)).unwrap().0.len()
        };
        assert_eq!(edges(), 0);
        for _ in 0..1000 {
            files.ready(FileId(7), POLLIN, true);
            assert_eq!((edges(), edges()), (1, 0));
            obey(&a, files.touched(FileId(7), POLLIN));
        }
    }

    #[test]
    fn urgent_data_comes_and_goes() {
        let (mut files, a) = file(FileKind::Socket);
        // As the library does before it asks for urgent data: each token is read like another.
        sockopt::set_socket_oobinline(&a, true).unwrap();
        files.ready(FileId(7), POLLPRI | POLLOUT, true);
        assert_eq!(poll_of(&a), PollFlags::PRI | PollFlags::IN | PollFlags::OUT);
        obey(&a, files.touched(FileId(7), POLLPRI | POLLOUT));
        assert!(poll_of(&a).contains(PollFlags::PRI), "it was not read");
        files.ready(FileId(7), POLLPRI | POLLIN | POLLOUT, true);
        let hint = files.touched(FileId(7), POLLIN | POLLOUT);
        obey(&a, hint);
        assert_eq!(poll_of(&a), PollFlags::IN | PollFlags::OUT, "what there is besides stays");
        obey(&a, files.touched(FileId(7), POLLOUT));
        assert_eq!(poll_of(&a), PollFlags::OUT);
    }

    #[test]
    fn last_close_in_every_state() {
        for mask in [POLLOUT, POLLIN, POLLIN | POLLRDHUP | POLLOUT, POLLIN | POLLRDHUP | POLLHUP, 0] {
            let (mut files, a) = file(FileKind::Socket);
            files.ready(FileId(7), mask, true);
            obey(&a, files.touched(FileId(7), mask));
            let copy = a.try_clone().unwrap();
            drop(a);
            assert_eq!(files.take_closed(), [], "a copy lives, mask {mask:#x}");
            drop(copy);
            assert_eq!(files.take_closed(), [FileId(7)], "mask {mask:#x}");
        }
    }

    #[test]
    fn hang_up() {
        let (mut files, a) = file(FileKind::Socket);
        files.ready(FileId(7), POLLOUT | POLLHUP, true);
        assert!(!poll_of(&a).contains(PollFlags::HUP), "a socket that may still connect");
        files.ready(FileId(7), POLLIN | POLLRDHUP | POLLOUT, true);
        assert_eq!(poll_of(&a), PollFlags::IN | PollFlags::RDHUP | PollFlags::OUT);
        files.ready(FileId(7), POLLIN | POLLRDHUP | POLLHUP | POLLOUT, true);
        assert!(poll_of(&a).contains(PollFlags::HUP | PollFlags::IN | PollFlags::RDHUP));
        assert_eq!(files.take_closed(), []);
        let (mut files, a) = file(FileKind::Pipe);
        files.ready(FileId(7), POLLHUP, true);
        assert!(poll_of(&a).contains(PollFlags::HUP));
    }

    #[test]
    fn descriptors_end_before_memory() {
        let (mut files, _a) = file(FileKind::Socket);
        files.forget(FileId(7));
        assert_eq!(files.cookie(FileId(7)), None);
        assert_eq!(files.touched(FileId(7), POLLIN), Hint::default());
    }
}
