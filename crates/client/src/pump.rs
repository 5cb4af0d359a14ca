//! Waiting for an answer: reading for all, or being woken.

use crate::call::{Reply, Request};
use crate::gather::Memory;
use crate::lock_unsafe::Held;
use crate::passed::Passed;
use crate::slot::{Answer, Slot};
use crate::state::{Phase, Reader, Session};
use crate::sys;
use abi::Errno;
use alloc::sync::Arc;
use host::{PARTS_MAX, Part, Wait};
use wire::{Frame, Header, class, kind};

/// An answer that comes within this time is worth looking for.
pub(crate) const QUICK_NS: u64 = 100_000;
/// How often to look: some 40 µs.
const LOOKS: u32 = 80;
/// A thread that is woken by descriptors looks as often whether they are still there.
pub(crate) const RECHECK_NS: u64 = 1_000_000_000;
/// Bytes read at a time, unless more are known to come.
const BUFFER: usize = 16 << 10;
/// The most that is read at a time.
const BUFFER_MAX: usize = 1 << 20;

impl Session {
    /// Sends a request and waits for its answer. The session has to be [ready](Session::ready).
    ///
    /// # Errors
    /// `EPIPE`: the server was gone before it had all of it.
    pub(crate) fn transact(&self, request: &Request<'_>, memory: Memory) -> Result<Answer, Errno> {
        let slot = Arc::new(Slot::new(memory));
        let reqno = self.submit(request, &slot)?;
        Ok(self.wait(reqno, request.kind, &slot))
    }

    fn submit(&self, request: &Request<'_>, slot: &Arc<Slot>) -> Result<u64, Errno> {
        let _sending = self.sender.lock();
        let (socket, reqno, first) = {
            let mut state = self.state.lock();
            let Phase::Up { socket, extended } = state.phase else { return Err(Errno::EPIPE) };
            if request.kind == kind::CALL && !extended {
                // Lost meanwhile, and another kind of server has taken its place.
                return Err(Errno::EPIPE);
            }
            let reqno = state.next_reqno();
            state.waiting.push((reqno, slot.clone()));
            (socket, reqno, core::mem::take(&mut state.first))
        };
        let len = request.payload.iter().map(Part::len).sum();
        let header = Header::request(reqno, request.kind, request.word).emit(len);
        let mut parts = [Part::Ours(&[]); PARTS_MAX];
        parts[0] = Part::Ours(&first);
        parts[1] = Part::Ours(&header);
        parts[2..2 + request.payload.len()].copy_from_slice(request.payload);
        match self.send(socket, &parts, request.passed) {
            Ok(()) => Ok(reqno),
            // A descriptor was closed meanwhile, or the host lets no more be on their way: nothing was sent.
            Err(errno @ (Errno::EBADF | Errno::ETOOMANYREFS)) if !request.passed.is_empty() => {
                let mut state = self.state.lock();
                state.waiting.retain(|(waiting, _)| *waiting != reqno);
                state.first = first;
                Err(errno)
            }
            Err(_) => {
                self.lose(&mut self.state.lock());
                Err(Errno::EPIPE)
            }
        }
    }

    pub(crate) fn wait(&self, reqno: u64, kind: u16, slot: &Arc<Slot>) -> Answer {
        let mut wait = Wait::Interruptible;
        loop {
            self.wait_while_suspended();
            let seen = slot.bell();
            if let Some(answer) = slot.take() {
                return answer;
            }
            let waited = match self.reader.try_lock() {
                Some(reader) => self.lead(reader, slot, wait),
                None => self.listen(slot, seen, wait),
            };
            if waited != Err(Errno::EINTR) {
                continue;
            }
            if let (kind::SYSCALL, Some(interruption)) = (kind, self.options.interruption) {
                // Plain rump_sp cannot end a call: it goes on when the handlers have run.
                interruption.deliver();
            } else if wait == Wait::Interruptible {
                // Once: the server answers a cancelled call at once, and what it answers counts.
                wait = Wait::Yes;
                self.cancel(reqno, kind);
            }
        }
    }

    /// Asks for an early end of a call, where the server knows how.
    fn cancel(&self, reqno: u64, kind: u16) {
        if kind != kind::CALL {
            return;
        }
        let _sending = self.sender.lock();
        let (socket, own) = {
            let mut state = self.state.lock();
            let Some(socket) = state.socket() else { return };
            (socket, state.next_reqno())
        };
        let header = Header::request(own, kind::CANCEL, 0);
        if self.send_frame(socket, header, &reqno.to_le_bytes()).is_err() {
            self.lose(&mut self.state.lock());
        }
    }

    /// Reads for all until the own answer has come or a signal comes, then hands over.
    fn lead(&self, mut reader: Held<'_, Reader>, slot: &Slot, wait: Wait) -> Result<(), Errno> {
        self.look(&mut reader, slot);
        let mut outcome = Ok(());
        if !slot.is_answered() {
            let start = sys::monotonic_ns();
            while outcome.is_ok() && !slot.is_answered() && !self.is_suspended() {
                outcome = self.read_when_there(&mut reader, slot, wait);
            }
            reader.quick = sys::monotonic_ns().saturating_sub(start) < QUICK_NS;
        }
        drop(reader);
        self.hand_over();
        outcome
    }

    /// Looks for the answer for a while before sleeping, if the last one came quickly: to be woken on another core takes longer
    /// than many an answer. On one core the server needs it to answer.
    fn look(&self, reader: &mut Reader, slot: &Slot) {
        let allowed = reader.crowd.allows_a_look();
        let mut looks = if reader.quick && allowed { LOOKS } else { 0 };
        while looks > 0 && !slot.is_answered() {
            looks = if reader.crowd.yielded(sys::sched_yield()) { looks - 1 } else { 0 };
            let _ = self.read_once(reader, Wait::No);
            if slot.is_answered() {
                reader.crowd.found();
            }
        }
    }

    /// Another thread that waits becomes the leader.
    pub(crate) fn hand_over(&self) {
        let next = {
            let state = self.state.lock();
            state.waiting.iter().find(|(_, slot)| !slot.is_answered()).map(|(_, slot)| slot.clone())
        };
        if let Some(slot) = next {
            slot.ring();
        }
    }

    pub(crate) fn read_once(&self, reader: &mut Reader, wait: Wait) -> Result<(), Errno> {
        let socket = self.state.lock().socket();
        let Some(socket) = socket else {
            self.end(reader);
            return Ok(());
        };
        let Reader { decoder, fds, .. } = &mut *reader;
        fds.next_read(decoder.is_empty());
        let space = decoder.space(decoder.missing().clamp(BUFFER, BUFFER_MAX));
        match sys::receive(socket, space, wait, |fd| fds.arrived(fd)) {
            Ok(received) if received.len > 0 => {
                decoder.filled(received.len);
                if self.frames(reader).is_none() {
                    self.end(reader);
                }
                Ok(())
            }
            Err(errno @ (Errno::EINTR | Errno::EAGAIN)) => Err(errno),
            _ => {
                self.end(reader);
                Ok(())
            }
        }
    }

    /// The connection is gone, or nothing that comes on it can be believed.
    fn end(&self, reader: &mut Reader) {
        *reader = Reader::new();
        let mut state = self.state.lock();
        self.lose(&mut state);
        // Who has asked since the loss was noticed is told as well.
        if !matches!(state.phase, Phase::Silent { .. } | Phase::Up { .. }) {
            for (_, slot) in state.waiting.drain(..) {
                slot.put(Answer::Lost);
            }
        }
    }

    /// Handles all whole frames; none if the server broke the protocol.
    fn frames(&self, reader: &mut Reader) -> Option<()> {
        let Reader { decoder, fds, .. } = reader;
        while let Some(frame) = decoder.next_view().ok()? {
            match frame.header.class {
                class::REQ => self.serve(&frame)?,
                class::RESP | class::ERROR => self.deliver(frame, fds)?,
                _ => return None,
            }
            fds.frame_done();
        }
        if decoder.is_empty() {
            // No frame has claimed them.
            fds.clear();
        }
        Some(())
    }

    /// Gives an answer to who waits for it; none if it breaks the protocol. One that nobody waits for is dropped, as the
    /// original drops it.
    fn deliver(&self, frame: Frame<&[u8]>, fds: &mut Passed) -> Option<()> {
        let is_reply = frame.header.class == class::RESP && frame.header.kind == kind::CALL;
        let waiting = {
            let mut state = self.state.lock();
            state.inherits &= frame.header.reqno != state.handshake;
            let at = state.waiting.iter().position(|(reqno, _)| *reqno == frame.header.reqno);
            at.map(|at| state.waiting.swap_remove(at))
        };
        let Some((_, slot)) = waiting else {
            // Its descriptors are closed.
            return if is_reply { Reply::discard(frame.payload, fds) } else { Some(()) };
        };
        let answer = match is_reply {
            true => Reply::take(frame.payload, fds, &slot.memory).map(Answer::Reply),
            false => Some(Answer::Frame(frame.to_owned())),
        };
        let understood = answer.is_some();
        slot.put(answer.unwrap_or(Answer::Lost));
        understood.then_some(())
    }
}
