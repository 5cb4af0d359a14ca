//! Runs whole programs hijacked and native, side by side, each test with a private server in a directory of its own.
//!
//! A test file stands for one program or one group of assertions. A run that is meant to go through the rump
//! kernel proves it by [`Server::counters`]: a bypass must not look like a pass.

mod artifact;
mod background;
mod compare;
mod display;
mod drive;
mod hops;
mod info;
mod raw_unsafe;
mod run;
mod segment;
mod server;
mod user;
mod web;

pub use artifact::{
    artifact, c_program, c_program_with, c_source, install_rumpclient, repository, rumpclient_program,
};
pub use background::Background;
pub use compare::{same_in_both, same_program};
pub use display::Display;
pub use drive::{Drive, is_clean};
pub use hops::Hops;
pub use raw_unsafe::syscall;
pub use run::{Ran, in_a_namespace, native, run};
pub use segment::Segments;
pub use server::Server;
pub use user::{invoking_user, ordinary_user};
pub use web::web;
