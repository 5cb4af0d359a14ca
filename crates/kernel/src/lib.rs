//! The rump kernel as a value.
//!
//! Requests, frames, closed descriptors and the time go in by the methods of [`Kernel`]; replies, frames and
//! readiness come out of [`Kernel::next_effect`]. Nothing here performs I/O, reads a clock or blocks. A call
//! that must wait is parked together with what it waits for and run again when that changes, so a blocked
//! call costs its memory and nothing else.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod call;
mod capture;
mod copy;
mod counters;
mod cx;
mod disk;
mod effect;
mod fdtable;
mod file;
mod fs;
mod info;
mod io;
mod lock;
mod mem;
mod names;
mod net;
mod nfsd;
mod notify;
mod overlay;
mod owner;
mod park;
mod path;
mod planted;
mod proc;
mod process;
mod program;
mod socket;
mod syscall;
mod sysctl;
mod sysfs;
mod times;
mod trace;
mod xattr;

pub use call::{Call, CallId, Copyin};
pub use effect::{Effect, NewFile, Pass, Reply, SignalTo};
pub use file::{FileId, FileKind};
pub use mem::UserMem;
pub use process::{Credentials, Descriptors, Pid};
pub use sysctl::{SysctlDoc, sysctl_docs};

use abi::Errno;
use call::Stop;
use cx::Cx;
use file::{FileTable, ObjectId};
use park::Parked;
use process::ProcessTable;
use std::collections::VecDeque;

/// `kernel.osrelease`: the Linux whose calls this one serves, in uname(2)'s form.
const OSRELEASE: &str = "6.1.0-rump";
/// `kernel.version`.
const VERSION: &str = concat!("#1 rumphijack ", env!("CARGO_PKG_VERSION"));

/// `PATH_MAX`.
const PREFIX_MAX: usize = 4096;

/// The time as the server tells it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Now {
    /// `CLOCK_MONOTONIC` in nanoseconds.
    pub mono_ns: u64,
    /// `CLOCK_REALTIME` in nanoseconds since 1970.
    pub real_ns: u64,
}

/// One rump kernel.
pub struct Kernel {
    now: Now,
    /// When it was made.
    booted: Now,
    processes: ProcessTable,
    /// `kernel.random.boot_id`.
    boot_id: String,
    /// Who rules it, besides root.
    owner: Option<u32>,
    files: FileTable,
    fs: fs::Fs,
    parked: Parked,
    effects: VecDeque<Effect>,
    calls_served: counters::Counters,
    /// The process whose call runs, as Linux's `current`.
    current: Pid,
    net: net::Net,
    nfsd: nfsd::Nfsd,
    unix: socket::UnixTable,
    fifos: file::pipe::Fifos,
    inotify: notify::Inotify,
    /// Files of which a reference was dropped deep inside something else; closed by `settle`, so that sockets that
    /// hold one another in their queues are no deep recursion.
    dropped: Vec<FileId>,
    trace: trace::Trace,
    captures: capture::Captures,
    tunables: sysctl::Tunables,
    /// What long reads read into.
    scratch: Vec<u8>,
    /// Whose turn it is to use disks.
    turn: disk::Turn,
    /// When to look for files that are mapped no longer, on the monotonic clock in nanoseconds.
    unmapped_at: Option<u64>,
    /// Set by rump_halt: the server ends once the call is answered.
    halting: bool,
}

impl Kernel {
    /// A kernel in which nothing runs yet. All that is random in it follows from `seed`: the same seed, calls,
    /// frames and times give the same results, so a live kernel takes it from a random source.
    ///
    /// # Errors
    /// `ENOSPC`: no room for the first directories and devices.
    pub fn new(now: Now, seed: [u8; 32]) -> Result<Self, Errno> {
        Self::with_ram(now, seed, fs::ROOT_MAX)
    }

    /// As [`Kernel::new`], with a file tree that holds at most `ram` bytes.
    ///
    /// # Errors
    /// `ENOSPC`: no room for the first directories and devices.
    pub fn with_ram(now: Now, seed: [u8; 32], ram: u64) -> Result<Self, Errno> {
        let files = FileTable::new(seed);
        let processes = ProcessTable::new(files.shared());
        let mut fs = fs::Fs::new(seed, now.real_ns, ram, &processes)?;
        Ok(Self {
            boot_id: fs.uuid()?,
            fs,
            now,
            booted: now,
            processes,
            files,
            parked: Parked::default(),
            effects: VecDeque::new(),
            calls_served: counters::Counters::default(),
            current: Pid(0),
            net: net::Net::new(now, seed),
            nfsd: nfsd::Nfsd::default(),
            unix: socket::UnixTable::default(),
            fifos: file::pipe::Fifos::default(),
            inotify: notify::Inotify::default(),
            dropped: Vec::new(),
            trace: trace::Trace::default(),
            captures: capture::Captures::default(),
            tunables: sysctl::Tunables::default(),
            scratch: Vec::new(),
            owner: None,
            turn: disk::Turn::default(),
            unmapped_at: None,
            halting: false,
        })
    }

    /// From now on regular files can be mapped: `memory` makes what their bytes move to ([`Pass::Memory`]).
    pub fn share_memory(&mut self, memory: Box<dyn vfs::SharedMemory>) {
        self.fs.memory = Some(memory);
    }

    /// A new process, the child of pid 1, for a client that connected (handshake GUEST).
    pub fn attach(&mut self, who: Credentials, name: &[u8], descriptors: Descriptors) -> Pid {
        let root = self.fs.vfs.root();
        self.fs.vfs.hold(root, true);
        self.fs.vfs.hold(root, true);
        self.processes.create(who, name, descriptors, root)
    }

    /// A copy of `parent` with its descriptors, working directory and credentials (PREFORK). It is there from
    /// now on, whether or not its client ever connects; [`Kernel::detach`] ends it.
    ///
    /// # Errors
    /// `ESRCH`: no such process.
    pub fn fork(&mut self, parent: Pid) -> Result<Pid, Errno> {
        let child = self.processes.fork(parent)?;
        let process = self.processes.get(child)?;
        self.files.retain_for(process);
        let (places, program) = (process.all_places(), process.program);
        self.program_forked(program);
        places.into_iter().for_each(|places| self.hold_places(places, true));
        Ok(child)
    }

    /// How the process's descriptors live, once its client said so (OPTIONS).
    ///
    /// # Errors
    /// `ESRCH`: no such process.
    pub fn set_descriptors(&mut self, pid: Pid, descriptors: Descriptors) -> Result<(), Errno> {
        self.processes.get_mut(pid)?.descriptors = descriptors;
        Ok(())
    }

    /// Whether the process's client takes files that no host descriptor stands for ([`Pass::Lone`]), once it said so (OPTIONS).
    ///
    /// # Errors
    /// `ESRCH`: no such process.
    pub fn set_takes_lone(&mut self, pid: Pid, takes: bool) -> Result<(), Errno> {
        self.processes.get_mut(pid)?.takes_lone = takes;
        Ok(())
    }

    /// The prefix under which the process's program sees this kernel's paths (OPTIONS). Calls name paths without it; only
    /// those inside socket addresses come as the program wrote them, and are shown so again.
    ///
    /// # Errors
    /// `ESRCH`: no such process. `ENAMETOOLONG`: no path is as long.
    pub fn set_path_prefix(&mut self, pid: Pid, prefix: &[u8]) -> Result<(), Errno> {
        if prefix.len() > PREFIX_MAX {
            return Err(Errno::ENAMETOOLONG);
        }
        self.processes.get_mut(pid)?.prefix = prefix.to_vec();
        Ok(())
    }

    /// The process is somebody else from now on (setuid(2)).
    ///
    /// # Errors
    /// `ESRCH`: no such process.
    pub fn set_credentials(&mut self, pid: Pid, who: Credentials) -> Result<(), Errno> {
        self.processes.set_credentials(pid, who)
    }

    /// The process runs another program (handshake EXEC): a new name; with strong descriptors, those marked
    /// close-on-exec are closed. (Weak ones the host closes. Lone ones go: those that the next program is to have were shared before.)
    ///
    /// # Errors
    /// `ESRCH`: no such process.
    pub fn exec(&mut self, pid: Pid, name: &[u8]) -> Result<(), Errno> {
        let process = self.processes.get_mut(pid)?;
        process.set_name(name);
        let closed = match process.descriptors {
            Descriptors::Strong => process.fds.take_cloexec(),
            Descriptors::Weak => process.fds.take_lone(),
        };
        for file in closed {
            self.close_descriptor(pid, file);
        }
        let others = self.processes.get_mut(pid)?.take_places();
        others.into_iter().for_each(|places| self.hold_places(places, false));
        self.runs_next(pid);
        Ok(())
    }

    /// The process is gone: its calls are dropped unanswered, its strong descriptors closed.
    pub fn detach(&mut self, pid: Pid) {
        for call in self.parked.drop_process(pid) {
            self.drop_from_disk(&call);
            self.effects.extend(call.passed.into_iter().map(Effect::DropPassed));
        }
        self.trace.forget(pid);
        self.end_capture(pid);
        self.unlock_all_of(pid);
        let Some(mut process) = self.processes.remove(pid) else { return };
        self.program_ended(process.program);
        process.all_places().into_iter().for_each(|places| self.hold_places(places, false));
        let closed = match process.descriptors {
            Descriptors::Strong => process.fds.take_files(),
            Descriptors::Weak => process.fds.take_lone(),
        };
        for file in closed {
            self.release(file);
        }
        // It took its mappings along.
        self.let_go_of_unmapped();
        self.settle();
    }

    /// Serves one call. Its [`Effect::Reply`] comes now, or when what it waits for has happened.
    pub fn submit(&mut self, call: Call) {
        self.calls_served.count(call.nr);
        if let Ok(process) = self.processes.get_mut(call.pid) {
            process.calls += 1;
        }
        self.run(call);
        self.settle();
    }

    /// The bytes that an [`Effect::Copyin`] of this call asked for, or that its address is bad.
    pub fn supply(&mut self, id: CallId, addr: u64, bytes: Result<Vec<u8>, Errno>) {
        let Some(mut call) = self.parked.take(id) else { return };
        match bytes {
            Ok(bytes) => call.mem.add(addr, bytes),
            Err(_) => call.mem.mark_bad(addr),
        }
        self.run(call);
        self.settle();
    }

    /// Ends a waiting call: it is answered with what it has moved so far, else `ERESTARTSYS` or `EINTR` as
    /// signal(7) lists. Unknown (already answered) calls are ignored.
    pub fn cancel(&mut self, id: CallId) {
        if self.waits_for_disk(id) {
            return self.parked.mark_cancelled(id);
        }
        let Some(call) = self.parked.take(id) else { return };
        self.interrupt(call);
        self.settle();
    }

    fn interrupt(&mut self, call: Call) {
        let result = match call.progress {
            0 if call.restartable => Err(Errno::ERESTARTSYS),
            0 => Err(Errno::EINTR),
            moved => Ok(moved as u64),
        };
        self.answer(call, result);
    }

    /// The last host descriptor of this file was closed: the file is closed.
    pub fn file_gone(&mut self, file: FileId) {
        for pid in self.processes.holders(file) {
            self.unlock_at_close(pid, file);
        }
        self.processes.forget_file(file);
        self.close_file(file);
        self.settle();
    }

    /// Time passes: timers fire, waits run out.
    pub fn advance(&mut self, now: Now) {
        self.now = now;
        self.net.stack.advance(now.mono_ns);
        self.net.stack.set_real_time(now.real_ns);
        for call in self.parked.take_expired(now.mono_ns) {
            self.run(call);
        }
        if self.unmapped_at.is_some_and(|at| at <= now.mono_ns) {
            self.let_go_of_unmapped();
        }
        self.settle();
    }

    /// When [`Kernel::advance`] wants to be called at the latest, on the monotonic clock in nanoseconds.
    #[must_use]
    pub fn next_deadline(&self) -> Option<u64> {
        let others = self.net.stack.next_deadline().into_iter().chain(self.unmapped_at);
        self.parked.next_deadline().into_iter().chain(others).min()
    }

    /// What the server has to do next.
    pub fn next_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// Runs a call until it is answered or parked.
    fn run(&mut self, mut call: Call) {
        self.set_current(call.pid);
        let is_somewhere = self.enter_place(call.pid, call.place);
        self.fs.exchange.borrow_mut().begin(std::mem::take(&mut call.log));
        let told = self.fs.vfs.event_count();
        let outcome = match syscall::handler(call.nr) {
            _ if !is_somewhere => Err(Stop::Errno(Errno::EINVAL)),
            _ if call.is_nfs() => self.run_nfs(&call),
            Some(handler) => handler(&mut Cx { kernel: self, call: &mut call }),
            None => Err(Stop::Errno(Errno::ENOSYS)),
        };
        self.enter_place(call.pid, 0);
        let asked = self.fs.exchange.borrow_mut().end();
        self.hand_out_posted();
        if let Some((worker, op, log)) = asked {
            // Whatever the handler made of not being answered: it runs again.
            call.log = log;
            call.files.clear();
            self.fs.vfs.forget_events_after(told);
            return self.wait_for_disk(call, (worker, op));
        }
        self.turn_over(call.id);
        match outcome {
            Ok(value) => self.answer(call, Ok(value)),
            Err(Stop::Errno(errno)) => self.answer(call, Err(errno)),
            Err(Stop::Wait(wait)) => {
                call.restartable = wait.restartable;
                match call.cancelled {
                    true => self.interrupt(call),
                    false => self.parked.park(call, wait),
                }
            }
            Err(Stop::Copyin(want)) => {
                self.effects.push_back(Effect::Copyin { call: call.id, pid: call.pid, want });
                self.parked.hold(call);
            }
        }
    }

    fn answer(&mut self, mut call: Call, result: Result<u64, Errno>) {
        if call.is_nfs() {
            return self.nfs_done(call.id);
        }
        for passed in call.passed.drain(..) {
            self.effects.push_back(Effect::DropPassed(passed));
        }
        self.trace(&call, result);
        let begins_to_connect = call.nr == abi::nr::CONNECT && result == Err(Errno::EINPROGRESS);
        let mut reply = Reply::new(self, call, result);
        let news = if begins_to_connect { reply.hold_back_writable() } else { None };
        self.effects.push_back(Effect::Reply(reply));
        self.effects.extend(news);
        if std::mem::take(&mut self.halting) {
            self.effects.push_back(Effect::Halt);
        }
    }

    /// Runs what has become ready, until nothing more changes, and reports readiness of watched files.
    fn settle(&mut self) {
        self.show_interfaces();
        loop {
            self.deliver_file_events();
            while let Some(object) = self.next_woken() {
                self.report_readiness(object);
                for call in self.parked.take_waiting(object) {
                    self.run(call);
                }
                self.deliver_file_events();
            }
            if self.serve_nfs() {
                continue;
            }
            let Some(call) = self.next_in_turn() else { break };
            self.run(call);
        }
        self.hand_out_posted();
    }

    /// The next object that changed, those of the network's sockets among them.
    fn next_woken(&mut self) -> Option<ObjectId> {
        while let Some(file) = self.dropped.pop() {
            self.release(file);
        }
        self.tell_monitors();
        while let Some(socket) = self.net.stack.next_urgent() {
            if let Some(object) = self.net.object(socket) {
                self.report_urgent(object);
            }
        }
        while let Some(socket) = self.net.stack.next_change() {
            if self.note_nfs(socket) {
                continue;
            }
            self.fill_ring(socket);
            if let Some(object) = self.net.object(socket) {
                self.parked.wake(object);
            }
        }
        self.wake_captures();
        self.parked.next_woken()
    }

    /// Drops one strong reference; the last one closes the file.
    fn release(&mut self, file: FileId) {
        if self.files.release(file) {
            self.close_file(file);
        }
    }
}
