//! What the crates `hadris-*` (FAT, ISO 9660) and the trait of vfs have to tell each other.

use crate::disk::{self, Disk};
use abi::Errno;
use hadris_fs::{DateTime, DirCursor, DirEntry, Error, ErrorKind, FileType, NodeId};
use hadris_storage::sync::BlockDevice;
use hadris_storage::{BlockIndex, BlockSize};
use std::io;
use vfs::{Ino, Kind, Time};

pub(crate) const SECOND_NS: u64 = 1_000_000_000;
/// What both crates take, whatever the file system's own unit is: the smallest there is.
const BLOCK: u32 = 512;

/// A disk as these crates want it.
#[derive(Debug)]
pub(crate) struct Blocks(pub(crate) Disk);

impl hadris_io::ErrorType for Blocks {
    type Error = io::Error;
}

impl BlockDevice for Blocks {
    fn block_size(&self) -> BlockSize {
        const SIZE: BlockSize = match BlockSize::new(BLOCK) {
            Some(size) => size,
            None => panic!("no block size"),
        };
        SIZE
    }

    fn block_count(&self) -> u64 {
        self.0.size() / u64::from(BLOCK)
    }

    fn writable(&self) -> bool {
        !self.0.is_read_only()
    }

    fn read_blocks(&mut self, first: BlockIndex, into: &mut [u8]) -> Result<(), Error<io::Error>> {
        told(self.0.read_at(into, place(first)?), "read")
    }

    fn write_blocks(&mut self, first: BlockIndex, bytes: &[u8]) -> Result<(), Error<io::Error>> {
        told(self.0.write_at(bytes, place(first)?), "write")
    }

    fn flush(&mut self) -> Result<(), Error<io::Error>> {
        told(self.0.sync(), "flush")
    }
}

fn place(first: BlockIndex) -> Result<u64, Error<io::Error>> {
    first.get().checked_mul(u64::from(BLOCK)).ok_or(ErrorKind::InvalidInput.into())
}

fn told(outcome: Result<(), Errno>, what: &'static str) -> Result<(), Error<io::Error>> {
    outcome.map_err(|errno| Error::device(io::Error::from_raw_os_error(errno.number()), what))
}

/// The errno that Linux answers.
pub(crate) fn errno(error: &Error<io::Error>) -> Errno {
    match (error.device_error(), error.kind()) {
        (Some(host), _) => disk::errno(host),
        (None, ErrorKind::InvalidHandle) => Errno::ESTALE,
        (None, kind) => Errno::from_number(kind.errno().linux()),
    }
}

/// What mount(2) answers of what cannot be opened.
pub(crate) fn mount_errno(error: &Error<io::Error>) -> Errno {
    match error.kind() {
        ErrorKind::NotRecognized | ErrorKind::NotFound | ErrorKind::Unsupported => Errno::EINVAL,
        _ => errno(error),
    }
}

pub(crate) const fn kind(file_type: FileType) -> Option<Kind> {
    Some(match file_type {
        FileType::File => Kind::Regular,
        FileType::Dir => Kind::Directory,
        FileType::Symlink => Kind::Symlink,
        FileType::CharDevice => Kind::Char,
        FileType::BlockDevice => Kind::Block,
        FileType::Fifo => Kind::Fifo,
        FileType::Socket => Kind::Socket,
        _ => return None,
    })
}

pub(crate) fn node(ino: Ino) -> Result<NodeId, Errno> {
    NodeId::new(ino).ok_or(Errno::ESTALE)
}

/// Shows the entries of a directory that lie behind a place, each with its own, until `each` answers false. `next` has the first entry
/// from a cursor on.
///
/// # Errors
/// `EUCLEAN`: the listing would never end. What `next` says.
pub(crate) fn walk(
    after: u64,
    mut next: impl FnMut(DirCursor) -> Result<Option<DirEntry>, Error<io::Error>>,
    each: &mut dyn FnMut(u64, &DirEntry) -> bool,
) -> Result<(), Errno> {
    /// Cookies of `.` and `..`; those of others lie above.
    const DOTS: u64 = 2;
    let mut at = DirCursor::from_raw(after.saturating_sub(DOTS));
    while let Some(entry) = next(at).map_err(|error| errno(&error))? {
        let behind = entry.next_cursor();
        if behind.into_raw() <= at.into_raw() {
            return Err(Errno::EUCLEAN);
        }
        if !each(behind.into_raw() + DOTS, &entry) {
            break;
        }
        at = behind;
    }
    Ok(())
}

/// Times before 1970 become 1970.
pub(crate) fn time(at: Option<DateTime>) -> Option<Time> {
    let at = at?;
    let seconds = u64::try_from(at.unix_seconds()).unwrap_or(0);
    Some(seconds.saturating_mul(SECOND_NS).saturating_add(u64::from(at.nanoseconds())))
}
