//! File handles: they lead back to the inode without a path, until it is gone; only root may.

use crate::machine::{Machine, Rump};
use crate::proc::{open, path};
use abi::raw::general::*;
use abi::{Errno, nr};
use kernel::Descriptors;

const AT: u64 = 0x10_0000;
/// Where a `struct file_handle` is, and the mount id.
const HANDLE: u64 = AT + 4096;
const MOUNT_ID: u64 = AT + 8192;
const CWD: u64 = AT_FDCWD as u64;

fn handle_of(rump: &mut Rump, name: &str, room: u32) -> Result<Vec<u8>, Errno> {
    let name = path(rump, name);
    rump.memory()[4096..4100].copy_from_slice(&room.to_ne_bytes());
    rump.sys(nr::NAME_TO_HANDLE_AT, [CWD, name, HANDLE, MOUNT_ID, 0, 0])?;
    let len = u32::from_ne_bytes(rump.memory()[4096..4100].try_into().expect("four")) as usize;
    Ok(rump.memory()[4096..4104 + len].to_vec())
}

fn open_handle(rump: &mut Rump, mount: u64, handle: &[u8], flags: u32) -> Result<u64, Errno> {
    rump.memory()[4096..4096 + handle.len()].copy_from_slice(handle);
    rump.sys(nr::OPEN_BY_HANDLE_AT, [mount, HANDLE, flags.into(), 0, 0, 0])
}

fn make(rump: &mut Rump, name: &str) {
    let fd = open(rump, name, O_CREAT | O_WRONLY).expect("a file");
    assert_eq!(rump.sys(nr::WRITE, [fd, AT + 64, 4, 0, 0, 0]), Ok(4));
    assert_eq!(rump.sys(nr::CLOSE, [fd, 0, 0, 0, 0, 0]), Ok(0));
}

#[test]
fn a_handle_is_good_until_the_file_is_gone() {
    let mut rump = Rump::new();
    make(&mut rump, "/tmp/f");
    let handle = handle_of(&mut rump, "/tmp/f", 128).expect("a handle");
    let (from, to) = (path(&mut rump, "/tmp/f"), AT + 300);
    rump.memory()[300..307].copy_from_slice(b"/tmp/g\0");
    assert_eq!(rump.sys(nr::RENAME, [from, to, 0, 0, 0, 0]), Ok(0));
    let dir = open(&mut rump, "/var", O_RDONLY).expect("any descriptor of the mount");
    for mount in [dir, CWD] {
        let fd = open_handle(&mut rump, mount, &handle, O_RDONLY).expect("found again");
        assert_eq!(rump.sys(nr::READ, [fd, AT, 100, 0, 0, 0]), Ok(4));
        assert_eq!(rump.sys(nr::CLOSE, [fd, 0, 0, 0, 0, 0]), Ok(0));
    }
    let held = open_handle(&mut rump, dir, &handle, O_PATH).expect("found again");
    let name = path(&mut rump, "/tmp/g");
    assert_eq!(rump.sys(nr::UNLINK, [name, 0, 0, 0, 0, 0]), Ok(0));
    assert_eq!(
        open_handle(&mut rump, dir, &handle, O_RDONLY),
        Err(Errno::ESTALE),
        "open, but without a name"
    );
    assert_eq!(rump.sys(nr::CLOSE, [held, 0, 0, 0, 0, 0]), Ok(0));
    assert_eq!(open_handle(&mut rump, dir, &handle, O_RDONLY), Err(Errno::ESTALE));
}

#[test]
fn the_room_that_a_handle_needs_is_told() {
    let mut rump = Rump::new();
    make(&mut rump, "/tmp/f");
    assert_eq!(handle_of(&mut rump, "/tmp/f", 0), Err(Errno::EOVERFLOW));
    assert_eq!(rump.memory()[4096..4100], 24u32.to_ne_bytes());
    assert_eq!(rump.memory()[8192..8196], 1i32.to_ne_bytes(), "the mount's number too");
    assert_eq!(handle_of(&mut rump, "/tmp/f", 129), Err(Errno::EINVAL));
    assert_eq!(handle_of(&mut rump, "/proc/version", 128), Err(Errno::EOPNOTSUPP));
    assert_eq!(handle_of(&mut rump, "/tmp/none", 128), Err(Errno::ENOENT));
}

#[test]
fn made_up_handles_lead_nowhere() {
    let mut rump = Rump::new();
    let handle = handle_of(&mut rump, "/tmp", 128).expect("a handle");
    assert!(open_handle(&mut rump, CWD, &handle, O_DIRECTORY).is_ok());
    for at in [4, 8, 12, 19, 31] {
        let mut other = handle.clone();
        other[at] ^= 0x55;
        assert_eq!(open_handle(&mut rump, CWD, &other, O_RDONLY), Err(Errno::ESTALE), "byte {at}");
    }
    let mut short = handle.clone();
    short[0] = 23;
    assert_eq!(open_handle(&mut rump, CWD, &short, O_RDONLY), Err(Errno::ESTALE));
    short[..4].copy_from_slice(&129u32.to_ne_bytes());
    assert_eq!(open_handle(&mut rump, CWD, &short, O_RDONLY), Err(Errno::EINVAL));
    let proc = open(&mut rump, "/proc", O_RDONLY).expect("another mount");
    assert_eq!(open_handle(&mut rump, proc, &handle, O_RDONLY), Err(Errno::ESTALE));
    assert_eq!(open_handle(&mut rump, 99, &handle, O_RDONLY), Err(Errno::EBADF));
}

#[test]
fn only_root_opens_by_handle() {
    let mut rump = Rump::with(Descriptors::Strong, 1000);
    let handle = handle_of(&mut rump, "/tmp", 128).expect("a handle");
    assert_eq!(open_handle(&mut rump, CWD, &handle, O_RDONLY), Err(Errno::EPERM));
}
