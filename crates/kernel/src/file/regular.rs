//! Regular files.

use super::{At, File, FileKind, OpenFile};
use crate::Kernel;
use crate::call::{Answer, Stop};
use crate::cx::Cx;
use abi::Errno;
use abi::raw::general::{IN_ACCESS, IN_MODIFY, O_APPEND, O_NOATIME};
use abi::raw::ioctl::{FICLONE, FICLONERANGE, FIDEDUPERANGE, FIGETBSZ, FIONREAD};
use vfs::Location;

/// Offsets are not negative as `loff_t`.
const OFFSET_MAX: u64 = i64::MAX as u64;

/// A file is looked at again each time so many bytes more of it have been written.
const LARGE: u64 = 1 << 20;

/// Commands that let files share blocks.
const CLONES: [u32; 3] = [FICLONE, FICLONERANGE, FIDEDUPERANGE];

/// An open regular file.
pub(crate) struct Regular {
    pub(crate) at: Location,
}

impl File for Regular {
    fn kind(&self) -> FileKind {
        FileKind::Regular
    }

    fn location(&self) -> Option<Location> {
        Some(self.at)
    }

    fn read(&self, k: &mut Kernel, f: &OpenFile, buf: &mut [u8], at: At) -> Result<usize, Stop> {
        f.check_reads()?;
        let atime = (f.flags.get() & O_NOATIME == 0).then_some(k.now.real_ns);
        let offset = f.start(at);
        let moved = k.fs.vfs.read(self.at, offset, buf, atime)?;
        f.move_on(at, offset, moved);
        if moved > 0 {
            k.fs.vfs.tell(self.at, f.name.borrow().as_ref(), IN_ACCESS);
        }
        Ok(moved)
    }

    /// With O_APPEND even pwrite(2) appends (its BUGS section).
    fn write(&self, k: &mut Kernel, f: &OpenFile, data: &[u8], at: At) -> Result<usize, Stop> {
        f.check_writes()?;
        if data.is_empty() {
            return Ok(0);
        }
        let append = f.flags.get() & O_APPEND != 0 || at == At::End;
        let offset = if append { k.fs.vfs.attr(self.at)?.size } else { f.start(at) };
        // getrlimit(2): up to the limit, and an error where that is nothing.
        let most = OFFSET_MAX.min(k.processes.get(k.current)?.fsize);
        let room = usize::try_from(most.saturating_sub(offset)).unwrap_or(usize::MAX);
        if room == 0 {
            return Err(Errno::EFBIG.into());
        }
        let data = &data[..data.len().min(room)];
        let tree = k.tree()?;
        let moved = tree.vfs.write(&tree.who, self.at, offset, data, tree.now)?;
        tree.vfs.tell(self.at, f.name.borrow().as_ref(), IN_MODIFY);
        f.move_on(at, offset, moved);
        let steps = |bytes: u64| bytes / LARGE;
        if steps(offset) != steps(offset + moved as u64)
            && let Some(memory) = &mut k.fs.memory
        {
            k.fs.vfs.grown(self.at, &mut **memory);
        }
        Ok(moved)
    }

    fn ioctl(&self, cx: &mut Cx<'_>, f: &OpenFile, cmd: u32) -> Answer {
        if CLONES.contains(&cmd) {
            // No file system here shares blocks between files (ioctl_ficlone(2), ioctl_fideduperange(2)); cp(1) copies then.
            return Err(if f.check_writes().is_ok() { Errno::EOPNOTSUPP } else { Errno::EBADF }.into());
        }
        if cmd == FIGETBSZ {
            let size = cx.kernel.fs.vfs.statfs(self.at)?.f_bsize;
            cx.put(cx.arg(2), &i32::try_from(size).unwrap_or(i32::MAX));
            return Ok(0);
        }
        if cmd != FIONREAD {
            return Err(Errno::ENOTTY.into());
        }
        let left = cx.kernel.fs.vfs.attr(self.at)?.size.saturating_sub(f.offset.get());
        cx.put(cx.arg(2), &i32::try_from(left).unwrap_or(i32::MAX));
        Ok(0)
    }

    fn sync(&self, k: &mut Kernel) -> Result<(), Stop> {
        Ok(k.fs.vfs.sync(self.at)?)
    }
}
