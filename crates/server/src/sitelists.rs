//! Where the system calls of object files are (`rump_sites`): worked out once for each file, by a thread of its own since
//! that takes milliseconds, and kept in memory and in the user's cache directory.

use kernel::CallId;
use rustix::event::EventfdFlags;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use sitelist::{BuildId, SiteList};
use std::collections::HashMap;
use std::ffi::OsStr;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

/// Larger files are not analysed.
const FILE_MAX: u64 = 1 << 30;

/// More lists are not kept in memory; a program and its libraries are tens.
const KNOWN_MAX: usize = 1024;

/// Which file.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Wanted {
    pub(crate) path: Vec<u8>,
    pub(crate) build_id: [u8; BuildId::SIZE],
    pub(crate) size: u64,
}

/// A call that wants a list.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asker {
    pub(crate) call: CallId,
    /// Where in the caller's memory it goes.
    pub(crate) buf: u64,
    /// How much of it fits there.
    pub(crate) len: u64,
}

/// An encoded list; none if the file has none to give.
pub(crate) type Encoded = Option<Arc<[u8]>>;

/// All lists known so far.
pub(crate) struct SiteLists {
    known: HashMap<Wanted, Encoded>,
    asking: HashMap<Wanted, Vec<Asker>>,
    worker: Option<Sender<Wanted>>,
    done_sender: Sender<(Wanted, Encoded)>,
    done: Receiver<(Wanted, Encoded)>,
    wake: Arc<OwnedFd>,
}

impl SiteLists {
    /// No list yet.
    ///
    /// # Errors
    /// As eventfd(2).
    pub(crate) fn new() -> Result<Self, Errno> {
        let (done_sender, done) = channel();
        let wake = Arc::new(rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        Ok(Self { known: HashMap::new(), asking: HashMap::new(), worker: None, done_sender, done, wake })
    }

    /// The list if it is known; else it comes from [`SiteLists::take_done`].
    pub(crate) fn ask(&mut self, wanted: Wanted, asker: Asker) -> Option<Encoded> {
        if let Some(known) = self.known.get(&wanted) {
            return Some(known.clone());
        }
        let first = !self.asking.contains_key(&wanted);
        self.asking.entry(wanted.clone()).or_default().push(asker);
        if first && self.worker().send(wanted.clone()).is_err() {
            self.asking.remove(&wanted);
            return Some(None);
        }
        None
    }

    /// Lists that have become known, and who asked for them.
    pub(crate) fn take_done(&mut self) -> Vec<(Asker, Encoded)> {
        let _ = rustix::io::read(&*self.wake, &mut [0; 8]);
        let mut answers = Vec::new();
        while let Ok((wanted, encoded)) = self.done.try_recv() {
            let askers = self.asking.remove(&wanted).unwrap_or_default();
            answers.extend(askers.into_iter().map(|asker| (asker, encoded.clone())));
            // What could not be read may be readable for the next who asks.
            if encoded.is_some() && self.known.len() < KNOWN_MAX {
                self.known.insert(wanted, encoded);
            }
        }
        answers
    }

    fn worker(&mut self) -> &Sender<Wanted> {
        self.worker.get_or_insert_with(|| {
            let (sender, jobs) = channel();
            let (done, wake) = (self.done_sender.clone(), Arc::clone(&self.wake));
            std::thread::spawn(move || work(&jobs, &done, &wake));
            sender
        })
    }
}

impl AsFd for SiteLists {
    /// Readable when [`SiteLists::take_done`] has something.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}

fn work(jobs: &Receiver<Wanted>, done: &Sender<(Wanted, Encoded)>, wake: &OwnedFd) {
    let cache = cache_directory();
    while let Ok(wanted) = jobs.recv() {
        let encoded = find(&wanted, cache.as_deref()).map(Arc::from);
        if done.send((wanted, encoded)).is_err() || rustix::io::write(wake, &1_u64.to_ne_bytes()).is_err() {
            return;
        }
    }
}

fn find(wanted: &Wanted, cache: Option<&Path>) -> Option<Vec<u8>> {
    let name = cache.map(|dir| dir.join(file_name(wanted)));
    let cached = name.as_deref().and_then(|name| std::fs::read(name).ok());
    if let Some(encoded) = cached.filter(|encoded| is_of(wanted, SiteList::decode(encoded).as_ref())) {
        return Some(encoded);
    }
    let list = sites::analyse(&read(wanted)?).ok()?.list;
    if !is_of(wanted, Some(&list)) {
        return None;
    }
    let encoded = list.encode();
    if let Some(name) = name {
        // A cache that cannot be written costs time, nothing else.
        let _ = store(&name, &encoded);
    }
    Some(encoded)
}

/// The file, if it is a regular one of the expected size.
fn read(wanted: &Wanted) -> Option<Vec<u8>> {
    // Non-blocking: a fifo of that name must not stop the thread.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let path = OsStr::from_bytes(&wanted.path);
    let mut file = std::fs::File::from(rustix::fs::open(path, flags, Mode::empty()).ok()?);
    let found = file.metadata().ok()?;
    if !found.is_file() || found.len() != wanted.size || wanted.size > FILE_MAX {
        return None;
    }
    let mut bytes = Vec::new();
    file.by_ref().take(wanted.size).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

fn is_of(wanted: &Wanted, list: Option<&SiteList>) -> bool {
    list.is_some_and(|list| list.build_id.0 == wanted.build_id && list.file_size == wanted.size)
}

fn file_name(wanted: &Wanted) -> String {
    let hex: String = wanted.build_id.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{hex}-{}.sites", wanted.size)
}

/// `$XDG_CACHE_HOME/rumphijack`, else `~/.cache/rumphijack` (XDG Base Directory Specification).
fn cache_directory() -> Option<PathBuf> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
    Some(base.join("rumphijack"))
}

/// Whole or not at all: readers may come at any time.
fn store(name: &Path, encoded: &[u8]) -> std::io::Result<()> {
    make_directories(name);
    let unfinished = name.with_extension(format!("new.{}", std::process::id()));
    std::fs::write(&unfinished, encoded)?;
    std::fs::rename(unfinished, name)
}

/// The cache's directory and the one above it. Not more: a home that is not there is not ours to make.
fn make_directories(name: &Path) {
    let mut above: Vec<&Path> = name.ancestors().skip(1).take(2).collect();
    above.reverse();
    for directory in above {
        // One that is there already is fine; where it cannot be made, writing fails.
        let _ = std::fs::create_dir(directory);
    }
}
