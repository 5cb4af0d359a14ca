//! Attributes of drives (Documentation/ABI/stable/sysfs-block).

use super::view::{device, name_of};
use super::{Content, Row};
use vfs::DriveInfo;

/// `size` counts in these, whatever the device has.
const SECTOR: u64 = 512;

pub(super) const ROWS: &[Row] = &[
    ("alignment_offset", Content::Text("0\n")),
    ("dev", Content::Drive(|drive| format!("{}\n", device(drive)))),
    ("discard_alignment", Content::Text("0\n")),
    ("ext_range", Content::Text("1\n")),
    ("hidden", Content::Text("0\n")),
    ("queue/discard_granularity", Content::Text("0\n")),
    ("queue/discard_max_bytes", Content::Text("0\n")),
    ("queue/hw_sector_size", Content::Text("512\n")),
    ("queue/logical_block_size", Content::Text("512\n")),
    ("queue/minimum_io_size", Content::Text("512\n")),
    ("queue/optimal_io_size", Content::Text("0\n")),
    ("queue/physical_block_size", Content::Text("512\n")),
    ("queue/rotational", Content::Text("0\n")),
    ("range", Content::Text("1\n")),
    ("removable", Content::Text("0\n")),
    ("ro", Content::Drive(|drive| format!("{}\n", u8::from(drive.read_only)))),
    ("size", Content::Drive(|drive| format!("{}\n", drive.size / SECTOR))),
    ("subsystem", Content::Link("../../../../class/block")),
    ("uevent", Content::Drive(uevent)),
];

fn uevent(drive: &DriveInfo) -> String {
    let (major, minor) = drive.device();
    format!("MAJOR={major}\nMINOR={minor}\nDEVNAME={}\nDEVTYPE=disk\n", name_of(drive))
}
