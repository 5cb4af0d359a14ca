//! A session with a rump kernel, from inside any process.
//!
//! Many threads share one connection. There is no thread of our own: one of those that wait reads the socket for
//! all (the *leader*), the others sleep until the leader rings their bell, and a leader whose own answer has come
//! hands over. No lock is held while code of the program can run: signals' handlers are deferred while a thread is
//! in here.
//!
//! What the server sends is checked before it has an effect: it can write to memory only where the row of an
//! unanswered call says that the call writes, and read only what one reads.
#![no_std]
#![deny(missing_docs)]

extern crate alloc;

mod call;
mod connect;
mod crowd;
mod fork_unsafe;
mod gather;
mod handover;
mod interruption;
mod lane;
mod lock_unsafe;
mod passed;
mod pump;
mod relay;
mod retry;
mod send;
mod serve;
mod slot;
mod state;
mod sys;

pub use call::{NewFile, Reply};
pub use handover::{Handover, Suspended};
pub use interruption::Interruption;
pub use relay::Relay;
pub use retry::Retry;
pub use state::{Options, Session};
