//! What `rump_info` tells: tables as text, one row a line, fields parted by tabs.

use crate::Kernel;
use abi::private::Info;
use std::fmt::Write;

impl Kernel {
    pub(crate) fn info(&self, topic: Info) -> String {
        match topic {
            Info::Processes => self.info_processes(),
            Info::Counters => self.info_counters(),
            Info::Sockets | Info::Mounts => String::new(),
        }
    }

    fn info_processes(&self) -> String {
        let mut text = String::new();
        for process in self.processes.iter() {
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "{}\t{}\t{}\t{}\t{}\t{}",
                process.pid.0,
                process.ppid.0,
                process.who.uid,
                process.fds.iter().count(),
                process.calls,
                String::from_utf8_lossy(&process.name).replace(['\t', '\n'], "?"),
            );
        }
        text
    }

    fn info_counters(&self) -> String {
        let mut text = String::new();
        let total: u64 = self.calls_served.values().sum();
        let _ = writeln!(text, "calls\t{total}");
        let _ = writeln!(text, "calls.waiting\t{}", self.parked.len());
        let _ = writeln!(text, "files.open\t{}", self.files.len());
        for (nr, count) in &self.calls_served {
            let name = abi::table::lookup(*nr).map_or("unknown", |row| row.name);
            let _ = writeln!(text, "call.{name}\t{count}");
        }
        text
    }
}
