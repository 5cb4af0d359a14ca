//! Calls that run while others wait for the worker: in the end what is known is what the worker has.

use super::{Call, LITTLE, ROOM, USER, World, do_call, mount_point, path, start};
use abi::Errno;
use proptest::prelude::*;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use vfs::remote::{Answer, Log};
use vfs::{Follow, MountFlags, SharedBytes, SharedMemory};

/// As the kernel does it (`kernel/src/disk.rs`): whose turn it is waits for its answer, others for their turn or for nothing.
struct Calls {
    world: World,
    /// The answer has been given, and is on its way.
    turn: Option<(Call, Log, Answer)>,
    next: VecDeque<(Call, Log)>,
}

impl Calls {
    /// A call begins, or begins anew.
    fn run(&mut self, call: Call, log: Log) {
        let world = &mut self.world;
        world.now += 1_000_000;
        world.exchange.borrow_mut().begin(log);
        let _ = do_call(&mut world.vfs, &call, world.now);
        let asked = world.exchange.borrow_mut().end();
        world.posted();
        match asked {
            None => {}
            Some((_, op, log)) if self.turn.is_none() => {
                let answer = world.carry_out(op);
                self.turn = Some((call, log, answer));
            }
            Some((_, _, mut log)) => {
                log.restart();
                self.next.push_back((call, log));
            }
        }
    }

    /// An answer arrives.
    fn answer(&mut self) {
        let Some((call, mut log, answer)) = self.turn.take() else { return };
        log.answer(answer);
        self.run(call, log);
        while self.turn.is_none()
            && let Some((call, log)) = self.next.pop_front()
        {
            self.run(call, log);
        }
    }
}

/// All that there is, by calls that wait for nobody.
fn all(world: &mut World) -> Vec<String> {
    let mut seen = Vec::new();
    for place in 0..2 {
        for call in [Call::Read(place, 0, 30000), Call::Stat(place), Call::Xattrs(place)] {
            world.now = 1;
            seen.push(world.do_call(&call));
        }
    }
    seen
}

/// The file system that the worker had, without anything in between.
fn worker_of(mut world: World) -> World {
    let mut bare = World::bare();
    let worker = RefCell::new(world.worker.take());
    let mounted = bare.run(|vfs, _, now| {
        let on = mount_point(vfs, now)?;
        vfs.mount(Box::new(worker.take().ok_or(Errno::EIO)?), on, "dk", MountFlags::default())
    });
    mounted.unwrap();
    bare
}

/// What happens next to two files.
#[derive(Debug, Clone)]
enum Step {
    Call(Call),
    /// Nothing is known any more.
    Forget,
    Answer,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let place = || 0u8..2;
    let call = prop_oneof![
        4 => (place(), 0u16..20000, 1u16..9000).prop_map(|(place, offset, len)| Call::Write(place, offset, len)),
        4 => (place(), 0u16..20000, 1u16..9000).prop_map(|(place, offset, len)| Call::Read(place, offset, len)),
        2 => (place(), 0u16..20000).prop_map(|(place, size)| Call::Truncate(place, size)),
        1 => (place(), 0u16..0o1000).prop_map(|(place, mode)| Call::Chmod(place, mode)),
        1 => (place(), any::<u8>()).prop_map(|(place, value)| Call::SetXattr(place, value)),
        3 => place().prop_map(Call::Stat),
        1 => place().prop_map(Call::Create),
    ];
    let step = prop_oneof![6 => call.prop_map(Step::Call), 1 => Just(Step::Forget), 4 => Just(Step::Answer)];
    prop::collection::vec(step, 1..80)
}

/// Carries the steps out; what is known in the end, and what the worker has.
fn outcome(steps: Vec<Step>, room: u64) -> (Vec<String>, Vec<String>) {
    let mut run = Calls { world: World::remote_with(room), turn: None, next: VecDeque::new() };
    for step in steps {
        match step {
            Step::Call(call) => run.run(call, Log::default()),
            Step::Forget => run.world.exchange.borrow_mut().done(7, 0, Err(Errno::EIO)),
            Step::Answer => run.answer(),
        }
    }
    while run.turn.is_some() {
        run.answer();
    }
    (all(&mut run.world), all(&mut worker_of(run.world)))
}

/// Everything is forgotten, the file's size too, while a write waits that begins a page and does not fill it.
#[test]
fn a_write_after_everything_was_forgotten() {
    let first = [Call::Create(0), Call::Write(0, 4714, 3400), Call::Write(0, 0, 4097)];
    for answers in 0..12 {
        let mut steps: Vec<_> = first.iter().cloned().map(Step::Call).collect();
        steps.extend((0..answers).map(|_| Step::Answer));
        steps.extend([Step::Forget, Step::Call(Call::Read(0, 0, 1))]);
        let (known, has) = outcome(steps, LITTLE);
        assert!(known == has, "forgotten behind {answers} answers");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn nothing_old_is_kept(steps in steps(), room in prop_oneof![Just(ROOM), Just(LITTLE)]) {
        let (known, has) = outcome(steps, room);
        for (known, has) in known.iter().zip(&has) {
            prop_assert_eq!(known, has, "known (left), what the worker has (right)");
        }
    }
}

/// Memory that a program maps.
#[derive(Default, Clone)]
struct Memory(Rc<RefCell<Vec<u8>>>);

impl SharedMemory for Memory {
    fn create(&mut self) -> Result<Box<dyn SharedBytes>, Errno> {
        Ok(Box::new(self.clone()))
    }
}

impl SharedBytes for Memory {
    fn id(&self) -> u64 {
        1
    }
    fn len(&self) -> u64 {
        self.0.borrow().len() as u64
    }
    fn set_len(&mut self, len: u64) -> Result<(), Errno> {
        self.0.borrow_mut().resize(usize::try_from(len).unwrap(), 0);
        Ok(())
    }
    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<usize, Errno> {
        let bytes = self.0.borrow();
        let from = bytes.get(usize::try_from(offset).unwrap()..).unwrap_or_default();
        let len = from.len().min(into.len());
        into[..len].copy_from_slice(&from[..len]);
        Ok(len)
    }
    fn punch(&mut self, _start: u64, _end: u64) -> Result<(), Errno> {
        Ok(())
    }
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), Errno> {
        let at = usize::try_from(offset).unwrap();
        let mut all = self.0.borrow_mut();
        let len = all.len().max(at + bytes.len());
        all.resize(len, 0);
        all[at..at + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }
}

/// A program maps a file while others write to it and make it shorter: its memory has what they did.
#[test]
fn a_file_that_is_changed_while_it_is_mapped() {
    for change in [Call::Write(0, 10, 100), Call::Truncate(0, 50)] {
        let mut run = Calls { world: World::remote(), turn: None, next: VecDeque::new() };
        run.world.do_call(&Call::Create(0));
        run.world.do_call(&Call::Write(0, 0, 200));
        let memory = Memory::default();
        let map = |world: &mut World, log: Log| {
            world.exchange.borrow_mut().begin(log);
            let vfs = &mut world.vfs;
            let at = vfs.lookup(&USER, start(vfs), &path(0), Follow::No);
            let _ = at.and_then(|at| vfs.share(at, &mut memory.clone()));
            let asked = world.exchange.borrow_mut().end();
            world.posted();
            asked
        };
        let (_, op, mut log) = map(&mut run.world, Log::default()).unwrap();
        let answer = run.world.carry_out(op);
        run.turn = Some((Call::Sync, Log::default(), Err(Errno::EIO)));
        run.run(change.clone(), Log::default());
        log.answer(answer);
        assert!(map(&mut run.world, log).is_none(), "it is mapped");
        while run.turn.is_some() {
            run.answer();
        }
        run.turn = None;
        let expected = worker_of(run.world).do_call(&Call::Read(0, 0, 300));
        assert_eq!(format!("Ok({:?})", format!("{:?}", memory.0.borrow())), expected, "{change:?}");
    }
}
