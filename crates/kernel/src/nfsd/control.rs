//! What is exported: `rump_nfs`, and the files of /proc/fs/nfsd (nfsd(7)).

use crate::Kernel;
use abi::Errno;
use abi::private::NfsOp;
use nfs::Export;
use nfs::export::{Client, Options};
use std::fmt::Write;
use vfs::{Follow, Kind, Location, Start, Who};

/// Why something is not exported: for programs, and for people.
pub(crate) struct Refused {
    pub(crate) errno: Errno,
    pub(crate) why: String,
}

impl From<String> for Refused {
    fn from(why: String) -> Self {
        Self { errno: Errno::EINVAL, why }
    }
}

impl Kernel {
    /// Does what `rump_nfs` asks for; answers what is to be told.
    pub(crate) fn control_nfs(&mut self, op: NfsOp, text: &[u8]) -> Result<String, Refused> {
        match op {
            NfsOp::List => Ok(self.list_exports()),
            NfsOp::Export => self.export(text),
            NfsOp::Unexport => {
                let gone = self.nfsd.server.exports.remove(text);
                let gone = gone.ok_or_else(|| format!("{} is not exported", shown(text)))?;
                self.fs.vfs.hold(gone.root, false);
                self.nfsd.over = self.nfsd.server.exports.iter().next().is_none();
                Ok(String::new())
            }
        }
    }

    fn export(&mut self, text: &[u8]) -> Result<String, Refused> {
        let text = std::str::from_utf8(text).map_err(|_| "no UTF-8".to_owned())?;
        let mut fields = text.split('\0');
        let (defaults, path) = (fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
        let defaults = Options::default().parse(defaults)?;
        let clients: Result<Vec<_>, _> = fields.map(|client| Client::parse(client, defaults)).collect();
        let (clients, root) = (clients?, self.exportable(path)?);
        self.start_nfsd().map_err(|errno| Refused {
            errno,
            why: format!("ports {} and {}: {}", nfs::NFS_PORT, nfs::MOUNT_PORT, errno.name()),
        })?;
        self.fs.vfs.hold(root, true);
        let before = self.nfsd.server.exports.add(Export::new(path.as_bytes().to_vec(), root, clients));
        match before {
            Ok(None) => {}
            Ok(Some(before)) => self.fs.vfs.hold(before.root, false),
            Err(why) => {
                self.fs.vfs.hold(root, false);
                return Err(why.into());
            }
        }
        Ok(if self.nfsd.portmap_elsewhere {
            format!(
                "port {} is somebody else's: clients have to be told the ports {} (nfs) and {} (mount)\n",
                nfs::PORTMAP_PORT,
                nfs::NFS_PORT,
                nfs::MOUNT_PORT
            )
        } else {
            String::new()
        })
    }

    fn exportable(&self, path: &str) -> Result<Location, Refused> {
        let refused =
            |errno: Errno, what: &str| Refused { errno, why: format!("{path}: {what} ({})", errno.name()) };
        if !path.starts_with('/') {
            return Err(refused(Errno::EINVAL, "an absolute path is wanted"));
        }
        let root = Who { uid: 0, gid: 0, groups: &[], umask: 0, prefix: b"" };
        let start = Start { root: self.fs.vfs.root(), dir: self.fs.vfs.root() };
        let vfs = &self.fs.vfs;
        let at = vfs
            .lookup(&root, start, path.as_bytes(), Follow::Yes)
            .map_err(|errno| refused(errno, "not found"))?;
        match vfs.attr(at).map(|attr| attr.kind) {
            Ok(Kind::Directory) => {}
            _ => return Err(refused(Errno::ENOTDIR, "no directory")),
        }
        match vfs.handle_of(at) {
            Ok(_) => Ok(at),
            Err(errno) => Err(refused(errno, "this file system has no file handles")),
        }
    }

    /// One row a line: directory, client, options.
    fn list_exports(&self) -> String {
        let mut text = String::new();
        for (export, client) in self.exported() {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{}\t{}\t{}", shown(&export.path), client.text(), client.options.text());
        }
        text
    }

    fn exported(&self) -> impl Iterator<Item = (&Export, &Client)> {
        self.nfsd
            .server
            .exports
            .iter()
            .flat_map(|export| export.clients.iter().map(move |client| (export, client)))
    }
}

/// /proc/fs/nfsd/exports
pub(crate) fn exports(k: &Kernel) -> String {
    let mut text = "# Version 1.1\n# Path Client(Flags) # IPs\n".to_owned();
    for (export, client) in k.exported() {
        let _ = writeln!(text, "{}\t{}({})", shown(&export.path), client.text(), client.options.text());
    }
    text
}

/// /proc/fs/nfsd/threads: requests are served one after the other.
pub(crate) fn threads(k: &Kernel) -> String {
    format!("{}\n", u8::from(k.nfsd.pid.is_some()))
}

/// /proc/fs/nfsd/versions
pub(crate) fn versions(_: &Kernel) -> String {
    "-2 +3 -4\n".to_owned()
}

/// /proc/fs/nfsd/portlist
pub(crate) fn portlist(k: &Kernel) -> String {
    let line = |protocol: &str| format!("{protocol} {}\n", nfs::NFS_PORT);
    if k.nfsd.pid.is_some() { line("tcp") + &line("udp") } else { String::new() }
}

/// A path on a line of its own fields.
fn shown(path: &[u8]) -> String {
    String::from_utf8_lossy(path).replace('\t', "\\011").replace('\n', "\\012")
}
