//! One call, from its row to its reply.

use crate::gather::{Gathered, Memory, gather};
use crate::lane;
use crate::passed::Passed;
use crate::slot::Answer;
use crate::state::Session;
use abi::table::{Arg, Row};
use abi::{Errno, private};
use alloc::vec::Vec;
use host::{Fd, Part};
use wire::call;
use wire::{Frame, Message, kind};

/// After this time a server that could not take a request may be able to.
const PAUSE_NS: u64 = 1_000_000;

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
    /// No host descriptor stands for it: this process alone has it, and closes it by close(2).
    pub lone: bool,
    /// The `SO_COOKIE` of its host descriptor, or what it is known by as a lone file.
    pub cookie: u64,
}

impl Session {
    /// Carries out a call in the rump kernel. Addresses in `args` are this process's. Copies of the host descriptors `passed`
    /// travel along.
    ///
    /// # Errors
    /// The rump kernel's, `ERESTARTSYS` among them: a signal came first and the call may start again. `ENOTCONN`: there is
    /// no connection, or it was lost meanwhile. `EFAULT`: a result could not be written.
    pub fn call(&self, row: &Row, args: [u64; 6], passed: &[u32]) -> Result<Reply, Errno> {
        self.call_from(0, row, args, passed)
    }

    /// As [`Session::call`], with paths that start at a place of `rump_place`.
    ///
    /// # Errors
    /// As [`Session::call`].
    pub fn call_from(&self, place: u16, row: &Row, args: [u64; 6], passed: &[u32]) -> Result<Reply, Errno> {
        match self.taken(|| self.call_once(place, row, args, passed)) {
            // The kernel was gone before it had seen the call.
            Err(Errno::EPIPE) => self.call_again(row, args, passed),
            answer => answer,
        }
    }

    /// The call for another kernel, if there is one now: it knows none of the old one's descriptors.
    fn call_again(&self, row: &Row, args: [u64; 6], passed: &[u32]) -> Result<Reply, Errno> {
        self.ready()?;
        if row.args().contains(&Arg::Fd) {
            return Err(Errno::EBADF);
        }
        self.call_once(0, row, args, passed).map_err(|errno| match errno {
            Errno::EPIPE => Errno::ENOTCONN,
            errno => errno,
        })
    }

    fn call_once(&self, place: u16, row: &Row, args: [u64; 6], passed: &[u32]) -> Result<Reply, Errno> {
        let gathered = gather(row, &args);
        let (_, extended) = self.ready()?;
        if !extended {
            return self.call_plain(row, args, gathered);
        }
        // In shared memory nobody sees who writes.
        if passed.is_empty()
            && row.nr != private::CREDENTIALS
            && let Some(lane) = self.lane()
            && let Some(cell) = lane.take_cell()
            && let Some(payload) = lane::payload(args, &gathered)
        {
            let answer =
                self.transact_by_lane(&lane, &cell, call::word(row.nr, place), payload, gathered.memory);
            return answer.and_then(|answer| self.reply(answer));
        }
        self.call_extended((row, place), args, gathered, passed)
    }

    pub(crate) fn call_extended(
        &self,
        (row, place): (&Row, u16),
        args: [u64; 6],
        gathered: Gathered,
        passed: &[u32],
    ) -> Result<Reply, Errno> {
        let Gathered { segments, bytes, memory } = gathered;
        let count = u32::try_from(passed.len()).map_err(|_| Errno::ETOOMANYREFS)?;
        let head = call::emit_request(args, count, &segments);
        let payload = bytes.parts(&head);
        let request =
            Request { kind: kind::CALL, word: call::word(row.nr, place), payload: &payload, passed };
        self.transact(&request, memory).and_then(|answer| self.reply(answer))
    }

    /// The reply in what came for a CALL.
    ///
    /// # Errors
    /// The server's refusal; `ENOTCONN`.
    pub(crate) fn reply(&self, answer: Answer) -> Result<Reply, Errno> {
        match answer {
            Answer::Reply(reply) => reply,
            Answer::Frame(frame) => Err(frame.refusal().unwrap_or_else(|| self.broken())),
            Answer::Lost => Err(Errno::ENOTCONN),
        }
    }

    fn call_plain(&self, row: &Row, args: [u64; 6], gathered: Gathered) -> Result<Reply, Errno> {
        let slots = Message::Syscall(args.iter().copied().take(row.args().len()).collect()).payload();
        let payload = [Part::Ours(&slots)];
        let request = Request { kind: kind::SYSCALL, word: row.nr, payload: &payload, passed: &[] };
        let Answer::Frame(frame) = self.transact(&request, gathered.memory)? else {
            return Err(Errno::ENOTCONN);
        };
        match Message::parse(&frame) {
            Some(Message::SyscallAnswer { error: 0, values }) => Ok(Reply::of(Ok(values[0].cast_unsigned()))),
            Some(Message::SyscallAnswer { error, .. }) => Ok(Reply::of(Err(Errno::from_number(error)))),
            _ => Err(frame.refusal().unwrap_or_else(|| self.broken())),
        }
    }

    /// Sends a request that is no call and waits for its answer.
    ///
    /// # Errors
    /// `ENOTCONN`, or the server's refusal.
    pub(crate) fn request(&self, kind: u16, word: u32, payload: &[u8]) -> Result<Frame, Errno> {
        self.taken(|| {
            self.ready()?;
            let request = Request { kind, word, payload: &[Part::Ours(payload)], passed: &[] };
            match self.transact(&request, Memory::default())? {
                Answer::Frame(frame) => frame.refusal().map_or(Ok(frame), Err),
                Answer::Reply(_) | Answer::Lost => Err(Errno::ENOTCONN),
            }
        })
    }

    /// What comes of a request that is sent again for as long as it is refused with TRYAGAIN (rump_sp(7)).
    ///
    /// # Errors
    /// The request's; `ERESTARTSYS`: a signal came while it was refused.
    fn taken<T>(&self, mut attempt: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
        loop {
            match attempt() {
                Err(Errno::EAGAIN) => self.pause(PAUSE_NS).map_err(|_| Errno::ERESTARTSYS)?,
                outcome => return outcome,
            }
        }
    }

    /// The server broke the protocol: it is not talked to any more.
    pub(crate) fn broken(&self) -> Errno {
        self.lose(&mut self.state.lock());
        Errno::ENOTCONN
    }
}

/// What is asked of the server.
pub(crate) struct Request<'a> {
    pub(crate) kind: u16,
    pub(crate) word: u32,
    pub(crate) payload: &'a [Part<'a>],
    /// Descriptors that travel along.
    pub(crate) passed: &'a [u32],
}

impl Reply {
    /// The reply in the payload of a CALL's answer, once its bytes are in the program's memory; `fds` are the descriptors
    /// that have arrived. None if the server broke the protocol.
    ///
    /// # Errors
    /// `EFAULT`: a result could not be written. `EMFILE`: this process has no number for a new file.
    pub(crate) fn take(payload: &[u8], fds: &mut Passed, memory: &Memory) -> Option<Result<Self, Errno>> {
        let reply = call::Reply::parse(payload)?;
        if !reply.segments.iter().all(|segment| memory.may_write(segment.address, segment.bytes.len() as u64))
        {
            return None;
        }
        let files = new_files(&reply, fds);
        let written =
            reply.segments.iter().try_for_each(|segment| host::copy_out(segment.address, segment.bytes));
        let (drain, fill, result) = (reply.drain, reply.fill, result(reply.result));
        Some(written.and(files).map(|files| Self { result, files, drain, fill }))
    }

    /// Drops a reply that nobody waits for, and closes its descriptors. None if the server broke the protocol.
    pub(crate) fn discard(payload: &[u8], fds: &mut Passed) -> Option<()> {
        let reply = call::Reply::parse(payload)?;
        drop(new_files(&reply, fds));
        Some(())
    }
}

fn new_files(reply: &call::Reply<'_>, fds: &mut Passed) -> Result<Vec<NewFile>, Errno> {
    let take = |file: &call::File| {
        let host = if file.passed { fds.take() } else { None };
        NewFile {
            host,
            descriptor: file.descriptor,
            kind: file.kind,
            cloexec: file.cloexec,
            put_at: file.put_at,
            lone: file.lone,
            cookie: file.cookie,
        }
    };
    let files: Vec<NewFile> = reply.files.iter().map(take).collect();
    let arrived = files.iter().zip(&reply.files).all(|(file, sent)| file.host.is_some() || !sent.passed);
    // The server sent it; this process had no number left for it.
    if arrived { Ok(files) } else { Err(Errno::EMFILE) }
}

fn result(raw: i64) -> Result<u64, Errno> {
    match isize::try_from(raw).map(Errno::from_rax) {
        Ok(Ok(value)) => Ok(value as u64),
        Ok(Err(errno)) => Err(errno),
        Err(_) => Err(Errno::EPROTO),
    }
}
