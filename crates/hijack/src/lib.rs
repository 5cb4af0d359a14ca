//! Whose call is it, and carrying it out: the part of librumphijack.so between **intercept**, which catches
//! system calls, and **client**, which talks to the rump kernel.
//!
//! Everything here runs inside other people's programs: in signal handlers, in vfork children, under malloc.
//! It never panics, holds no lock while program code can run, and knows no libc.

#![no_std]
#![deny(missing_docs)]

extern crate alloc;

pub mod config;
mod direct;
mod dirent;
pub mod dispatch;
mod elsewhere;
pub mod exec;
pub mod fds;
pub mod interest;
pub mod live;
mod lone;
mod lost;
mod named;
pub mod netbsd;
mod netlink;
mod newfd;
mod owner;
pub mod path;
mod pieces_unsafe;
mod place;
mod task;
pub mod text;
mod unseen;
pub mod world;

use config::Config;
use core::ffi::CStr;
use core::sync::atomic::AtomicBool;
use direct::Direct;
use dispatch::FileSize;
use elsewhere::Notes;
use exec::{Inherited, Scratch};
use fds::Fds;
use lone::StandIn;
use lost::Lost;
use netlink::Netlinks;
use place::Slots;
use task::Tasks;
use unseen::Unseen;
use world::World;

/// A hijacked process.
pub struct Hijack<W> {
    config: Config,
    world: W,
    fds: Fds,
    inherited: Inherited,
    tasks: Tasks,
    slots: Slots,
    scratch: Scratch,
    stand_in: StandIn,
    direct: Direct,
    notes: Notes,
    netlinks: Netlinks,
    lost: Lost,
    unseen: Unseen,
    /// So many bytes of a path say whose it is.
    path_decides: usize,
    /// It has called fcntl(2) with F_SETLK or F_SETLKW in the rump kernel.
    takes_locks: AtomicBool,
    /// It has, or had, more than one thread.
    has_threads: AtomicBool,
    /// It has, or had, files of the rump kernel mapped.
    maps_files: AtomicBool,
    file_size: FileSize,
    /// The path of the program, where this library has loaded it.
    exe: Option<&'static CStr>,
}

impl<W: World> Hijack<W> {
    /// A process whose working directory is the host's. `exe` is the path of its program, where this library has loaded it.
    #[must_use]
    pub fn new(config: Config, inherited: Inherited, world: W, fds: Fds, exe: Option<&'static CStr>) -> Self {
        let path_decides = path::decides(&config);
        let (tasks, scratch) = (Tasks::new(), Scratch::new());
        Self {
            config,
            world,
            fds,
            inherited,
            tasks,
            slots: Slots::new(),
            scratch,
            stand_in: StandIn::new(),
            direct: Direct::new(),
            notes: Notes::new(),
            netlinks: Netlinks::new(),
            lost: Lost::new(),
            unseen: Unseen::new(),
            path_decides,
            takes_locks: AtomicBool::new(false),
            has_threads: AtomicBool::new(false),
            maps_files: AtomicBool::new(false),
            file_size: FileSize::new(),
            exe,
        }
    }

    /// What the user asked for.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Whether what cannot be hijacked is not run (`RUMPHIJACK__STRICT=1`).
    #[must_use]
    pub fn is_strict(&self) -> bool {
        self.inherited.strict
    }

    /// What the program's descriptors are.
    #[must_use]
    pub fn fds(&self) -> &Fds {
        &self.fds
    }

    /// The outside.
    #[must_use]
    pub fn world(&self) -> &W {
        &self.world
    }
}
