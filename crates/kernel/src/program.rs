//! Which files of the tree hold the programs that processes run.

use crate::Kernel;
use crate::process::Pid;
use abi::Errno;
use vfs::Location;

/// What a process runs, if it lies in the tree.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Program {
    runs: Option<Location>,
    /// What it is about to run.
    next: Option<Location>,
}

impl Kernel {
    /// The process is about to run this program; none: it is not, after all.
    ///
    /// # Errors
    /// `ESRCH`: no such process.
    pub(crate) fn will_run(&mut self, pid: Pid, next: Option<Location>) -> Result<(), Errno> {
        let program = &mut self.processes.get_mut(pid)?.program;
        let before = std::mem::replace(&mut program.next, next);
        self.programs_change([next, None], [before, None]);
        Ok(())
    }

    /// The process runs what it was about to run.
    pub(crate) fn runs_next(&mut self, pid: Pid) {
        let Ok(process) = self.processes.get_mut(pid) else { return };
        let next = process.program.next.take();
        let before = std::mem::replace(&mut process.program.runs, next);
        self.programs_change([None; 2], [before, None]);
    }

    /// One more process runs this.
    pub(crate) fn program_forked(&mut self, program: Program) {
        self.programs_change([program.runs, program.next], [None; 2]);
    }

    /// A process that ran this is gone.
    pub(crate) fn program_ended(&mut self, program: Program) {
        self.programs_change([None; 2], [program.runs, program.next]);
    }

    fn programs_change(&mut self, more: [Option<Location>; 2], less: [Option<Location>; 2]) {
        more.into_iter().flatten().for_each(|at| self.fs.vfs.run(at, true));
        less.into_iter().flatten().for_each(|at| self.fs.vfs.run(at, false));
    }
}
