//! The files by which programs of the rump kernel find names: hosts(5), and resolv.conf(5), which follows what links are told.

use crate::Kernel;
use abi::Errno;
use abi::raw::general::{O_CREAT, O_RDONLY, O_TRUNC, O_WRONLY};
use std::fmt::Write as _;
use tcpip::Resolving;
use vfs::{Location, Opening, Start, Time, Vfs, Who};

const HOSTS: &str = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n";
const RESOLV_CONF: &[u8] = b"resolv.conf";
/// What is not known to be ours is somebody else's, and stays.
const HEADER: &str = "# Written by the rump kernel: the name servers of its links. Without this line the file stays as it is.\n";
const ROOT: Who<'static> = Who { uid: 0, gid: 0, groups: &[], umask: 0, prefix: b"" };

/// Makes the files of a new tree, whose /etc is `etc`.
///
/// # Errors
/// `ENOSPC`.
pub(crate) fn make_files(vfs: &mut Vfs, etc: Location, now: Time) -> Result<(), Errno> {
    write(vfs, etc, b"hosts", HOSTS, now)?;
    write(vfs, etc, RESOLV_CONF, HEADER, now)
}

impl Kernel {
    /// resolv.conf(5) says this from now on, unless somebody else has written it.
    pub(crate) fn write_resolv_conf(&mut self, resolving: &Resolving) {
        let mut text = HEADER.to_owned();
        if !resolving.domains.is_empty() {
            let _ = writeln!(text, "search {}", resolving.domains.join(" "));
        }
        for server in &resolving.servers {
            let _ = writeln!(text, "nameserver {server}");
        }
        let (vfs, etc, now) = (&mut self.fs.vfs, self.fs.etc, self.now.real_ns);
        if is_ours(vfs, etc, now) {
            // A full file system, or one without /etc: names are not found then.
            let _ = write(vfs, etc, RESOLV_CONF, &text, now);
        }
    }
}

fn is_ours(vfs: &mut Vfs, etc: Location, now: Time) -> bool {
    let how = Opening { flags: O_RDONLY, mode: 0, resolve: 0 };
    let mut found = vec![0; HEADER.len()];
    match vfs.open(&ROOT, start(vfs, etc), RESOLV_CONF, how, now) {
        Ok(opened) => {
            vfs.read(opened.at, 0, &mut found, None).is_ok_and(|len| &found[..len] == HEADER.as_bytes())
        }
        Err(errno) => errno == Errno::ENOENT,
    }
}

fn write(vfs: &mut Vfs, etc: Location, name: &[u8], text: &str, now: Time) -> Result<(), Errno> {
    let how = Opening { flags: O_WRONLY | O_CREAT | O_TRUNC, mode: 0o644, resolve: 0 };
    let opened = vfs.open(&ROOT, start(vfs, etc), name, how, now)?;
    vfs.write(&ROOT, opened.at, 0, text.as_bytes(), now).map(drop)
}

/// From the directory itself: whatever was mounted over it since is not looked at.
fn start(vfs: &Vfs, etc: Location) -> Start {
    Start { root: vfs.root(), dir: etc }
}
