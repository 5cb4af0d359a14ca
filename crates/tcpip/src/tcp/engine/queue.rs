//! Bytes on their way into the engine's send buffer.

use std::collections::VecDeque;

use smoltcp::socket::tcp;

use super::Engine;

impl Engine {
    /// Queues bytes for sending; how many there was room for.
    pub(crate) fn send(&mut self, now_ns: u64, data: &[u8]) -> usize {
        let taken = data.len().min(self.most.tx.saturating_sub(self.send_queue()));
        let Some(data) = data.get(..taken) else { return 0 };
        // What waits here lets the engine's buffer run empty, so that it can be exchanged.
        let wait = !self.overflow.is_empty() || (self.is_resizable() && self.wants_receive_room());
        let direct = if wait { 0 } else { self.send_directly(now_ns, data) };
        self.overflow.extend(data.iter().skip(direct));
        self.ledger.written = self.ledger.written.wrapping_add(u32::try_from(taken).unwrap_or(u32::MAX));
        taken
    }

    fn send_directly(&mut self, now_ns: u64, data: &[u8]) -> usize {
        if data.len() > self.socket().send_capacity() {
            self.grow(now_ns, data.len());
        }
        self.socket_mut().send_slice(data).unwrap_or(0)
    }

    /// Moves what waits into the engine's buffer: into a larger one as soon as the old one has run empty.
    pub(super) fn refill(&mut self, now_ns: u64) {
        if !self.overflow.is_empty() {
            let small = self.socket().send_capacity() < self.most.tx || self.wants_receive_room();
            let empty = self.socket().send_queue() == 0;
            if empty {
                // A program that sends more than fits will go on so.
                self.grow(now_ns, self.overflow.len().saturating_mul(2));
            }
            if empty || !(small && self.is_resizable()) {
                self.move_overflow();
            }
        }
        if self.finishing && self.overflow.is_empty() {
            self.finishing = false;
            self.socket_mut().close();
        }
    }

    /// Whether the program or bytes of it have to wait until something is acknowledged.
    pub(crate) fn is_held_up(&self) -> bool {
        let full = self.send_queue() > self.most.tx / 3 * 2;
        self.socket().send_queue() > 0 && (full || !self.overflow.is_empty())
    }

    fn move_overflow(&mut self) {
        let socket = self.sockets.get_mut::<tcp::Socket<'_>>(self.handle);
        let (front, back) = self.overflow.as_slices();
        let mut moved = socket.send_slice(front).unwrap_or(0);
        if moved == front.len() {
            moved += socket.send_slice(back).unwrap_or(0);
        }
        self.overflow.drain(..moved);
        if self.overflow.is_empty() {
            self.overflow = VecDeque::new();
        }
    }

    /// Sends a FIN behind what is queued.
    pub(crate) fn finish(&mut self) {
        if self.overflow.is_empty() {
            self.socket_mut().close();
        } else {
            self.finishing = true;
        }
    }
}
