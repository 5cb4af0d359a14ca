//! When transactions are committed, and when blocks of removed files can be given to others.
//!
//! The crate hands a block that was freed to the next who needs one, before the transaction that freed it is on the disk (Linux waits
//! for that, fs/ext4/mballoc.c). A server that is killed then leaves a file that had been synced, whose removal is lost, with the bytes
//! of another. So an inode without names gives its blocks back only behind the commit that says so; and if a file was made shorter,
//! that is committed before something is allocated.

use super::device::Weight;
use super::{Result, State, errno, number};
use foldhash::{HashSet, HashSetExt};
use vfs::Ino;

/// Operations between light commits: 8 to 64 cost the same within a tenth, 1,000 twice as much.
const OPERATIONS: u32 = 32;
/// Light commits fill so much of the journal at most. The crate makes room in it where a third is left, from its oldest end, which
/// must be on the host's disk by then.
const JOURNAL_PART: u64 = 4;

/// Inodes that wait for a commit with their blocks. They are on the disk's list of orphans, and the crate walks all of it for each.
const DYING_MAX: usize = 8;

/// What is known of transactions that are not on the disk for sure.
pub(super) struct Commits {
    weight: Weight,
    /// Light commits do not outlive the server.
    holds: bool,
    /// Bytes of the journal; 0: there is none, and what is changed is written at once.
    journal: u64,
    operations: u32,
    light_bytes: u64,
    /// Inodes made since: nothing of them is on the disk.
    made: HashSet<Ino>,
    /// Inodes whose last name is gone since, and their blocks.
    dying: Vec<Ino>,
    /// Blocks of `dying`, in units of 512 bytes.
    dying_blocks: u64,
    /// Blocks of files that live on were freed since.
    freed: bool,
}

impl Commits {
    pub(super) fn new(journal: u64, weight: Weight, holds: bool) -> Self {
        Self {
            weight,
            holds,
            journal,
            operations: 0,
            light_bytes: 0,
            made: HashSet::new(),
            dying: Vec::new(),
            dying_blocks: 0,
            freed: false,
        }
    }

    /// An inode was made.
    pub(super) fn made(&mut self, ino: Ino) {
        self.made.insert(ino);
    }

    /// Blocks of this inode were freed.
    pub(super) fn freed(&mut self, ino: Ino) {
        self.freed |= self.journal != 0 && !self.made.contains(&ino);
    }

    /// Units of 512 bytes that will be free.
    pub(super) const fn dying_blocks(&self) -> u64 {
        self.dying_blocks
    }
}

impl State {
    /// An operation has changed something.
    pub(super) fn changed(&mut self) {
        let commits = &mut self.commits;
        commits.operations += 1;
        if commits.journal != 0 && commits.operations >= OPERATIONS {
            // Should it fail, the crate's journal is aborted, and all that follows says so.
            let _ = self.commit_lightly();
        }
    }

    /// Everything that was changed is on the host's disk when this is done.
    ///
    /// # Errors
    /// `EIO`.
    pub(super) fn commit(&mut self) -> Result<()> {
        self.ext4.sync().map_err(|error| errno(&error))?;
        self.commits.light_bytes = 0;
        self.committed()
    }

    /// Ends the transaction that runs.
    fn commit_lightly(&mut self) -> Result<()> {
        let commits = &mut self.commits;
        if commits.light_bytes > commits.journal / JOURNAL_PART {
            return self.commit();
        }
        commits.operations = 0;
        commits.weight.set_light(true);
        let outcome = self.ext4.sync();
        self.commits.weight.set_light(false);
        self.commits.light_bytes += self.commits.weight.take_written();
        outcome.map_err(|error| errno(&error))?;
        if self.commits.holds { Ok(()) } else { self.committed() }
    }

    /// What was changed outlives the server.
    ///
    /// # Errors
    /// `EIO`.
    fn secure(&mut self) -> Result<()> {
        if self.commits.holds { self.commit() } else { self.commit_lightly() }
    }

    fn committed(&mut self) -> Result<()> {
        let commits = &mut self.commits;
        (commits.operations, commits.freed, commits.dying_blocks) = (0, false, 0);
        commits.made.clear();
        // The disk's list begins with the last one.
        for ino in std::mem::take(&mut commits.dying).into_iter().rev() {
            self.reap(ino)?;
        }
        Ok(())
    }

    /// An inode has no name any more and nobody holds it.
    ///
    /// # Errors
    /// `EIO`.
    pub(super) fn die(&mut self, ino: Ino) -> Result<()> {
        if self.commits.journal == 0 || self.commits.made.remove(&ino) {
            return self.reap(ino);
        }
        self.commits.dying_blocks += self.inode(ino)?.blocks;
        self.commits.dying.push(ino);
        if self.commits.dying.len() < DYING_MAX { Ok(()) } else { self.secure() }
    }

    /// Something is about to be allocated: nothing may be taken that could turn out to be another's.
    ///
    /// # Errors
    /// `EIO`.
    pub(super) fn allocates(&mut self) -> Result<()> {
        if self.commits.freed { self.secure() } else { Ok(()) }
    }

    /// There is no room: gives back what waits for a commit. Answers whether that was anything.
    ///
    /// # Errors
    /// `EIO`.
    pub(super) fn reclaims(&mut self) -> Result<bool> {
        let waits = !self.commits.dying.is_empty();
        if waits {
            self.secure()?;
        }
        Ok(waits)
    }

    fn reap(&mut self, ino: Ino) -> Result<()> {
        let number = number(ino)?;
        self.times.remove(&number.raw());
        self.anchored.remove(&ino);
        self.give_back_unwritten(ino)?;
        self.ext4.reap_unlinked_inode(number).map_err(|error| errno(&error))
    }
}
