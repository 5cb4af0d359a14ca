//! What `rump_info` tells: tables as text, one row a line, fields parted by tabs.

use crate::Kernel;
use abi::private::Info;
use std::fmt::Write;

impl Kernel {
    pub(crate) fn info(&self, topic: Info) -> String {
        match topic {
            Info::Processes => self.info_processes(),
            Info::Counters => self.info_counters(),
            Info::Sockets => self.info_sockets(),
            Info::Mounts => self.fs.vfs.mounts(),
        }
    }

    fn info_processes(&self) -> String {
        let mut text = String::new();
        for process in self.processes.iter() {
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "{}\t{}\t{}\t{}\t{}\t{}\t{}",
                process.pid.0,
                process.ppid.0,
                process.who.host_pid,
                process.who.uid,
                process.fds.iter().count(),
                process.calls,
                printable(&process.name),
            );
        }
        text
    }

    /// One row for each descriptor of a socket.
    fn info_sockets(&self) -> String {
        let mut text = String::new();
        for process in self.processes.iter() {
            for (fd, id) in process.fds.iter() {
                let Ok(file) = self.files.get(id) else { continue };
                let Some(socket) = file.ops.socket() else { continue };
                let row = socket.summary(self);
                let _ = writeln!(
                    text,
                    "{}\t{}\t{}\t{fd}\t{}\t{}\t{}\t{}",
                    process.who.uid,
                    printable(&process.name),
                    process.pid.0,
                    row.protocol,
                    row.state,
                    row.local,
                    row.foreign,
                );
            }
        }
        text
    }

    fn info_counters(&self) -> String {
        let mut text = String::new();
        let total = self.calls_served.total();
        let _ = writeln!(text, "calls\t{total}");
        let _ = writeln!(text, "calls.waiting\t{}", self.parked.len());
        let _ = writeln!(text, "files.open\t{}", self.files.len());
        for (name, count) in self.calls_served.iter() {
            let _ = writeln!(text, "call.{name}\t{count}");
        }
        text
    }
}

/// A name that does not break the table.
fn printable(name: &[u8]) -> String {
    String::from_utf8_lossy(name).replace(['\t', '\n'], "?")
}
