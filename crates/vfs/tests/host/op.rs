//! What is tried.

use abi::raw::general as raw;
use proptest::prelude::*;
use proptest::sample::select;

#[derive(Debug, Clone)]
pub(crate) enum Op {
    Mkdir(String, u32),
    Mknod(String, u32),
    /// Path, flags, mode, `RESOLVE_*`.
    Open(String, u32, u32, u64),
    Write(String, u64, Vec<u8>),
    Read(String),
    Symlink(String, String),
    /// From, to, AT_SYMLINK_FOLLOW, by way of an unnamed file (O_TMPFILE and these flags).
    Link(String, String, bool),
    LinkUnnamed(String, String, bool),
    LinkUnlinked(String),
    Unlink(String),
    Rmdir(String),
    Rename(String, String, u32),
    Truncate(String, u64),
    Chmod(String, u32),
    Chown(String, Option<u32>, Option<u32>, bool),
    /// Both now, or both given.
    Utimens(String, bool),
    Access(String, u32),
    Stat(String, bool),
    List(String),
    Readlink(String),
    Allocate(String, u32, u64, u64),
    Seek(String, u64, bool),
    SetXattr(String, &'static str, usize, u32),
    GetXattr(String, &'static str),
    RemoveXattr(String, &'static str),
    ListXattr(String),
}

impl Op {
    /// The paths that it walks.
    pub(crate) fn paths(&self) -> Vec<&str> {
        match self {
            Self::Link(from, to, _) | Self::LinkUnnamed(from, to, _) | Self::Rename(from, to, _) => {
                vec![from, to]
            }
            Self::Symlink(_, path) | Self::Mkdir(path, _) | Self::Mknod(path, _) => vec![path],
            Self::Open(path, ..) | Self::Write(path, ..) | Self::Read(path) | Self::LinkUnlinked(path) => {
                vec![path]
            }
            Self::Unlink(path) | Self::Rmdir(path) | Self::Truncate(path, _) | Self::Chmod(path, _) => {
                vec![path]
            }
            Self::Chown(path, ..) | Self::Utimens(path, _) | Self::Access(path, _) => vec![path],
            Self::Stat(path, _) | Self::List(path) | Self::Readlink(path) => vec![path],
            Self::Allocate(path, ..) | Self::Seek(path, ..) => vec![path],
            Self::SetXattr(path, ..) | Self::GetXattr(path, _) | Self::RemoveXattr(path, _) => vec![path],
            Self::ListXattr(path) => vec![path],
        }
    }
}

/// Paths of a small world, so that operations meet.
fn path() -> impl Strategy<Value = String> {
    let name = select(vec!["a", "a", "b", "b", "c", "link", ".", "..", "a/", "b//c", LONG]);
    prop::collection::vec(name, 1..4).prop_map(|names| names.join("/"))
}

/// One more than NAME_MAX.
const LONG: &str = concat!(
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
);

fn target() -> impl Strategy<Value = String> {
    let targets = vec!["a", "../b", "link", "c/", "nothing", "./a/b", "..", "../link", "a/../b", "/a", ""];
    select(targets).prop_map(str::to_owned)
}

fn flags() -> impl Strategy<Value = u32> {
    let access = select(vec![raw::O_RDONLY, raw::O_WRONLY, raw::O_RDWR]);
    let more = select(vec![
        0,
        0,
        raw::O_CREAT,
        raw::O_CREAT,
        raw::O_CREAT | raw::O_EXCL,
        raw::O_TRUNC,
        raw::O_CREAT | raw::O_TRUNC,
        raw::O_NOFOLLOW,
        raw::O_CREAT | raw::O_NOFOLLOW,
        raw::O_DIRECTORY,
        raw::O_CREAT | raw::O_DIRECTORY,
        raw::O_TMPFILE,
        raw::O_TMPFILE | raw::O_EXCL,
        raw::O_TMPFILE | raw::O_CREAT,
        raw::O_PATH,
        raw::O_PATH | raw::O_NOFOLLOW,
        raw::O_PATH | raw::O_NOFOLLOW | raw::O_DIRECTORY,
        raw::O_NOATIME,
    ]);
    // A fifo must not wait for its other end.
    (access, more).prop_map(|(access, more)| match more & raw::O_PATH {
        0 => access | more | raw::O_NONBLOCK,
        // openat2(2) takes nothing else with it.
        _ => more,
    })
}

fn resolve() -> impl Strategy<Value = u64> {
    let flags = vec![
        0,
        0,
        0,
        0,
        raw::RESOLVE_BENEATH,
        raw::RESOLVE_IN_ROOT,
        raw::RESOLVE_NO_SYMLINKS,
        raw::RESOLVE_NO_MAGICLINKS,
        raw::RESOLVE_NO_XDEV,
    ];
    select(flags).prop_map(u64::from)
}

fn mode() -> impl Strategy<Value = u32> {
    select(vec![0o755, 0o644, 0o777, 0o4711, 0o2755, 0o2777, 0o1777, 0o6777, 0o2666, 0o700, 0o070, 0o007, 0])
}

fn xattr() -> impl Strategy<Value = &'static str> {
    let names = vec!["user.one", "user.two", "user.one", "trusted.one", "security.one", "user.", "other.one"];
    select(names)
}

fn id() -> impl Strategy<Value = Option<u32>> {
    select(vec![None, Some(0), Some(1000), Some(1001), Some(3000)])
}

pub(crate) fn any_op() -> impl Strategy<Value = Op> {
    let fallocate = select(vec![
        0,
        raw::FALLOC_FL_KEEP_SIZE,
        raw::FALLOC_FL_PUNCH_HOLE | raw::FALLOC_FL_KEEP_SIZE,
        raw::FALLOC_FL_PUNCH_HOLE,
        raw::FALLOC_FL_COLLAPSE_RANGE,
    ]);
    let names = prop_oneof![
        5 => (path(), mode()).prop_map(|(path, mode)| Op::Mkdir(path, mode)),
        2 => (path(), mode(), any::<bool>()).prop_map(|(path, mode, fifo)| {
            Op::Mknod(path, mode | if fifo { raw::S_IFIFO } else { raw::S_IFREG })
        }),
        3 => (target(), path()).prop_map(|(target, path)| Op::Symlink(target, path)),
        3 => (path(), path(), any::<bool>()).prop_map(|(from, to, follow)| Op::Link(from, to, follow)),
        1 => (path(), path(), any::<bool>()).prop_map(|(dir, to, excl)| Op::LinkUnnamed(dir, to, excl)),
        1 => path().prop_map(Op::LinkUnlinked),
        2 => path().prop_map(Op::Unlink),
        2 => path().prop_map(Op::Rmdir),
        5 => (path(), path(), 0..4_u32).prop_map(|(from, to, flags)| Op::Rename(from, to, flags)),
        2 => path().prop_map(Op::List),
        1 => path().prop_map(Op::Readlink),
    ];
    let bytes = prop_oneof![
        6 => (path(), flags(), mode(), resolve())
            .prop_map(|(path, flags, mode, resolve)| Op::Open(path, flags, mode, resolve)),
        4 => (path(), 0..10_000_u64, prop::collection::vec(any::<u8>(), 0..5000))
            .prop_map(|(path, offset, bytes)| Op::Write(path, offset, bytes)),
        2 => path().prop_map(Op::Read),
        2 => (path(), 0..9000_u64).prop_map(|(path, size)| Op::Truncate(path, size)),
        2 => (path(), fallocate, 0..9000_u64, 0..9000_u64)
            .prop_map(|(path, mode, offset, len)| Op::Allocate(path, mode, offset, len)),
        1 => (path(), 0..10_000_u64, any::<bool>()).prop_map(|(path, offset, data)| Op::Seek(path, offset, data)),
    ];
    let attributes = prop_oneof![
        4 => (path(), mode()).prop_map(|(path, mode)| Op::Chmod(path, mode)),
        3 => (path(), id(), id(), any::<bool>())
            .prop_map(|(path, uid, gid, follow)| Op::Chown(path, uid, gid, follow)),
        1 => (path(), any::<bool>()).prop_map(|(path, now)| Op::Utimens(path, now)),
        1 => (path(), 0..8_u32).prop_map(|(path, mode)| Op::Access(path, mode)),
        3 => (path(), any::<bool>()).prop_map(|(path, follow)| Op::Stat(path, follow)),
        2 => (path(), xattr(), 0..9_usize, 0..4_u32)
            .prop_map(|(path, name, len, flags)| Op::SetXattr(path, name, len, flags)),
        1 => (path(), xattr()).prop_map(|(path, name)| Op::GetXattr(path, name)),
        1 => (path(), xattr()).prop_map(|(path, name)| Op::RemoveXattr(path, name)),
        1 => path().prop_map(Op::ListXattr),
    ];
    prop_oneof![4 => names, 4 => bytes, 3 => attributes]
}
