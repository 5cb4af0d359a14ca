//! `rump_mapfd(fd, prot)`: a memory file with the contents of this regular file, or the ring of this packet socket, to be mapped.

use crate::call::Answer;
use crate::cx::Cx;
use crate::effect::{NewFile, Pass};
use crate::file::{FileKind, OpenFile};
use abi::Errno;

/// `PROT_WRITE`.
const WRITE: u32 = 2;

/// mmap(2): the file must be open for reading, and for writing too where the memory is to be written.
pub(crate) fn rump_mapfd(cx: &mut Cx<'_>) -> Answer {
    let file = cx.file(0)?;
    let writes = cx.uint(1) & WRITE != 0;
    let ring = file.ops.socket().and_then(|socket| socket.inet()).and_then(|id| cx.kernel.net.rings.get(&id));
    if let Some(id) = ring.map(|ring| ring.id()) {
        pass_memory(cx, &file, id, true);
        return Ok(0);
    }
    let at = file.ops.location().filter(|_| file.ops.kind() == FileKind::Regular).ok_or(Errno::ENODEV)?;
    // mprotect(2) may ask for it later.
    let writable = file.check_writes().is_ok();
    if file.check_reads().is_err() || writes && !writable {
        return Err(Errno::EACCES.into());
    }
    let fs = &mut cx.kernel.fs;
    let memory = fs.memory.as_mut().ok_or(Errno::ENODEV)?;
    let id = fs.vfs.share(at, &mut **memory)?;
    if writable {
        cx.kernel.look_for_unmapped();
    }
    pass_memory(cx, &file, id, writable);
    Ok(0)
}

/// The memory file that the server knows by `id` goes along with the answer, for the file of which argument 0 is the descriptor.
pub(super) fn pass_memory(cx: &mut Cx<'_>, file: &OpenFile, id: u64, writable: bool) {
    let (kfd, kind, pass) = (cx.uint(0), file.ops.kind(), Pass::Memory { id, writable });
    cx.call.files.push(NewFile { file: file.id, kfd, kind, cloexec: true, put_at: 0, pass });
}
