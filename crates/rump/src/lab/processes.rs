//! The processes that live by a lab, and how they are ended.
//!
//! Nobody has waited for them since `rump lab up` ended, and they may have put themselves anywhere. A process is a lab's if its
//! environment names one of its servers, if it is in a session that `up` made for a program (a program may write over its environment), or if it
//! is a client of a server.

use crate::lab::place::Place;
use crate::look;
use crate::session::Session;
use abi::private::Info;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, PidfdFlags, Signal};
use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// What a process gets to end by itself.
const PATIENCE: Duration = Duration::from_secs(3);
/// What a server gets to answer.
const ANSWER: Duration = Duration::from_secs(2);

/// A process by number and start time (proc_pid_stat(5)): numbers are used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    pub(crate) started: u64,
}

/// What proc_pid_stat(5) says of a process.
struct Stat {
    state: char,
    session: i32,
    started: u64,
}

fn stat(pid: i32) -> Option<Stat> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // A name may have any characters in it.
    let mut fields = text[text.rfind(')')? + 1..].split_whitespace();
    let state = fields.next()?.chars().next()?;
    Some(Stat { state, session: fields.nth(2)?.parse().ok()?, started: fields.nth(15)?.parse().ok()? })
}

impl Process {
    /// The one that has this number now.
    pub(crate) fn now(pid: i32) -> Option<Self> {
        Some(Self { pid, started: stat(pid)?.started })
    }

    /// Whether it still runs.
    pub(crate) fn runs(self) -> bool {
        stat(self.pid).is_some_and(|now| now.started == self.started && !matches!(now.state, 'Z' | 'X'))
    }
}

/// A program that `up` started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Started {
    pub(crate) name: String,
    pub(crate) process: Process,
}

impl Started {
    /// Those of a host.
    pub(crate) fn read(place: &Place, host: &str) -> Vec<Self> {
        let text = std::fs::read_to_string(place.of_host(host, "programs")).unwrap_or_default();
        text.lines().filter_map(Self::parse).collect()
    }

    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.split('\t');
        let name = fields.next()?.to_owned();
        let process = Process { pid: fields.next()?.parse().ok()?, started: fields.next()?.parse().ok()? };
        Some(Self { name, process })
    }

    /// The line that stands for it.
    pub(crate) fn line(&self) -> String {
        format!("{}\t{}\t{}\n", self.name, self.process.pid, self.process.started)
    }
}

/// Ends all processes of a lab but its servers and this one.
pub(crate) fn end_clients(place: &Place) {
    // One that was about to start another may have done so.
    for _ in 0..5 {
        let found = clients(place);
        if found.is_empty() {
            return;
        }
        end(&found, |pid| clients(place).contains(&pid));
    }
}

/// Ends the server of a host.
pub(crate) fn end_server(place: &Place, host: &str) {
    let server = || {
        let stream = std::os::unix::net::UnixStream::connect(place.socket(host)).ok()?;
        let peer = rustix::net::sockopt::socket_peercred(&stream).ok()?;
        Some(peer.pid.as_raw_nonzero().get())
    };
    if let Some(pid) = server() {
        end(&BTreeSet::from([pid]), |pid| server() == Some(pid));
    }
}

/// Whether a host's server takes connections.
pub(crate) fn serves(place: &Place, host: &str) -> bool {
    std::os::unix::net::UnixStream::connect(place.socket(host)).is_ok()
}

fn clients(place: &Place) -> BTreeSet<i32> {
    let mark = [b"RUMP_SERVER=", place.url_prefix().as_bytes()].concat();
    let hosts = place.hosts();
    let started: Vec<Process> =
        hosts.iter().flat_map(|host| Started::read(place, host)).map(|started| started.process).collect();
    let mut found: BTreeSet<i32> =
        all().filter(|pid| names(*pid, &mark) || in_session(*pid, &started)).collect();
    found.extend(hosts.iter().flat_map(|host| of_server(place.url(host))));
    found.remove(&std::process::id().cast_signed());
    found.retain(|pid| stat(*pid).is_some_and(|now| !matches!(now.state, 'Z' | 'X')));
    found
}

fn all() -> impl Iterator<Item = i32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten();
    entries.filter_map(|entry| std::str::from_utf8(entry.ok()?.file_name().as_bytes()).ok()?.parse().ok())
}

fn names(pid: i32, mark: &[u8]) -> bool {
    let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    environment.split(|byte| *byte == 0).any(|variable| variable.starts_with(mark))
}

/// A session has the number of its leader, which is nobody else's as long as it has members.
fn in_session(pid: i32, leaders: &[Process]) -> bool {
    let Some(now) = stat(pid) else { return false };
    let Some(leader) = leaders.iter().find(|leader| leader.pid == now.session) else { return false };
    stat(leader.pid).is_none_or(|now| now.started == leader.started)
}

/// The processes of the host that a server serves. One that does not answer in time is not waited for.
fn of_server(url: String) -> Vec<i32> {
    let (told, answer) = mpsc::channel();
    std::thread::spawn(move || {
        let text =
            Session::connect(url, "rump").and_then(|mut session| look::info(&mut session, Info::Processes));
        let _ = told.send(text);
    });
    let Ok(Ok(text)) = answer.recv_timeout(ANSWER) else { return Vec::new() };
    let host_pid = |line: &str| line.split('\t').nth(2)?.parse().ok().filter(|pid| *pid > 1);
    text.lines().filter_map(host_pid).collect()
}

/// SIGTERM, and after a while SIGKILL; returns once they are gone. `is_meant` is asked when the number cannot be used again any more.
fn end(pids: &BTreeSet<i32>, is_meant: impl Fn(i32) -> bool) {
    let open = |pid: &i32| {
        Some((*pid, rustix::process::pidfd_open(Pid::from_raw(*pid)?, PidfdFlags::empty()).ok()?))
    };
    let mut open: Vec<(i32, OwnedFd)> = pids.iter().filter_map(open).collect();
    open.retain(|(pid, _)| is_meant(*pid));
    let mut fds: Vec<OwnedFd> = open.into_iter().map(|(_, fd)| fd).collect();
    for signal in [Signal::TERM, Signal::KILL] {
        for fd in &fds {
            let _ = rustix::process::pidfd_send_signal(fd, signal);
            // One that is stopped is not to stay so.
            let _ = rustix::process::pidfd_send_signal(fd, Signal::CONT);
        }
        wait(&mut fds);
    }
}

/// Waits until they are gone, within bounds; keeps those that are not.
fn wait(fds: &mut Vec<OwnedFd>) {
    let end = Instant::now() + PATIENCE;
    while let (Some(fd), left) = (fds.last(), end.saturating_duration_since(Instant::now()))
        && !left.is_zero()
    {
        let timeout = Timespec::try_from(left).ok();
        let gone = rustix::event::poll(&mut [PollFd::new(fd, PollFlags::IN)], timeout.as_ref());
        if gone.is_ok_and(|count| count > 0) {
            fds.pop();
        }
    }
}
