//! Waiting for an answer: reading for all, or being woken.

use crate::gather::Memory;
use crate::lock_unsafe::Held;
use crate::slot::{Answer, Slot};
use crate::state::{Phase, Reader, Session};
use abi::Errno;
use alloc::sync::Arc;
use alloc::vec::Vec;
use host::{Fd, Wait};
use wire::{Frame, class, kind};

/// An answer that comes within this time is worth looking for.
const QUICK_NS: u64 = 100_000;
/// How often to look: some 40 µs.
const LOOKS: u32 = 80;
/// Bytes read at a time.
const BUFFER: usize = 64 << 10;

impl Session {
    /// Sends a request and waits for its answer. Gives the memory back for the answer to be checked against.
    ///
    /// # Errors
    /// `ENOTCONN`, `EINTR` before anything was sent; `EPIPE`: the server was gone before it had all of it.
    pub(crate) fn transact(
        &self,
        kind: u16,
        word: u32,
        parts: &[&[u8]],
        passed: &[u32],
        memory: Memory,
    ) -> Result<(Answer, Arc<Memory>), Errno> {
        let memory = Arc::new(memory);
        let slot = Arc::new(Slot::new(memory.clone()));
        let reqno = self.submit(kind, word, parts, passed, &slot)?;
        let answer = self.wait(reqno, kind, &slot);
        self.state.lock().waiting.retain(|(waiting, _)| *waiting != reqno);
        Ok((answer, memory))
    }

    fn submit(
        &self,
        kind: u16,
        word: u32,
        parts: &[&[u8]],
        passed: &[u32],
        slot: &Arc<Slot>,
    ) -> Result<u64, Errno> {
        let _sending = self.sender.lock();
        let (socket, reqno, first) = {
            let mut state = self.state.lock();
            let (socket, _) = self.ready(&mut state)?;
            let reqno = state.next_reqno();
            state.waiting.push((reqno, slot.clone()));
            (socket, reqno, core::mem::take(&mut state.first))
        };
        let header = Self::header(reqno, kind, word, parts);
        let mut all: Vec<&[u8]> = Vec::with_capacity(2 + parts.len());
        let front = [first.as_slice(), &header].concat();
        all.push(&front);
        all.extend_from_slice(parts);
        if self.send(socket, &all, passed).is_err() {
            self.lose(&mut self.state.lock());
            return Err(Errno::EPIPE);
        }
        Ok(reqno)
    }

    fn wait(&self, reqno: u64, kind: u16, slot: &Arc<Slot>) -> Answer {
        let mut wait = Wait::Interruptible;
        loop {
            let seen = slot.bell();
            if let Some(answer) = slot.take() {
                return answer;
            }
            let waited = match self.reader.try_lock() {
                Some(reader) => self.lead(reader, slot, wait),
                None => slot.listen(seen, wait),
            };
            if waited == Err(Errno::EINTR) && wait == Wait::Interruptible {
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
        let target = reqno.to_le_bytes();
        let header = Self::header(own, kind::CANCEL, 0, &[&target]);
        if self.send(socket, &[&header, &target], &[]).is_err() {
            self.lose(&mut self.state.lock());
        }
    }

    /// Reads for all until the own answer has come or a signal comes, then hands over.
    fn lead(&self, mut reader: Held<'_, Reader>, slot: &Slot, wait: Wait) -> Result<(), Errno> {
        self.look(&mut reader, slot);
        let mut outcome = Ok(());
        if !slot.is_answered() {
            let start = host::monotonic_ns();
            while outcome.is_ok() && !slot.is_answered() {
                outcome = self.read_once(&mut reader, wait);
            }
            reader.quick = host::monotonic_ns().saturating_sub(start) < QUICK_NS;
        }
        drop(reader);
        self.hand_over();
        outcome
    }

    /// Looks for the answer for a while before sleeping, if the last one came quickly: to be woken on another core takes longer
    /// than many an answer. On one core the server needs it to answer.
    fn look(&self, reader: &mut Reader, slot: &Slot) {
        let mut looks = if reader.quick { LOOKS } else { 0 };
        while looks > 0 && !slot.is_answered() {
            looks -= 1;
            if self.read_once(reader, Wait::No) == Err(Errno::EAGAIN) {
                host::sched_yield();
            }
        }
    }

    /// Another thread that waits becomes the leader.
    fn hand_over(&self) {
        let next = {
            let state = self.state.lock();
            state.waiting.iter().find(|(_, slot)| !slot.is_answered()).map(|(_, slot)| slot.clone())
        };
        if let Some(slot) = next {
            slot.ring();
        }
    }

    fn read_once(&self, reader: &mut Reader, wait: Wait) -> Result<(), Errno> {
        let socket = self.state.lock().socket();
        let Some(socket) = socket else {
            self.end(reader);
            return Ok(());
        };
        reader.buffer.resize(BUFFER, 0);
        match host::receive(socket, &mut reader.buffer, wait) {
            Ok(mut received) if received.len > 0 => {
                let Reader { decoder, fds, buffer, .. } = reader;
                decoder.push(&buffer[..received.len]);
                fds.extend(received.fds.iter_mut().take(received.fd_count).filter_map(Option::take));
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
        if !matches!(state.phase, Phase::Silent(_) | Phase::Up { .. }) {
            for (_, slot) in state.waiting.drain(..) {
                slot.put(Answer::Lost);
            }
        }
    }

    /// Handles all whole frames; none if the server broke the protocol.
    fn frames(&self, reader: &mut Reader) -> Option<()> {
        while let Some(frame) = reader.decoder.next_frame().ok()? {
            match frame.header.class {
                class::REQ => self.serve(&frame)?,
                class::RESP | class::ERROR => {
                    let fds = claimed(&frame, reader)?;
                    self.deliver(frame, fds);
                }
                _ => return None,
            }
        }
        Some(())
    }

    /// An answer that nobody waits for is dropped, as the original drops it.
    fn deliver(&self, frame: Frame, fds: Vec<Fd>) {
        let mut state = self.state.lock();
        let Some(at) = state.waiting.iter().position(|(reqno, _)| *reqno == frame.header.reqno) else {
            return;
        };
        let (_, slot) = state.waiting.swap_remove(at);
        drop(state);
        slot.put(Answer::Frame(frame, fds));
    }
}

/// The descriptors that belong to a frame, in the order in which they came; none if the server sent fewer.
fn claimed(frame: &Frame, reader: &mut Reader) -> Option<Vec<Fd>> {
    if frame.header.class != class::RESP || frame.header.kind != kind::CALL {
        return Some(Vec::new());
    }
    let reply = wire::call::Reply::parse(&frame.payload)?;
    let count = reply.files.iter().filter(|file| file.passed).count();
    Some(reader.fds.drain(..count.min(reader.fds.len())).collect())
}
