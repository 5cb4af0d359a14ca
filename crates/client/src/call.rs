//! One call, from its row to its reply.

use crate::gather::{Gathered, Memory, gather};
use crate::slot::Answer;
use crate::state::Session;
use abi::Errno;
use abi::table::{Arg, Row};
use alloc::vec::Vec;
use host::Fd;
use wire::call::{self, Segment};
use wire::{Frame, Header, Message, kind};

/// What the rump kernel answered.
#[derive(Debug)]
pub struct Reply {
    /// The value for `%rax`, or the rump kernel's error, `ERESTARTSYS` among them: a signal came first and the call may
    /// start again. What follows holds for either.
    pub result: Result<u64, Errno>,
    /// Files that the process has got by this call.
    pub files: Vec<NewFile>,
    /// Tokens to take off the descriptor that the call used.
    pub drain: u32,
    /// Whether to make that descriptor unwritable.
    pub fill: bool,
}

impl Reply {
    /// A result and nothing else.
    fn of(result: Result<u64, Errno>) -> Self {
        Self { result, files: Vec::new(), drain: 0, fill: false }
    }
}

/// A file that the process has got.
#[derive(Debug)]
pub struct NewFile {
    /// The host descriptor that goes with it, close-on-exec; none: the process has one already.
    pub host: Option<Fd>,
    /// Its descriptor in the rump kernel.
    pub descriptor: u32,
    /// What it is (`kernel::FileKind`).
    pub kind: u32,
    /// Whether the program asked for close-on-exec.
    pub cloexec: bool,
    /// Where the program wants its number; 0: it is the call's value.
    pub put_at: u64,
}

impl Session {
    /// Carries out a call in the rump kernel. Addresses in `args` are this process's. Copies of the host descriptors `passed`
    /// travel along.
    ///
    /// # Errors
    /// The rump kernel's, `ERESTARTSYS` among them: a signal came first and the call may start again. `ENOTCONN`: there is
    /// no connection, or it was lost meanwhile. `EFAULT`: a result could not be written.
    pub fn call(&self, row: &Row, args: [u64; 6], passed: &[u32]) -> Result<Reply, Errno> {
        match self.call_once(row, args, passed) {
            // The kernel was gone before it had seen the call.
            Err(Errno::EPIPE) => self.call_again(row, args, passed),
            answer => answer,
        }
    }

    /// The call for another kernel, if there is one now: it knows none of the old one's descriptors.
    fn call_again(&self, row: &Row, args: [u64; 6], passed: &[u32]) -> Result<Reply, Errno> {
        self.ready(&mut self.state.lock())?;
        if row.args.contains(&Arg::Fd) {
            return Err(Errno::EBADF);
        }
        self.call_once(row, args, passed).map_err(|errno| match errno {
            Errno::EPIPE => Errno::ENOTCONN,
            errno => errno,
        })
    }

    fn call_once(&self, row: &Row, args: [u64; 6], passed: &[u32]) -> Result<Reply, Errno> {
        let gathered = gather(row, &args);
        let extended = {
            let mut state = self.state.lock();
            self.ready(&mut state)?.1
        };
        if extended {
            self.call_extended(row, args, gathered, passed)
        } else {
            self.call_plain(row, args, gathered)
        }
    }

    fn call_extended(
        &self,
        row: &Row,
        args: [u64; 6],
        gathered: Gathered,
        passed: &[u32],
    ) -> Result<Reply, Errno> {
        let Gathered { segments, data, memory } = gathered;
        let count = u32::try_from(passed.len()).map_err(|_| Errno::ETOOMANYREFS)?;
        let head = call::emit_request(args, count, &segments);
        let (answer, memory) = self.transact(kind::CALL, row.nr, &[&head, &data], passed, memory)?;
        let Answer::Frame(frame, fds) = answer else { return Err(Errno::ENOTCONN) };
        match frame.refusal() {
            Some(errno) => Err(errno),
            None => self.reply(&frame, fds, &memory),
        }
    }

    fn reply(&self, frame: &Frame, fds: Vec<Fd>, memory: &Memory) -> Result<Reply, Errno> {
        let reply = call::Reply::parse(&frame.payload).filter(|reply| allowed(memory, &reply.segments));
        let Some(reply) = reply else { return Err(self.broken()) };
        let mut fds = fds.into_iter();
        let mut files = Vec::with_capacity(reply.files.len());
        for file in &reply.files {
            let host = if file.passed { fds.next() } else { None };
            if host.is_none() && file.passed {
                // The server sent it; this process had no number left for it.
                return Err(Errno::EMFILE);
            }
            let (put_at, descriptor) = (file.put_at, file.descriptor);
            files.push(NewFile { host, descriptor, kind: file.kind, cloexec: file.cloexec, put_at });
        }
        for segment in &reply.segments {
            host::copy_out(segment.address, segment.bytes)?;
        }
        let result = result(reply.result);
        Ok(Reply { result, files, drain: reply.drain, fill: reply.fill })
    }

    fn call_plain(&self, row: &Row, args: [u64; 6], gathered: Gathered) -> Result<Reply, Errno> {
        let slots = Message::Syscall(args.iter().copied().take(row.args.len()).collect()).payload();
        let (answer, _) = self.transact(kind::SYSCALL, row.nr, &[&slots], &[], gathered.memory)?;
        let Answer::Frame(frame, _) = answer else { return Err(Errno::ENOTCONN) };
        match Message::parse(&frame) {
            Some(Message::SyscallAnswer { error: 0, values }) => Ok(Reply::of(Ok(values[0].cast_unsigned()))),
            Some(Message::SyscallAnswer { error, .. }) => Ok(Reply::of(Err(Errno::from_number(error)))),
            _ => Err(frame.refusal().unwrap_or_else(|| self.broken())),
        }
    }

    /// Sends a request that is no call and waits for its answer.
    ///
    /// # Errors
    /// `ENOTCONN`.
    pub(crate) fn request(&self, kind: u16, word: u32, payload: &[u8]) -> Result<Frame, Errno> {
        match self.transact(kind, word, &[payload], &[], Memory::default())?.0 {
            Answer::Frame(frame, _) => Ok(frame),
            Answer::Lost => Err(Errno::ENOTCONN),
        }
    }

    /// The server broke the protocol: it is not talked to any more.
    fn broken(&self) -> Errno {
        self.lose(&mut self.state.lock());
        Errno::ENOTCONN
    }

    /// Sends a frame in pieces, as much as fits at a time.
    ///
    /// # Errors
    /// The connection's.
    pub(crate) fn send(&self, socket: u32, parts: &[&[u8]], fds: &[u32]) -> Result<(), Errno> {
        let whole: usize = parts.iter().map(|part| part.len()).sum();
        let (mut sent, mut fds) = (0, fds);
        while sent < whole {
            let mut left = [&[][..]; 4];
            let mut skip = sent;
            for (slot, part) in left.iter_mut().zip(parts) {
                let passed_over = skip.min(part.len());
                *slot = &part[passed_over..];
                skip -= passed_over;
            }
            match host::send(socket, &left[..parts.len().min(4)], fds, host::Wait::Yes) {
                Ok(0) => return Err(Errno::EPIPE),
                Ok(now) => {
                    sent += now;
                    fds = &[];
                }
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }

    /// The header of a request and the bytes that go in front of it.
    pub(crate) fn header(reqno: u64, kind: u16, word: u32, parts: &[&[u8]]) -> [u8; wire::HEADER] {
        Header::request(reqno, kind, word).emit(parts.iter().map(|part| part.len()).sum())
    }
}

fn allowed(memory: &Memory, segments: &[Segment<'_>]) -> bool {
    segments.iter().all(|segment| memory.may_write(segment.address, segment.bytes.len() as u64))
}

fn result(raw: i64) -> Result<u64, Errno> {
    match isize::try_from(raw).map(Errno::from_rax) {
        Ok(Ok(value)) => Ok(value as u64),
        Ok(Err(errno)) => Err(errno),
        Err(_) => Err(Errno::EPROTO),
    }
}
