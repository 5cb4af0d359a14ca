//! What fsopen(2) and fspick(2) open: a file system on its way to be mounted, or to be mounted otherwise.

use super::{At, File, FileKind, OpenFile};
use crate::Kernel;
use crate::call::Stop;
use abi::Errno;
use abi::layout::Stat;
use std::cell::RefCell;
use std::collections::VecDeque;
use vfs::tmpfs::Tmpfs;
use vfs::{FileSystem, Location};

/// More parameters are refused.
const OPTIONS_MAX: usize = 4096;
/// Older messages are dropped (`struct fc_log`).
const MESSAGES_MAX: usize = 8;

/// How far it is (`enum fs_context_phase`).
pub(crate) enum Phase {
    /// Parameters are taken.
    Parameters,
    /// There is a file system, which fsmount(2) mounts.
    Created(Box<dyn FileSystem>),
    /// It is mounted, or was picked where it is: it can be given other options.
    Mounted(Location),
    /// It could not be opened: nothing more can be done.
    Failed,
}

/// The context.
pub(crate) struct Context {
    pub(crate) phase: Phase,
    /// The type of mount(2).
    pub(crate) kind: Vec<u8>,
    pub(crate) source: Vec<u8>,
    /// Options of the file system's own, parted by commas.
    pub(crate) options: Vec<u8>,
    pub(crate) read_only: Option<bool>,
    messages: VecDeque<String>,
}

impl Context {
    /// One that begins.
    pub(crate) const fn new(phase: Phase, kind: Vec<u8>) -> Self {
        Self {
            phase,
            kind,
            source: Vec::new(),
            options: Vec::new(),
            read_only: None,
            messages: VecDeque::new(),
        }
    }

    /// A parameter, with its value if it has one.
    ///
    /// # Errors
    /// `EINVAL`: named twice, or too many.
    pub(crate) fn parameter(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), Errno> {
        match (key, value) {
            (b"source", Some(value)) if self.source.is_empty() => self.source = value.to_vec(),
            (b"source", _) => return Err(self.refused("Multiple or missing sources")),
            (b"ro", None) => self.read_only = Some(true),
            (b"rw", None) => self.read_only = Some(false),
            // Of every file system (fs/fs_context.c), and without a meaning here.
            (b"sync" | b"async" | b"dirsync" | b"lazytime" | b"nolazytime" | b"mand" | b"nomand", None) => {}
            _ => {
                let more = [key, b"=", value.unwrap_or_default()].concat();
                let more = if value.is_some() { more } else { key.to_vec() };
                let comma: &[u8] = if self.options.is_empty() { b"" } else { b"," };
                if more.contains(&b',') || self.options.len() + more.len() >= OPTIONS_MAX {
                    return Err(self.refused("A parameter with a comma, or too many"));
                }
                // Others' options are looked at where the file system is opened.
                if self.kind == b"tmpfs" && !Tmpfs::knows(&more) {
                    return Err(
                        self.refused(&format!("Unknown parameter '{}'", String::from_utf8_lossy(key)))
                    );
                }
                self.options.extend([comma, &more].concat());
            }
        }
        Ok(())
    }

    /// Says why, to whoever reads the descriptor.
    pub(crate) fn refused(&mut self, why: &str) -> Errno {
        if self.messages.len() >= MESSAGES_MAX {
            self.messages.pop_front();
        }
        self.messages.push_back(format!("e {}: {why}\n", String::from_utf8_lossy(&self.kind)));
        Errno::EINVAL
    }
}

/// An open context.
pub(crate) struct FsContext(pub(crate) RefCell<Context>);

impl File for FsContext {
    fn kind(&self) -> FileKind {
        FileKind::Anonymous
    }

    /// The next message (fsopen(2)).
    fn read(&self, _k: &mut Kernel, _f: &OpenFile, buf: &mut [u8], _at: At) -> Result<usize, Stop> {
        let messages = &mut self.0.borrow_mut().messages;
        let message = messages.front().ok_or(Errno::ENODATA)?;
        let room = buf.get_mut(..message.len()).ok_or(Errno::EMSGSIZE)?;
        room.copy_from_slice(message.as_bytes());
        let len = message.len();
        messages.pop_front();
        Ok(len)
    }

    fn fs_context(&self) -> Option<&RefCell<Context>> {
        Some(&self.0)
    }

    fn stat(&self, _k: &mut Kernel, f: &OpenFile) -> Result<Stat, Stop> {
        Ok(Stat { st_ino: f.inode.get(), st_mode: 0o600, st_nlink: 1, ..Stat::default() })
    }

    fn close(&self, k: &mut Kernel) {
        if let Phase::Mounted(at) = self.0.borrow().phase {
            k.fs.vfs.hold(at, false);
        }
    }
}
