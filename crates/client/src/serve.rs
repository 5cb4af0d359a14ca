//! What the server asks of the client: its memory, and signals.

use crate::gather::Memory;
use crate::state::{Session, State};
use abi::Errno;
use alloc::vec;
use alloc::vec::Vec;
use wire::{Frame, Header, Message, class, error, kind};

/// No server of ours asks for more at once; plain ones ask for what a call names.
const COPY_MAX: u64 = wire::LENGTH_MAX / 2;
/// No more memory is mapped for the server in all.
const GIVEN_MAX: u64 = 64 << 20;

impl Session {
    /// Serves one request of the server; none if it broke the protocol.
    pub(crate) fn serve(&self, frame: &Frame<&[u8]>) -> Option<()> {
        let reqno = frame.header.reqno;
        match Message::parse(frame)? {
            Message::Copyin { string, len, address } => {
                let answer = self.copyin(string, len, address);
                self.answer(reqno, kind::COPYIN, answer);
            }
            Message::Copyout { address, bytes } => self.copyout(address, &bytes)?,
            Message::Raise => raise(frame.header.word),
            Message::Anonmmap(len) => {
                let address = self.map(len).unwrap_or(0);
                self.answer(reqno, kind::ANONMMAP, Ok(address.to_le_bytes().to_vec()));
            }
            _ => return None,
        }
        Some(())
    }

    fn copyin(&self, string: bool, len: u64, address: u64) -> Result<Vec<u8>, Errno> {
        let wanted = if string { 1 } else { len };
        if len > COPY_MAX || !self.any(|memory| memory.may_read(address, wanted)) {
            return Err(Errno::EFAULT);
        }
        let mut bytes = vec![0; usize::try_from(len).map_err(|_| Errno::EFAULT)?];
        if string {
            let found = host::copy_in_string(address, &mut bytes)?;
            bytes.truncate(found);
        } else {
            host::copy_in(address, &mut bytes)?;
        }
        Ok(bytes)
    }

    fn copyout(&self, address: u64, bytes: &[u8]) -> Option<()> {
        // A bad address of the program's own is the call's EFAULT, which plain rump_sp cannot say.
        // The lock keeps the call waiting for as long as its memory is written.
        let state = self.state.lock();
        if state.any(|memory| memory.may_write(address, bytes.len() as u64)) {
            let _ = host::copy_out(address, bytes);
            return Some(());
        }
        state.inherits.then_some(())
    }

    /// Memory that the kernel may use as it likes.
    fn map(&self, len: u64) -> Option<u64> {
        let mut state = self.state.lock();
        if state.given.len_out().saturating_add(len) > GIVEN_MAX {
            return None;
        }
        let address = host::map_anonymous(usize::try_from(len).ok()?).ok()?;
        state.given.give(address, len);
        Some(address)
    }

    /// Whether this holds for the memory of some unanswered call: nothing in a copy request names its call.
    fn any(&self, holds: impl Fn(&Memory) -> bool) -> bool {
        self.state.lock().any(holds)
    }

    fn answer(&self, reqno: u64, kind: u16, bytes: Result<Vec<u8>, Errno>) {
        let (header, payload) = match bytes {
            Ok(bytes) => (Header { reqno, class: class::RESP, kind, word: 0 }, bytes),
            Err(_) => (Header { reqno, class: class::ERROR, kind, word: error::MALFORMED }, Vec::new()),
        };
        let _sending = self.sender.lock();
        let Some(socket) = self.state.lock().socket() else { return };
        // A connection that cannot be sent to is found lost by the next read.
        let _ = self.send_frame(socket, header, &payload);
    }
}

impl State {
    /// Whether this holds for the memory of some unanswered call, or for what the kernel was given.
    fn any(&self, holds: impl Fn(&Memory) -> bool) -> bool {
        self.waiting.iter().any(|(_, slot)| holds(&slot.memory)) || holds(&self.given)
    }
}

/// The signal goes to the thread that reads, as the original does it; a handler runs at the end of its call.
fn raise(signo: u32) {
    if (1..=64).contains(&signo) {
        let _ = host::tgkill(host::getpid(), host::gettid(), signo);
    }
}
