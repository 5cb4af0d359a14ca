//! What `rump_trace` tells: one line for each answered call, for those who listen.

use crate::Kernel;
use crate::call::Call;
use crate::file::ObjectId;
use crate::process::Pid;
use abi::Errno;
use abi::table::{self, Arg};
use std::collections::{BTreeMap, VecDeque};

/// Lines kept for a listener who does not come for them, in bytes. The oldest are dropped beyond.
const KEPT_MAX: usize = 1 << 20;

/// More of a path is not shown.
const PATH_SHOWN: usize = 64;

/// Those who listen.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    listeners: BTreeMap<Pid, Listener>,
}

#[derive(Debug)]
struct Listener {
    object: ObjectId,
    lines: VecDeque<String>,
    kept: usize,
}

impl Trace {
    pub(crate) fn has_listeners(&self) -> bool {
        !self.listeners.is_empty()
    }

    pub(crate) fn is_listening(&self, pid: Pid) -> bool {
        self.listeners.contains_key(&pid)
    }

    /// From now on `pid` listens; `object` changes when there is something for it.
    pub(crate) fn listen(&mut self, pid: Pid, object: ObjectId) {
        self.listeners.insert(pid, Listener { object, lines: VecDeque::new(), kept: 0 });
    }

    pub(crate) fn forget(&mut self, pid: Pid) {
        self.listeners.remove(&pid);
    }

    /// Whole lines, at most `len` bytes; or what to wait for.
    ///
    /// # Errors
    /// The object that changes when there is a line.
    pub(crate) fn take(&mut self, pid: Pid, len: usize) -> Result<Vec<u8>, Option<ObjectId>> {
        let listener = self.listeners.get_mut(&pid).ok_or(None)?;
        let mut text = Vec::new();
        while let Some(line) = listener.lines.front().filter(|line| text.len() + line.len() <= len) {
            text.extend_from_slice(line.as_bytes());
            listener.kept -= line.len();
            listener.lines.pop_front();
        }
        if text.is_empty() && listener.lines.is_empty() { Err(Some(listener.object)) } else { Ok(text) }
    }

    /// Enters a line for everybody but its own process; answers what changed.
    fn enter(&mut self, pid: Pid, line: &str) -> Vec<ObjectId> {
        let mut changed = Vec::new();
        for (_, listener) in self.listeners.iter_mut().filter(|(other, _)| **other != pid) {
            listener.kept += line.len();
            listener.lines.push_back(line.to_owned());
            while listener.kept > KEPT_MAX {
                listener.kept -= listener.lines.pop_front().map_or(listener.kept, |lost| lost.len());
            }
            changed.push(listener.object);
        }
        changed
    }
}

impl Kernel {
    /// Tells those who listen that a call is being answered.
    pub(crate) fn trace(&mut self, call: &Call, result: Result<u64, Errno>) {
        // Two listeners would keep each other awake for ever.
        if !self.trace.has_listeners() || call.nr == abi::private::TRACE {
            return;
        }
        let name = self.processes.get(call.pid).map(|process| process.name.clone()).unwrap_or_default();
        let name = String::from_utf8_lossy(&name).replace(char::is_whitespace, "?");
        let line = format!("{} {name} {} = {}\n", call.pid.0, show_call(call), show_result(result));
        for object in self.trace.enter(call.pid, &line) {
            self.wake(object);
        }
    }
}

fn show_call(call: &Call) -> String {
    let Some(row) = table::lookup(call.nr) else { return format!("syscall_{}()", call.nr) };
    let args = row.args().iter().zip(call.args).map(|(arg, value)| show_arg(call, *arg, value));
    format!("{}({})", row.name(), args.collect::<Vec<_>>().join(", "))
}

/// An argument as strace(1) shows it, as far as its kind tells.
#[allow(clippy::cast_possible_truncation, reason = "an int is the lower half of its register")]
fn show_arg(call: &Call, arg: Arg, value: u64) -> String {
    match arg {
        Arg::Path | Arg::Str => match call.mem.read_string(value) {
            Ok(text) => format!("\"{}\"", text[..text.len().min(PATH_SHOWN)].escape_ascii()),
            Err(_) => format!("{value:#x}"),
        },
        Arg::Fd | Arg::DirFd | Arg::Int | Arg::Id | Arg::Cmd => (value as i32).to_string(),
        Arg::Size | Arg::Off => value.cast_signed().to_string(),
        Arg::Mode => format!("{:#o}", value as u32),
        Arg::Flags => format!("{:#x}", value as u32),
        _ => format!("{value:#x}"),
    }
}

fn show_result(result: Result<u64, Errno>) -> String {
    match result {
        Ok(value) => value.cast_signed().to_string(),
        Err(errno) => format!("-1 {errno}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CallId, UserMem};

    #[test]
    fn a_line_shows_numbers_paths_and_errors() {
        let mut mem = UserMem::new();
        mem.add(0x1000, b"/a b\0".to_vec());
        let call = Call::new(CallId(1), Pid(2), abi::nr::OPEN, [0x1000, 0o2000, 0o644, 0, 0, 0], mem);
        assert_eq!(show_call(&call), "open(\"/a b\", 0x400, 0o644)");
        assert_eq!(show_result(Err(Errno::ENOENT)), "-1 ENOENT");
        assert_eq!(show_result(Ok(7)), "7");
    }

    #[test]
    fn a_listener_who_stays_away_costs_little() {
        let mut trace = Trace::default();
        trace.listen(Pid(2), ObjectId(9));
        assert_eq!(trace.take(Pid(2), 100), Err(Some(ObjectId(9))));
        assert_eq!(trace.enter(Pid(2), "its own\n"), []);
        for _ in 0..2 * KEPT_MAX / 100 {
            assert_eq!(trace.enter(Pid(3), &format!("{:99}\n", "x")), [ObjectId(9)]);
        }
        assert!(trace.listeners[&Pid(2)].kept <= KEPT_MAX);
        assert_eq!(trace.take(Pid(2), 250).map(|text| text.len()), Ok(200), "whole lines");
        assert_eq!(trace.take(Pid(2), 10).map(|text| text.len()), Ok(0), "no room for one");
    }
}
