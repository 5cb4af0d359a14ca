//! What the kernel wants done, as frames to clients and changes of their files.

use crate::files::Hint;
use crate::server::{Pending, Server};
use crate::session::Session;
use crate::signals_unsafe::kill_thread;
use abi::Errno;
use kernel::{CallId, Copyin, Effect, FileId, NewFile, Pass, Pid, Reply, SignalTo};
use std::os::fd::OwnedFd;
use wire::call::{File, Segment};
use wire::relay::Token;
use wire::{Header, Message, class, kind, lane};

/// Bytes for the caller's memory, by their addresses.
type Out = Vec<(u64, Vec<u8>)>;

impl Server {
    /// Does all that the kernel has asked for; whether that was anything.
    pub(crate) fn apply_effects(&mut self) -> bool {
        let mut any = false;
        while let Some(effect) = self.kernel.next_effect() {
            self.apply(effect);
            any = true;
        }
        any
    }

    fn apply(&mut self, effect: Effect) {
        match effect {
            Effect::Reply(reply) => self.reply(reply),
            Effect::Copyin { call, pid, want } => self.copyin(call, pid, want),
            Effect::Raise { pid, signo } => self.raise(pid, signo),
            Effect::Signal { host_pid, to, signo } => signal(host_pid, to, signo),
            Effect::SignalGroup { group, known, uid, signo } => signal_group(group, &known, uid, signo),
            Effect::Ready { file, mask, edge } => self.ready(file, mask, edge),
            Effect::Closed(file) => self.closed(file),
            Effect::Disk { call, worker, op } => self.disks.send(worker, call, op),
            Effect::DropPassed(passed) => drop(self.passed.remove(&passed)),
            Effect::Halt => self.halted = true,
        }
    }

    /// A watched file's readiness: to be shown by its host descriptor, which is here or at a relay.
    fn ready(&mut self, file: FileId, mask: u16, edge: bool) {
        let Some(control) = self.remote.control(file) else { return self.files.ready(file, mask, edge) };
        let ready = self.remote.ready(file, mask, edge, false);
        if let Some(session) = self.sessions.get_mut(control) {
            session.out.frame(Header::request(0, kind::READY, 0), &ready.emit());
        }
    }

    fn closed(&mut self, file: FileId) {
        self.files.forget(file);
        if let Some(session) = self.remote.forget(file).and_then(|control| self.sessions.get_mut(control)) {
            session.out.frame(Header::request(0, kind::CLOSED, 0), &file.0.to_le_bytes());
        }
    }

    /// Answers a call that the kernel never saw.
    pub(crate) fn answer(&mut self, call: CallId, result: Result<u64, Errno>, out: Out) {
        if let Some(pending) = self.take_pending(call) {
            self.send_reply(pending, result, out, Vec::new(), Vec::new(), Hint::default());
        }
    }

    /// Answers a call with a file of the host that is none of the kernel's.
    pub(crate) fn answer_with_file(&mut self, call: CallId, file: OwnedFd) {
        if let Some(pending) = self.take_pending(call) {
            let entry = File { passed: true, ..File::default() };
            self.send_reply(pending, Ok(0), Vec::new(), vec![entry], vec![file], Hint::default());
        }
    }

    fn reply(&mut self, reply: Reply) {
        let Some(pending) = self.take_pending(reply.call) else {
            // Nobody is there to get what the call made.
            return self.abandon(&reply.files);
        };
        let hint = reply.touched.map(|(file, mask)| self.touched(pending, file, mask)).unwrap_or_default();
        match self.entries(pending, &reply.files) {
            Ok((entries, fds)) => self.send_reply(pending, reply.result, reply.out, entries, fds, hint),
            Err(errno) => {
                self.abandon(&reply.files);
                self.send_reply(pending, Err(errno), Vec::new(), Vec::new(), Vec::new(), hint);
            }
        }
    }

    /// Brings a file's host descriptor to its readiness; what the client has to do for it, if it has one.
    fn touched(&mut self, pending: Pending, file: FileId, mask: u16) -> Hint {
        if let Some(session) = self.sessions.get_mut(pending.session)
            && session.relay.is_some()
        {
            // The relay knows what its client has to do.
            let ready = self.remote.ready(file, mask, false, true);
            session.out.frame(Header::request(pending.reqno, kind::READY, 0), &ready.emit());
            return Hint::default();
        }
        if self.sessions.get(pending.session).is_some_and(|session| session.files) {
            return self.files.touched(file, mask);
        }
        self.ready(file, mask, false);
        Hint::default()
    }

    fn take_pending(&mut self, call: CallId) -> Option<Pending> {
        let pending = self.calls.remove(&call)?;
        if let Some(session) = self.sessions.get_mut(pending.session) {
            session.calls_waiting = session.calls_waiting.saturating_sub(1);
            if session.calls.get(&pending.reqno) == Some(&call) {
                session.calls.remove(&pending.reqno);
            }
        }
        Some(pending)
    }

    /// Closes what was made for a client or sent to it, and cannot reach it.
    fn abandon(&mut self, files: &[NewFile]) {
        for file in files {
            match file.pass {
                Pass::Born => self.kernel.file_gone(file.file),
                Pass::Passed(passed) => drop(self.passed.remove(&passed)),
                Pass::Nothing | Pass::Lone | Pass::Shown(_) | Pass::Memory { .. } => {}
            }
        }
    }

    fn entries(&mut self, pending: Pending, files: &[NewFile]) -> Result<(Vec<File>, Vec<OwnedFd>), Errno> {
        let session = self.sessions.get(pending.session);
        let uid = session.map_or(u32::MAX, |session| session.who.uid);
        if let Some(token) = session.and_then(|session| session.relay) {
            return Ok((self.remote_entries(token, files)?, Vec::new()));
        }
        let mut entries = Vec::with_capacity(files.len());
        let mut fds = Vec::new();
        for file in files {
            let (cookie, fd) = self.host_descriptor(file, uid)?;
            entries.push(File {
                cookie,
                put_at: file.put_at,
                descriptor: file.kfd,
                kind: file.kind as u32,
                cloexec: file.cloexec,
                passed: fd.is_some(),
                lone: file.pass == Pass::Lone,
            });
            fds.extend(fd);
        }
        Ok((entries, fds))
    }

    /// As `entries`, for a relay: files by their numbers here, those marked for which it makes a host descriptor.
    fn remote_entries(&mut self, token: Token, files: &[NewFile]) -> Result<Vec<File>, Errno> {
        let is_made = |file: &NewFile| match file.pass {
            Pass::Born => Ok(true),
            Pass::Nothing | Pass::Lone => Ok(false),
            // What came along with a call stayed with the relay of whoever made it.
            Pass::Passed(_) | Pass::Shown(_) => Err(Errno::EOPNOTSUPP),
            Pass::Memory { .. } => Err(Errno::ENODEV),
        };
        let made = files.iter().map(is_made).collect::<Result<Vec<bool>, Errno>>()?;
        let entry = |(file, passed): (&NewFile, bool)| {
            if passed {
                self.remote.birth(file.file, token);
            }
            File {
                cookie: file.file.0,
                put_at: file.put_at,
                descriptor: file.kfd,
                kind: file.kind as u32,
                cloexec: file.cloexec,
                passed,
                lone: false,
            }
        };
        Ok(files.iter().zip(made).map(entry).collect())
    }

    fn host_descriptor(&mut self, file: &NewFile, uid: u32) -> Result<(u64, Option<OwnedFd>), Errno> {
        let known = |id: FileId, files: &crate::files::Files| files.cookie(id).unwrap_or(0);
        match file.pass {
            Pass::Born => {
                let (a, cookie, inode) = self.files.birth(file.file, file.kind, uid).map_err(errno)?;
                if file.kind.is_socket() {
                    self.kernel.set_host_inode(file.file, inode);
                }
                Ok((cookie, Some(a)))
            }
            Pass::Nothing => Ok((known(file.file, &self.files), None)),
            Pass::Lone => Ok((file.file.0, None)),
            Pass::Passed(passed) => {
                // The kernel gives a right out once.
                let fd = self.passed.remove(&passed).ok_or(Errno::EBADF)?;
                Ok((known(file.file, &self.files), Some(fd)))
            }
            Pass::Shown(passed) => {
                let fd =
                    self.passed.get(&passed).ok_or(Errno::EBADF)?.try_clone().map_err(|_| Errno::EMFILE)?;
                Ok((known(file.file, &self.files), Some(fd)))
            }
            Pass::Memory { id, writable } => Ok((0, Some(self.memory.descriptor(id, writable)?))),
        }
    }

    fn send_reply(
        &mut self,
        pending: Pending,
        result: Result<u64, Errno>,
        out: Out,
        files: Vec<File>,
        fds: Vec<OwnedFd>,
        hint: Hint,
    ) {
        let Some(session) = self.sessions.get_mut(pending.session) else { return };
        if !pending.call_frame {
            return session.answer_syscall(pending.reqno, result, out);
        }
        let reply = wire::call::Reply {
            result: result.map_or_else(|errno| i64::from(-errno.number()), u64::cast_signed),
            drain: hint.drain,
            fill: hint.fill,
            files,
            segments: out.iter().map(|(address, bytes)| Segment { address: *address, bytes }).collect(),
        };
        if let Some(cell) = pending.cell
            && session.answer_in_lane(cell, &reply, &mut self.lane_space)
        {
            return;
        }
        let header = Header { reqno: pending.reqno, class: class::RESP, kind: kind::CALL, word: 0 };
        session.out.reply(header, &reply, fds);
        session.out.segments(out);
    }

    fn copyin(&mut self, call: CallId, pid: Pid, want: Copyin) {
        let session = self.by_pid.get(&pid).and_then(|id| self.sessions.get_mut(*id));
        let Some(session) = session else { return self.kernel.supply(call, want.addr, Err(Errno::EFAULT)) };
        session.look_at_the_socket(self.calls.get(&call).and_then(|pending| pending.cell));
        let kind = if want.string { kind::COPYINSTR } else { kind::COPYIN };
        let message = Message::Copyin { string: want.string, len: want.len, address: want.addr };
        let reqno = session.request(kind, 0, &message);
        session.copyins.insert(reqno, (call, want));
    }

    fn raise(&mut self, pid: Pid, signo: u8) {
        if let Some(session) = self.by_pid.get(&pid).and_then(|id| self.sessions.get_mut(*id)) {
            session.request(kind::RAISE, u32::from(signo), &Message::Raise);
            session.told = true;
        }
    }
}

/// kill(2). A hijacked process reads its connection during calls only, and signals do not wait for the next one.
fn signal(host_pid: u32, to: SignalTo, signo: u8) {
    use rustix::process::{Signal, kill_process};
    let (Some(pid), Some(signal)) = (number(host_pid), Signal::from_named_raw(signo.into())) else { return };
    // One that has ended needs none.
    let _ = match to {
        SignalTo::Process => kill_process(pid, signal),
        SignalTo::Thread(thread) => number(thread).map_or(Ok(()), |thread| kill_thread(pid, thread, signal)),
    };
}

/// kill(2) of a process group. Our own user may signal what is that user's anyway; in the name of others those are told that are known.
fn signal_group(group: u32, known: &[u32], uid: u32, signo: u8) {
    use rustix::process::{Signal, geteuid, getpgid, kill_process, kill_process_group};
    let (Some(group), Some(signal)) = (number(group), Signal::from_named_raw(signo.into())) else { return };
    let known = known.iter().filter_map(|pid| number(*pid));
    let members: Vec<_> = known.filter(|pid| getpgid(Some(*pid)) == Ok(group)).collect();
    // Those that have ended need none.
    if uid == geteuid().as_raw() && !members.is_empty() {
        let _ = kill_process_group(group, signal);
    } else {
        for pid in members {
            let _ = kill_process(pid, signal);
        }
    }
}

fn number(raw: u32) -> Option<rustix::process::Pid> {
    i32::try_from(raw).ok().and_then(rustix::process::Pid::from_raw)
}

impl Session {
    /// Answers a call in its cell of the lane; false: the socket has to bring the answer.
    fn answer_in_lane(&mut self, cell: usize, reply: &wire::call::Reply<'_>, space: &mut Vec<u8>) -> bool {
        let Some(lane) = &self.lane else { return false };
        // What was sent before comes first.
        let first = self.out.queued() > 0 || std::mem::take(&mut self.told);
        let passes = reply.files.iter().any(|file| file.passed);
        if first || passes || reply.payload_len() > lane::PAYLOAD_MAX {
            lane.sent(cell);
            return false;
        }
        space.clear();
        reply.emit_head(space);
        let head = std::iter::once(&space[..]);
        lane.answer(cell, head.chain(reply.segments.iter().map(|segment| segment.bytes)))
    }

    /// Whoever looks at this cell is to look at the socket.
    pub(crate) fn look_at_the_socket(&self, cell: Option<usize>) {
        if let (Some(lane), Some(cell)) = (&self.lane, cell) {
            lane.sent(cell);
        }
    }

    /// Answers a call of plain rump_sp: what it writes goes ahead, in COPYOUTs.
    fn answer_syscall(&mut self, reqno: u64, result: Result<u64, Errno>, out: Out) {
        for (address, bytes) in out {
            let message = Message::Copyout { address, bytes };
            self.request(kind::COPYOUT, 0, &message);
        }
        let (error, value) = match result {
            Ok(value) => (0, value.cast_signed()),
            // Plain rump_sp has no restarts.
            Err(Errno::ERESTARTSYS) => (Errno::EINTR.number(), 0),
            Err(errno) => (errno.number(), 0),
        };
        self.respond(reqno, kind::SYSCALL, &Message::SyscallAnswer { error, values: [value, 0] });
    }
}

fn errno(errno: rustix::io::Errno) -> Errno {
    Errno::from_number(errno.raw_os_error())
}
