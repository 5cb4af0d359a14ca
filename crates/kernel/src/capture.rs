//! Who listens to links by `rump_capture`.

use crate::Kernel;
use crate::file::ObjectId;
use crate::process::Pid;
use std::collections::BTreeMap;
use tcpip::{LinkId, TapConfig, TapId};

/// The processes that listen.
#[derive(Debug, Default)]
pub(crate) struct Captures(BTreeMap<Pid, Capture>);

#[derive(Debug, Clone, Copy)]
pub(crate) struct Capture {
    pub(crate) tap: TapId,
    /// Changes when there is something for the process.
    pub(crate) object: ObjectId,
    /// The link that is promiscuous for its sake.
    promiscuous: Option<LinkId>,
}

impl Kernel {
    /// What the process listens to.
    pub(crate) fn capture_of(&self, pid: Pid) -> Option<Capture> {
        self.captures.0.get(&pid).copied()
    }

    /// The process listens from now on, to this instead of what it listened to before.
    pub(crate) fn begin_capture(&mut self, pid: Pid, link: Option<LinkId>, snaplen: u32, promiscuous: bool) {
        self.end_capture(pid);
        let epoch_real_ns = self.now.real_ns.saturating_sub(self.now.mono_ns);
        let tap = self.net.stack.add_tap(TapConfig { link, snaplen, epoch_real_ns });
        let promiscuous =
            link.filter(|link| promiscuous && self.net.stack.set_promiscuous(*link, true).is_ok());
        let object = self.files.new_object();
        self.captures.0.insert(pid, Capture { tap, object, promiscuous });
    }

    /// The process listens no longer.
    pub(crate) fn end_capture(&mut self, pid: Pid) {
        let Some(capture) = self.captures.0.remove(&pid) else { return };
        self.net.stack.remove_tap(capture.tap);
        if let Some(link) = capture.promiscuous {
            // ENODEV: the link has gone meanwhile.
            let _ = self.net.stack.set_promiscuous(link, false);
        }
    }

    /// Wakes those for whom frames have been kept.
    pub(crate) fn wake_captures(&mut self) {
        while let Some(tap) = self.net.stack.next_tap() {
            if let Some(capture) = self.captures.0.values().find(|capture| capture.tap == tap) {
                self.parked.wake(capture.object);
            }
        }
    }
}
