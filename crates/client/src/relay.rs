//! A relay (rump_server(1)): it stands in for a server that is reached over TCP, and is started when it is needed.

use crate::state::Session;
use abi::Errno;
use alloc::vec::Vec;

/// How to start one.
#[derive(Debug, Clone)]
pub struct Relay {
    /// The program's path, with a NUL.
    pub program: Vec<u8>,
    /// The far server's URL, with a NUL.
    pub url: Vec<u8>,
}

/// How long a relay that somebody else has just started may take to listen, and how often it is looked for.
const LOOKS: u32 = 100;
const LOOK_NS: u64 = 20_000_000;

impl Session {
    /// A connection to the relay, which is started if there is none.
    ///
    /// # Errors
    /// `ENOENT`: it cannot be started. `EPERM`: what listens there is another user's. The host's.
    pub(crate) fn connect_to_relay(&self, relay: &Relay) -> Result<host::Fd, Errno> {
        let socket = match self.connect_here() {
            Err(Errno::ENOENT | Errno::ECONNREFUSED) => self.start(relay)?,
            connected => connected?,
        };
        if host::peer_uid(socket.number())? != host::geteuid() {
            return Err(Errno::EPERM);
        }
        Ok(socket)
    }

    fn start(&self, relay: &Relay) -> Result<host::Fd, Errno> {
        if host::run(&relay.program, &[b"--relay\0", &relay.url])? != 0 {
            return Err(Errno::ENOENT);
        }
        for _ in 0..LOOKS {
            match self.connect_here() {
                Err(Errno::ENOENT | Errno::ECONNREFUSED) => self.pause(LOOK_NS)?,
                connected => return connected,
            }
        }
        Err(Errno::ENOENT)
    }
}
