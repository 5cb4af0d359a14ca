//! Processes: who calls.

use crate::fdtable::FdTable;
use crate::file::{FileId, Files};
use crate::fs::Key;
use crate::proc::view::{Seen, View};
use crate::program::Program;
use abi::Errno;
use abi::prefix::{RumpPath, under};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use vfs::Location;

/// A process's number in the rump kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pid(pub u32);

/// The kernel itself, parent of every client that connects.
const INIT: Pid = Pid(1);

/// `kernel.pid_max` of 64-bit Linux.
const PID_MAX: u32 = 1 << 22;

/// Longest process name that Linux keeps (`TASK_COMM_LEN` less its NUL).
const NAME_MAX: usize = 15;

/// Whose process it is, as SO_PEERCRED told the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// User id, that of the host.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
    /// The client's process id on the host, 0 if it is not of this host.
    pub host_pid: u32,
}

/// What keeps a process's files open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Descriptors {
    /// The process's own table, as in plain rump_sp.
    Strong,
    /// Host descriptors, whose last close the server reports.
    Weak,
}

/// So many threads of a process may have their own.
const PLACES_MAX: u16 = 4096;

/// Where a process's paths start.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Places {
    pub(crate) root: Location,
    pub(crate) cwd: Location,
}

/// One process.
#[derive(Debug, Clone)]
pub(crate) struct Process {
    pub(crate) pid: Pid,
    pub(crate) ppid: Pid,
    pub(crate) who: Credentials,
    pub(crate) name: Vec<u8>,
    pub(crate) umask: u32,
    /// `RLIMIT_FSIZE`: files do not grow beyond so many bytes by what it writes.
    pub(crate) fsize: u64,
    /// Root and working directory. /proc looks at them as well.
    places: Rc<Cell<Places>>,
    /// Those of threads that have their own, and whose are those of the call that runs (0: the process's).
    own_places: BTreeMap<u16, Places>,
    place: u16,
    /// What the program writes in front of paths to this kernel's tree; empty where it writes nothing.
    pub(crate) prefix: Vec<u8>,
    /// The inodes on which it may hold locks of its own (F_SETLK).
    pub(crate) locked: BTreeSet<Key>,
    pub(crate) program: Program,
    pub(crate) descriptors: Descriptors,
    /// Whether its client takes lone files ([`crate::Pass::Lone`]).
    pub(crate) takes_lone: bool,
    pub(crate) fds: FdTable,
    pub(crate) calls: u64,
}

impl Process {
    pub(crate) fn root(&self) -> Location {
        self.current_places().root
    }

    pub(crate) fn cwd(&self) -> Location {
        self.current_places().cwd
    }

    /// chroot(2); answers what it was before.
    pub(crate) fn set_root(&mut self, root: Location) -> Location {
        self.replace_places(|places| Places { root, ..places }).root
    }

    /// chdir(2); answers what it was before.
    pub(crate) fn set_cwd(&mut self, cwd: Location) -> Location {
        self.replace_places(|places| Places { cwd, ..places }).cwd
    }

    /// Those of the call that runs.
    pub(crate) fn current_places(&self) -> Places {
        self.own_places.get(&self.place).copied().unwrap_or_else(|| self.places.get())
    }

    fn replace_places(&mut self, change: impl FnOnce(Places) -> Places) -> Places {
        match self.own_places.get_mut(&self.place) {
            Some(own) => std::mem::replace(own, change(*own)),
            None => self.places.replace(change(self.places.get())),
        }
    }

    /// A call whose paths start there runs; whether there is such a place.
    pub(crate) fn enter_place(&mut self, place: u16) -> bool {
        let known = place == 0 || self.own_places.contains_key(&place);
        self.place = if known { place } else { 0 };
        known
    }

    /// Gives those of the call that runs a number of their own.
    ///
    /// # Errors
    /// `EAGAIN`.
    pub(crate) fn add_places(&mut self) -> Result<(u16, Places), Errno> {
        let free = (1..=PLACES_MAX).find(|number| !self.own_places.contains_key(number));
        let (number, places) = (free.ok_or(Errno::EAGAIN)?, self.current_places());
        self.own_places.insert(number, places);
        Ok((number, places))
    }

    /// # Errors
    /// `EINVAL`: there is none of this number.
    pub(crate) fn remove_places(&mut self, number: u16) -> Result<Places, Errno> {
        self.own_places.remove(&number).ok_or(Errno::EINVAL)
    }

    /// # Errors
    /// As [`Process::remove_places`].
    pub(crate) fn swap_places(&mut self, number: u16) -> Result<(), Errno> {
        let own = self.own_places.get_mut(&number).ok_or(Errno::EINVAL)?;
        *own = self.places.replace(*own);
        Ok(())
    }

    /// Takes those of threads.
    pub(crate) fn take_places(&mut self) -> Vec<Places> {
        std::mem::take(&mut self.own_places).into_values().collect()
    }

    /// All that it holds.
    pub(crate) fn all_places(&self) -> Vec<Places> {
        self.own_places.values().copied().chain([self.places.get()]).collect()
    }

    /// A path in a socket address, which comes as the program wrote it, as this kernel's tree has it.
    pub(crate) fn inside<'a>(&self, path: &'a [u8]) -> &'a [u8] {
        let under = if self.prefix.is_empty() { None } else { under(&self.prefix, path) };
        match under {
            Some(RumpPath::From(at)) => path.get(at..).unwrap_or_default(),
            Some(RumpPath::Root) => b"/",
            None => path,
        }
    }

    pub(crate) fn set_name(&mut self, name: &[u8]) {
        self.name = name[..name.len().min(NAME_MAX)].to_vec();
    }
}

/// All processes.
pub(crate) struct ProcessTable {
    processes: BTreeMap<Pid, Process>,
    last: Pid,
    born: u64,
    /// `kernel.pid_max`: numbers lie below it.
    pub(crate) pid_max: u32,
    /// What /proc shows of them.
    pub(crate) view: Rc<View>,
}

impl ProcessTable {
    /// No process; /proc shows their descriptors with what `files` knows.
    pub(crate) fn new(files: Files) -> Self {
        let view = Rc::new(View::new(files));
        Self { processes: BTreeMap::new(), last: INIT, born: 0, pid_max: PID_MAX, view }
    }

    pub(crate) fn create(
        &mut self,
        who: Credentials,
        name: &[u8],
        descriptors: Descriptors,
        root: Location,
    ) -> Pid {
        let pid = self.next_pid();
        let mut process = Process {
            pid,
            ppid: INIT,
            who,
            name: Vec::new(),
            umask: 0o022,
            fsize: u64::MAX,
            places: Rc::new(Cell::new(Places { root, cwd: root })),
            own_places: BTreeMap::new(),
            place: 0,
            prefix: Vec::new(),
            locked: BTreeSet::new(),
            program: Program::default(),
            descriptors,
            takes_lone: false,
            fds: FdTable::default(),
            calls: 0,
        };
        process.set_name(name);
        self.enter(process);
        pid
    }

    pub(crate) fn fork(&mut self, parent: Pid) -> Result<Pid, Errno> {
        let mut child = self.get(parent)?.clone();
        child.pid = self.next_pid();
        child.ppid = parent;
        child.calls = 0;
        child.places = Rc::new(Cell::new(child.places.get()));
        // Locks are not inherited (fcntl(2)).
        child.locked.clear();
        // They are the parent's alone.
        child.fds.take_lone();
        let pid = child.pid;
        self.enter(child);
        Ok(pid)
    }

    pub(crate) fn set_credentials(&mut self, pid: Pid, who: Credentials) -> Result<(), Errno> {
        if let Some(seen) = self.view.tasks.borrow_mut().get_mut(&pid) {
            (seen.uid, seen.gid) = (who.uid, who.gid);
        }
        self.get_mut(pid)?.who = who;
        Ok(())
    }

    fn enter(&mut self, process: Process) {
        self.born += 1;
        let seen = Seen {
            uid: process.who.uid,
            gid: process.who.gid,
            places: Rc::clone(&process.places),
            fds: process.fds.shared(),
        };
        self.view.tasks.borrow_mut().insert(process.pid, seen);
        self.processes.insert(process.pid, process);
    }

    /// How many processes there have been.
    pub(crate) const fn born(&self) -> u64 {
        self.born
    }

    fn next_pid(&mut self) -> Pid {
        loop {
            // Numbers are reused after that, as on Linux.
            let next = self.last.0.saturating_add(1);
            self.last = Pid(if next >= self.pid_max { INIT.0 + 1 } else { next });
            if !self.processes.contains_key(&self.last) {
                return self.last;
            }
        }
    }

    pub(crate) fn get(&self, pid: Pid) -> Result<&Process, Errno> {
        self.processes.get(&pid).ok_or(Errno::ESRCH)
    }

    pub(crate) fn get_mut(&mut self, pid: Pid) -> Result<&mut Process, Errno> {
        self.processes.get_mut(&pid).ok_or(Errno::ESRCH)
    }

    pub(crate) fn remove(&mut self, pid: Pid) -> Option<Process> {
        let gone = self.processes.remove(&pid)?;
        self.view.tasks.borrow_mut().remove(&pid);
        for child in self.processes.values_mut().filter(|process| process.ppid == pid) {
            child.ppid = INIT;
        }
        Some(gone)
    }

    /// The processes that have a descriptor of this file.
    pub(crate) fn holders(&self, file: FileId) -> Vec<Pid> {
        let holders = self.processes.values().filter(|process| process.fds.find(file).is_some());
        holders.map(|process| process.pid).collect()
    }

    pub(crate) fn forget_file(&mut self, file: FileId) {
        for process in self.processes.values_mut() {
            process.fds.forget(file);
        }
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Process> {
        self.processes.values_mut()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Process> {
        self.processes.values()
    }
}
