//! A row of file calls and what came of them.

use crate::host_unsafe::Host;
use crate::machine::{Machine, Rump};
use abi::{Errno, nr};
use std::fmt::Debug;

pub const CWD: u64 = -100_i64 as u64;

/// Calls on a machine below one directory, with a log of what they answered that is the same wherever it ran.
pub struct Script<'a> {
    pub machine: &'a mut dyn Machine,
    pub log: Vec<String>,
    dir: Vec<u8>,
    used: usize,
}

/// Runs the same script on this kernel and on the host's and compares the logs.
pub fn same(script: fn(&mut Script<'_>)) {
    let mut rump = Rump::new();
    let ours = run(&mut rump, b"/tmp", script);
    let mut rump = Rump::new();
    rump.travels = true;
    assert_eq!(ours, run(&mut rump, b"/tmp", script), "fetched bytes (left), and bytes that came along");
    let mut host = Host::new();
    let dir = host.dir();
    let theirs = run(&mut host, &dir, script);
    let rows = ours.len().max(theirs.len());
    let at = |log: &[String], row: usize| log.get(row).cloned().unwrap_or_default();
    let differ: String = (0..rows)
        .filter(|row| at(&ours, *row) != at(&theirs, *row))
        .map(|row| format!("{:60} | {}\n", at(&ours, row), at(&theirs, row)))
        .collect();
    assert!(differ.is_empty(), "ours (left) and the host's (right) differ:\n{differ}");
}

pub fn run(machine: &mut dyn Machine, dir: &[u8], script: fn(&mut Script<'_>)) -> Vec<String> {
    let mut run = Script { machine, log: Vec::new(), dir: dir.to_vec(), used: 64 };
    script(&mut run);
    run.log
}

impl Script<'_> {
    /// Notes something.
    pub fn say(&mut self, what: &str, found: impl Debug) {
        self.log.push(format!("{what}: {found:?}"));
    }

    /// Puts bytes into the memory; answers where.
    pub fn put(&mut self, bytes: &[u8]) -> u64 {
        let at = self.used;
        self.machine.memory()[at..at + bytes.len()].copy_from_slice(bytes);
        self.used = (at + bytes.len()).next_multiple_of(16);
        self.machine.base() + at as u64
    }

    /// A string in the memory.
    pub fn text(&mut self, text: &str) -> u64 {
        self.put(&[text.as_bytes(), &[0]].concat())
    }

    /// A path below the directory, in the memory.
    pub fn path(&mut self, name: &str) -> u64 {
        let path = [&self.dir[..], b"/", name.as_bytes(), &[0]].concat();
        self.put(&path)
    }

    /// What is in the memory now.
    pub fn get(&mut self, addr: u64, len: usize) -> Vec<u8> {
        let at = usize::try_from(addr - self.machine.base()).expect("an address");
        self.machine.memory()[at..at + len].to_vec()
    }

    pub fn get_u64(&mut self, addr: u64) -> u64 {
        u64::from_ne_bytes(self.get(addr, 8).try_into().expect("eight bytes"))
    }

    pub fn get_u32(&mut self, addr: u64) -> u32 {
        u32::from_ne_bytes(self.get(addr, 4).try_into().expect("four bytes"))
    }

    pub fn sys(&mut self, nr: u32, args: &[u64]) -> Result<u64, Errno> {
        let mut all = [0; 6];
        all[..args.len()].copy_from_slice(args);
        self.machine.sys(nr, all)
    }

    /// A call whose answer is noted.
    pub fn call(&mut self, nr: u32, args: &[u64]) -> Result<u64, Errno> {
        let answer = self.sys(nr, args);
        let name = abi::table::lookup(nr).map_or("?", |row| row.name());
        self.say(name, answer);
        answer
    }

    /// Opens a path below the directory: only whether it succeeded is noted.
    pub fn open(&mut self, name: &str, flags: u32, mode: u64) -> u64 {
        let path = self.path(name);
        let answer = self.sys(nr::OPEN, &[path, u64::from(flags), mode]);
        self.say(&format!("open {name} {flags:#o}"), answer.map(|_| ()));
        answer.unwrap_or(u64::from(u32::MAX))
    }

    pub fn close(&mut self, fd: u64) {
        self.call(nr::CLOSE, &[fd]).ok();
    }

    pub fn write(&mut self, fd: u64, data: &[u8]) {
        let at = self.put(data);
        self.call(nr::WRITE, &[fd, at, data.len() as u64]).ok();
    }

    pub fn read(&mut self, fd: u64, len: usize) {
        let at = self.put(&vec![0; len]);
        let got = self.call(nr::READ, &[fd, at, len as u64]).unwrap_or(0);
        let bytes = self.get(at, usize::try_from(got).expect("a length"));
        self.say("bytes", String::from_utf8_lossy(&bytes).into_owned());
    }

    /// What lstat finds: kind and mode, links, size.
    pub fn shows(&mut self, name: &str) {
        let (path, at) = (self.path(name), self.put(&[0; 144]));
        let answer = self.sys(nr::LSTAT, &[path, at]);
        let found = (self.get_u32(at + 24), self.get_u64(at + 16), self.get_u64(at + 48));
        let directory = found.0 & 0o170_000 == 0o040_000;
        // A directory's size is its file system's own affair.
        let size = if directory { 0 } else { found.2 };
        self.say(name, answer.map(|_| (format!("{:o}", found.0), found.1, size)));
    }
}
