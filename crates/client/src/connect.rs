//! Making a connection and introducing oneself.

use crate::state::{Greeting, Phase, Session, State};
use abi::Errno;
use host::{Fd, Wait};
use wire::banner::{self, Banner};
use wire::{Header, Message, handshake, kind};

/// The library's own descriptors lie above those that programs usually count through, and below FD_SETSIZE and the
/// point where a process's descriptor table becomes dear to copy at each fork.
const TOP: u32 = 1024;
/// So many numbers are tried from there down.
const ROOM: u32 = 16;

impl Session {
    /// Opens a connection. The banner is not waited for.
    ///
    /// # Errors
    /// The host's.
    pub(crate) fn open(&self, state: &mut State) -> Result<(), Errno> {
        let (family, address) = self.options.url.sockaddr();
        let socket = host::socket_connect(family, &address)?;
        let number = socket.number();
        state.phase = Phase::Silent(at_the_top(number, None).unwrap_or(socket).into_number());
        Ok(())
    }

    /// The socket to send a request on, and whether the server takes CALL frames. Connects and reads the banner where
    /// that has not happened.
    ///
    /// # Errors
    /// `ENOTCONN`, `EINTR`.
    pub(crate) fn ready(&self, state: &mut State) -> Result<(u32, bool), Errno> {
        loop {
            match state.phase {
                Phase::Up { socket, extended } => return Ok((socket, extended)),
                Phase::Silent(socket) => self.read_banner(state, socket)?,
                Phase::Fresh => {
                    if self.open(state).is_err() {
                        state.phase = Phase::Lost;
                    }
                }
                Phase::Lost => self.reconnect(state)?,
                Phase::Given => return Err(Errno::ENOTCONN),
            }
        }
    }

    /// Reads the banner and prepares the handshake, which goes in front of the first request.
    fn read_banner(&self, state: &mut State, socket: u32) -> Result<(), Errno> {
        let mut line = [0; banner::LENGTH_MAX];
        let mut len = 0;
        while !line[..len].ends_with(b"\n") {
            // A byte at a time: what follows the newline belongs to the frames. It happens once in a session.
            let Some(room) = line.get_mut(len..=len) else { break };
            match host::receive(socket, room, Wait::Yes, drop) {
                Ok(received) if received.len > 0 => len += received.len,
                Err(Errno::EINTR) => {}
                _ => {
                    self.lose(state);
                    return Ok(());
                }
            }
        }
        let Some(banner) = Banner::parse(&line[..len]).filter(|banner| banner.major == 0) else {
            self.lose(state);
            state.phase = Phase::Given;
            return Err(Errno::EPROTO);
        };
        let extended = banner.has_extensions() && !self.options.plain;
        state.phase = Phase::Up { socket, extended };
        self.introduce(state, extended);
        Ok(())
    }

    fn introduce(&self, state: &mut State, extended: bool) {
        let (word, message) = match state.greeting {
            Greeting::Guest => {
                let name = self.options.name.clone();
                (handshake::GUEST, Message::Name { kind: handshake::GUEST, name })
            }
            Greeting::Fork(auth) => (handshake::FORK, Message::Fork { auth, cancel: false }),
        };
        let payload = message.payload();
        let reqno = state.next_reqno();
        state.first = Header::request(reqno, kind::HANDSHAKE, word).emit(payload.len()).to_vec();
        state.first.extend_from_slice(&payload);
        if extended {
            let (reqno, wanted) = (state.next_reqno(), self.wanted());
            state.first.extend_from_slice(&Header::request(reqno, kind::OPTIONS, 0).emit(wanted.len()));
            state.first.extend_from_slice(&wanted);
        }
    }
}

/// A copy of a descriptor of ours at a high number other than `except`.
///
/// # Errors
/// `EMFILE`: none is free.
pub(crate) fn at_the_top(fd: u32, except: Option<u32>) -> Result<Fd, Errno> {
    let top = host::descriptor_limit().min(TOP);
    (1..ROOM)
        .filter_map(|below| top.checked_sub(below))
        .filter(|number| Some(*number) != except)
        .find_map(|number| match host::dup_above(fd, number) {
            Ok(copy) if copy.number() < top => Some(copy),
            _ => None,
        })
        .ok_or(Errno::EMFILE)
}
