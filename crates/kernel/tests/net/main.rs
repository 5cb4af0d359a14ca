//! Sockets, as programs see them.
//!
//! A [`script::Script`] is a row of system calls with the answers that came. Most tests run theirs on this kernel and on
//! the host's and compare; those about waiting and time run on this one alone, on a virtual clock.
#![allow(missing_docs, unreachable_pub, reason = "a test")]

mod host_unsafe;
mod machine;
mod script;

mod descriptor;
mod hostile;
mod interface;
mod lists;
mod network;
mod option;
mod ping;
mod pipe;
mod poll;
mod raw;
mod tcp;
mod tcp_urgent;
mod udp;
mod udp_message;
mod unix;
mod unix_path;
