//! Calls that wait for disks.
//!
//! A call that needs a worker ([`vfs::remote`]) takes the turn, and keeps it until it is answered or waits for something else;
//! others that need a worker meanwhile wait behind it. So what a call found in a file system is still so when it changes it, as
//! under the locks of Linux's inodes. Calls that get along with what is known need no turn. Waiting for a disk is not interrupted
//! (signal(7)), and is over when the disk says so.

use crate::Kernel;
use crate::call::{Call, CallId};
use crate::cx::Cx;
use crate::effect::Effect;
use abi::Errno;
use std::collections::VecDeque;
use vfs::DriveInfo;
use vfs::remote::{Answer, Op, SharedExchange, Value, Worker};

/// So often is looked for files that are mapped no longer.
const UNMAPPED_NS: u64 = 2_000_000_000;

/// Whose turn it is, and who comes next.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    has: Option<CallId>,
    next: VecDeque<CallId>,
}

impl Kernel {
    /// Enters a drive into the file tree. Its worker has the number in `info`, and has an [`Op`]'s inode [`vfs::DRIVE`].
    ///
    /// # Errors
    /// `EEXIST`, `ENOSPC`, `ENOTDIR`, `EINVAL`: the path cannot be made.
    pub fn add_drive(&mut self, info: DriveInfo) -> Result<(), Errno> {
        let exchange = self.exchange();
        self.fs.vfs.add_drive(info.clone(), &exchange, self.now.real_ns)?;
        self.fs.shown.see_drive(&info);
        Ok(())
    }

    /// The kernel is about to end: what programs have stored into mappings of files is handed out.
    pub fn halt(&mut self) {
        self.fs.vfs.write_back();
        self.hand_out_posted();
    }

    /// Files that were closed while they were mapped are closed in truth where they no longer are. Nobody says when a program takes its
    /// mapping away: it is asked again and again.
    pub(crate) fn let_go_of_unmapped(&mut self) {
        self.unmapped_at = None;
        if self.fs.vfs.let_go_of_unmapped() {
            self.look_for_unmapped();
        }
        self.hand_out_posted();
    }

    /// A file may be closed while it is mapped.
    pub(crate) fn look_for_unmapped(&mut self) {
        self.unmapped_at.get_or_insert(self.now.mono_ns.saturating_add(UNMAPPED_NS));
    }

    /// The answer to [`Effect::Disk`] of a call.
    pub fn disk_done(&mut self, id: CallId, answer: Answer) {
        self.exchange().borrow_mut().answered(id.0);
        let Some(mut call) = self.parked.take(id) else {
            // Its process is gone, and it has given its turn away already.
            if let Ok(Value::Mounted(mounted)) = answer {
                self.effects.push_back(Effect::Disk { call: None, worker: mounted.worker, op: Op::Unmount });
            }
            return;
        };
        call.log.answer(answer);
        self.run(call);
        self.settle();
    }

    /// What became of [`Effect::Disk`] without a call, which had this weight.
    pub fn disk_posted(&mut self, worker: Worker, weight: usize, answer: Answer) {
        self.exchange().borrow_mut().done(worker, weight, answer);
    }

    pub(crate) fn exchange(&self) -> SharedExchange {
        SharedExchange::clone(&self.fs.exchange)
    }

    /// The call is to wait for a worker, now or when it is its turn.
    pub(crate) fn wait_for_disk(&mut self, mut call: Call, (worker, op): (Worker, Op)) {
        let turn = &mut self.turn;
        if *turn.has.get_or_insert(call.id) == call.id {
            self.fs.exchange.borrow_mut().asked(call.id.0, &op);
            self.effects.push_back(Effect::Disk { call: Some(call.id), worker, op });
        } else {
            turn.next.push_back(call.id);
            call.log.restart();
        }
        self.parked.hold(call);
    }

    /// The call needs no worker any more, for now.
    pub(crate) fn turn_over(&mut self, id: CallId) {
        if self.turn.has == Some(id) {
            self.turn.has = None;
        }
    }

    /// The call whose turn it is now, if it was not somebody's already.
    pub(crate) fn next_in_turn(&mut self) -> Option<Call> {
        if self.turn.has.is_some() {
            return None;
        }
        let parked = &mut self.parked;
        std::iter::from_fn(|| self.turn.next.pop_front()).find_map(|id| parked.take(id))
    }

    /// Whether the call waits for a worker or for its turn.
    pub(crate) fn waits_for_disk(&self, id: CallId) -> bool {
        self.turn.has == Some(id) || self.turn.next.contains(&id)
    }

    /// A call whose process is gone.
    pub(crate) fn drop_from_disk(&mut self, call: &Call) {
        self.exchange().borrow_mut().abandon(&call.log);
        self.turn_over(call.id);
    }

    /// Hands out what was answered before it was carried out.
    pub(crate) fn hand_out_posted(&mut self) {
        let mut exchange = self.fs.exchange.borrow_mut();
        while let Some((worker, op)) = exchange.next_posted() {
            self.effects.push_back(Effect::Disk { call: None, worker, op });
        }
    }
}

impl Cx<'_> {
    /// The call has got so far that its next run does not begin anew.
    pub(crate) fn commit(&mut self) {
        self.kernel.fs.exchange.borrow_mut().commit();
    }

    /// The call does not wait after all.
    pub(crate) fn wait_no_more(&mut self) {
        self.kernel.fs.exchange.borrow_mut().want_no_more();
    }
}
