//! What the file system sees of the kernel.

use std::cell::{Cell, RefCell};
use tcpip::Stack;
use vfs::{DriveInfo, Kind};

/// Interfaces and drives: their numbers, names and device numbers (an interface has none).
#[derive(Default)]
pub(crate) struct View {
    pub(super) interfaces: RefCell<Vec<Seen>>,
    pub(super) drives: RefCell<Vec<Seen>>,
    /// [`Stack::link_changes`] when the interfaces were looked at.
    changes: Cell<Option<u64>>,
}

/// One object.
pub(super) struct Seen {
    pub(super) number: u32,
    pub(super) name: String,
    /// As `MAJOR:MINOR`.
    pub(super) device: String,
}

impl View {
    /// The interfaces are these from now on.
    pub(super) fn see_interfaces(&self, stack: &Stack) {
        let changes = Some(stack.link_changes());
        if self.changes.replace(changes) == changes {
            return;
        }
        let seen =
            |link: tcpip::LinkInfo| Seen { number: link.id.index(), name: link.name, device: String::new() };
        *self.interfaces.borrow_mut() = stack.links().into_iter().map(seen).collect();
    }

    /// There is this drive, too.
    pub(crate) fn see_drive(&self, info: &DriveInfo) {
        if info.kind != Kind::Block {
            return;
        }
        let seen = Seen { number: info.number, name: name_of(info).replace('/', "!"), device: device(info) };
        self.drives.borrow_mut().push(seen);
    }
}

impl View {
    /// Numbers and names of the block devices among the drives.
    pub(crate) fn drives(&self) -> Vec<(u32, String)> {
        self.drives.borrow().iter().map(|seen| (seen.number, seen.name.clone())).collect()
    }
}

/// The name of a drive below /dev, where uevents say it. One of several parts has `!` for `/` in sysfs (kobject_set_name_vargs).
pub(super) fn name_of(drive: &DriveInfo) -> String {
    let path = drive.path.strip_prefix(b"/dev").unwrap_or(&drive.path);
    String::from_utf8_lossy(path).trim_start_matches('/').to_owned()
}

/// `MAJOR:MINOR`.
pub(super) fn device(drive: &DriveInfo) -> String {
    let (major, minor) = drive.device();
    format!("{major}:{minor}")
}
