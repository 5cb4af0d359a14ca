//! Forking: announcing the child, and the child's fresh start.

use crate::state::{Greeting, Reader, Session, State};
use abi::Errno;
use wire::{Header, Message, handshake, kind};

impl Session {
    /// Announces a fork. The child's session introduces itself with what this answers.
    ///
    /// # Errors
    /// `ENOTCONN`, or what the server refuses it with (`EIO`, `ENOMEM`).
    pub fn prefork(&self) -> Result<[u8; 16], Errno> {
        let frame = self.request(kind::PREFORK, 0, &[])?;
        match Message::parse(&frame) {
            Some(Message::PreforkAnswer(auth)) => Ok(auth),
            _ => Err(Errno::EPROTO),
        }
    }

    /// The fork did not happen: the announced child is forgotten.
    ///
    /// # Errors
    /// The connection's.
    pub fn cancel_prefork(&self, auth: [u8; 16]) -> Result<(), Errno> {
        let (family, address) = self.options.url.sockaddr();
        let socket = host::socket_connect(family, &address)?;
        let payload = Message::Fork { auth, cancel: true }.payload();
        self.send_frame(socket.number(), Header::request(1, kind::HANDSHAKE, handshake::FORK), &payload)
    }

    /// In the child of a fork: forgets the parent's connection. The session will introduce itself with `auth`, or as a new
    /// process.
    ///
    /// # Safety
    /// Only this thread may exist in this process's memory: not in a vfork child, and before the child makes threads.
    pub unsafe fn after_fork(&self, auth: Option<[u8; 16]>) {
        let greeting = auth.map_or(Greeting::Guest, Greeting::Fork);
        // Read without the lock, which a thread of the parent may have held: the number is at worst an old one.
        // SAFETY: the caller's promise, for this and what follows.
        unsafe {
            self.reader.renew(Reader::new());
            self.sender.renew(());
            let (inherited, retry) = (self.state.peek().socket(), self.state.peek().retry);
            self.state.renew(State::new(greeting, retry));
            if let Some(socket) = inherited {
                let _ = host::close(socket);
            }
        }
    }
}
