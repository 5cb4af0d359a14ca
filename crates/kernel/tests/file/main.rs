//! Files, as programs see them: scripts of calls run here and on the host's kernel, and their logs are compared.
#![allow(
    missing_docs,
    unreachable_pub,
    dead_code,
    reason = "a test; the machine is shared with the sockets' tests"
)]

#[path = "../net/machine.rs"]
mod machine;

mod host_unsafe;
mod script;
mod sysctl;

mod attribute;
mod basic;
mod bind;
mod handle;
mod hostile;
mod mount;
mod own;
mod owner;
mod proc;
mod transfer;
mod wait;
