//! What is only here: getcwd after chdir, removed directories, mounts, mapping, users.

use crate::machine::{Machine, Rump, SEED};
use abi::raw::general::*;
use abi::{Errno, nr, private};
use kernel::{Credentials, Descriptors, Pass};
use std::cell::RefCell;
use std::rc::Rc;

const AT: u64 = 0x10_0000;
const ROOM: u64 = AT + 4096;

fn path(rump: &mut Rump, path: &str) -> u64 {
    let bytes = [path.as_bytes(), &[0]].concat();
    rump.memory()[64..64 + bytes.len()].copy_from_slice(&bytes);
    AT + 64
}

fn named(rump: &mut Rump, nr: u32, name: &str, arg: u64) -> Result<u64, Errno> {
    let path = path(rump, name);
    rump.sys(nr, [path, arg, 0o600, 0, 0, 0])
}

fn getcwd(rump: &mut Rump) -> Result<String, Errno> {
    let len = usize::try_from(rump.sys(nr::GETCWD, [ROOM, 4096, 0, 0, 0, 0])?).expect("a length");
    Ok(String::from_utf8_lossy(&rump.memory()[4096..4096 + len - 1]).into_owned())
}

#[test]
fn a_working_directory_lives_while_it_is_used() {
    let mut rump = Rump::new();
    assert_eq!(getcwd(&mut rump).as_deref(), Ok("/"));
    assert_eq!(named(&mut rump, nr::MKDIR, "/tmp/a", 0o700), Ok(0));
    assert_eq!(named(&mut rump, nr::CHDIR, "/tmp/a", 0), Ok(0));
    assert_eq!(getcwd(&mut rump).as_deref(), Ok("/tmp/a"));
    let child = rump.kernel.fork(rump.pid).expect("a child");
    assert_eq!(named(&mut rump, nr::CHDIR, "..", 0), Ok(0));
    assert_eq!(getcwd(&mut rump).as_deref(), Ok("/tmp"));
    assert_eq!(named(&mut rump, nr::RMDIR, "a", 0), Ok(0));
    assert_eq!(rump.sys_of(child, nr::GETCWD, [ROOM, 4096, 0, 0, 0, 0]), Err(Errno::ENOENT));
    let inside = path(&mut rump, "new");
    assert_eq!(rump.sys_of(child, nr::MKDIR, [inside, 0o700, 0, 0, 0, 0]), Err(Errno::ENOENT));
    rump.kernel.detach(child);
    assert_eq!(named(&mut rump, nr::CHROOT, "/tmp", 0), Ok(0));
    assert_eq!(getcwd(&mut rump).as_deref(), Ok("/"));
}

#[test]
fn a_tmpfs_is_mounted_and_taken_away() {
    let mut rump = Rump::new();
    let mount = |rump: &mut Rump, kind: &[u8]| {
        rump.memory()[200..200 + kind.len()].copy_from_slice(kind);
        let on = path(rump, "/tmp");
        rump.sys(nr::MOUNT, [0, on, AT + 200, 0, 0, 0])
    };
    assert_eq!(mount(&mut rump, b"ext9\0"), Err(Errno::ENODEV));
    assert_eq!(mount(&mut rump, b"tmpfs\0"), Ok(0));
    let fd = named(&mut rump, nr::CREAT, "/tmp/f", 0o600).expect("a file");
    assert_eq!(named(&mut rump, nr::UMOUNT2, "/tmp", 0), Err(Errno::EBUSY));
    assert_eq!(rump.sys(nr::CLOSE, [fd, 0, 0, 0, 0, 0]), Ok(0));
    assert_eq!(named(&mut rump, nr::UMOUNT2, "/tmp", 0), Ok(0));
    assert_eq!(named(&mut rump, nr::ACCESS, "/tmp/f", 0), Err(Errno::ENOENT));
}

#[test]
fn others_may_not_what_root_may() {
    let mut rump = Rump::with(Descriptors::Strong, 1000);
    assert_eq!(named(&mut rump, nr::MKDIR, "/a", 0o700), Err(Errno::EACCES));
    assert_eq!(named(&mut rump, nr::CHROOT, "/tmp", 0), Err(Errno::EPERM));
    assert_eq!(named(&mut rump, nr::UMOUNT2, "/tmp", 0), Err(Errno::EPERM));
    assert_eq!(rump.sys(nr::GETUID, [0; 6]), Ok(1000));
    assert_eq!(rump.sys(nr::UMASK, [0o077, 0, 0, 0, 0, 0]), Ok(0o022));
    let fd = named(&mut rump, nr::OPEN, "/tmp/f", u64::from(O_CREAT | O_WRONLY)).expect("a file");
    assert_eq!(rump.sys(nr::FCHOWN, [fd, 0, 0, 0, 0, 0]), Err(Errno::EPERM));
}

#[test]
fn only_ones_own_open_files_are_found() {
    let mut rump = Rump::with(Descriptors::Strong, 1000);
    let fd = named(&mut rump, nr::OPEN, "/tmp/f", u64::from(O_CREAT | O_WRONLY)).expect("a file");
    let user = |uid| Credentials { uid, gid: 100, groups: Vec::new(), host_pid: 0 };
    let others = [0, 1000, 1001].map(|uid| rump.kernel.attach(user(uid), b"other", Descriptors::Strong));
    let expected = u64::from(rump.pid.0) << 32 | fd;
    let mut found_by = |pid| {
        let mut find = |id| rump.sys_of(pid, private::FIND, [id, 1, 0, 0, 0, 0]);
        // Where the names of files begin is the seed's.
        let first = u64::from_le_bytes(*SEED.last_chunk().expect("long")) >> 1;
        (first..first + 100).filter_map(|id| find(id).ok()).collect::<Vec<_>>()
    };
    assert_eq!(others.map(&mut found_by), [vec![expected], vec![expected], vec![]]);
}

/// Memory that the test can look at, as a server's memory files.
#[derive(Default)]
struct Memory(Rc<RefCell<Vec<u8>>>);

impl vfs::SharedMemory for Memory {
    fn create(&mut self) -> Result<Box<dyn vfs::SharedBytes>, Errno> {
        Ok(Box::new(Memory(Rc::clone(&self.0))))
    }
}

impl vfs::SharedBytes for Memory {
    fn id(&self) -> u64 {
        77
    }

    fn len(&self) -> u64 {
        self.0.borrow().len() as u64
    }

    /// Pages of zeros are holes here.
    fn allocated(&self) -> u64 {
        let bytes = self.0.borrow();
        bytes.chunks(4096).filter(|page| page.iter().any(|byte| *byte != 0)).count() as u64 * 4096
    }

    fn set_len(&mut self, len: u64) -> Result<(), Errno> {
        self.0.borrow_mut().resize(usize::try_from(len).expect("small"), 0);
        Ok(())
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<usize, Errno> {
        let bytes = self.0.borrow();
        let rest = &bytes[usize::try_from(offset).expect("small").min(bytes.len())..];
        let len = rest.len().min(into.len());
        into[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }

    fn punch(&mut self, start: u64, end: u64) -> Result<(), Errno> {
        let range = usize::try_from(start).expect("small")..usize::try_from(end).expect("small");
        self.0.borrow_mut()[range].fill(0);
        Ok(())
    }

    fn write_at(&mut self, offset: u64, data: &[u8]) -> Result<(), Errno> {
        let (at, mut bytes) = (usize::try_from(offset).expect("small"), self.0.borrow_mut());
        let len = bytes.len().max(at + data.len());
        bytes.resize(len, 0);
        bytes[at..at + data.len()].copy_from_slice(data);
        Ok(())
    }
}

#[test]
fn a_mapped_file_is_the_same_for_both_sides() {
    let mut rump = Rump::with(Descriptors::Weak, 0);
    let pid = rump.pid;
    let fd = named(&mut rump, nr::OPEN, "/tmp/f", u64::from(O_CREAT | O_RDWR)).expect("a file");
    let map = |prot| [fd, prot, 0, 0, 0, 0];
    rump.memory()[4096..4100].copy_from_slice(b"text");
    assert_eq!(rump.sys(nr::WRITE, [fd, ROOM, 4, 0, 0, 0]), Ok(4));
    assert_eq!(rump.sys(private::MAPFD, map(1)), Err(Errno::ENODEV), "this server has no memory to give");
    let memory = Memory::default();
    let bytes = Rc::clone(&memory.0);
    rump.kernel.share_memory(Box::new(memory));
    let id = rump.start(pid, private::MAPFD, map(3));
    let reply = rump.reply(id).expect("an answer");
    let pass: Vec<Pass> = reply.files.iter().map(|file| file.pass).collect();
    assert_eq!((reply.result, pass), (Ok(0), vec![Pass::Memory { id: 77, writable: true }]));
    assert_eq!(*bytes.borrow(), b"text");
    bytes.borrow_mut()[0] = b'n';
    assert_eq!(rump.sys(nr::PREAD64, [fd, ROOM, 4, 0, 0, 0]), Ok(4));
    assert_eq!(&rump.memory()[4096..4100], b"next");
    let reading = named(&mut rump, nr::OPEN, "/tmp/f", u64::from(O_RDONLY)).expect("a file");
    assert_eq!(rump.sys(private::MAPFD, [reading, 3, 0, 0, 0, 0]), Err(Errno::EACCES));
}

/// A file of `pages` pages, filled by `fill`.
fn file_of(rump: &mut Rump, name: &str, pages: u64, fill: u8) {
    let fd = named(rump, nr::OPEN, name, u64::from(O_CREAT | O_WRONLY)).expect("a file");
    rump.memory()[4096..8192].fill(fill);
    for page in 0..pages {
        assert_eq!(rump.sys(nr::PWRITE64, [fd, ROOM, 4096, page * 4096, 0, 0]), Ok(4096));
    }
    assert_eq!(rump.sys(nr::CLOSE, [fd, 0, 0, 0, 0, 0]), Ok(0));
}

#[test]
fn a_large_file_is_handed_out_to_be_read_a_part_at_a_time() {
    const PAGES: u64 = 2500;
    let mut rump = Rump::with(Descriptors::Weak, 0);
    file_of(&mut rump, "/tmp/f", PAGES, b'a');
    let opened =
        |rump: &mut Rump, flags: u32| named(rump, nr::OPEN, "/tmp/f", u64::from(flags)).expect("a file");
    let (fd, writer) = (opened(&mut rump, O_RDONLY), opened(&mut rump, O_RDWR));
    let direct = |fd| [fd, 0, 0, 0, 0, 0];
    let read_it = |rump: &mut Rump| {
        for page in (0..PAGES).chain(0..PAGES) {
            assert_eq!(rump.sys(nr::PREAD64, [fd, ROOM, 4096, page * 4096, 0, 0]), Ok(4096));
        }
    };
    assert_eq!(
        rump.sys(private::DIRECT, direct(fd)),
        Err(Errno::EOPNOTSUPP),
        "this server has no memory to give"
    );
    let memory = Memory::default();
    let bytes = Rc::clone(&memory.0);
    rump.kernel.share_memory(Box::new(memory));
    assert_eq!(rump.sys(private::DIRECT, direct(writer)), Err(Errno::EOPNOTSUPP), "it is open for writing");
    assert_eq!(rump.sys(nr::LSEEK, [fd, 10, 0, 0, 0, 0]), Ok(10));
    assert_eq!(rump.sys(private::DIRECT, direct(fd)), Err(Errno::EBUSY), "nobody has read it");
    read_it(&mut rump);
    let moving = |rump: &mut Rump| assert_eq!(rump.sys(private::DIRECT, direct(fd)), Err(Errno::EINPROGRESS));
    (0..5).for_each(|_| moving(&mut rump));
    // What was copied is not the file any more.
    rump.memory()[4096] = b'b';
    assert_eq!(rump.sys(nr::PWRITE64, [writer, ROOM, 1, 0, 0, 0]), Ok(1));
    assert_eq!(rump.sys(private::DIRECT, direct(fd)), Err(Errno::EBUSY), "nobody has read it since");
    read_it(&mut rump);
    (0..9).for_each(|_| moving(&mut rump));
    let (pid, before) = (rump.pid, bytes.borrow().len());
    let id = rump.start(pid, private::DIRECT, direct(fd));
    let reply = rump.reply(id).expect("an answer");
    let pass: Vec<Pass> = reply.files.iter().map(|file| file.pass).collect();
    assert_eq!((reply.result, pass), (Ok(10), vec![Pass::Memory { id: 77, writable: false }]));
    assert_eq!((before, bytes.borrow().len() as u64), (2500 * 4096, PAGES * 4096));
    assert!(bytes.borrow()[0] == b'b' && bytes.borrow()[1..].iter().all(|byte| *byte == b'a'));
    // From now on both see the same.
    rump.memory()[4096] = b'b';
    assert_eq!(rump.sys(nr::PWRITE64, [writer, ROOM, 1, 99, 0, 0]), Ok(1));
    assert_eq!(bytes.borrow()[99], b'b');
}

#[test]
fn what_is_short_or_has_holes_or_is_watched_is_read_by_calls() {
    let mut rump = Rump::with(Descriptors::Weak, 0);
    rump.kernel.share_memory(Box::new(Memory::default()));
    for (name, pages, len) in [("/tmp/short", 255, 255 * 4096), ("/tmp/holes", 256, 300 * 4096)] {
        file_of(&mut rump, name, pages, 1);
        assert_eq!(named(&mut rump, nr::TRUNCATE, name, len), Ok(0));
        let fd = named(&mut rump, nr::OPEN, name, u64::from(O_RDONLY)).expect("a file");
        assert_eq!(rump.sys(private::DIRECT, [fd, 0, 0, 0, 0, 0]), Err(Errno::EOPNOTSUPP), "{name}");
    }
    file_of(&mut rump, "/tmp/f", 256, 1);
    let fd = named(&mut rump, nr::OPEN, "/tmp/f", u64::from(O_RDONLY)).expect("a file");
    let inotify = rump.sys(private::INOTIFY, [0; 6]).expect("an inotify descriptor");
    let tmp = path(&mut rump, "/tmp");
    let watch =
        rump.sys(nr::INOTIFY_ADD_WATCH, [inotify, tmp, u64::from(IN_ACCESS), 0, 0, 0]).expect("a watch");
    assert_eq!(rump.sys(private::DIRECT, [fd, 0, 0, 0, 0, 0]), Err(Errno::EOPNOTSUPP));
    (0..400).for_each(|_| assert_eq!(rump.sys(nr::PREAD64, [fd, ROOM, 4096, 0, 0, 0]), Ok(4096)));
    assert_eq!(rump.sys(private::DIRECT, [fd, 0, 0, 0, 0, 0]), Err(Errno::EOPNOTSUPP));
    assert_eq!(rump.sys(nr::INOTIFY_RM_WATCH, [inotify, watch, 0, 0, 0, 0]), Ok(0));
    assert_eq!(rump.sys(private::DIRECT, [fd, 0, 0, 0, 0, 0]), Ok(0));
}
