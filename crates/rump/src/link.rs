//! `rump link`: the links of a rump kernel.

use crate::cli::{LinkAction, LinkOptions};
use crate::look::columns;
use crate::session::{Error, Session};
use abi::private::{self, LinkOp};
use std::os::unix::ffi::OsStrExt;

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

fn ask(session: &mut Session, op: LinkOp, text: &[u8]) -> Result<String, Error> {
    session.ask(private::LINK, op as u64, text)
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
