//! What a tmpfs gives and what it refuses, so that no client can take all memory; and that hostile numbers and names are only refused.

#![allow(clippy::unwrap_used, reason = "a test ends there")]

use abi::Errno;
use abi::raw::general::{FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE, FALLOC_FL_ZERO_RANGE, O_CREAT, O_RDWR};
use proptest::prelude::*;
use vfs::tmpfs::Tmpfs;
use vfs::{Follow, Location, MountFlags, Opening, SharedBytes, SharedMemory, Start, Vfs, Who};

const ROOT: Who<'_> = Who { uid: 0, gid: 0, groups: &[], umask: 0, prefix: b"" };
const MIB: u64 = 1 << 20;

/// A small tmpfs on /tmp, where walks start.
fn small(tmpfs: Tmpfs) -> (Vfs, Start) {
    let mut vfs = Vfs::new(Tmpfs::new(64 * MIB, 1), [1; 32], 1).unwrap();
    let start = Start { root: vfs.root(), dir: vfs.root() };
    let on = vfs.lookup(&ROOT, start, b"tmp", Follow::Yes).unwrap();
    let dir = vfs.mount(Box::new(tmpfs), on, "none", MountFlags::default()).unwrap();
    (vfs, Start { dir, ..start })
}

fn file(vfs: &mut Vfs, start: Start, name: &str) -> Result<Location, Errno> {
    let how = Opening { flags: O_CREAT | O_RDWR, mode: 0o644, resolve: 0 };
    vfs.open(&ROOT, start, name.as_bytes(), how, 1).map(|opened| opened.at)
}

fn free(vfs: &Vfs, start: Start) -> (u64, u64) {
    let statfs = vfs.statfs(start.dir).unwrap();
    (statfs.f_bfree * 4096, statfs.f_ffree)
}

#[test]
fn bytes() {
    let (mut vfs, start) = small(Tmpfs::new(MIB, 1));
    let at = file(&mut vfs, start, "f").unwrap();
    assert_eq!(vfs.write(&ROOT, at, 0, &vec![7; 2 << 20], 1), Ok(1 << 20), "as much as there is room for");
    assert_eq!(vfs.write(&ROOT, at, MIB, &[7], 1), Err(Errno::ENOSPC));
    assert_eq!(vfs.write(&ROOT, at, 100, &[8], 1), Ok(1), "what is there can be written again");
    assert_eq!(free(&vfs, start).0, 0);
    let hole = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    assert_eq!(vfs.allocate(&ROOT, at, hole, (0, 8192), 1), Ok(()));
    assert_eq!(free(&vfs, start).0, 8192);
    assert_eq!(vfs.allocate(&ROOT, at, 0, (0, 2 * MIB), 1), Err(Errno::ENOSPC));
    assert_eq!(free(&vfs, start).0, 8192, "refused as a whole");
    assert_eq!(vfs.symlink(&ROOT, &[b'x'; 4000], start, b"long", 1), Ok(()));
    assert_eq!(vfs.set_xattr(&ROOT, at, b"user.a", &[0; 4000], 0, 1), Ok(()));
    assert_eq!(vfs.set_xattr(&ROOT, at, b"user.b", &[0; 4000], 0, 1), Err(Errno::ENOSPC));
    assert_eq!(vfs.symlink(&ROOT, &[b'x'; 4000], start, b"long2", 1), Err(Errno::ENOSPC));
}

/// Quotas by mount option: of a user, and of a group; root's files are not limited, and what is given away is paid by who gets it.
#[test]
fn quotas() {
    let options =
        b"mode=1777,usrquota_block_hardlimit=64k,usrquota_inode_hardlimit=3,grpquota_block_hardlimit=96k";
    let (mut vfs, start) = small(Tmpfs::mounted(options, (0, 0), 1).unwrap());
    let shown = vfs.mounts();
    let expected = ",usrquota,usrquota_block_hardlimit=65536,usrquota_inode_hardlimit=3,grpquota,grpquota_block_hardlimit=98304\n";
    assert!(shown.ends_with(expected), "{shown}");
    let user = |uid| Who { uid, gid: 100, groups: &[], umask: 0, prefix: b"" };
    let make = |vfs: &mut Vfs, who: &Who<'_>, name: &str| {
        let how = Opening { flags: O_CREAT | O_RDWR, mode: 0o644, resolve: 0 };
        vfs.open(who, start, name.as_bytes(), how, 1).map(|opened| opened.at)
    };
    let (one, other) = (user(1), user(2));
    let a = make(&mut vfs, &one, "a").unwrap();
    assert_eq!(vfs.write(&one, a, 0, &[7; 100_000], 1), Ok(65536), "as much as there is room for");
    assert_eq!(vfs.write(&one, a, 65536, &[7], 1), Err(Errno::EDQUOT));
    assert_eq!(vfs.allocate(&one, a, 0, (0, 100_000), 1), Err(Errno::EDQUOT));
    assert_eq!(vfs.set_xattr(&one, a, b"user.x", b"1", 0, 1), Err(Errno::EDQUOT));
    let b = make(&mut vfs, &other, "b").unwrap();
    assert_eq!(vfs.write(&other, b, 0, &[7; 100_000], 1), Ok(32768), "the group's");
    assert_eq!(vfs.write(&other, b, 32768, &[7], 1), Err(Errno::EDQUOT));
    make(&mut vfs, &one, "c").unwrap();
    make(&mut vfs, &one, "d").unwrap();
    assert_eq!(make(&mut vfs, &one, "e"), Err(Errno::EDQUOT));
    assert_eq!(vfs.mkdir(&one, start, b"e", 0o755, 1), Err(Errno::EDQUOT));
    let root = make(&mut vfs, &ROOT, "root").unwrap();
    assert_eq!(vfs.write(&ROOT, root, 0, &[7; 100_000], 1), Ok(100_000));
    assert_eq!(vfs.chown(&ROOT, root, Some(2), None, 1), Err(Errno::EDQUOT));
    assert_eq!(vfs.chown(&ROOT, a, Some(0), Some(0), 1), Ok(()));
    assert_eq!(
        vfs.write(&one, b, 32768, &[7; 4096], 1),
        Ok(4096),
        "the group has room again, and it is the owner's that counts"
    );
    assert_eq!(vfs.unlink(&one, start, b"c", 0, 1), Ok(()));
    assert!(make(&mut vfs, &one, "e").is_ok() && make(&mut vfs, &one, "f").is_ok());
    assert_eq!(make(&mut vfs, &one, "g"), Err(Errno::EDQUOT));
    assert_eq!(vfs.remount(start.dir, 0, b"usrquota", false), Err(Errno::EINVAL));
}

#[test]
fn all_is_given_back() {
    let (mut vfs, start) = small(Tmpfs::new(MIB, 1));
    let before = free(&vfs, start);
    let at = file(&mut vfs, start, "f").unwrap();
    vfs.hold(at, true);
    vfs.write(&ROOT, at, 0, &[7; 10_000], 1).unwrap();
    vfs.set_xattr(&ROOT, at, b"user.a", &[0; 100], 0, 1).unwrap();
    vfs.link(&ROOT, at, start, b"g", 1).unwrap();
    vfs.symlink(&ROOT, &[b'x'; 4000], start, b"long", 1).unwrap();
    assert_ne!(free(&vfs, start), before);
    for name in ["f", "g", "long"] {
        vfs.unlink(&ROOT, start, name.as_bytes(), 0, 1).unwrap();
    }
    let mut byte = [0];
    assert_eq!(vfs.read(at, 9_999, &mut byte, None), Ok(1), "an open file lives without a name");
    assert_eq!((byte, vfs.attr(at).unwrap().nlink), ([7], 0));
    assert_eq!(vfs.link(&ROOT, at, start, b"again", 1), Err(Errno::ENOENT));
    vfs.hold(at, false);
    assert_eq!(vfs.attr(at), Err(Errno::ESTALE));
    assert_eq!(free(&vfs, start), before);
}

#[test]
fn inodes_and_links() {
    let (mut vfs, start) = small(Tmpfs::new(MIB, 1).with_inodes(4));
    let at = file(&mut vfs, start, "f").unwrap();
    vfs.mkdir(&ROOT, start, b"d", 0o755, 1).unwrap();
    vfs.link(&ROOT, at, start, b"g", 1).unwrap();
    assert_eq!(vfs.link(&ROOT, at, start, b"h", 1), Err(Errno::ENOSPC), "a name takes memory as well");
    assert_eq!(file(&mut vfs, start, "h"), Err(Errno::ENOSPC));
    vfs.unlink(&ROOT, start, b"g", 0, 1).unwrap();
    assert!(file(&mut vfs, start, "h").is_ok());
}

/// Memory whose size another program changes.
struct Wild(u64);

impl SharedMemory for Wild {
    fn create(&mut self) -> Result<Box<dyn SharedBytes>, Errno> {
        Ok(Box::new(Self(0)))
    }
}

impl SharedBytes for Wild {
    fn id(&self) -> u64 {
        1
    }
    fn len(&self) -> u64 {
        self.0
    }
    fn set_len(&mut self, _len: u64) -> Result<(), Errno> {
        // Whatever was asked for: somebody else grew it at once.
        self.0 = i64::MAX.cast_unsigned();
        Ok(())
    }
    fn read_at(&self, _offset: u64, _into: &mut [u8]) -> Result<usize, Errno> {
        Ok(0)
    }
    fn punch(&mut self, _start: u64, _end: u64) -> Result<(), Errno> {
        Ok(())
    }
    fn write_at(&mut self, _offset: u64, _bytes: &[u8]) -> Result<(), Errno> {
        Ok(())
    }
}

#[test]
fn mapped_memory_cannot_upset_the_count() {
    let (mut vfs, start) = small(Tmpfs::new(MIB, 1));
    let at = file(&mut vfs, start, "f").unwrap();
    vfs.set_size(&ROOT, at, 2 * MIB, 1).unwrap();
    assert_eq!(vfs.share(at, &mut Wild(0)), Err(Errno::ENOMEM), "its holes may be filled without asking");
    vfs.set_size(&ROOT, at, 4096, 1).unwrap();
    assert_eq!(vfs.share(at, &mut Wild(0)), Ok(1));
    assert_eq!(free(&vfs, start).0, 0);
    vfs.unlink(&ROOT, start, b"f", 0, 1).unwrap();
    assert_eq!(free(&vfs, start).0, MIB);
}

proptest! {
    #[test]
    fn hostile_numbers(steps in prop::collection::vec((0..7_u8, number(), number()), 1..40)) {
        let (mut vfs, start) = small(Tmpfs::new(MIB, 1));
        let at = file(&mut vfs, start, "f").unwrap();
        for (what, one, other) in steps {
            let _refused = match what {
                0 => vfs.write(&ROOT, at, one, &[7; 5000], 1).map(drop),
                1 => vfs.read(at, one, &mut [0; 5000], Some(other)).map(drop),
                2 => vfs.set_size(&ROOT, at, one, 1),
                3 => vfs.seek(at, one, other % 2 == 0).map(drop),
                4 => vfs.allocate(&ROOT, at, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (one, other), 1),
                5 => vfs.allocate(&ROOT, at, FALLOC_FL_ZERO_RANGE, (one, other), 1),
                _ => vfs.allocate(&ROOT, at, 0, (one, other), 1),
            };
            prop_assert!(vfs.attr(at).unwrap().size <= i64::MAX.cast_unsigned());
            prop_assert!(vfs.attr(at).unwrap().blocks * 512 <= MIB);
        }
    }

    #[test]
    fn hostile_paths(paths in prop::collection::vec(prop::collection::vec(byte(), 0..40), 1..20)) {
        let (mut vfs, start) = small(Tmpfs::new(MIB, 1));
        for pair in paths.windows(2) {
            let [one, other] = pair else { continue };
            let how = Opening { flags: O_CREAT | O_RDWR, mode: 0o644, resolve: 0 };
            let _refused = vfs.mkdir(&ROOT, start, one, 0o755, 1);
            let _refused = vfs.symlink(&ROOT, other, start, one, 1);
            let _refused = vfs.open(&ROOT, start, other, how, 1);
            let _refused = vfs.rename(&ROOT, (start, one), (start, other), u32::from(one.len() % 3 == 0) * 2, 1);
            let _refused = vfs.unlink(&ROOT, start, other, 0, 1);
            if let Ok(at) = vfs.lookup(&ROOT, start, one, Follow::Yes) {
                let _refused = vfs.path_of(start.root, at);
            }
        }
    }
}

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![
        0..20_000_u64,
        any::<u64>(),
        (0..9000_u64).prop_map(|less| u64::MAX - less),
        (0..9000_u64).prop_map(|less| i64::MAX.cast_unsigned() - less)
    ]
}

/// Mostly what paths are made of.
fn byte() -> impl Strategy<Value = u8> {
    prop_oneof![4 => prop::sample::select(b"/./ab".to_vec()), 1 => any::<u8>()]
}
