//! Open files: what descriptors refer to.
//!
//! A kind of file is one file in this folder with a type that implements [`File`]. Its operations never wait: where a
//! program would, they answer `EAGAIN`, and the call handler decides (O_NONBLOCK, MSG_DONTWAIT, time-outs).

use crate::call::{Answer, Call, Stop};
use crate::cx::Cx;
pub(crate) mod device;
pub(crate) mod directory;
pub(crate) mod drive;
pub(crate) mod fifo;
pub(crate) mod fscontext;
pub(crate) mod inotify;
pub(crate) mod made;
pub(crate) mod mounted;
pub(crate) mod nameless;
pub(crate) mod path;
pub(crate) mod pipe;
pub(crate) mod regular;

use crate::fs::Key;
use crate::process::{Descriptors, Process};
use crate::socket::Socket;
use crate::{Effect, Kernel, SignalTo};
use abi::Errno;
use abi::layout::Stat;
use abi::raw::general::{IN_CLOSE_NOWRITE, IN_CLOSE_WRITE, O_ACCMODE, O_RDONLY, O_RDWR, O_WRONLY, POLLPRI};
use abi::table::{self, Route};
use foldhash::HashMap;
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;

/// Names an open file (an open file description, open(2)) for the life of the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId(pub u64);

/// Names something that calls wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ObjectId(pub(crate) u64);

/// signal(7).
const SIGIO: u8 = 29;
/// signal(7).
const SIGURG: u8 = 23;

/// What a client wants to know of a file before it asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum FileKind {
    /// Always ready; epoll_ctl(2) refuses it (`EPERM`).
    Regular = 1,
    /// As `Regular`; fchdir(2) accepts it.
    Directory = 2,
    /// A device.
    Device = 3,
    /// A pipe or fifo.
    Pipe = 4,
    /// A socket.
    Socket = 5,
    /// Opened with O_PATH.
    Path = 6,
    /// Something without a name (`anon_inode`).
    Anonymous = 7,
    /// A packet socket. It may have a ring, and what a program takes out of that nobody is told of.
    Packet = 8,
    /// A netlink socket, which a program may have in the next kernel too.
    Netlink = 9,
}

impl FileKind {
    /// Whether files of this kind are always ready, as far as poll(2) knows of them at all.
    #[must_use]
    pub const fn is_ever_ready(self) -> bool {
        matches!(self, Self::Regular | Self::Directory | Self::Path)
    }

    /// The kind with this number.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        let kinds = [
            Self::Regular,
            Self::Directory,
            Self::Device,
            Self::Pipe,
            Self::Socket,
            Self::Path,
            Self::Anonymous,
            Self::Packet,
            Self::Netlink,
        ];
        kinds.into_iter().find(|kind| *kind as u32 == number)
    }

    /// Whether it is a socket.
    #[must_use]
    pub const fn is_socket(self) -> bool {
        matches!(self, Self::Socket | Self::Packet | Self::Netlink)
    }
}

/// Where a transfer starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum At {
    /// The file's own position, which moves.
    Position,
    /// Here (pread, pwrite).
    Offset(u64),
    /// The end of the file, whose position stays (RWF_APPEND).
    End,
}

/// What can be done with an open file. The defaults are what Linux answers for a file that cannot do it.
pub(crate) trait File {
    /// What it is.
    fn kind(&self) -> FileKind;

    /// Moves bytes out of the file; answers how many, 0 at the end.
    ///
    /// # Errors
    /// `EAGAIN` where a program would wait; `EINVAL`: not readable.
    fn read(&self, _k: &mut Kernel, _f: &OpenFile, _buf: &mut [u8], _at: At) -> Result<usize, Stop> {
        Err(Errno::EINVAL.into())
    }

    /// Moves bytes into the file; answers how many, at least one unless `data` is empty.
    ///
    /// # Errors
    /// `EAGAIN` where a program would wait; `EINVAL`: not writable.
    fn write(&self, _k: &mut Kernel, _f: &OpenFile, _data: &[u8], _at: At) -> Result<usize, Stop> {
        Err(Errno::EINVAL.into())
    }

    /// `POLL*` bits that hold now. Files that are always ready keep this default.
    fn poll(&self, _k: &Kernel) -> u16 {
        (abi::raw::general::POLLIN | abi::raw::general::POLLOUT) as u16
    }

    /// Serves the ioctl(2) commands that are this kind's own; those of every file are served before.
    ///
    /// # Errors
    /// `ENOTTY`: not one of its commands.
    fn ioctl(&self, _cx: &mut Cx<'_>, _f: &OpenFile, _cmd: u32) -> Answer {
        Err(Errno::ENOTTY.into())
    }

    /// Where it is in the file tree, if it is there.
    fn location(&self) -> Option<vfs::Location> {
        None
    }

    /// The socket, if it is one.
    fn socket(&self) -> Option<&dyn Socket> {
        None
    }

    /// Its inode, if no path leads there and it can be changed all the same.
    fn nameless(&self) -> Option<&nameless::Nameless> {
        None
    }

    /// Tells its inode from those of other files that no path leads to.
    fn number(&self, f: &OpenFile) -> ObjectId {
        f.object
    }

    /// The end of a pipe, if it is one.
    fn pipe(&self) -> Option<&pipe::PipeEnd> {
        None
    }

    /// What SEEK_END of lseek(2) starts from.
    ///
    /// # Errors
    /// As fstat(2).
    fn end(&self, k: &mut Kernel) -> Result<u64, Stop> {
        let at = self.location().ok_or(Errno::ESPIPE)?;
        Ok(k.fs.vfs.attr(at)?.size)
    }

    /// fsync(2). What has no place in a file system cannot be synchronized, nor can a FIFO.
    ///
    /// # Errors
    /// `EINVAL`; `EIO`, `ENOSPC`: what was written could not be kept.
    fn sync(&self, _k: &mut Kernel) -> Result<(), Stop> {
        Err(Errno::EINVAL.into())
    }

    /// What changes with its readiness, if it is an inotify instance.
    fn inotify(&self) -> Option<ObjectId> {
        None
    }

    /// The context, if it is what fsopen(2) opens.
    fn fs_context(&self) -> Option<&RefCell<fscontext::Context>> {
        None
    }

    /// What fstat(2) answers. A file that has no place in the file tree has an answer of its own.
    ///
    /// # Errors
    /// As fstat(2).
    fn stat(&self, k: &mut Kernel, _f: &OpenFile) -> Result<Stat, Stop> {
        let at = self.location().ok_or(Errno::EBADF)?;
        Ok(k.fs.vfs.stat(at)?)
    }

    /// The last descriptor is closed. The inode at its location is let go of after this.
    fn close(&self, _k: &mut Kernel) {}
}

/// An open file description.
pub(crate) struct OpenFile {
    pub(crate) id: FileId,
    /// What changes when its readiness does.
    pub(crate) object: ObjectId,
    /// `st_ino` of a socket.
    pub(crate) inode: Cell<u64>,
    /// `O_*` status flags and access mode.
    pub(crate) flags: Cell<u32>,
    /// Position in bytes.
    pub(crate) offset: Cell<u64>,
    /// Whether some process watches its readiness through the host's poll.
    pub(crate) watched: Cell<bool>,
    /// Whether that is to see urgent data.
    pub(crate) tells_urgent: Cell<bool>,
    /// Who gets SIGIO while O_ASYNC is set (F_SETOWN): a process, or a group where negative; 0: nobody.
    pub(crate) owner: Cell<i32>,
    /// The user who said so.
    pub(crate) owner_uid: Cell<u32>,
    /// The directory that it is in and its name there, the last one if it was taken away.
    pub(crate) name: RefCell<Option<vfs::Entry>>,
    /// Strong references: descriptors of processes that hold files by their own table.
    strong: Cell<usize>,
    /// How many names it has: more than one if a lone file was taken out of its process ([`FileTable::name_again`]).
    names: Cell<usize>,
    pub(crate) ops: Box<dyn File>,
}

impl OpenFile {
    /// The readiness that its host descriptor is to have. There urgent data looks as if there were something to read as well, so only
    /// those are shown it who ask for it.
    pub(crate) fn shown(&self, kernel: &Kernel) -> u16 {
        let hidden = if self.tells_urgent.get() { 0 } else { POLLPRI };
        self.ops.poll(kernel) & !(hidden as u16)
    }

    /// What locks know its inode by.
    pub(crate) fn lock_key(&self) -> Key {
        /// No file system's number.
        const NOWHERE: u32 = u32::MAX;
        let nameless = || (NOWHERE, self.ops.number(self).0);
        self.ops.location().map_or_else(nameless, |at| at.key())
    }

    /// Whether O_NONBLOCK is set.
    pub(crate) fn nonblock(&self) -> bool {
        self.flags.get() & abi::raw::general::O_NONBLOCK != 0
    }

    /// # Errors
    /// `EBADF`: not open for reading.
    pub(crate) fn check_reads(&self) -> Result<(), Errno> {
        if matches!(self.flags.get() & O_ACCMODE, O_RDONLY | O_RDWR) { Ok(()) } else { Err(Errno::EBADF) }
    }

    /// # Errors
    /// `EBADF`: not open for writing.
    pub(crate) fn check_writes(&self) -> Result<(), Errno> {
        if matches!(self.flags.get() & O_ACCMODE, O_WRONLY | O_RDWR) { Ok(()) } else { Err(Errno::EBADF) }
    }

    /// The offset at which a transfer starts; the end is its own to find.
    fn start(&self, at: At) -> u64 {
        match at {
            At::Offset(offset) => offset,
            At::Position | At::End => self.offset.get(),
        }
    }

    /// Moves the position behind what was transferred from `offset` on, if the transfer used it.
    fn move_on(&self, at: At, offset: u64, moved: usize) {
        if at == At::Position {
            self.offset.set(offset.saturating_add(moved as u64));
        }
    }
}

/// Open files by their names. /proc looks at them as well.
pub(crate) type Files = Rc<RefCell<HashMap<FileId, Rc<OpenFile>>>>;

/// All open files.
#[derive(Default)]
pub(crate) struct FileTable {
    files: Files,
    by_object: HashMap<ObjectId, Vec<FileId>>,
    last: u64,
    last_object: u64,
}

impl FileTable {
    /// An empty table. Names begin at a number that follows from `seed`: a process that hears of a name from a process of another
    /// kernel's finds nothing by it.
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        let number = seed.last_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        Self { last: number >> 1, ..Self::default() }
    }

    /// A new open file with one strong reference, whose readiness changes with `object`.
    pub(crate) fn open_on(&mut self, ops: Box<dyn File>, flags: u32, object: ObjectId) -> FileId {
        self.last += 1;
        let id = FileId(self.last);
        let file = OpenFile {
            id,
            object,
            inode: Cell::new(object.0),
            flags: Cell::new(flags),
            offset: Cell::new(0),
            watched: Cell::new(false),
            tells_urgent: Cell::new(false),
            owner: Cell::new(0),
            owner_uid: Cell::new(u32::MAX),
            name: RefCell::new(None),
            strong: Cell::new(1),
            names: Cell::new(1),
            ops,
        };
        self.files.borrow_mut().insert(id, Rc::new(file));
        self.by_object.entry(object).or_default().push(id);
        id
    }

    /// Another name for an open file, by which it is open until that is closed, as by its first one.
    ///
    /// # Errors
    /// `EBADF`: it is closed.
    pub(crate) fn name_again(&mut self, id: FileId) -> Result<FileId, Errno> {
        let file = self.get(id)?;
        self.last += 1;
        let name = FileId(self.last);
        file.names.set(file.names.get() + 1);
        self.files.borrow_mut().insert(name, file);
        Ok(name)
    }

    /// Open files whose names have changed are called by the new ones (fs/dcache.c, d_move).
    pub(crate) fn rename(&self, moved: &vfs::Moved) {
        for file in self.files.borrow().values() {
            let mut name = file.name.borrow_mut();
            let (Some(known), Some(at)) = (name.as_ref(), file.ops.location()) else { continue };
            if at.key() == moved.node.key() && *known == moved.old {
                *name = Some(moved.new.clone());
            } else if moved.exchanged.is_some_and(|other| at.key() == other.key()) && *known == moved.new {
                *name = Some(moved.old.clone());
            }
        }
    }

    /// Names something new to wait for.
    pub(crate) fn new_object(&mut self) -> ObjectId {
        self.last_object += 1;
        ObjectId(self.last_object)
    }

    pub(crate) fn get(&self, id: FileId) -> Result<Rc<OpenFile>, Errno> {
        self.files.borrow().get(&id).cloned().ok_or(Errno::EBADF)
    }

    pub(crate) fn of_object(&self, object: ObjectId) -> Vec<Rc<OpenFile>> {
        let ids = self.by_object.get(&object).map(Vec::as_slice).unwrap_or_default();
        ids.iter().filter_map(|id| self.get(*id).ok()).collect()
    }

    /// One more strong reference for each descriptor of a process that was copied.
    pub(crate) fn retain_for(&self, process: &Process) {
        if process.descriptors == Descriptors::Strong {
            for (_, id) in process.fds.iter() {
                self.retain(id);
            }
        }
    }

    pub(crate) fn retain(&self, id: FileId) {
        if let Ok(file) = self.get(id) {
            file.strong.set(file.strong.get() + 1);
        }
    }

    /// One strong reference less; whether it was the last.
    pub(crate) fn release(&self, id: FileId) -> bool {
        self.get(id).is_ok_and(|file| {
            file.strong.set(file.strong.get().saturating_sub(1));
            file.strong.get() == 0
        })
    }

    /// Takes a name away; answers the file if that was its last one.
    fn remove(&mut self, id: FileId) -> Option<Rc<OpenFile>> {
        let file = self.files.borrow_mut().remove(&id)?;
        file.names.set(file.names.get().saturating_sub(1));
        if file.names.get() > 0 {
            return None;
        }
        if let Some(ids) = self.by_object.get_mut(&file.object) {
            ids.retain(|other| *other != file.id);
            if ids.is_empty() {
                self.by_object.remove(&file.object);
            }
        }
        Some(file)
    }

    /// All of them.
    pub(crate) fn iter(&self) -> std::vec::IntoIter<Rc<OpenFile>> {
        self.files.borrow().values().cloned().collect::<Vec<_>>().into_iter()
    }

    /// The same files, to look at.
    pub(crate) fn shared(&self) -> Files {
        Rc::clone(&self.files)
    }

    /// How many files are open.
    pub(crate) fn len(&self) -> usize {
        self.files.borrow().len()
    }
}

impl Kernel {
    /// The inode number of the host descriptor that was made for a file. A socket has the same: whose it is, ss(8) and lsof(8) find out
    /// by comparing it with the links in the host's /proc/PID/fd.
    pub fn set_host_inode(&mut self, file: FileId, inode: u64) {
        if let Ok(file) = self.files.get(file) {
            file.inode.set(inode);
        }
    }

    /// `st_ino` of the socket whose readiness changes with this object; 0: no descriptor is open on it.
    pub(crate) fn inode(&self, object: ObjectId) -> u64 {
        self.files.of_object(object).first().map_or(0, |file| file.inode.get())
    }

    /// Something that calls may wait for has changed.
    pub(crate) fn wake(&mut self, object: ObjectId) {
        self.parked.wake(object);
    }

    pub(crate) fn close_file(&mut self, id: FileId) {
        let Some(file) = self.files.remove(id) else { return self.effects.push_back(Effect::Closed(id)) };
        self.unlock_file(file.id.0, file.lock_key());
        self.tell_closed(&file);
        file.ops.close(self);
        if let Some(at) = file.ops.location() {
            self.fs.vfs.hold(at, false);
        }
        self.wake(file.object);
        self.effects.push_back(Effect::Closed(id));
    }

    /// Tells those who watch a file that it is closed.
    fn tell_closed(&mut self, file: &OpenFile) {
        if let Some(at) = file.ops.location().filter(|_| file.ops.kind() != FileKind::Path) {
            let mask = if file.check_writes().is_ok() { IN_CLOSE_WRITE } else { IN_CLOSE_NOWRITE };
            self.fs.vfs.tell(at, file.name.borrow().as_ref(), mask);
        }
    }

    /// Tells those who asked to be told that the readiness of the files of `object` changed: the server about
    /// watched files, and by SIGIO the owner of files with O_ASYNC.
    pub(crate) fn report_readiness(&mut self, object: ObjectId) {
        for file in self.files.of_object(object) {
            if file.watched.get() {
                let mask = file.shown(self);
                self.effects.push_back(Effect::Ready { file: file.id, mask, edge: true });
            }
            if file.flags.get() & abi::raw::general::FASYNC != 0 {
                self.raise_for(&file, SIGIO);
            }
        }
    }

    /// Urgent data was announced to the socket of `object`.
    pub(crate) fn report_urgent(&mut self, object: ObjectId) {
        for file in self.files.of_object(object) {
            self.raise_for(&file, SIGURG);
        }
    }

    /// A signal for the process that F_SETOWN named, by the number its own getpid(2) answers: the rump kernel's
    /// for a process that lives there, the host's for a hijacked one. Of a group of such that live there the leader gets it.
    fn raise_for(&mut self, file: &OpenFile, signo: u8) {
        let number = file.owner.get().unsigned_abs();
        if number == 0 {
            return;
        }
        let strong =
            |process: &&Process| process.descriptors == Descriptors::Strong && process.pid.0 == number;
        if let Some(owner) = self.processes.iter().find(strong) {
            self.effects.push_back(Effect::Raise { pid: owner.pid, signo });
        } else if signo != SIGIO {
            // Its host descriptor has an owner too, whom the host sends SIGIO when the file's readiness changes.
            self.signal_on_host(file.owner.get(), file.owner_uid.get(), signo);
        }
    }

    /// A signal for what the host knows by this number: a process, a group (negative) or a thread.
    fn signal_on_host(&mut self, owner: i32, uid: u32, signo: u8) {
        let number = owner.unsigned_abs();
        let hijacked = self.processes.iter().filter(|process| process.descriptors == Descriptors::Weak);
        // A process may have several connections.
        let pids: BTreeSet<u32> =
            hijacked.map(|process| process.who.host_pid).filter(|pid| *pid != 0).collect();
        if owner < 0 {
            let known = pids.into_iter().collect();
            return self.effects.push_back(Effect::SignalGroup { group: number, known, uid, signo });
        }
        let to = match owner {
            _ if pids.contains(&number) => SignalTo::Process,
            _ => SignalTo::Thread(number),
        };
        let concerned = pids.into_iter().filter(|pid| to != SignalTo::Process || *pid == number);
        self.effects.extend(concerned.map(|host_pid| Effect::Signal { host_pid, to, signo }));
    }

    /// The watched file that a call used, and its readiness now.
    pub(crate) fn touched(&self, call: &Call) -> Option<(FileId, u16)> {
        let at = match table::lookup(call.nr)?.route {
            Route::ByFd(at) => at,
            // Its reply tells what only the client can do: make the host descriptor unwritable.
            Route::Special if call.nr == abi::private::WATCH => 0,
            _ => return None,
        };
        let fd = u32::try_from(call.args[usize::from(at)]).ok()?;
        let id = self.processes.get(call.pid).ok()?.fds.get(fd).ok()?;
        let file = self.files.get(id).ok()?;
        file.watched.get().then(|| (id, file.shown(self)))
    }
}
