//! `rump_direct(fd)`: the memory file of a regular file, to be read there instead of by calls. `EINPROGRESS`: it is being made, and
//! is there after some more of these calls. `EBUSY`: to make it costs more than the reads so far would have saved.

use super::rump_mapfd::pass_memory;
use crate::call::Answer;
use crate::cx::Cx;
use crate::file::FileKind;
use abi::Errno;

/// Of a shorter file there is not much to save, and its memory file costs the server a descriptor.
const SIZE_MIN: i64 = 1 << 20;
/// What is moved with one call: a millisecond.
const PART: u64 = 1 << 20;

/// Reads that somebody is to be told of, by inotify(7) or `rump_trace`, are calls; and so are those of a file that is written by
/// this descriptor, of one with holes, which its memory file would fill, and of one that is not in memory anyway.
pub(crate) fn rump_direct(cx: &mut Cx<'_>) -> Answer {
    let file = cx.file(0)?;
    let at = file.ops.location().filter(|_| file.ops.kind() == FileKind::Regular).ok_or(Errno::EOPNOTSUPP)?;
    let read_alone = file.check_reads().is_ok() && file.check_writes().is_err();
    let told = cx.kernel.trace.has_listeners() || cx.kernel.fs.vfs.is_watched();
    if !read_alone || told {
        return Err(Errno::EOPNOTSUPP.into());
    }
    let fs = &mut cx.kernel.fs;
    if fs.vfs.stat(at)?.st_size < SIZE_MIN {
        return Err(Errno::EOPNOTSUPP.into());
    }
    let memory = fs.memory.as_mut().ok_or(Errno::EOPNOTSUPP)?;
    let id = fs.vfs.share_in_parts(at, &mut **memory, PART)?.ok_or(Errno::EINPROGRESS)?;
    pass_memory(cx, &file, id, false);
    Ok(file.offset.get())
}
