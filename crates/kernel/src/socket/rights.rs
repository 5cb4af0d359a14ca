//! Descriptors and credentials on their way through sockets.

use super::{Control, Right};
use crate::process::{Descriptors, Process};
use crate::{Effect, Kernel};
use abi::layout::Ucred;

impl Kernel {
    /// Who the calling process is for a peer: the process number is the one that its own getpid(2) answers.
    pub(crate) fn caller_credentials(&self) -> Ucred {
        self.processes.get(self.current).map_or(Ucred { pid: 0, uid: u32::MAX, gid: u32::MAX }, credentials)
    }

    /// A descriptor goes on its way: its file stays open meanwhile.
    pub(crate) fn keep_right(&mut self, right: Right) {
        if let Right::File(file) = right {
            self.files.retain(file);
        }
    }

    /// The receiver takes no control messages: their descriptors do not arrive.
    pub(crate) fn drop_control(&mut self, messages: Vec<Control>) {
        for message in messages {
            if let Control::Rights { rights, shown: false } = message {
                rights.into_iter().for_each(|right| self.drop_right(right));
            }
        }
    }

    /// A descriptor will not arrive.
    pub(crate) fn drop_right(&mut self, right: Right) {
        match right {
            Right::File(file) => self.dropped.push(file),
            Right::Passed(passed) => self.effects.push_back(Effect::DropPassed(passed)),
        }
    }
}

fn credentials(process: &Process) -> Ucred {
    let number = match process.descriptors {
        Descriptors::Strong => process.pid.0,
        Descriptors::Weak => process.who.host_pid,
    };
    Ucred { pid: i32::try_from(number).unwrap_or(0), uid: process.who.uid, gid: process.who.gid }
}
