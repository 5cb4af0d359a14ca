//! File systems behind workers: the tree's operations on a tmpfs that answers later, against the same on a tmpfs that answers at once.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod turns;

use abi::Errno;
use proptest::prelude::*;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use vfs::remote::{self, Log, MountSource, Mounted, Op, SharedExchange, Source, Value, carry_out};
use vfs::tmpfs::Tmpfs;
use vfs::{FileSystem, Follow, Kind, MountFlags, Opening, Start, Time, Vfs, Who};

const ROOM: u64 = 64 << 20;
/// So little that each write is waited for.
const LITTLE: u64 = 4 << 20;
/// No call asks for more.
const ROUNDS_MAX: usize = 100;
const USER: Who<'static> = Who { uid: 0, gid: 0, groups: &[], umask: 0o022, prefix: b"" };

/// A tree with a file system at /mnt, and the worker behind it.
struct World {
    vfs: Vfs,
    exchange: SharedExchange,
    worker: Option<Tmpfs>,
    now: Time,
    /// Operations that the worker was given.
    asked: Vec<&'static str>,
    /// Answers that nobody waits for, and that have not arrived.
    late: Vec<(u32, usize, remote::Answer)>,
}

/// What a program asks for.
#[derive(Debug, Clone)]
enum Call {
    Create(u8),
    Mkdir(u8),
    Write(u8, u16, u16),
    Read(u8, u16, u16),
    Truncate(u8, u16),
    Chmod(u8, u16),
    Unlink(u8),
    Rmdir(u8),
    Rename(u8, u8),
    Link(u8, u8),
    Symlink(u8, u8),
    Readlink(u8),
    Stat(u8),
    List(u8),
    SetXattr(u8, u8),
    Xattrs(u8),
    Sync,
}

/// Ten places, some in others.
fn path(at: u8) -> Vec<u8> {
    const PATHS: [&str; 10] = [
        "/mnt/a",
        "/mnt/b",
        "/mnt/d",
        "/mnt/d/a",
        "/mnt/d/b",
        "/mnt/d/e",
        "/mnt/d/e/a",
        "/mnt/e",
        "/mnt/e/a",
        "/mnt/c",
    ];
    PATHS[usize::from(at) % PATHS.len()].as_bytes().to_vec()
}

impl World {
    fn remote() -> Self {
        Self::remote_with(ROOM)
    }

    fn remote_with(room: u64) -> Self {
        let mut world = Self::bare();
        world.worker = Some(Tmpfs::new(room, 1));
        let mounted = world.run(|vfs, exchange, now| {
            let on = mount_point(vfs, now)?;
            let source = MountSource {
                from: Source::Drive(1),
                kind: b"tmpfs".to_vec(),
                options: Vec::new(),
                read_only: false,
            };
            let fs = remote::mount(exchange, source)?;
            vfs.mount(Box::new(fs), on, "dk", MountFlags::default())
        });
        mounted.unwrap();
        world
    }

    fn local() -> Self {
        let mut world = Self::bare();
        let mounted = world.run(|vfs, _, now| {
            let on = mount_point(vfs, now)?;
            vfs.mount(Box::new(Tmpfs::new(ROOM, 1)), on, "dk", MountFlags::default())
        });
        mounted.unwrap();
        world
    }

    fn bare() -> Self {
        let vfs = Vfs::new(Tmpfs::new(ROOM, 1), [0; 32], 1).unwrap();
        let exchange = Rc::new(RefCell::default());
        Self { vfs, exchange, worker: None, now: 1000, asked: Vec::new(), late: Vec::new() }
    }

    /// Runs a call as the kernel does: again and again, until it asks for nothing more.
    fn run<T>(
        &mut self,
        call: impl Fn(&mut Vfs, &SharedExchange, Time) -> Result<T, Errno>,
    ) -> Result<T, Errno> {
        let mut log = Log::default();
        if (self.now / 1_000_000).is_multiple_of(4) {
            self.deliver();
        }
        for _ in 0..ROUNDS_MAX {
            self.exchange.borrow_mut().begin(log);
            let outcome = call(&mut self.vfs, &self.exchange, self.now);
            let asked = self.exchange.borrow_mut().end();
            self.posted();
            let Some((_, op, waiting)) = asked else {
                assert!(!matches!(outcome, Err(remote::WAITS)));
                return outcome;
            };
            log = waiting;
            let answer = self.carry_out(op);
            self.deliver();
            log.answer(answer);
        }
        panic!("it asks again and again: {:?}", self.asked)
    }

    fn posted(&mut self) {
        loop {
            let posted = self.exchange.borrow_mut().next_posted();
            let Some((worker, op)) = posted else { break };
            let weight = op.weight();
            let answer = self.carry_out(op);
            self.late.push((worker, weight, answer));
        }
    }

    /// What was answered arrives, in its order.
    fn deliver(&mut self) {
        for (worker, weight, answer) in self.late.drain(..) {
            self.exchange.borrow_mut().done(worker, weight, answer);
        }
    }

    fn carry_out(&mut self, op: Op) -> remote::Answer {
        let tmpfs = self.worker.as_mut().unwrap();
        self.asked.push(match &op {
            Op::Nodes(_) => "nodes",
            Op::Lookup { .. } => "lookup",
            Op::Read { .. } => "read",
            Op::ReadAhead { .. } => "read ahead",
            Op::Await => "await",
            Op::Write { .. } => "write",
            Op::List(_) => "list",
            _ => "other",
        });
        if let Op::Mount(_) = op {
            return Ok(Value::Mounted(Arc::new(Mounted {
                worker: 7,
                drive: Some(1),
                name: "tmpfs",
                root: tmpfs.root(),
                acls: true,
                behind: true,
                keeps_nodes: true,
                exact: true,
                keeps_pages: true,
                size_max: tmpfs.size_max(),
                identity: None,
                options: String::new(),
            })));
        }
        carry_out(op, tmpfs)
    }

    fn do_call(&mut self, call: &Call) -> String {
        self.now += 1_000_000;
        let outcome = self.run(|vfs, _, now| do_call(vfs, call, now));
        format!("{outcome:?}")
    }
}

fn start(vfs: &Vfs) -> Start {
    Start { root: vfs.root(), dir: vfs.root() }
}

fn mount_point(vfs: &mut Vfs, now: Time) -> Result<vfs::Location, Errno> {
    match vfs.mkdir(&USER, start(vfs), b"/mnt", 0o755, now) {
        Ok(()) | Err(Errno::EEXIST) => {}
        Err(errno) => return Err(errno),
    }
    vfs.lookup(&USER, start(vfs), b"/mnt", Follow::Yes)
}

fn do_call(vfs: &mut Vfs, call: &Call, now: Time) -> Result<String, Errno> {
    let start = start(vfs);
    let at = |vfs: &Vfs, place: u8| vfs.lookup(&USER, start, &path(place), Follow::No);
    let done = |()| String::new();
    match *call {
        Call::Create(place) => {
            let flags = abi::raw::general::O_CREAT | abi::raw::general::O_RDWR;
            let how = Opening { flags, mode: 0o644, resolve: 0 };
            vfs.open(&USER, start, &path(place), how, now).map(|opened| format!("{:?}", opened.kind))
        }
        Call::Mkdir(place) => vfs.mkdir(&USER, start, &path(place), 0o755, now).map(done),
        Call::Write(place, offset, len) => {
            let at = at(vfs, place)?;
            let bytes: Vec<u8> = (0..len).map(|byte| (byte ^ offset).to_le_bytes()[0]).collect();
            match vfs.attr(at)?.kind {
                Kind::Regular => Ok(vfs.write(&USER, at, u64::from(offset), &bytes, now)?.to_string()),
                _ => Ok("no file".to_owned()),
            }
        }
        Call::Read(place, offset, len) => {
            let at = at(vfs, place)?;
            let mut into = vec![0; usize::from(len)];
            let read = vfs.read(at, u64::from(offset), &mut into, Some(now))?;
            Ok(format!("{:?}", &into[..read]))
        }
        Call::Truncate(place, size) => vfs.truncate(&USER, at(vfs, place)?, u64::from(size), now).map(done),
        Call::Chmod(place, mode) => vfs.chmod(&USER, at(vfs, place)?, u32::from(mode), now).map(done),
        Call::Unlink(place) => vfs.unlink(&USER, start, &path(place), 0, now).map(|_| String::new()),
        Call::Rmdir(place) => {
            let flags = abi::raw::general::AT_REMOVEDIR;
            vfs.unlink(&USER, start, &path(place), flags, now).map(|_| String::new())
        }
        Call::Rename(from, to) => {
            vfs.rename(&USER, (start, &path(from)), (start, &path(to)), 0, now).map(|_| String::new())
        }
        Call::Link(from, to) => vfs.link(&USER, at(vfs, from)?, start, &path(to), now).map(done),
        Call::Symlink(target, place) => vfs.symlink(&USER, &path(target), start, &path(place), now).map(done),
        Call::Readlink(place) => {
            let target = vfs.readlink(&USER, vfs.root(), at(vfs, place)?)?;
            Ok(String::from_utf8(target).unwrap())
        }
        Call::Stat(place) => {
            let stat = vfs.stat(at(vfs, place)?)?;
            Ok(format!(
                "{:o} {} {} {} {:?} {:?} {:?}",
                stat.st_mode,
                stat.st_nlink,
                stat.st_size,
                stat.st_blocks,
                stat.st_atim,
                stat.st_mtim,
                stat.st_ctim
            ))
        }
        Call::List(place) => {
            let mut names = Vec::new();
            vfs.read_dir(at(vfs, place)?, 0, &mut |_, _, kind, name| {
                names.push((String::from_utf8_lossy(name).into_owned(), kind));
                true
            })?;
            names.sort_by(|one, other| one.0.cmp(&other.0));
            Ok(format!("{names:?}"))
        }
        Call::SetXattr(place, value) => {
            vfs.set_xattr(&USER, at(vfs, place)?, b"user.x", &[value], 0, now).map(done)
        }
        Call::Xattrs(place) => Ok(format!("{:?}", vfs.xattrs(&USER, at(vfs, place)?)?)),
        Call::Sync => vfs.sync_all().map(done),
    }
}

fn calls() -> impl Strategy<Value = Vec<Call>> {
    let place = || 0u8..10;
    let call = prop_oneof![
        4 => place().prop_map(Call::Create),
        3 => place().prop_map(Call::Mkdir),
        4 => (place(), 0u16..20000, 1u16..9000).prop_map(|(place, offset, len)| Call::Write(place, offset, len)),
        4 => (place(), 0u16..20000, 1u16..9000).prop_map(|(place, offset, len)| Call::Read(place, offset, len)),
        2 => (place(), 0u16..20000).prop_map(|(place, size)| Call::Truncate(place, size)),
        1 => (place(), 0u16..0o1000).prop_map(|(place, mode)| Call::Chmod(place, mode)),
        2 => place().prop_map(Call::Unlink),
        2 => place().prop_map(Call::Rmdir),
        3 => (place(), place()).prop_map(|(from, to)| Call::Rename(from, to)),
        2 => (place(), place()).prop_map(|(from, to)| Call::Link(from, to)),
        1 => (place(), place()).prop_map(|(target, place)| Call::Symlink(target, place)),
        1 => place().prop_map(Call::Readlink),
        4 => place().prop_map(Call::Stat),
        2 => place().prop_map(Call::List),
        1 => (place(), any::<u8>()).prop_map(|(place, value)| Call::SetXattr(place, value)),
        1 => place().prop_map(Call::Xattrs),
        1 => Just(Call::Sync),
    ];
    prop::collection::vec(call, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 300, ..ProptestConfig::default() })]

    /// Whatever programs do, they see the same.
    #[test]
    fn a_worker_behind_shows_no_difference(calls in calls(), room in prop_oneof![Just(ROOM), Just(LITTLE)]) {
        let (mut near, mut far) = (World::local(), World::remote_with(room));
        for call in &calls {
            let (expected, seen) = (near.do_call(call), far.do_call(call));
            prop_assert_eq!(expected, seen, "{:?}", call);
        }
    }
}

/// What is known is not asked for again.
#[test]
fn warm_calls_ask_for_nothing() {
    let mut world = World::remote();
    for call in [Call::Mkdir(2), Call::Create(3), Call::Write(3, 0, 8192)] {
        world.do_call(&call);
    }
    world.do_call(&Call::Stat(3));
    world.do_call(&Call::List(2));
    world.asked.clear();
    for call in [Call::Stat(3), Call::Read(3, 0, 8192), Call::List(2), Call::Read(3, 4096, 100)] {
        world.do_call(&call);
    }
    assert_eq!(world.asked, ["other"], "only the access time is told, behind");
    assert!(world.do_call(&Call::Stat(4)).contains("ENOENT"));
    assert_eq!(world.asked.len(), 1, "a directory that was listed holds no other names");
}

/// A file of 2 MiB that the worker has, and nothing is known of.
fn world_with_a_long_file() -> World {
    let mut world = World::remote();
    world.do_call(&Call::Create(0));
    world.worker.as_mut().map(|fs| fs.write(2, 0, &vec![7; 2 << 20], 1)).unwrap().unwrap();
    world.exchange.borrow_mut().done(7, 0, Err(Errno::EIO));
    // From here on it is known how much room there is: writes are answered at once.
    world.do_call(&Call::Create(9));
    world.do_call(&Call::Write(9, 0, 1));
    world
}

const PART: usize = 32 << 10;

/// Reads a part of it.
fn read_part(world: &mut World, part: usize) -> Vec<u8> {
    let read = world.run(|vfs, _, _| {
        let (at, mut into) = (vfs.lookup(&USER, start(vfs), &path(0), Follow::No)?, vec![0; PART]);
        let moved = vfs.read(at, (part * PART) as u64, &mut into, None)?;
        into.truncate(moved);
        Ok(into)
    });
    read.unwrap()
}

/// Who reads on and on finds the next part there, or waits for it alone.
#[test]
fn the_next_part_is_read_while_one_is_read() {
    let mut world = world_with_a_long_file();
    let mut read = |part: usize, late: bool| {
        if !late {
            world.deliver();
        }
        world.asked.clear();
        assert_eq!(read_part(&mut world, part), [7; PART], "{part}");
        world.asked.clone()
    };
    assert_eq!(read(0, false).last(), Some(&"read"));
    let in_time: Vec<_> = (1..32).flat_map(|part| read(part, false)).collect();
    assert!(in_time.iter().all(|op| *op == "read ahead"), "{in_time:?}");
    let late: Vec<_> = (32..64).flat_map(|part| read(part, true)).collect();
    assert!(late.contains(&"await") && !late.contains(&"read"), "{late:?}");
}

/// What was read ahead of a change does not count.
#[test]
fn what_was_read_ahead_grows_old() {
    let change = |world: &mut World, size: Option<u64>| {
        let changed = world.run(|vfs, _, now| {
            let at = vfs.lookup(&USER, start(vfs), &path(0), Follow::No)?;
            match size {
                Some(size) => vfs.truncate(&USER, at, size, now),
                None => vfs.write(&USER, at, 4 * PART as u64, &[8; PART], now).map(drop),
            }
        });
        assert_eq!(changed, Ok(()));
    };
    for expected in [8, 0] {
        let mut world = world_with_a_long_file();
        (0..2).for_each(|part| drop(read_part(&mut world, part)));
        assert!(world.asked.ends_with(&["read ahead"]) && !world.late.is_empty());
        if expected == 8 {
            change(&mut world, None);
        } else {
            change(&mut world, Some(PART as u64));
            change(&mut world, Some(2 << 20));
        }
        (2..6).for_each(|part| {
            let seen = read_part(&mut world, part);
            let expected = if part == 4 || expected == 0 { expected } else { 7 };
            assert_eq!(seen, [expected; PART], "{part}");
        });
    }
}

/// An operation that fails after it was answered is told by fsync(2), once, and nothing of it is believed.
#[test]
fn what_fails_behind_is_told_by_fsync() {
    let mut world = World::remote();
    world.do_call(&Call::Create(0));
    world.do_call(&Call::Write(0, 0, 100));
    world.exchange.borrow_mut().done(7, 0, Err(Errno::EIO));
    assert!(world.run(|vfs, _, _| vfs.sync(vfs.lookup(&USER, start(vfs), &path(0), Follow::No)?)).is_err());
    assert_eq!(world.run(|vfs, _, _| vfs.sync(vfs.lookup(&USER, start(vfs), &path(0), Follow::No)?)), Ok(()));
}
