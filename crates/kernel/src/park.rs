//! Calls that wait.

use crate::call::{Call, CallId, Wait};
use crate::file::ObjectId;
use crate::process::Pid;
use foldhash::HashMap;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use vfs::locks::{Key, Range};

/// Calls that wait, by what wakes them.
#[derive(Debug, Default)]
pub(crate) struct Parked {
    calls: BTreeMap<CallId, (Call, Wait)>,
    by_object: HashMap<ObjectId, BTreeSet<CallId>>,
    by_time: BTreeSet<(u64, CallId)>,
    by_process: BTreeMap<Pid, BTreeSet<CallId>>,
    woken: VecDeque<ObjectId>,
}

impl Parked {
    /// Keeps a call until one of its objects is woken or its time has come.
    pub(crate) fn park(&mut self, call: Call, wait: Wait) {
        let id = call.id;
        for object in &wait.on {
            self.by_object.entry(*object).or_default().insert(id);
        }
        if let Some(until) = wait.until {
            self.by_time.insert((until, id));
        }
        self.by_process.entry(call.pid).or_default().insert(id);
        self.calls.insert(id, (call, wait));
    }

    /// Keeps a call until it is taken by its name.
    pub(crate) fn hold(&mut self, call: Call) {
        let restartable = call.restartable;
        self.park(call, Wait { on: Vec::new(), until: None, restartable });
    }

    /// The object changed; those who wait for it run in the order of their calls.
    pub(crate) fn wake(&mut self, object: ObjectId) {
        if !self.woken.contains(&object) {
            self.woken.push_back(object);
        }
    }

    pub(crate) fn next_woken(&mut self) -> Option<ObjectId> {
        self.woken.pop_front()
    }

    pub(crate) fn take(&mut self, id: CallId) -> Option<Call> {
        let (call, wait) = self.calls.remove(&id)?;
        for object in &wait.on {
            if let Some(waiting) = self.by_object.get_mut(object) {
                waiting.remove(&id);
                if waiting.is_empty() {
                    self.by_object.remove(object);
                }
            }
        }
        if let Some(until) = wait.until {
            self.by_time.remove(&(until, id));
        }
        if let Some(own) = self.by_process.get_mut(&call.pid) {
            own.remove(&id);
            if own.is_empty() {
                self.by_process.remove(&call.pid);
            }
        }
        Some(call)
    }

    pub(crate) fn take_waiting(&mut self, object: ObjectId) -> Vec<Call> {
        let waiting: Vec<CallId> =
            self.by_object.get(&object).map(|ids| ids.iter().copied().collect()).unwrap_or_default();
        waiting.into_iter().filter_map(|id| self.take(id)).collect()
    }

    pub(crate) fn take_expired(&mut self, now: u64) -> Vec<Call> {
        let due: Vec<CallId> =
            self.by_time.iter().take_while(|(until, _)| *until <= now).map(|(_, id)| *id).collect();
        due.into_iter().filter_map(|id| self.take(id)).collect()
    }

    pub(crate) fn next_deadline(&self) -> Option<u64> {
        self.by_time.first().map(|(until, _)| *until)
    }

    /// Takes out the calls of a process that is gone.
    pub(crate) fn drop_process(&mut self, pid: Pid) -> Vec<Call> {
        let own = self.by_process.get(&pid).cloned().unwrap_or_default();
        own.into_iter().filter_map(|id| self.take(id)).collect()
    }

    /// A call that is not to be interrupted now is to be when it waits next.
    pub(crate) fn mark_cancelled(&mut self, id: CallId) {
        if let Some((call, _)) = self.calls.get_mut(&id) {
            call.cancelled = true;
        }
    }

    /// The locks that a process's calls wait for.
    pub(crate) fn wanted_locks(&self, pid: Pid) -> Vec<(Key, Range)> {
        let own = self.by_process.get(&pid).into_iter().flatten();
        own.filter_map(|id| self.calls.get(id)?.0.wanted_lock).collect()
    }

    /// Whether this call still waits.
    pub(crate) fn contains(&self, id: CallId) -> bool {
        self.calls.contains_key(&id)
    }

    /// How many calls wait.
    pub(crate) fn len(&self) -> usize {
        self.calls.len()
    }
}
