//! What the file system sees of the processes.

use crate::fdtable::FdTable;
use crate::file::{FileKind, Files, OpenFile};
use crate::process::{Pid, Places};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use vfs::pseudo::Jump;

/// What is shared with the tables of processes and files, which keep it true.
pub(crate) struct View {
    /// User and group of those whose kernel it is.
    pub(crate) owner: Cell<(u32, u32)>,
    /// The process whose call runs.
    pub(crate) current: Cell<Pid>,
    /// Those of the call that runs, if they are not its process's.
    pub(crate) own_places: Cell<Option<Places>>,
    /// All processes.
    pub(crate) tasks: RefCell<BTreeMap<Pid, Seen>>,
    files: Files,
}

/// One process.
pub(crate) struct Seen {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) places: Rc<Cell<Places>>,
    pub(crate) fds: FdTable,
}

impl View {
    pub(crate) fn new(files: Files) -> Self {
        Self {
            owner: Cell::new((0, 0)),
            current: Cell::new(Pid(0)),
            own_places: Cell::new(None),
            tasks: RefCell::default(),
            files,
        }
    }

    /// The numbers of a process's descriptors.
    pub(crate) fn fds(&self, pid: Pid) -> Vec<u32> {
        let tasks = self.tasks.borrow();
        tasks.get(&pid).map(|seen| seen.fds.iter().map(|(fd, _)| fd).collect()).unwrap_or_default()
    }

    /// The file of a descriptor.
    pub(crate) fn file(&self, pid: Pid, fd: u32) -> Option<Rc<OpenFile>> {
        let id = self.tasks.borrow().get(&pid)?.fds.get(fd).ok()?;
        self.files.borrow().get(&id).cloned()
    }

    /// Root and working directory of a process.
    pub(crate) fn places(&self, pid: Pid) -> Option<Places> {
        if let Some(own) = self.own_places.get().filter(|_| pid == self.current.get()) {
            return Some(own);
        }
        self.tasks.borrow().get(&pid).map(|seen| seen.places.get())
    }
}

/// Where a descriptor's link leads, if its file is in the tree.
pub(super) fn jump(file: &OpenFile) -> Option<Jump> {
    file.ops.location().map(|to| Jump { to, name: file.name.borrow().clone() })
}

/// What a descriptor's link shows where its file is not in the tree (proc_pid_fd(5)).
pub(super) fn target(file: &OpenFile) -> String {
    let name = match file.ops.kind() {
        kind if kind.is_socket() => "socket",
        FileKind::Pipe => "pipe",
        _ => "anon_inode",
    };
    format!("{name}:[{}]", file.inode.get())
}
