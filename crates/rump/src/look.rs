//! Looking into a rump kernel, and ending it.

use crate::cli::ServerOption;
use crate::session::{Error, Session};
use crate::users::Users;
use abi::private::{self, Info};

/// Any address will do: this program has no memory that a call is about.
const BUFFER: u64 = 0x1000;

/// Ends a server.
pub(crate) fn halt(server: &ServerOption) -> Result<(), Error> {
    Session::open(server)?.halt()
}

/// Lists processes.
pub(crate) fn processes(server: &ServerOption) -> Result<String, Error> {
    let text = info(&mut Session::open(server)?, Info::Processes)?;
    Ok(columns(&["PID", "PPID", "HOSTPID", "UID", "FDS", "CALLS", "NAME"], &text))
}

/// Lists sockets, as sockstat(1) does.
pub(crate) fn sockets(server: &ServerOption) -> Result<String, Error> {
    let text = info(&mut Session::open(server)?, Info::Sockets)?;
    let users = Users::read();
    let named = |line: &str| match line.split_once('\t') {
        Some((uid, rest)) => format!("{}\t{rest}\n", users.name(uid)),
        None => format!("{line}\n"),
    };
    let head = ["USER", "COMMAND", "PID", "FD", "PROTO", "STATE", "LOCAL ADDRESS", "FOREIGN ADDRESS"];
    Ok(columns(&head, &text.lines().map(named).collect::<String>()))
}

/// The text of a topic of rump_info, however long it is.
pub(crate) fn info(session: &mut Session, topic: Info) -> Result<String, Error> {
    let mut len = 1 << 16;
    loop {
        let answer = session.call(private::INFO, &[topic as u64, BUFFER, len])?;
        let whole = answer.result.map_err(|errno| session.refused(errno))?;
        if whole <= len {
            return Ok(String::from_utf8_lossy(&answer.out).into_owned());
        }
        len = whole;
    }
}

/// Rows of fields parted by tabs, under a head, in columns.
pub(crate) fn columns(head: &[&str], text: &str) -> String {
    let rows: Vec<Vec<&str>> =
        std::iter::once(head.to_vec()).chain(text.lines().map(|line| line.split('\t').collect())).collect();
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..count)
        .map(|at| {
            rows.iter().filter_map(|row| row.get(at)).map(|field| field.chars().count()).max().unwrap_or(0)
        })
        .collect();
    let mut out = String::new();
    for row in rows {
        let padded = row.iter().zip(&widths).map(|(field, &width)| format!("{field:<width$}"));
        out.push_str(padded.collect::<Vec<_>>().join("  ").trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        assert_eq!(columns(&["A", "NAME"], "1\tx\n100\tlonger\n"), "A    NAME\n1    x\n100  longer\n");
        assert_eq!(columns(&["A", "B"], ""), "A  B\n");
    }
}
