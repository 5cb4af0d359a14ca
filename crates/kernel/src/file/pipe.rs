//! Pipes and FIFOs (pipe(7), fifo(7)).

use super::{At, File, FileKind, ObjectId, OpenFile};
use crate::Kernel;
use crate::call::{Answer, CallId, Stop, Wait};
use crate::cx::Cx;
use abi::Errno;
use abi::layout::Stat;
use abi::raw::general::{
    O_ACCMODE, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY, POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDNORM,
    POLLWRNORM, S_IFIFO,
};
use abi::raw::ioctl::FIONREAD;
use foldhash::HashMap;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

/// `PIPE_BUF`: writes up to this long are not mixed with others.
const PIPE_BUF: usize = 4096;
/// What a pipe holds unless F_SETPIPE_SZ says otherwise.
const CAPACITY: usize = 65_536;
/// The most that root gets: a pipe's bytes are the server's memory.
const CAPACITY_MAX: usize = 1 << 26;

/// The device that pipes are on (pipefs).
const PIPE_DEV: u64 = 14;

/// What goes through and who has it open.
#[derive(Debug)]
struct Pipe {
    data: VecDeque<u8>,
    capacity: usize,
    readers: usize,
    writers: usize,
    /// Whether there ever was a writer: only then does its absence mean the end.
    had_writer: bool,
    objects: Objects,
    /// open(2) calls that wait for the other end.
    opening_readers: Vec<CallId>,
    opening_writers: Vec<CallId>,
}

/// What changes with the readiness of each kind of end.
#[derive(Debug, Clone, Copy)]
struct Objects {
    read: ObjectId,
    write: ObjectId,
    both: ObjectId,
}

impl Pipe {
    fn new(k: &mut Kernel) -> Self {
        let objects =
            Objects { read: k.files.new_object(), write: k.files.new_object(), both: k.files.new_object() };
        Self {
            data: VecDeque::new(),
            capacity: CAPACITY,
            readers: 0,
            writers: 0,
            had_writer: false,
            objects,
            opening_readers: Vec::new(),
            opening_writers: Vec::new(),
        }
    }

    fn room(&self) -> usize {
        self.capacity.saturating_sub(self.data.len())
    }

    /// Whether poll(2) says that it can be written to: an atomic write would go.
    fn is_writable(&self) -> bool {
        self.room() >= PIPE_BUF
    }
}

/// The FIFOs that are open or about to be, by mount and inode.
#[derive(Debug, Default)]
pub(crate) struct Fifos(HashMap<(u32, u64), Rc<RefCell<Pipe>>>);

/// One open end, or both of a FIFO that was opened for reading and writing.
pub(crate) struct PipeEnd {
    pipe: Rc<RefCell<Pipe>>,
    reads: bool,
    writes: bool,
    /// Of a FIFO: what fstat(2) shows is its inode's.
    inode: Option<Stat>,
}

/// Both ends of a new pipe, reading end first, and what changes with them.
pub(crate) fn pair(k: &mut Kernel) -> [(PipeEnd, ObjectId); 2] {
    let pipe = Rc::new(RefCell::new(Pipe::new(k)));
    [O_RDONLY, O_WRONLY].map(|mode| PipeEnd::open(&pipe, mode, None))
}

/// Opens the FIFO with this inode, whose number in the kernel is `key`: for one direction the call waits for the
/// other end (fifo(7)).
///
/// # Errors
/// `ENXIO`: O_WRONLY and O_NONBLOCK, and nobody reads.
pub(crate) fn open_fifo(
    cx: &mut Cx<'_>,
    key: (u32, u64),
    inode: Stat,
    flags: u32,
) -> Result<(PipeEnd, ObjectId), Stop> {
    forget_unused(cx.kernel);
    let known = cx.kernel.fifos.0.get(&key).cloned();
    let pipe = known.unwrap_or_else(|| Rc::new(RefCell::new(Pipe::new(cx.kernel))));
    cx.kernel.fifos.0.insert(key, Rc::clone(&pipe));
    let mode = flags & O_ACCMODE;
    if mode == O_ACCMODE {
        return Err(Errno::EINVAL.into());
    }
    if mode != O_RDWR && !other_end(&pipe, mode) {
        match (mode, flags & O_NONBLOCK != 0) {
            (O_RDONLY, true) => {}
            (_, true) => return Err(Errno::ENXIO.into()),
            _ => return Err(wait_for_other(cx, &pipe, mode)),
        }
    }
    let objects = pipe.borrow().objects;
    for object in [objects.read, objects.write, objects.both] {
        cx.kernel.wake(object);
    }
    Ok(PipeEnd::open(&pipe, mode, Some(inode)))
}

/// A FIFO that nobody has open loses what is inside.
fn forget_unused(k: &mut Kernel) {
    let parked = &k.parked;
    k.fifos.0.retain(|_, pipe| {
        let mut pipe = pipe.borrow_mut();
        pipe.opening_readers.retain(|call| parked.contains(*call));
        pipe.opening_writers.retain(|call| parked.contains(*call));
        pipe.readers + pipe.writers + pipe.opening_readers.len() + pipe.opening_writers.len() > 0
    });
}

/// Whether somebody has the other end open, or waits to.
fn other_end(pipe: &Rc<RefCell<Pipe>>, mode: u32) -> bool {
    let pipe = pipe.borrow();
    let others = if mode == O_RDONLY {
        pipe.writers + pipe.opening_writers.len()
    } else {
        pipe.readers + pipe.opening_readers.len()
    };
    others > 0
}

fn wait_for_other(cx: &mut Cx<'_>, pipe: &Rc<RefCell<Pipe>>, mode: u32) -> Stop {
    let id = cx.call.id;
    let object = pipe.borrow().objects.both;
    let mut inside = pipe.borrow_mut();
    let opening = if mode == O_RDONLY { &mut inside.opening_readers } else { &mut inside.opening_writers };
    opening.push(id);
    Stop::Wait(Wait { on: vec![object], until: None, restartable: true })
}

impl PipeEnd {
    fn open(pipe: &Rc<RefCell<Pipe>>, mode: u32, inode: Option<Stat>) -> (Self, ObjectId) {
        let (reads, writes) = (mode != O_WRONLY, mode != O_RDONLY);
        let mut inside = pipe.borrow_mut();
        inside.readers += usize::from(reads);
        inside.writers += usize::from(writes);
        inside.had_writer |= writes;
        let object = match (reads, writes) {
            (true, true) => inside.objects.both,
            (true, false) => inside.objects.read,
            _ => inside.objects.write,
        };
        (Self { pipe: Rc::clone(pipe), reads, writes, inode }, object)
    }

    /// F_GETPIPE_SZ.
    pub(crate) fn capacity(&self) -> usize {
        self.pipe.borrow().capacity
    }

    /// F_SETPIPE_SZ: rounded up to a power of two of at least a page; answers what it is now.
    ///
    /// # Errors
    /// `EPERM`: above `fs.pipe-max-size`. `EBUSY`: less than what is inside.
    pub(crate) fn set_capacity(&self, k: &mut Kernel, asked: usize) -> Result<usize, Errno> {
        let capacity = asked.max(PIPE_BUF).checked_next_power_of_two().ok_or(Errno::EINVAL)?;
        if capacity > most(k) {
            return Err(Errno::EPERM);
        }
        let mut pipe = self.pipe.borrow_mut();
        if capacity < pipe.data.len() {
            return Err(Errno::EBUSY);
        }
        pipe.capacity = capacity;
        wake_writers(k, pipe.objects);
        Ok(capacity)
    }
}

/// The largest pipe that the caller may ask for.
fn most(k: &Kernel) -> usize {
    if k.is_ruled_by_caller() { CAPACITY_MAX } else { k.tunables.pipe_max_size }
}

fn wake_readers(k: &mut Kernel, objects: Objects) {
    k.wake(objects.read);
    k.wake(objects.both);
}

fn wake_writers(k: &mut Kernel, objects: Objects) {
    k.wake(objects.write);
    k.wake(objects.both);
}

impl File for PipeEnd {
    fn kind(&self) -> FileKind {
        FileKind::Pipe
    }

    fn read(&self, k: &mut Kernel, _f: &OpenFile, buf: &mut [u8], at: At) -> Result<usize, Stop> {
        refuse_position(at)?;
        if !self.reads {
            return Err(Errno::EBADF.into());
        }
        let mut pipe = self.pipe.borrow_mut();
        let len = buf.len().min(pipe.data.len());
        if len == 0 {
            let waits = pipe.writers > 0 && !buf.is_empty();
            return if waits { Err(Errno::EAGAIN.into()) } else { Ok(0) };
        }
        let was_writable = pipe.is_writable();
        take(&mut pipe.data, &mut buf[..len]);
        if !was_writable && pipe.is_writable() {
            wake_writers(k, pipe.objects);
        }
        Ok(len)
    }

    fn write(&self, k: &mut Kernel, _f: &OpenFile, data: &[u8], at: At) -> Result<usize, Stop> {
        refuse_position(at)?;
        if !self.writes {
            return Err(Errno::EBADF.into());
        }
        let mut pipe = self.pipe.borrow_mut();
        if data.is_empty() {
            return Ok(0);
        }
        if pipe.readers == 0 {
            return Err(Errno::EPIPE.into());
        }
        let len = data.len().min(pipe.room());
        if len == 0 || (data.len() <= PIPE_BUF && len < data.len()) {
            return Err(Errno::EAGAIN.into());
        }
        pipe.data.extend(&data[..len]);
        wake_readers(k, pipe.objects);
        Ok(len)
    }

    fn poll(&self, _k: &Kernel) -> u16 {
        let pipe = self.pipe.borrow();
        let bits = [
            (self.reads && !pipe.data.is_empty(), POLLIN | POLLRDNORM),
            (self.reads && pipe.writers == 0 && pipe.had_writer, POLLHUP),
            (self.writes && pipe.is_writable(), POLLOUT | POLLWRNORM),
            (self.writes && pipe.readers == 0, POLLERR),
        ];
        let mask = bits.into_iter().filter(|(on, _)| *on).fold(0, |mask, (_, bits)| mask | bits);
        u16::try_from(mask).unwrap_or(u16::MAX)
    }

    fn ioctl(&self, cx: &mut Cx<'_>, _f: &OpenFile, cmd: u32) -> Answer {
        if cmd != FIONREAD {
            return Err(Errno::ENOTTY.into());
        }
        let waiting = i32::try_from(self.pipe.borrow().data.len()).unwrap_or(i32::MAX);
        cx.put(cx.arg(2), &waiting);
        Ok(0)
    }

    fn pipe(&self) -> Option<&PipeEnd> {
        Some(self)
    }

    fn number(&self, _f: &OpenFile) -> ObjectId {
        // Both ends are one file.
        self.pipe.borrow().objects.both
    }

    fn stat(&self, _k: &mut Kernel, f: &OpenFile) -> Result<Stat, Stop> {
        let own = Stat {
            st_dev: PIPE_DEV,
            st_ino: self.number(f).0,
            st_mode: S_IFIFO | 0o600,
            st_nlink: 1,
            st_blksize: 4096,
            ..Stat::default()
        };
        Ok(self.inode.unwrap_or(own))
    }

    fn close(&self, k: &mut Kernel) {
        let mut pipe = self.pipe.borrow_mut();
        pipe.readers -= usize::from(self.reads);
        pipe.writers -= usize::from(self.writes);
        wake_readers(k, pipe.objects);
        wake_writers(k, pipe.objects);
    }
}

/// Moves the first bytes out, a run at a time: a byte at a time costs 1 ns each.
fn take(data: &mut VecDeque<u8>, into: &mut [u8]) {
    let (front, back) = data.as_slices();
    let split = front.len().min(into.len());
    let (first, second) = into.split_at_mut(split);
    first.copy_from_slice(&front[..split]);
    second.copy_from_slice(&back[..second.len()]);
    data.drain(..into.len());
}

/// pread(2), pwrite(2).
fn refuse_position(at: At) -> Result<(), Stop> {
    if at == At::Position { Ok(()) } else { Err(Errno::ESPIPE.into()) }
}
