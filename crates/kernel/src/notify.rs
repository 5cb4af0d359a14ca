//! Who watches which files, and what they have not read yet (inotify(7)).

use crate::Kernel;
use crate::file::ObjectId;
use abi::Errno;
use abi::raw::general::{
    IN_ALL_EVENTS, IN_DELETE_SELF, IN_EXCL_UNLINK, IN_IGNORED, IN_ISDIR, IN_MASK_ADD, IN_MASK_CREATE,
    IN_ONESHOT, IN_Q_OVERFLOW, IN_UNMOUNT,
};
use foldhash::HashMap;
use std::collections::{BTreeMap, VecDeque};
use vfs::{Event, Location};

/// `struct inotify_event` without its name, whose length is a multiple of the same.
const HEADER: usize = 16;
/// Told whether asked for or not.
const ALWAYS: u32 = IN_UNMOUNT | IN_IGNORED | IN_Q_OVERFLOW;
/// What a watch keeps of a mask, besides events.
const KEPT: u32 = IN_EXCL_UNLINK | IN_ONESHOT;

/// One descriptor's watches and events.
#[derive(Default)]
struct Instance {
    /// Watches by their numbers.
    watches: BTreeMap<i32, Watch>,
    /// Their numbers by what they watch.
    numbers: HashMap<Key, i32>,
    queue: VecDeque<Queued>,
    last: i32,
}

/// What [`Location::key`] answers.
type Key = (u32, u64);

struct Watch {
    key: Key,
    mask: u32,
}

#[derive(PartialEq, Eq)]
struct Queued {
    watch: i32,
    mask: u32,
    cookie: u32,
    name: Vec<u8>,
}

/// All of them, by the object that changes with their readiness.
pub(crate) struct Inotify {
    instances: BTreeMap<ObjectId, Instance>,
    /// `fs.inotify.*`.
    pub(crate) max_queued_events: usize,
    pub(crate) max_user_instances: usize,
    pub(crate) max_user_watches: usize,
}

impl Default for Inotify {
    /// Linux's on a machine with plenty of memory.
    fn default() -> Self {
        Self {
            instances: BTreeMap::new(),
            max_queued_events: 16384,
            max_user_instances: 128,
            max_user_watches: 1 << 20,
        }
    }
}

impl Kernel {
    /// A new instance.
    ///
    /// # Errors
    /// `EMFILE`: there are too many.
    pub(crate) fn new_inotify(&mut self) -> Result<ObjectId, Errno> {
        if self.inotify.instances.len() >= self.inotify.max_user_instances {
            return Err(Errno::EMFILE);
        }
        let object = self.files.new_object();
        self.inotify.instances.insert(object, Instance::default());
        Ok(object)
    }

    /// Watches an inode; answers the watch's number.
    ///
    /// # Errors
    /// As inotify_add_watch(2).
    pub(crate) fn watch(&mut self, object: ObjectId, at: Location, mask: u32) -> Result<i32, Errno> {
        let watches: usize = self.inotify.instances.values().map(|instance| instance.watches.len()).sum();
        let most = self.inotify.max_user_watches;
        let instance = self.inotify.instances.get_mut(&object).ok_or(Errno::EINVAL)?;
        let key = at.key();
        let kept = mask & (IN_ALL_EVENTS | KEPT);
        if let Some(number) = instance.numbers.get(&key).copied() {
            if mask & IN_MASK_CREATE != 0 {
                return Err(Errno::EEXIST);
            }
            if let Some(watch) = instance.watches.get_mut(&number) {
                watch.mask = if mask & IN_MASK_ADD != 0 { watch.mask | kept } else { kept };
            }
            return Ok(number);
        }
        if watches >= most {
            return Err(Errno::ENOSPC);
        }
        let number = instance.last.checked_add(1).ok_or(Errno::ENOSPC)?;
        instance.last = number;
        instance.watches.insert(number, Watch { key, mask: kept });
        instance.numbers.insert(key, number);
        self.fs.vfs.watch(key, true);
        Ok(number)
    }

    /// Ends a watch (inotify_rm_watch(2)).
    ///
    /// # Errors
    /// `EINVAL`: there is none of this number.
    pub(crate) fn unwatch(&mut self, object: ObjectId, number: i32) -> Result<(), Errno> {
        let most = self.inotify.max_queued_events;
        let instance = self.inotify.instances.get_mut(&object).ok_or(Errno::EINVAL)?;
        let key = instance.end(number, most).ok_or(Errno::EINVAL)?;
        self.fs.vfs.watch(key, false);
        self.wake(object);
        Ok(())
    }

    /// An instance is closed.
    pub(crate) fn end_inotify(&mut self, object: ObjectId) {
        let Some(instance) = self.inotify.instances.remove(&object) else { return };
        for watch in instance.watches.values() {
            self.fs.vfs.watch(watch.key, false);
        }
    }

    /// Puts what has happened to files into the queues of those who watch them.
    pub(crate) fn deliver_file_events(&mut self) {
        for event in self.fs.vfs.take_events() {
            self.deliver(&event);
        }
    }

    fn deliver(&mut self, event: &Event) {
        let most = self.inotify.max_queued_events;
        let mut woken = Vec::new();
        for (object, instance) in &mut self.inotify.instances {
            let Some(number) = instance.numbers.get(&event.key).copied() else { continue };
            let Some(watch) = instance.watches.get(&number) else { continue };
            let excluded = event.unlinked && watch.mask & IN_EXCL_UNLINK != 0 && !event.name.is_empty();
            let wanted = event.mask & (watch.mask | ALWAYS) & !IN_ISDIR != 0 && !excluded;
            let over = event.mask & (IN_DELETE_SELF | IN_UNMOUNT) != 0;
            let once = wanted && watch.mask & IN_ONESHOT != 0;
            if wanted {
                let (mask, cookie, name) = (event.mask, event.cookie, event.name.clone());
                instance.put(Queued { watch: number, mask, cookie, name }, most);
            }
            if over || once {
                instance.end(number, most);
                self.fs.vfs.watch(event.key, false);
            }
            if wanted || over {
                woken.push(*object);
            }
        }
        woken.into_iter().for_each(|object| self.wake(object));
    }
}

impl Instance {
    /// Ends a watch, which is the last that is told of it; answers what it watched.
    fn end(&mut self, number: i32, most: usize) -> Option<Key> {
        let watch = self.watches.remove(&number)?;
        self.numbers.remove(&watch.key);
        self.put(Queued { watch: number, mask: IN_IGNORED, cookie: 0, name: Vec::new() }, most);
        Some(watch.key)
    }

    /// The same twice in a row is told once; what there is no room for, that there was none.
    fn put(&mut self, event: Queued, most: usize) {
        if self.queue.back() == Some(&event) {
            return;
        }
        let event = if self.queue.len() < most {
            event
        } else {
            Queued { watch: -1, mask: IN_Q_OVERFLOW, cookie: 0, name: Vec::new() }
        };
        if self.queue.back() != Some(&event) {
            self.queue.push_back(event);
        }
    }
}

impl Inotify {
    /// The bytes of all events that wait.
    pub(crate) fn waiting(&self, object: ObjectId) -> usize {
        self.instances.get(&object).map_or(0, |instance| instance.queue.iter().map(Queued::len).sum())
    }

    /// Takes as many events as there is room for.
    ///
    /// # Errors
    /// `EAGAIN`: there are none. `EINVAL`: no room for the first.
    pub(crate) fn read(&mut self, object: ObjectId, into: &mut [u8]) -> Result<usize, Errno> {
        let instance = self.instances.get_mut(&object).ok_or(Errno::EINVAL)?;
        let mut filled = 0;
        while let Some(event) = instance.queue.front() {
            let Some(room) = into.get_mut(filled..filled + event.len()) else { break };
            event.emit(room);
            filled += event.len();
            instance.queue.pop_front();
        }
        match (filled, instance.queue.is_empty()) {
            (0, true) => Err(Errno::EAGAIN),
            (0, false) => Err(Errno::EINVAL),
            _ => Ok(filled),
        }
    }
}

impl Queued {
    /// The name's length with its NUL and what fills up behind it.
    fn name_len(&self) -> usize {
        if self.name.is_empty() { 0 } else { (self.name.len() + 1).next_multiple_of(HEADER) }
    }

    fn len(&self) -> usize {
        HEADER + self.name_len()
    }

    fn emit(&self, into: &mut [u8]) {
        let name_len = u32::try_from(self.name_len()).unwrap_or(0);
        let mut bytes = Vec::with_capacity(self.len());
        bytes.extend(self.watch.to_ne_bytes());
        bytes.extend(self.mask.to_ne_bytes());
        bytes.extend(self.cookie.to_ne_bytes());
        bytes.extend(name_len.to_ne_bytes());
        bytes.extend(&self.name);
        bytes.resize(self.len(), 0);
        into.copy_from_slice(&bytes);
    }
}
