//! rump_sp(7) as bytes: frames, messages, banner, URLs. No I/O.
//!
//! Whatever is read here came from the other side of a socket: nothing is believed before it is checked, and
//! nothing is allocated for bytes that have only been announced.
#![no_std]
#![deny(missing_docs)]

extern crate alloc;

pub mod banner;
pub mod call;
mod copy_unsafe;
mod decoder;
mod frame;
pub mod lane;
mod message;
pub mod patience;
pub mod relay;
mod shared;
pub mod url;
pub mod words;

pub use decoder::{Decoder, LENGTH_MAX};
pub use frame::{BadLength, Frame, HEADER, Header, class, error, handshake, kind, option};
pub use message::Message;
