//! What the file system sees of the processes.

use crate::process::Pid;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

/// What is shared with the process table, which keeps it true.
#[derive(Debug)]
pub(crate) struct View {
    /// The process whose call runs.
    pub(crate) current: Cell<Pid>,
    /// All processes with their user and group.
    pub(crate) tasks: RefCell<BTreeMap<Pid, (u32, u32)>>,
}

impl Default for View {
    fn default() -> Self {
        Self { current: Cell::new(Pid(0)), tasks: RefCell::default() }
    }
}
