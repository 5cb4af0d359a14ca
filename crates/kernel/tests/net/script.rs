//! A row of system calls and what came of them.

use crate::host_unsafe::Host;
use crate::machine::{Machine, Rump};
use abi::{Errno, nr};
use std::fmt::Debug;

pub const DONTWAIT: u64 = 0x40;
pub const PEEK: u64 = 2;
pub const TRUNC: u64 = 0x20;
pub const NOSIGNAL: u64 = 0x4000;
pub const INET: u64 = 2;
pub const INET6: u64 = 10;
pub const UNIX: u64 = 1;
pub const STREAM: u64 = 1;
pub const DGRAM: u64 = 2;
pub const SEQPACKET: u64 = 5;
pub const NONBLOCK: u64 = 0o4000;

/// Calls on a machine, with a log of what they answered that is the same wherever it ran.
pub struct Script<'a> {
    pub machine: &'a mut dyn Machine,
    pub log: Vec<String>,
    used: usize,
}

/// Runs the same script on this kernel and on the host's and compares the logs.
pub fn same(script: impl Fn(&mut Script<'_>)) {
    let (mut rump, mut host) = (Rump::new(), Host::new());
    let ours = run(&mut rump, &script);
    let theirs = run(&mut host, &script);
    assert!(ours == theirs, "ours (left) and the host's (right) differ:\n{}", differences(&ours, &theirs));
}

/// Runs a script on one machine; answers its log.
pub fn run(machine: &mut dyn Machine, script: impl Fn(&mut Script<'_>)) -> Vec<String> {
    let mut run = Script::on(machine);
    script(&mut run);
    run.log
}

fn differences(ours: &[String], theirs: &[String]) -> String {
    let rows = ours.len().max(theirs.len());
    let at = |log: &[String], row: usize| log.get(row).cloned().unwrap_or_default();
    let differ = (0..rows).filter(|row| at(ours, *row) != at(theirs, *row));
    differ.map(|row| format!("{:60} | {}\n", at(ours, row), at(theirs, row))).collect()
}

impl<'a> Script<'a> {
    pub fn on(machine: &'a mut dyn Machine) -> Self {
        Self { machine, log: Vec::new(), used: 64 }
    }

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

    /// What is in the memory now.
    pub fn get(&mut self, addr: u64, len: usize) -> Vec<u8> {
        let at = usize::try_from(addr - self.machine.base()).expect("an address");
        self.machine.memory()[at..at + len].to_vec()
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
    pub fn call(&mut self, what: &str, nr: u32, args: &[u64]) -> Result<u64, Errno> {
        let answer = self.sys(nr, args);
        let name = abi::table::lookup(nr).map_or("?", |row| row.name());
        self.say(&format!("{what}: {name}"), answer);
        answer
    }

    /// A call whose number is not the same everywhere: only whether it succeeded is noted.
    pub fn open(&mut self, what: &str, nr: u32, args: &[u64]) -> u64 {
        let answer = self.sys(nr, args);
        self.say(what, answer.map(|_| ()));
        answer.unwrap_or(u64::from(u32::MAX))
    }

    pub fn socket(&mut self, family: u64, kind: u64) -> u64 {
        self.open("socket", nr::SOCKET, &[family, kind, 0])
    }

    pub fn close(&mut self, fd: u64) {
        self.call("", nr::CLOSE, &[fd]).ok();
    }

    /// getsockname or getpeername: the address.
    pub fn name(&mut self, nr: u32, fd: u64) -> Result<Vec<u8>, Errno> {
        let (addr, len) = (self.put(&[0; 128]), self.put(&128_u32.to_ne_bytes()));
        self.sys(nr, &[fd, addr, len])?;
        let len = self.get_u32(len) as usize;
        Ok(self.get(addr, len))
    }

    /// A listener on a port of 127.0.0.1 that is free, and its address.
    pub fn listener(&mut self) -> (u64, Vec<u8>) {
        let fd = self.socket(INET, STREAM | NONBLOCK);
        self.bind(fd, &v4([127, 0, 0, 1], 0));
        self.call("", nr::LISTEN, &[fd, 8]).ok();
        let name = self.name(nr::GETSOCKNAME, fd).unwrap_or_default();
        (fd, name)
    }

    /// A TCP connection over the loopback interface: client and server.
    pub fn tcp_pair(&mut self) -> (u64, u64) {
        let (listener, name) = self.listener();
        let client = self.socket(INET, STREAM);
        self.connect(client, &name);
        let server = self.open("accept4", nr::ACCEPT4, &[listener, 0, 0, 0]);
        self.close(listener);
        (client, server)
    }

    pub fn pair(&mut self, kind: u64) -> (u64, u64) {
        let at = self.put(&[0; 8]);
        self.call("", nr::SOCKETPAIR, &[UNIX, kind, 0, at]).ok();
        (u64::from(self.get_u32(at)), u64::from(self.get_u32(at + 4)))
    }

    pub fn bind(&mut self, fd: u64, addr: &[u8]) {
        let at = self.put(addr);
        self.call("", nr::BIND, &[fd, at, addr.len() as u64]).ok();
    }

    pub fn connect(&mut self, fd: u64, addr: &[u8]) {
        let at = self.put(addr);
        self.call("", nr::CONNECT, &[fd, at, addr.len() as u64]).ok();
    }

    pub fn send(&mut self, fd: u64, data: &[u8], flags: u64) -> Result<u64, Errno> {
        let at = self.put(data);
        self.call("", nr::SENDTO, &[fd, at, data.len() as u64, flags])
    }

    pub fn send_to(&mut self, fd: u64, data: &[u8], to: &[u8]) {
        let (at, addr) = (self.put(data), self.put(to));
        self.call("", nr::SENDTO, &[fd, at, data.len() as u64, NOSIGNAL, addr, to.len() as u64]).ok();
    }

    pub fn recv(&mut self, fd: u64, len: usize, flags: u64) -> Result<u64, Errno> {
        let at = self.put(&vec![0; len]);
        let got = self.call("", nr::RECVFROM, &[fd, at, len as u64, flags | DONTWAIT]);
        if let Ok(got) = got {
            let bytes = self.get(at, len.min(usize::try_from(got).expect("a length")));
            self.say("bytes", String::from_utf8_lossy(&bytes).into_owned());
        }
        got
    }

    /// What poll finds at once, of these events.
    pub fn poll(&mut self, fd: u64, events: u16) -> u16 {
        let mut entry = u32::try_from(fd).expect("a descriptor").to_ne_bytes().to_vec();
        entry.extend_from_slice(&events.to_ne_bytes());
        entry.extend_from_slice(&[0; 2]);
        let at = self.put(&entry);
        self.sys(nr::POLL, &[at, 1, 0]).ok();
        let found = self.get(at + 6, 2);
        u16::from_ne_bytes([found[0], found[1]])
    }

    /// Notes what poll finds of all events.
    pub fn polled(&mut self, what: &str, fd: u64) {
        let found = self.poll(fd, 0x1 | 0x2 | 0x4 | 0x2000);
        let names =
            [(1, "IN"), (2, "PRI"), (4, "OUT"), (8, "ERR"), (0x10, "HUP"), (0x20, "NVAL"), (0x2000, "RDHUP")];
        let set: Vec<&str> =
            names.iter().filter(|(bit, _)| found & bit != 0).map(|(_, name)| *name).collect();
        self.say(&format!("{what} polls"), set.join("|"));
    }

    pub fn set(&mut self, fd: u64, level: u64, name: u64, value: &[u8]) {
        let at = self.put(value);
        self.call(&format!("{level}/{name}"), nr::SETSOCKOPT, &[fd, level, name, at, value.len() as u64])
            .ok();
    }

    /// The value of an option, in at most `room` bytes.
    pub fn option(&mut self, fd: u64, level: u64, name: u64, room: usize) -> Result<Vec<u8>, Errno> {
        let (at, len) =
            (self.put(&vec![0; room]), self.put(&u32::try_from(room).expect("small").to_ne_bytes()));
        self.sys(nr::GETSOCKOPT, &[fd, level, name, at, len])?;
        let len = self.get_u32(len) as usize;
        Ok(self.get(at, len))
    }

    /// Notes the value of an option.
    pub fn shows(&mut self, fd: u64, level: u64, name: u64, room: usize) {
        let value = self.option(fd, level, name, room);
        self.say(&format!("option {level}/{name}"), value);
    }
}

/// A `struct sockaddr_in`.
pub fn v4(ip: [u8; 4], port: u16) -> Vec<u8> {
    [&2_u16.to_ne_bytes()[..], &port.to_be_bytes(), &ip, &[0; 8]].concat()
}

/// A `struct sockaddr_in6` of the loopback address.
pub fn v6_loopback(port: u16) -> Vec<u8> {
    let mut ip = [0; 16];
    ip[15] = 1;
    [&10_u16.to_ne_bytes()[..], &port.to_be_bytes(), &[0; 4], &ip, &[0; 4]].concat()
}

/// A `struct sockaddr_un` with an abstract name.
pub fn abstract_name(name: &str) -> Vec<u8> {
    [&1_u16.to_ne_bytes()[..], &[0], name.as_bytes()].concat()
}
