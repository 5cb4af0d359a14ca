//! sysfs(5) of the rump kernel: its interfaces and its drives.
//!
//! An attribute is one row of [`net`] or [`block`] and a function that makes its text; [`tree`] makes the file system out of the rows and
//! the objects that [`view`] knows of.

mod attribute;
mod block;
mod net;
mod tree;
pub(crate) mod view;

use crate::Kernel;
use crate::file::File;
use abi::Errno;
use attribute::AttributeFile;
pub(crate) use tree::Sysfs;
use vfs::{DriveInfo, Ino, Location};

/// The type in /proc/mounts.
pub(crate) const NAME: &str = "sysfs";

/// An attribute of an object, or of the kernel as a whole.
#[derive(Clone, Copy)]
enum Content {
    /// A directory; those above a row's name need no row of their own.
    Directory,
    /// A symbolic link that leads here.
    Link(&'static str),
    /// A file that is always the same.
    Text(&'static str),
    /// An attribute of an interface.
    Interface(net::Show),
    /// One that can be set.
    Setting(net::Show, net::Store),
    /// An attribute of a drive.
    Drive(fn(&DriveInfo) -> String),
}

/// One name: where, and what it stands for.
type Row = (&'static str, Content);

impl Content {
    /// Permission bits.
    const fn mode(self) -> u32 {
        match self {
            Self::Directory => 0o755,
            Self::Link(_) => 0o777,
            Self::Setting(..) => 0o644,
            Self::Text(_) | Self::Interface(_) | Self::Drive(_) => 0o444,
        }
    }
}

/// Opens an attribute: `ino` is what [`vfs::Vfs::made_up`] answered.
///
/// # Errors
/// `ENOENT`: there is none. `EACCES`: one that not even root sets (fs/kernfs/file.c, `kernfs_fop_open`).
pub(crate) fn open(at: Location, ino: Ino, writes: bool) -> Result<Box<dyn File>, Errno> {
    let (object, content) = tree::content(ino).ok_or(Errno::ENOENT)?;
    if writes && content.mode() & 0o222 == 0 {
        return Err(Errno::EACCES);
    }
    Ok(Box::new(AttributeFile { at, object, content }))
}

impl Kernel {
    /// Has the file system see the interfaces as they are.
    pub(crate) fn show_interfaces(&mut self) {
        self.fs.shown.see_interfaces(&self.net.stack);
    }
}
