//! fstatfs(2).

use crate::call::Answer;
use crate::cx::Cx;
use crate::file::FileKind;
use abi::layout::Statfs;

/// linux/statfs.h
const ST_VALID: i64 = 0x20;
// linux/magic.h
const SOCKFS_MAGIC: i64 = 0x534f_434b;
const PIPEFS_MAGIC: i64 = 0x5049_5045;
const ANON_INODE_FS_MAGIC: i64 = 0x0904_1934;

pub(crate) fn fstatfs(cx: &mut Cx<'_>) -> Answer {
    let file = cx.any_file(0)?;
    let found = match file.ops.location() {
        Some(at) => cx.kernel.fs.vfs.statfs(at)?,
        None => nowhere(file.ops.kind()),
    };
    cx.put(cx.arg(1), &found);
    Ok(0)
}

/// What Linux says of the file systems that no path leads to (fs/libfs.c, simple_statfs).
fn nowhere(kind: FileKind) -> Statfs {
    let f_type = match kind {
        kind if kind.is_socket() => SOCKFS_MAGIC,
        FileKind::Pipe => PIPEFS_MAGIC,
        _ => ANON_INODE_FS_MAGIC,
    };
    let f_flags = ST_VALID;
    Statfs { f_type, f_bsize: 4096, f_frsize: 4096, f_namelen: 255, f_flags, ..Statfs::default() }
}
