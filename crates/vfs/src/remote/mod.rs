//! File systems that do I/O, seen from where nothing may wait.
//!
//! Such a file system is a value of its own worker (a thread of the server; in tests whoever likes), behind the same trait as all.
//! [`Remote`] stands for it in the tree. It answers from what it knows; what it does not know it asks for: its methods fail with
//! [`WAITS`], the call that runs is parked and the operation handed out ([`Exchange`]). When the answer has come the call runs again
//! from its beginning, and finds the answer in its log. A disk that is slow stops whoever uses it, and nobody else.
//!
//! Changes that only a full or broken disk can fail are answered at once and carried out behind (a `write` as long as there is
//! plenty of room, owners, modes, times): what became of them fsync(2) says, as on Linux. All else is asked for and waited for.
//! A worker carries operations out in the order in which they were asked for, so whoever asks sees what went before.

mod ahead;
mod cache;
mod exchange;
mod mapped;
mod op;
mod pages;
mod proxy;
mod system;
mod transfer;

pub use exchange::{Exchange, Log};
pub use op::{
    Answer, Entry, MountSource, Mounted, Node, Op, Source, Value, Xattrs, carry_out, carry_out_behind,
};
pub use proxy::Remote;

use abi::Errno;
use std::cell::RefCell;
use std::rc::Rc;

/// Types of file systems that are on drives; workers open them.
pub const ON_DRIVES: &[&str] = &["ext2", "ext3", "ext4", "iso9660", "msdos", "squashfs", "vfat"];

/// Names a worker: each has one file system.
pub type Worker = u32;

/// The call waits for a worker (`EIOCBQUEUED`, which is Linux's own for 'queued, will get completion event'). No program sees it.
pub const WAITS: Errno = Errno::from_number(529);

/// An exchange and those who use it.
pub type SharedExchange = Rc<RefCell<Exchange>>;

/// Opens a file system by a worker of its own.
///
/// # Errors
/// [`WAITS`]; what mount(2) lists.
pub fn mount(exchange: &SharedExchange, source: MountSource) -> Result<Remote, Errno> {
    let answer = exchange.borrow_mut().mount(source)?;
    match answer {
        Value::Mounted(mounted) => Ok(Remote::new(Rc::clone(exchange), &mounted)),
        _ => Err(Errno::EIO),
    }
}
