//! Replies to requests that must not be carried out twice: a client that heard nothing asks again (Juszczak, 1989).

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;

/// How many are remembered.
const REPLIES_MAX: usize = 512;

/// The last replies.
#[derive(Debug, Default)]
pub(crate) struct Replies(VecDeque<(u64, Vec<u8>)>);

/// What a request is known again by: who asked, and all its bytes, with its number among them.
pub(crate) fn key(from: IpAddr, request: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    (from, request).hash(&mut hasher);
    hasher.finish()
}

impl Replies {
    pub(crate) fn get(&self, key: u64) -> Option<&[u8]> {
        self.0.iter().find(|(known, _)| *known == key).map(|(_, reply)| reply.as_slice())
    }

    pub(crate) fn put(&mut self, key: u64, reply: &[u8]) {
        if self.0.len() >= REPLIES_MAX {
            self.0.pop_front();
        }
        self.0.push_back((key, reply.to_vec()));
    }
}
