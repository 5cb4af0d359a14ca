//! `rump link`: the links of a rump kernel.

use crate::cli::{LinkAction, LinkOptions};
use crate::look::columns;
use crate::session::{Error, Session};
use abi::private::{self, LinkOp};
use std::os::unix::ffi::OsStrExt;

/// Any addresses will do: this program has no memory that a call is about.
const TEXT: u64 = 0x1000;
const BUFFER: u64 = 0x2_0000;

/// Lists or changes links; answers what is to be printed.
pub(crate) fn link(options: &LinkOptions) -> Result<String, Error> {
    let mut session = Session::open(&options.server)?;
    match &options.action {
        None | Some(LinkAction::List) => ask(&mut session, LinkOp::List, &[]).map(|rows| table(&rows)),
        Some(LinkAction::Add { netspec }) => {
            let directory = std::env::current_dir().map_err(|error| Error::Why(error.to_string()))?;
            let text = [directory.as_os_str().as_bytes(), b"\0", netspec.as_bytes()].concat();
            ask(&mut session, LinkOp::Add, &text)
        }
        Some(LinkAction::Set { name, changes }) => {
            ask(&mut session, LinkOp::Set, &[name.as_bytes(), b"\0", changes.as_bytes()].concat())
        }
        Some(LinkAction::Del { name }) => ask(&mut session, LinkOp::Del, name.as_bytes()),
    }
}

/// The answer, however long it is.
fn ask(session: &mut Session, op: LinkOp, text: &[u8]) -> Result<String, Error> {
    let mut len = 1 << 16;
    loop {
        let args = [op as u64, TEXT, text.len() as u64, BUFFER, len];
        let answer = session.call_with(private::LINK, &args, TEXT, text)?;
        let told = String::from_utf8_lossy(&answer.out).into_owned();
        match answer.result {
            // Only a list can be so long, and asking again for one changes nothing.
            Ok(whole) if whole > len => len = whole,
            Ok(_) => return Ok(told),
            Err(errno) if told.is_empty() => return Err(session.refused(errno)),
            Err(_) => return Err(Error::Why(told)),
        }
    }
}

fn table(rows: &str) -> String {
    let head = [
        "NAME",
        "TYPE",
        "STATE",
        "MTU",
        "MAC",
        "ADDRESSES",
        "RX",
        "RXBYTES",
        "TX",
        "TXBYTES",
        "MISSED",
        "NOTSENT",
        "LOST",
        "FAULTS",
        "REMARK",
    ];
    columns(&head, rows)
}
