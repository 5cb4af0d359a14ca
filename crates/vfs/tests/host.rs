//! The same random operations here and on the host's tmpfs: results, errors and trees must be equal.

#![allow(clippy::unwrap_used, reason = "a test ends there")]

use abi::Errno;
use proptest::prelude::*;
use rustix::fs::{self, AtFlags, CWD, Mode, OFlags, RenameFlags};
use vfs::tmpfs::Tmpfs;
use vfs::{Follow, Opening, Start, Vfs, Who};

/// Who runs the tests: the host checks permissions with these, so we do too.
fn with_who<T>(run: impl FnOnce(&Who<'_>) -> T) -> T {
    let groups: Vec<u32> = rustix::process::getgroups().unwrap().iter().map(|group| group.as_raw()).collect();
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    run(&Who { uid, gid, groups: &groups })
}

#[derive(Debug, Clone)]
enum Op {
    Mkdir(String, u32),
    Create(String, u32, u32),
    Write(String, u64, Vec<u8>),
    Read(String),
    Symlink(String, String),
    Link(String, String),
    Unlink(String),
    Rmdir(String),
    Rename(String, String, u32),
    Truncate(String, u64),
    Chmod(String, u32),
    Stat(String, bool),
    List(String),
    Readlink(String),
    Punch(String, u64, u64),
}

fn path() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec!["a", "b", "c", "link", ".", "..", "a/", "b//c"]);
    prop::collection::vec(name, 1..4).prop_map(|names| names.join("/"))
}

fn target() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "../b", "link", "c/", "nothing", "./a/b", ".."]).prop_map(str::to_owned)
}

fn op() -> impl Strategy<Value = Op> {
    let flags = prop::sample::select(vec![
        OFlags::RDONLY,
        OFlags::RDWR | OFlags::CREATE,
        OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL,
        OFlags::WRONLY | OFlags::TRUNC,
        OFlags::RDONLY | OFlags::NOFOLLOW,
        OFlags::RDONLY | OFlags::DIRECTORY,
        OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW,
        OFlags::RDWR | OFlags::CREATE | OFlags::DIRECTORY,
        OFlags::RDWR | OFlags::TMPFILE,
        OFlags::PATH | OFlags::NOFOLLOW,
    ]);
    let mode = prop::sample::select(vec![0o755_u32, 0o644, 0o777, 0o4711, 0o2755, 0o1777]);
    prop_oneof![
        4 => (path(), mode.clone()).prop_map(|(path, mode)| Op::Mkdir(path, mode)),
        6 => (path(), flags, mode.clone()).prop_map(|(path, flags, mode)| Op::Create(path, flags.bits(), mode)),
        4 => (path(), 0..10_000_u64, prop::collection::vec(any::<u8>(), 0..5000))
            .prop_map(|(path, offset, bytes)| Op::Write(path, offset, bytes)),
        2 => path().prop_map(Op::Read),
        3 => (target(), path()).prop_map(|(target, path)| Op::Symlink(target, path)),
        2 => (path(), path()).prop_map(|(from, to)| Op::Link(from, to)),
        2 => path().prop_map(Op::Unlink),
        2 => path().prop_map(Op::Rmdir),
        5 => (path(), path(), 0..4_u32).prop_map(|(from, to, flags)| Op::Rename(from, to, flags)),
        2 => (path(), 0..9000_u64).prop_map(|(path, size)| Op::Truncate(path, size)),
        2 => (path(), mode).prop_map(|(path, mode)| Op::Chmod(path, mode)),
        3 => (path(), any::<bool>()).prop_map(|(path, follow)| Op::Stat(path, follow)),
        2 => path().prop_map(Op::List),
        1 => path().prop_map(Op::Readlink),
        1 => (path(), 0..9000_u64, 1..9000_u64).prop_map(|(path, offset, len)| Op::Punch(path, offset, len)),
    ]
}

/// What an operation came to, as text; times and inode numbers left out.
type Came = Result<String, i32>;

struct Ours {
    vfs: Vfs,
    start: Start,
}

impl Ours {
    fn new(who: &Who<'_>) -> Self {
        let mut vfs = Vfs::new(Tmpfs::new(64 << 20, 1), [1; 32], 1).unwrap();
        let root = Start { root: vfs.root(), dir: vfs.root() };
        let superuser = Who { uid: 0, gid: 0, groups: &[] };
        vfs.mkdir(&superuser, root, b"/work", 0o777, 1).unwrap();
        let dir = vfs.lookup(who, root, b"/work", Follow::Yes).unwrap();
        vfs.chown(&superuser, dir, Some(who.uid), Some(who.gid), 1).unwrap();
        vfs.chmod(&superuser, dir, 0o755, 1).unwrap();
        Self { vfs, start: Start { root: dir, dir } }
    }

    fn run(&mut self, who: &Who<'_>, op: &Op) -> Result<String, Errno> {
        let Self { vfs, start } = self;
        let start = *start;
        let open = |vfs: &mut Vfs, path: &str, flags: OFlags| {
            let how = Opening { flags: flags.bits(), mode: 0o644, resolve: 0 };
            vfs.open(who, start, path.as_bytes(), how, 2)
        };
        let text = match op {
            Op::Mkdir(path, mode) => {
                vfs.mkdir(who, start, path.as_bytes(), *mode, 2).map(|()| String::new())?
            }
            Op::Create(path, flags, mode) => {
                let how = Opening { flags: *flags, mode: *mode, resolve: 0 };
                format!("{:?}", vfs.open(who, start, path.as_bytes(), how, 2)?.kind)
            }
            Op::Write(path, offset, bytes) => {
                let at = open(vfs, path, OFlags::WRONLY)?.at;
                vfs.write(who, at, *offset, bytes, 2)?.to_string()
            }
            Op::Read(path) => {
                let at = open(vfs, path, OFlags::RDONLY)?.at;
                let mut bytes = vec![0; 20_000];
                let len = vfs.read(at, 0, &mut bytes, Some(2))?;
                format!("{:?}", &bytes[..len])
            }
            Op::Symlink(target, path) => {
                vfs.symlink(who, target.as_bytes(), start, path.as_bytes(), 2).map(|()| String::new())?
            }
            Op::Link(from, to) => {
                let node = vfs.lookup(who, start, from.as_bytes(), Follow::No)?;
                vfs.link(who, node, start, to.as_bytes(), 2).map(|()| String::new())?
            }
            Op::Unlink(path) => vfs.unlink(who, start, path.as_bytes(), 0, 2).map(|()| String::new())?,
            Op::Rmdir(path) => vfs
                .unlink(who, start, path.as_bytes(), AtFlags::REMOVEDIR.bits(), 2)
                .map(|()| String::new())?,
            Op::Rename(from, to, flags) => {
                let (from, to) = ((start, from.as_bytes()), (start, to.as_bytes()));
                vfs.rename(who, from, to, *flags, 2).map(|()| String::new())?
            }
            Op::Truncate(path, size) => {
                let at = vfs.lookup(who, start, path.as_bytes(), Follow::Yes)?;
                vfs.truncate(who, at, *size, 2).map(|()| String::new())?
            }
            Op::Chmod(path, mode) => {
                let at = vfs.lookup(who, start, path.as_bytes(), Follow::Yes)?;
                vfs.chmod(who, at, *mode, 2).map(|()| String::new())?
            }
            Op::Stat(path, follow) => {
                let follow = if *follow { Follow::Yes } else { Follow::No };
                let stat = vfs.stat(vfs.lookup(who, start, path.as_bytes(), follow)?)?;
                let directory = stat.st_mode & 0o170_000 == 0o040_000;
                let size = if directory { 0 } else { stat.st_size };
                format!("{:o} {} {} {} {size}", stat.st_mode, stat.st_nlink, stat.st_uid, stat.st_gid)
            }
            Op::List(path) => {
                let at = open(vfs, path, OFlags::RDONLY | OFlags::DIRECTORY)?.at;
                let mut names = Vec::new();
                vfs.read_dir(at, 0, &mut |_, _, kind, name| {
                    names.push(format!("{} {}", String::from_utf8_lossy(name), kind.d_type()));
                    true
                })?;
                names.sort();
                names.join(",")
            }
            Op::Readlink(path) => {
                let at = vfs.lookup(who, start, path.as_bytes(), Follow::No)?;
                String::from_utf8(vfs.readlink(at)?).unwrap()
            }
            Op::Punch(path, offset, len) => {
                let at = open(vfs, path, OFlags::RDWR)?.at;
                vfs.allocate(who, at, 3, (*offset, *len), 2).map(|()| String::new())?
            }
        };
        Ok(text)
    }
}

/// The same on the host, below `root`, which is the root of the walks: `..` must not leave it, so paths that would are skipped.
fn on_host(root: &std::os::fd::OwnedFd, op: &Op) -> rustix::io::Result<String> {
    let open = |path: &str, flags: OFlags| fs::openat(root, path, flags, Mode::from_raw_mode(0o644));
    let text = match op {
        Op::Mkdir(path, mode) => {
            fs::mkdirat(root, path, Mode::from_raw_mode(*mode)).map(|()| String::new())?
        }
        Op::Create(path, flags, mode) => {
            let flags = OFlags::from_bits_retain(*flags);
            let file = fs::openat(root, path, flags, Mode::from_raw_mode(*mode))?;
            let kind = match fs::FileType::from_raw_mode(fs::fstat(&file)?.st_mode) {
                fs::FileType::RegularFile => "Regular",
                fs::FileType::Directory => "Directory",
                _ => "Symlink",
            };
            kind.to_owned()
        }
        Op::Write(path, offset, bytes) => {
            rustix::io::pwrite(&open(path, OFlags::WRONLY)?, bytes, *offset)?.to_string()
        }
        Op::Read(path) => {
            let mut bytes = vec![0; 20_000];
            let len = rustix::io::pread(&open(path, OFlags::RDONLY)?, &mut bytes, 0)?;
            format!("{:?}", &bytes[..len])
        }
        Op::Symlink(target, path) => fs::symlinkat(target.as_str(), root, path).map(|()| String::new())?,
        Op::Link(from, to) => fs::linkat(root, from, root, to, AtFlags::empty()).map(|()| String::new())?,
        Op::Unlink(path) => fs::unlinkat(root, path, AtFlags::empty()).map(|()| String::new())?,
        Op::Rmdir(path) => fs::unlinkat(root, path, AtFlags::REMOVEDIR).map(|()| String::new())?,
        Op::Rename(from, to, flags) => {
            let flags = RenameFlags::from_bits_retain(*flags);
            fs::renameat_with(root, from, root, to, flags).map(|()| String::new())?
        }
        Op::Truncate(path, size) => {
            // Not quite truncate(2): that checks the same things but for special files, which there are none of.
            fs::ftruncate(&open(path, OFlags::WRONLY)?, *size).map(|()| String::new())?
        }
        Op::Chmod(path, mode) => {
            fs::chmodat(root, path, Mode::from_raw_mode(*mode), AtFlags::empty()).map(|()| String::new())?
        }
        Op::Stat(path, follow) => {
            let flags = if *follow { AtFlags::empty() } else { AtFlags::SYMLINK_NOFOLLOW };
            let stat = fs::statat(root, path, flags)?;
            let directory = stat.st_mode & 0o170_000 == 0o040_000;
            let size = if directory { 0 } else { stat.st_size };
            format!("{:o} {} {} {} {size}", stat.st_mode, stat.st_nlink, stat.st_uid, stat.st_gid)
        }
        Op::List(path) => {
            let file = open(path, OFlags::RDONLY | OFlags::DIRECTORY)?;
            let entry = |entry: fs::DirEntry| {
                let kind = vfs::Kind::from_mode(entry.file_type().as_raw_mode()).unwrap();
                format!("{} {}", entry.file_name().to_string_lossy(), kind.d_type())
            };
            let mut names: Vec<String> =
                fs::Dir::new(file)?.map(|found| found.map(entry)).collect::<Result<_, _>>()?;
            names.sort();
            names.join(",")
        }
        Op::Readlink(path) => fs::readlinkat(root, path, vec![])?.into_string().unwrap(),
        Op::Punch(path, offset, len) => {
            let flags = fs::FallocateFlags::PUNCH_HOLE | fs::FallocateFlags::KEEP_SIZE;
            fs::fallocate(&open(path, OFlags::RDWR)?, flags, *offset, *len).map(|()| String::new())?
        }
    };
    Ok(text)
}

/// Whether a path could lead out of the directory: then `..` means another thing here and there.
fn stays_inside(op: &Op) -> bool {
    let inside = |path: &String| !path.split('/').any(|name| name == "..");
    match op {
        Op::Link(from, to) | Op::Rename(from, to, _) => inside(from) && inside(to),
        Op::Symlink(target, path) => inside(target) && inside(path),
        Op::Mkdir(path, _) | Op::Create(path, ..) | Op::Write(path, ..) | Op::Read(path) => inside(path),
        Op::Unlink(path) | Op::Rmdir(path) | Op::Truncate(path, _) | Op::Chmod(path, _) => inside(path),
        Op::Stat(path, _) | Op::List(path) | Op::Readlink(path) | Op::Punch(path, ..) => inside(path),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]
    #[test]
    fn same_as_the_host(ops in prop::collection::vec(op().prop_filter("inside", stays_inside), 1..60)) {
        // The comparison needs our umask for a moment; every file of this test sets its bits itself.
        let before = rustix::process::umask(Mode::empty());
        let host = tempfile::tempdir_in("/dev/shm").unwrap();
        fs::chmodat(CWD, host.path(), Mode::from_raw_mode(0o755), AtFlags::empty()).unwrap();
        let root = fs::openat(CWD, host.path(), OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap();
        with_who(|who| -> Result<(), TestCaseError> {
            let mut ours = Ours::new(who);
            for (step, op) in ops.iter().enumerate() {
                let expected: Came = on_host(&root, op).map_err(|errno| errno.raw_os_error());
                let found: Came = ours.run(who, op).map_err(|errno| errno.number());
                prop_assert_eq!(found, expected, "step {}: {:?}", step, op);
            }
            Ok(())
        })?;
        rustix::process::umask(before);
    }
}
