//! `rump nfs`: what the rump kernel's NFS server exports.

use crate::cli::{NfsAction, NfsOptions};
use crate::look::columns;
use crate::mount::inside;
use crate::session::{Error, Session};
use abi::private::{self, NfsOp};

/// Lists or changes exports; answers what is to be printed.
pub(crate) fn nfs(options: &NfsOptions) -> Result<String, Error> {
    let mut session = Session::open(&options.server)?;
    match &options.action {
        None | Some(NfsAction::List) => {
            let rows = session.ask(private::NFS, NfsOp::List as u64, &[])?;
            Ok(columns(&["DIRECTORY", "CLIENT", "OPTIONS"], &rows))
        }
        Some(NfsAction::Export { ro, options, dir, clients }) => {
            let defaults =
                if *ro { "ro," } else { "rw," }.to_owned() + options.as_deref().unwrap_or_default();
            let dir = inside(&mut session, dir);
            let mut fields = vec![defaults.as_str(), &dir];
            fields.extend(clients.iter().map(String::as_str));
            session.ask(private::NFS, NfsOp::Export as u64, fields.join("\0").as_bytes())
        }
        Some(NfsAction::Unexport { dir }) => {
            let dir = inside(&mut session, dir);
            session.ask(private::NFS, NfsOp::Unexport as u64, dir.as_bytes())
        }
    }
}
