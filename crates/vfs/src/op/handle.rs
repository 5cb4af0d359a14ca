//! File handles (name_to_handle_at(2)): inodes by number, without a path.
//!
//! A handle is what its file system is known by, then what that knows the inode by. Of a file system that is known for as long as it is
//! mounted alone, eight bytes follow that nobody can guess: who was given one handle cannot make up others. Those of disks
//! outlive the kernel, and hold what only the disk's contents tell: when the inode was made.

use crate::fs::FileSystem;
use crate::mount::{Location, Vfs};
use crate::node::Ino;
use abi::Errno;
use chacha20::ChaCha20Rng;
use chacha20::rand_core::{Rng, SeedableRng};

/// `handle_type` of our handles.
pub const HANDLE_TYPE: i32 = 0x72;
/// What the file system is known by, and what cannot be guessed.
const WORD: usize = 8;

/// What a file system is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    number: u64,
    /// After the next mount, too.
    lasts: bool,
}

impl Vfs {
    /// What a file system that is about to be mounted is known by.
    pub(crate) fn identify(&mut self, fs: &dyn FileSystem) -> Result<Identity, Errno> {
        if let Some(number) = fs.identity() {
            return Ok(Identity { number, lasts: true });
        }
        let mut bytes = [0; WORD];
        self.random(&mut bytes)?;
        Ok(Identity { number: u64::from_ne_bytes(bytes), lasts: false })
    }

    /// The handle of an inode, and the number of its mount (statx(2), `stx_mnt_id`).
    ///
    /// # Errors
    /// `EOPNOTSUPP`: the file system has no handles. `ESTALE`.
    pub fn handle_of(&self, at: Location) -> Result<(Vec<u8>, u64), Errno> {
        let system = self.systems.get(&at.fs).ok_or(Errno::ESTALE)?;
        system.fs.attr(at.ino)?;
        let mut bytes = system.identity.number.to_ne_bytes().to_vec();
        bytes.extend(system.fs.handle(at.ino)?);
        if !system.identity.lasts {
            bytes.extend(self.seal(system.identity, at.ino));
        }
        Ok((bytes, crate::mount_table::mount_id(at)))
    }

    /// The inode of a handle, in the mount that `mount` is a place of; none: in the first that shows its file system.
    ///
    /// # Errors
    /// `ESTALE`: the file system is not mounted, or the inode is gone, has no name any more, or is another one's.
    pub fn by_handle(&self, mount: Option<Location>, handle: &[u8]) -> Result<Location, Errno> {
        let (number, rest) = handle.split_first_chunk::<WORD>().ok_or(Errno::ESTALE)?;
        let number = u64::from_ne_bytes(*number);
        let root = match mount {
            Some(mount) => mount,
            None => self.shown(number).ok_or(Errno::ESTALE)?,
        };
        let system = self.systems.get(&root.fs).ok_or(Errno::ESTALE)?;
        if system.identity.number != number {
            return Err(Errno::ESTALE);
        }
        let (inner, seal) = match system.identity.lasts {
            true => (rest, None),
            false => rest
                .split_last_chunk::<WORD>()
                .map(|(rest, seal)| (rest, Some(*seal)))
                .ok_or(Errno::ESTALE)?,
        };
        let ino = system.fs.by_handle(inner)?;
        if seal.is_some_and(|seal| seal != self.seal(system.identity, ino)) {
            return Err(Errno::ESTALE);
        }
        let at = root.with(ino);
        if self.attr(at)?.nlink == 0 { Err(Errno::ESTALE) } else { Ok(at) }
    }

    /// The root of the first mount that shows a file system.
    fn shown(&self, number: u64) -> Option<Location> {
        let shows =
            |at: Location| self.systems.get(&at.fs).is_some_and(|system| system.identity.number == number);
        self.mounts.values().filter(|mount| !mount.detached).map(|mount| mount.root).find(|root| shows(*root))
    }

    /// What belongs to an inode's handle and follows from a secret.
    fn seal(&self, identity: Identity, ino: Ino) -> [u8; WORD] {
        let mut key = self.handle_key;
        key.iter_mut().zip(identity.number.to_ne_bytes()).for_each(|(key, byte)| *key ^= byte);
        let mut generator = ChaCha20Rng::from_seed(key);
        generator.set_stream(ino);
        let mut seal = [0; WORD];
        generator.fill_bytes(&mut seal);
        seal
    }
}
