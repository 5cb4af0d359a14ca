//! A thread that has one file system and carries out its operations.

use super::drives::Drive;
use super::queue::{Queue, Taken};
use super::{Answers, Done, Job};
use crate::clock;
use abi::Errno;
use image::{Disk, DriveFile, Opened, Opening};
use kernel::CallId;
use std::cell::RefCell;
use std::sync::Arc;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use vfs::FileSystem;
use vfs::remote::{Answer, MountSource, Mounted, Op, Value, Worker, carry_out, carry_out_behind};

/// What was written is on the disk so long after at the latest (`commit=` of ext4(5)).
const COMMIT: Duration = Duration::from_secs(5);
const STACK: usize = 8 << 20;

/// What a worker is for.
pub(super) enum Task {
    Drive(Drive),
    FileSystem(From),
}

/// Where its file system is.
pub(super) enum From {
    Drive(Worker, Disk),
    Host(Vec<u8>),
}

/// What the thread does just now, for when it fails.
struct Duty {
    worker: Worker,
    call: Option<CallId>,
    weight: usize,
    /// Bytes of other writes in front of the call's own.
    before: usize,
    queue: Queue,
    answers: Answers,
    failed: Arc<AtomicBool>,
    /// Nobody can ask for anything any more.
    over: bool,
}

thread_local! {
    static DUTY: RefCell<Option<Duty>> = const { RefCell::new(None) };
}

/// Starts the thread.
///
/// # Errors
/// As pthread_create(3).
pub(super) fn start(
    worker: Worker,
    task: Task,
    jobs: Receiver<Job>,
    answers: Answers,
) -> std::io::Result<Thread> {
    spawn(worker, jobs, answers, move || match task {
        Task::Drive(drive) => {
            let owner = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
            serve(&mut DriveFile::new(drive.disk, owner, clock::now().real_ns));
        }
        Task::FileSystem(from) => open(worker, from),
    })
}

/// Runs `serves` on a thread of its own, with what [`next`] takes and [`answer`] sends.
fn spawn(
    worker: Worker,
    jobs: Receiver<Job>,
    answers: Answers,
    serves: impl FnOnce() + Send + 'static,
) -> std::io::Result<Thread> {
    outlive_panics();
    let failed = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&failed);
    let handle =
        std::thread::Builder::new().name(format!("disk {worker}")).stack_size(STACK).spawn(move || {
            let queue = Queue::new(jobs);
            let duty =
                Duty { worker, call: None, weight: 0, before: 0, queue, answers, failed: told, over: false };
            DUTY.with(|own| *own.borrow_mut() = Some(duty));
            serves();
        })?;
    Ok(Thread { handle, failed })
}

/// A worker's thread.
pub(super) struct Thread {
    handle: JoinHandle<()>,
    failed: Arc<AtomicBool>,
}

impl Thread {
    /// Waits until it has ended; not for one that has failed, which never does.
    pub(super) fn join(self) {
        while !self.handle.is_finished() && !self.failed.load(Ordering::Acquire) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// The first operation opens the file system.
fn open(worker: Worker, from: From) {
    let Some(Op::Mount(source)) = next(None) else { return };
    match opened(&from, &source) {
        Ok(mut opened) => {
            let drive = match &from {
                From::Drive(number, _) => Some(*number),
                From::Host(_) => None,
            };
            let mounted = Mounted {
                worker,
                drive,
                name: opened.fs.name(),
                root: opened.fs.root(),
                acls: opened.fs.has_acls(),
                behind: opened.behind,
                keeps_nodes: opened.keeps_nodes,
                exact: opened.exact,
                keeps_pages: opened.keeps_nodes,
                size_max: opened.fs.size_max(),
                identity: opened.fs.identity(),
                options: opened.fs.options(),
            };
            tracing::info!("disk {worker}: {} mounted", mounted.name);
            answer(Ok(Value::Mounted(Arc::new(mounted))));
            serve(&mut *opened.fs);
        }
        Err(errno) => answer(Err(errno)),
    }
}

fn opened(from: &From, source: &MountSource) -> Result<Opened, Errno> {
    let how = Opening { kind: &source.kind, options: &source.options, read_only: source.read_only };
    match from {
        From::Drive(_, disk) => image::open(disk.clone(), how),
        From::Host(path) => image::open_directory(path, how),
    }
}

/// Carries out operations until the last one, or until nobody can ask for more.
fn serve(fs: &mut dyn FileSystem) {
    let mut changed_since = None;
    loop {
        let timeout = changed_since.map(|since: Instant| COMMIT.saturating_sub(since.elapsed()));
        match next(timeout) {
            Some(Op::Unmount) => return answer(carry_out(Op::Unmount, fs)),
            Some(op) => {
                if matches!(op, Op::Sync(_)) {
                    changed_since = None;
                } else if op.changes() {
                    changed_since.get_or_insert_with(Instant::now);
                }
                carry(op, fs);
            }
            None if timeout.is_some() && !is_over() => {
                changed_since = None;
                if let Err(errno) = fs.sync(None) {
                    tracing::warn!("{}: writing what was changed: {errno:?}", fs.name());
                }
            }
            None => {
                if let Err(errno) = fs.unmount() {
                    tracing::warn!("{}: taken away: {errno:?}", fs.name());
                }
                return;
            }
        }
    }
}

/// The next operation; none: the time is over, or nobody is there to ask for one.
fn next(timeout: Option<Duration>) -> Option<Op> {
    with_duty(|duty| {
        let job = match duty.queue.take(timeout) {
            Ok(job) => job,
            Err(why) => {
                duty.over = why == RecvTimeoutError::Disconnected;
                return None;
            }
        };
        let Taken { job, before } = job;
        (duty.call, duty.weight, duty.before) = (job.call, job.op.weight() - before, before);
        Some(job.op)
    })
    .flatten()
}

/// Whether nobody can ask for anything any more.
fn is_over() -> bool {
    with_duty(|duty| duty.over).unwrap_or(true)
}

/// Carries an operation out and tells what became of it.
fn carry(op: Op, fs: &mut dyn FileSystem) {
    let (waits, before) = with_duty(|duty| (duty.call.is_some(), duty.before)).unwrap_or_default();
    if !waits {
        return answer(carry_out_behind(op, fs));
    }
    let outcome = carry_out(op, fs);
    if before > 0 {
        answer_before(match &outcome {
            Ok(Value::Changed { count, .. }) if *count >= before => Ok(Value::Nothing),
            Ok(_) => Err(Errno::ENOSPC),
            Err(errno) => Err(*errno),
        });
    }
    answer(match outcome {
        // The call's is the last of several writes.
        Ok(Value::Changed { count, .. }) if before > 0 && count <= before => Err(Errno::ENOSPC),
        Ok(Value::Changed { made, count, nodes }) => {
            Ok(Value::Changed { made, count: count.saturating_sub(before), nodes })
        }
        outcome => outcome,
    });
}

/// Answers for the writes in front of a call's own.
fn answer_before(answer: Answer) {
    with_duty(|duty| {
        let weight = std::mem::take(&mut duty.before);
        duty.answers.send(Done { worker: duty.worker, call: None, weight, answer });
    });
}

fn answer(answer: Answer) {
    with_duty(|duty| {
        let (worker, call, weight) = (duty.worker, duty.call.take(), duty.weight);
        duty.answers.send(Done { worker, call, weight, answer });
    });
}

fn with_duty<T>(what: impl FnOnce(&mut Duty) -> T) -> Option<T> {
    DUTY.with(|own| own.try_borrow_mut().ok()?.as_mut().map(what))
}

/// A panic in code that looks at an image (hostile, or a fault of ours) costs that file system and nothing else. The programs are
/// built to abort on a panic, so it must not get as far: the thread stays in the hook, and whatever is asked of it is `EIO`.
fn outlive_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let duty = DUTY.with(|own| own.try_borrow_mut().ok()?.take());
            let Some(duty) = duty else { return before(info) };
            tracing::error!("disk {}: {info}; every operation on it fails from now on", duty.worker);
            fail(duty);
        }));
    });
}

/// Answers for a file system that is broken, until the server ends.
fn fail(mut duty: Duty) -> ! {
    let (worker, answers) = (duty.worker, duty.answers);
    let answer = |call, weight| answers.send(Done { worker, call, weight, answer: Err(Errno::EIO) });
    duty.failed.store(true, Ordering::Release);
    answer(None, duty.before);
    answer(duty.call, duty.weight);
    while let Ok(Taken { job, before }) = duty.queue.take(None) {
        answer(None, before);
        answer(job.call, job.op.weight() - before);
    }
    loop {
        std::thread::park();
    }
}

#[cfg(test)]
mod tests;
