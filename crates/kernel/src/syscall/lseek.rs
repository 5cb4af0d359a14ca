//! lseek(2).

use crate::call::Answer;
use crate::cx::Cx;
use crate::call::Stop;
use crate::file::{FileKind, OpenFile};
use abi::Errno;
use abi::raw::general::{SEEK_CUR, SEEK_DATA, SEEK_END, SEEK_HOLE, SEEK_SET};
use vfs::Location;

pub(crate) fn lseek(cx: &mut Cx<'_>) -> Answer {
    let file = cx.file(0)?;
    let (offset, whence) = (cx.arg(1).cast_signed(), cx.uint(2));
    if whence > SEEK_HOLE {
        return Err(Errno::EINVAL.into());
    }
    let at = file.ops.location().filter(|_| file.ops.kind() != FileKind::Pipe).ok_or(Errno::ESPIPE)?;
    if file.ops.kind() == FileKind::Directory && !matches!(whence, SEEK_SET | SEEK_CUR) {
        // fs/libfs.c, dcache_dir_lseek.
        return Err(Errno::EINVAL.into());
    }
    if file.ops.kind() == FileKind::Device {
        // A device has no positions (drivers/char/mem.c, null_lseek).
        return Ok(0);
    }
    let target = target(cx, &file, at, offset, whence)?;
    let position = u64::try_from(target).map_err(|_| Errno::EINVAL)?;
    if position > cx.kernel.fs.vfs.size_max(at)? {
        return Err(Errno::EINVAL.into());
    }
    file.offset.set(position);
    Ok(position)
}

fn target(cx: &mut Cx<'_>, file: &OpenFile, at: Location, offset: i64, whence: u32) -> Result<i64, Stop> {
    let from = match whence {
        SEEK_SET => 0,
        SEEK_CUR => file.offset.get(),
        SEEK_END => file.ops.end(cx.kernel)?,
        _ => {
            let start = u64::try_from(offset).map_err(|_| Errno::ENXIO)?;
            return Ok(cx.kernel.fs.vfs.seek(at, start, whence == SEEK_DATA)?.cast_signed());
        }
    };
    Ok(from.cast_signed().checked_add(offset).ok_or(Errno::EOVERFLOW)?)
}
