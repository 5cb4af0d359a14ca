//! proc(5) of the rump kernel.
//!
//! A file is one row of [`table`] and a function that makes its text; [`tree`] makes the file system out of the rows, and
//! [`view`] is what of the processes the file system sees. Text is made when a file is opened, as Linux's seq_file makes it
//! when it is read from the start.

mod table;
pub(crate) mod text;
mod tree;
pub(crate) mod view;

use crate::Kernel;
use crate::file::made::Made;
use crate::file::{File, OpenFile};
use crate::process::{Pid, Places};
use crate::sysctl::SysctlFile;
use abi::Errno;
use std::rc::Rc;
use table::Content;
pub(crate) use tree::Proc;
use vfs::{Ino, Location};
pub(crate) use view::View;

impl Kernel {
    /// Opens a file whose bytes are made up: `ino` is what [`vfs::Vfs::made_up`] answered.
    ///
    /// # Errors
    /// `ENOENT`: its process has ended. `EACCES`: a node that not even root sets (kernel/sysctl.c, `sysctl_perm`).
    pub(crate) fn open_made(&self, at: Location, ino: Ino, writes: bool) -> Result<Box<dyn File>, Errno> {
        if let Some((pid, fd)) = tree::told_of(ino) {
            let process = self.processes.get(pid).map_err(|_| Errno::ENOENT)?;
            return Ok(Box::new(Made { at, bytes: text::fdinfo::fdinfo(self, process, fd)? }));
        }
        let (pid, content) = tree::content(ino).ok_or(Errno::ENOENT)?;
        Ok(match content {
            Content::Text(make) => Box::new(Made { at, bytes: make(self).into_bytes() }),
            Content::Sysctl(row) if writes && row.mode() & 0o222 == 0 => return Err(Errno::EACCES),
            Content::Sysctl(row) => Box::new(SysctlFile { at, row }),
            Content::OfTask(make) => {
                let process = self.processes.get(pid).map_err(|_| Errno::ENOENT)?;
                Box::new(Made { at, bytes: make(self, process) })
            }
            _ => return Err(Errno::ENOENT),
        })
    }

    /// The file that is in no tree, if a walk that follows links ended at such a file's link (proc_pid_fd(5)).
    pub(crate) fn outside(&self, at: Location) -> Option<Rc<OpenFile>> {
        tree::file(&self.processes.view, self.fs.vfs.leads_outside(at)?)
    }

    /// A call whose paths start there runs, or none any more (0); whether there is such a place.
    pub(crate) fn enter_place(&mut self, pid: Pid, place: u16) -> bool {
        let Ok(process) = self.processes.get_mut(pid) else { return true };
        let known = process.enter_place(place);
        let own = (place != 0 && known).then(|| process.current_places());
        self.processes.view.own_places.set(own);
        known
    }

    /// A process, or one of its threads, begins or ceases to be there.
    pub(crate) fn hold_places(&mut self, places: Places, held: bool) {
        self.fs.vfs.hold(places.cwd, held);
        self.fs.vfs.hold(places.root, held);
    }

    /// The process whose call runs.
    pub(crate) fn set_current(&mut self, pid: Pid) {
        self.current = pid;
        self.processes.view.current.set(pid);
    }
}
