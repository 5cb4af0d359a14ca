//! A kernel with its programs' memory, driven as a server would.

use abi::Errno;
use kernel::{
    Call, CallId, Credentials, Descriptors, Effect, FileId, Kernel, NewFile, Now, Pid, Reply, UserMem,
};
use std::collections::{BTreeMap, VecDeque};

/// Where the memory of the programs begins.
const BASE: u64 = 0x10_0000;

/// What runs system calls on the memory that it holds.
pub trait Machine {
    /// One call that does not block.
    fn sys(&mut self, nr: u32, args: [u64; 6]) -> Result<u64, Errno>;
    /// The address of the first byte of `memory`.
    fn base(&self) -> u64;
    fn memory(&mut self) -> &mut [u8];
}

/// Of all kernels here.
pub const SEED: [u8; 32] = [7; 32];

/// This kernel, with one memory for all its processes, fetched by COPYIN.
pub struct Rump {
    pub kernel: Kernel,
    pub now: Now,
    pub pid: Pid,
    memory: Vec<u8>,
    /// Whether all bytes travel with each call, so that none are fetched.
    pub travels: bool,
    last_call: u64,
    replies: BTreeMap<CallId, Reply>,
    born: Vec<(Pid, NewFile)>,
    /// What else the kernel wanted done.
    pub effects: VecDeque<Effect>,
}

impl Rump {
    /// A kernel with one process, root's, that holds its descriptors itself.
    pub fn new() -> Self {
        Self::with(Descriptors::Strong, 0)
    }

    pub fn with(descriptors: Descriptors, uid: u32) -> Self {
        let now = Now { mono_ns: 1_000_000_000, real_ns: 1_700_000_000_000_000_000 };
        let mut kernel = Kernel::new(now, SEED).expect("a kernel");
        let pid = kernel.attach(who(uid), b"test", descriptors);
        Self {
            kernel,
            now,
            pid,
            memory: vec![0; 1 << 22],
            travels: false,
            last_call: 0,
            replies: BTreeMap::new(),
            born: Vec::new(),
            effects: VecDeque::new(),
        }
    }

    /// Begins a call; it may block.
    pub fn start(&mut self, pid: Pid, nr: u32, args: [u64; 6]) -> CallId {
        self.start_with(pid, nr, args, Vec::new())
    }

    /// Begins a call with host descriptors along.
    pub fn start_with(&mut self, pid: Pid, nr: u32, args: [u64; 6], passed: Vec<u64>) -> CallId {
        self.last_call += 1;
        let id = CallId(self.last_call);
        let mut mem = UserMem::new();
        if self.travels {
            mem.add(BASE, self.memory.clone());
        }
        let mut call = Call::new(id, pid, nr, args, mem);
        call.passed = passed;
        self.kernel.submit(call);
        self.pump();
        id
    }

    /// The answer to a call, once it is there.
    pub fn answer(&mut self, id: CallId) -> Option<Result<u64, Errno>> {
        self.reply(id).map(|reply| reply.result)
    }

    /// The whole reply to a call, once it is there.
    pub fn reply(&mut self, id: CallId) -> Option<Reply> {
        self.replies.remove(&id)
    }

    /// One call of this process, which must not block.
    pub fn sys_of(&mut self, pid: Pid, nr: u32, args: [u64; 6]) -> Result<u64, Errno> {
        let id = self.start(pid, nr, args);
        let name = abi::table::lookup(nr).map_or("?", |row| row.name());
        self.answer(id).unwrap_or_else(|| panic!("{name} blocks"))
    }

    /// Lets time pass, stopping at every deadline on the way.
    pub fn pass(&mut self, ns: u64) {
        let end = self.now.mono_ns + ns;
        loop {
            let next = self.kernel.next_deadline().unwrap_or(u64::MAX).clamp(self.now.mono_ns, end);
            self.now.real_ns += next - self.now.mono_ns;
            self.now.mono_ns = next;
            self.kernel.advance(self.now);
            self.pump();
            if next == end {
                return;
            }
        }
    }

    /// The files that these descriptors of a process were born with.
    pub fn files(&self, pid: Pid, fds: &[u32]) -> Vec<FileId> {
        let born = self.born.iter().filter(|(owner, file)| *owner == pid && fds.contains(&file.kfd));
        born.map(|(_, file)| file.file).collect()
    }

    /// Interrupts a call.
    pub fn cancel(&mut self, id: CallId) {
        self.kernel.cancel(id);
        self.pump();
    }

    /// Signals that were raised since the last time.
    pub fn signals(&mut self) -> Vec<u8> {
        let mut found = Vec::new();
        self.effects.retain(|effect| match effect {
            Effect::Raise { signo, .. } => {
                found.push(*signo);
                false
            }
            _ => true,
        });
        found
    }

    /// Does what the kernel wants done.
    pub fn pump(&mut self) {
        while let Some(effect) = self.kernel.next_effect() {
            match effect {
                Effect::Copyin { call, want, .. } => {
                    let bytes = self.bytes(want.addr, want.len, want.string).ok_or(Errno::EFAULT);
                    self.kernel.supply(call, want.addr, bytes);
                }
                Effect::Reply(mut reply) => {
                    for (addr, bytes) in std::mem::take(&mut reply.out) {
                        self.store(addr, &bytes);
                    }
                    self.born.extend(reply.files.iter().cloned().map(|file| (reply.pid, file)));
                    self.replies.insert(reply.call, reply);
                }
                other => self.effects.push_back(other),
            }
        }
    }

    /// What points outside of the memory is dropped, as a client does that answers `EFAULT`.
    fn store(&mut self, addr: u64, bytes: &[u8]) {
        let at = addr.checked_sub(BASE).and_then(|at| usize::try_from(at).ok());
        let room = at.and_then(|at| self.memory.get_mut(at..at.checked_add(bytes.len())?));
        if let Some(room) = room {
            room.copy_from_slice(bytes);
        }
    }

    fn bytes(&self, addr: u64, len: u64, string: bool) -> Option<Vec<u8>> {
        let at = usize::try_from(addr.checked_sub(BASE)?).ok()?;
        let len = usize::try_from(len).ok()?;
        if string {
            let rest = self.memory.get(at..)?;
            let end = rest.iter().position(|byte| *byte == 0)?;
            return Some(rest[..=end.min(len)].to_vec());
        }
        Some(self.memory.get(at..at.checked_add(len)?)?.to_vec())
    }
}

fn who(uid: u32) -> Credentials {
    Credentials { uid, gid: uid, groups: Vec::new(), host_pid: 4711 }
}

impl Machine for Rump {
    fn sys(&mut self, nr: u32, args: [u64; 6]) -> Result<u64, Errno> {
        self.sys_of(self.pid, nr, args)
    }

    fn base(&self) -> u64 {
        BASE
    }

    fn memory(&mut self) -> &mut [u8] {
        &mut self.memory
    }
}
