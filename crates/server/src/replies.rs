//! What the kernel wants done, as frames to clients and changes of their files.

use crate::files::Hint;
use crate::frame::{class, kind};
use crate::server::{Pending, Server};
use abi::Errno;
use kernel::{CallId, Copyin, Effect, FileId, NewFile, Pass, Pid, Reply};
use std::os::fd::OwnedFd;

/// Bits of a file entry's flags.
const ENTRY_CLOEXEC: u32 = 1;
const ENTRY_DESCRIPTOR: u32 = 2;

/// A file on its way to a client.
struct Entry {
    cookie: u64,
    file: NewFile,
    descriptor: bool,
}

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
            Effect::Ready { file, mask, edge } => self.files.ready(file, mask, edge),
            Effect::Closed(file) => self.files.forget(file),
            Effect::DropPassed(passed) => drop(self.passed.remove(&passed)),
            Effect::Halt => self.halted = true,
        }
    }

    /// Answers a call that the kernel never saw.
    pub(crate) fn answer(&mut self, call: CallId, result: Result<u64, Errno>) {
        if let Some(pending) = self.take_pending(call) {
            self.send_reply(pending, result, &[], &[], Vec::new(), Hint::default());
        }
    }

    fn reply(&mut self, reply: Reply) {
        let Some(pending) = self.take_pending(reply.call) else {
            // Nobody is there to get what the call made.
            return self.abandon(&reply.files);
        };
        let hint = reply.touched.map(|(file, mask)| self.files.touched(file, mask)).unwrap_or_default();
        match self.entries(pending, &reply.files) {
            Ok((entries, fds)) => self.send_reply(pending, reply.result, &reply.out, &entries, fds, hint),
            Err(errno) => {
                self.abandon(&reply.files);
                self.send_reply(pending, Err(errno), &[], &[], Vec::new(), hint);
            }
        }
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

    /// Closes files that were made for a client and cannot reach it.
    fn abandon(&mut self, files: &[NewFile]) {
        for file in files.iter().filter(|file| file.pass == Pass::Born) {
            self.kernel.file_gone(file.file);
        }
    }

    fn entries(&mut self, pending: Pending, files: &[NewFile]) -> Result<(Vec<Entry>, Vec<OwnedFd>), Errno> {
        let uid = self.sessions.get(pending.session).map_or(u32::MAX, |session| session.who.uid);
        let mut entries = Vec::with_capacity(files.len());
        let mut fds = Vec::new();
        for file in files {
            let (cookie, fd) = self.host_descriptor(file, uid)?;
            entries.push(Entry { cookie, file: file.clone(), descriptor: fd.is_some() });
            fds.extend(fd);
        }
        Ok((entries, fds))
    }

    fn host_descriptor(&mut self, file: &NewFile, uid: u32) -> Result<(u64, Option<OwnedFd>), Errno> {
        let known = |id: FileId, files: &crate::files::Files| files.cookie(id).unwrap_or(0);
        match file.pass {
            Pass::Born => {
                let (a, cookie) = self.files.birth(file.file, file.kind, uid).map_err(errno)?;
                Ok((cookie, Some(a)))
            }
            Pass::Nothing => Ok((known(file.file, &self.files), None)),
            Pass::Passed(passed) => {
                let fd = self.passed.get(&passed).ok_or(Errno::EBADF)?;
                let copy = fd.try_clone().map_err(|_| Errno::EMFILE)?;
                Ok((known(file.file, &self.files), Some(copy)))
            }
            Pass::Memory(_) => Err(Errno::ENODEV),
        }
    }

    fn send_reply(
        &mut self,
        pending: Pending,
        result: Result<u64, Errno>,
        out: &[(u64, Vec<u8>)],
        entries: &[Entry],
        fds: Vec<OwnedFd>,
        hint: Hint,
    ) {
        let Some(session) = self.sessions.get_mut(pending.session) else { return };
        let out_box = &mut session.out;
        if pending.call_frame {
            out_box.frame_with(pending.reqno, class::RESP, kind::CALL, 0, fds, |payload| {
                put_call_reply(payload, result, out, entries, hint);
            });
            return;
        }
        for (addr, bytes) in out {
            let reqno = session.next_reqno();
            session.out.frame(reqno, class::REQ, kind::COPYOUT, 0, |payload| {
                payload.extend((bytes.len() as u64).to_le_bytes());
                payload.extend(addr.to_le_bytes());
                payload.extend_from_slice(bytes);
            });
        }
        let (error, value) = match result {
            Ok(value) => (0, value),
            // Plain rump_sp has no restarts.
            Err(Errno::ERESTARTSYS) => (Errno::EINTR.number(), 0),
            Err(errno) => (errno.number(), 0),
        };
        session.out.frame(pending.reqno, class::RESP, kind::SYSCALL, 0, |payload| {
            payload.extend(error.to_le_bytes());
            payload.extend([0; 4]);
            payload.extend(value.to_le_bytes());
            payload.extend([0; 8]);
        });
    }

    fn copyin(&mut self, call: CallId, pid: Pid, want: Copyin) {
        let session = self.by_pid.get(&pid).and_then(|id| self.sessions.get_mut(*id));
        let Some(session) = session else { return self.kernel.supply(call, want.addr, Err(Errno::EFAULT)) };
        let reqno = session.next_reqno();
        session.copyins.insert(reqno, (call, want));
        let kind = if want.string { kind::COPYINSTR } else { kind::COPYIN };
        session.out.frame(reqno, class::REQ, kind, 0, |payload| {
            payload.extend(want.len.to_le_bytes());
            payload.extend(want.addr.to_le_bytes());
        });
    }

    fn raise(&mut self, pid: Pid, signo: u8) {
        if let Some(session) = self.by_pid.get(&pid).and_then(|id| self.sessions.get_mut(*id)) {
            let reqno = session.next_reqno();
            session.out.frame(reqno, class::REQ, kind::RAISE, u32::from(signo), |_| {});
        }
    }
}

fn put_call_reply(
    payload: &mut Vec<u8>,
    result: Result<u64, Errno>,
    out: &[(u64, Vec<u8>)],
    entries: &[Entry],
    hint: Hint,
) {
    let value = result.unwrap_or_else(|errno| i64::from(-errno.number()).cast_unsigned());
    payload.extend(value.to_le_bytes());
    for count in [count(entries.len()), count(out.len()), hint.drain, hint.fill] {
        payload.extend(count.to_le_bytes());
    }
    for entry in entries {
        let mut flags = if entry.file.cloexec { ENTRY_CLOEXEC } else { 0 };
        flags |= if entry.descriptor { ENTRY_DESCRIPTOR } else { 0 };
        payload.extend(entry.cookie.to_le_bytes());
        payload.extend(entry.file.put_at.to_le_bytes());
        for word in [entry.file.kfd, entry.file.kind as u32, flags, 0] {
            payload.extend(word.to_le_bytes());
        }
    }
    for (addr, bytes) in out {
        payload.extend(addr.to_le_bytes());
        payload.extend((bytes.len() as u64).to_le_bytes());
    }
    for (_, bytes) in out {
        payload.extend_from_slice(bytes);
    }
}

/// A count that comes from a list in memory.
fn count(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

fn errno(errno: rustix::io::Errno) -> Errno {
    Errno::from_number(errno.raw_os_error())
}
