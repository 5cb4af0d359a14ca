//! The server: requests in, replies out.

use crate::cache::{self, Replies};
use crate::export::Exports;
use crate::rpc::{Call, Credentials, Refused};
use crate::xdr::Writer;
use crate::{mount, nfs3, portmap};
use std::net::IpAddr;
use vfs::{Time, Vfs};

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Its address.
    pub address: IpAddr,
    /// The port that it asks from.
    pub port: u16,
    /// Whether it asks over TCP; else what is too long for a datagram cannot be answered.
    pub stream: bool,
    /// Which of our addresses it asks at.
    pub local: IpAddr,
}

/// A request that is carried out.
pub(crate) struct Request<'a> {
    pub(crate) vfs: &'a mut Vfs,
    pub(crate) exports: &'a Exports,
    pub(crate) mounted: &'a mut mount::Mounted,
    pub(crate) verifier: [u8; 8],
    pub(crate) peer: Peer,
    pub(crate) credentials: Credentials,
    pub(crate) now: Time,
}

/// An NFS server.
#[derive(Debug, Default)]
pub struct Server {
    /// What is exported.
    pub exports: Exports,
    mounted: mount::Mounted,
    /// Tells clients that what was not committed is lost: the server was started again (RFC 1813, section 3.3.7).
    verifier: [u8; 8],
    replies: Replies,
}

impl Server {
    /// A server that exports nothing yet. `verifier` is one that no other run had.
    #[must_use]
    pub fn new(verifier: [u8; 8]) -> Self {
        Self { verifier, ..Self::default() }
    }

    /// Carries a request out; none: nobody is to be answered. Whether the tree had to wait its owner knows.
    pub fn answer(&mut self, vfs: &mut Vfs, peer: Peer, request: &[u8], now: Time) -> Option<Vec<u8>> {
        let peer = Peer { address: peer.address.to_canonical(), ..peer };
        let call = match Call::parse(request)? {
            Ok(call) => call,
            Err(reply) => return Some(reply),
        };
        if changes(&call)
            && let Some(reply) = self.replies.get(cache::key(peer.address, request))
        {
            return Some(reply.to_vec());
        }
        Some(call.reply(self.carry_out(&call, vfs, peer, now)))
    }

    /// The reply was final: should the request come again, it gets the same.
    pub fn remember(&mut self, peer: Peer, request: &[u8], reply: &[u8]) {
        if let Some(Ok(call)) = Call::parse(request)
            && changes(&call)
        {
            let key = cache::key(peer.address.to_canonical(), request);
            if self.replies.get(key).is_none() {
                self.replies.put(key, reply);
            }
        }
    }

    fn carry_out(
        &mut self,
        call: &Call<'_>,
        vfs: &mut Vfs,
        peer: Peer,
        now: Time,
    ) -> Result<Writer, Refused> {
        let serve = match call.program {
            portmap::PROGRAM => portmap::serve,
            mount::PROGRAM => mount::serve,
            nfs3::PROGRAM => nfs3::serve,
            _ => return Err(Refused::NoProgram),
        };
        // Procedure 0 asks whether somebody is there, and may do so as anybody.
        let credentials = if call.procedure == 0 { Credentials::None } else { call.credentials.clone()? };
        let mut request = Request {
            vfs,
            exports: &self.exports,
            mounted: &mut self.mounted,
            verifier: self.verifier,
            peer,
            credentials,
            now,
        };
        serve(&mut request, call)
    }
}

fn changes(call: &Call<'_>) -> bool {
    call.program == nfs3::PROGRAM && nfs3::changes_names(call.procedure)
}
