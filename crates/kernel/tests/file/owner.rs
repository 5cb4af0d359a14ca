//! The user whose kernel it is rules it, and is no root to files.

use crate::machine::{Machine, Rump};
use crate::proc::path;
use abi::raw::general::{O_CREAT, O_WRONLY};
use abi::{Errno, nr};
use kernel::{Credentials, Descriptors};

const OWNER: u32 = 1000;
const AT: u64 = 0x10_0000;

fn become_user(rump: &mut Rump, uid: u32) {
    let who = Credentials { uid, gid: uid, groups: Vec::new(), host_pid: 0 };
    rump.pid = rump.kernel.attach(who, b"user", Descriptors::Strong);
}

fn mount(rump: &mut Rump) -> Result<u64, Errno> {
    let on = path(rump, "/tmp");
    rump.memory()[3000..3006].copy_from_slice(b"tmpfs\0");
    rump.sys(nr::MOUNT, [AT + 3000, on, AT + 3000, 0, 0, 0])
}

#[test]
fn rules_the_kernel_and_keeps_to_permissions() {
    let mut rump = Rump::new();
    rump.kernel.belongs_to(OWNER, OWNER).expect("a tree");
    become_user(&mut rump, OWNER);
    assert_eq!(mount(&mut rump), Ok(0));
    let at = path(&mut rump, "/file");
    assert_eq!(
        rump.sys(nr::OPEN, [at, u64::from(O_CREAT | O_WRONLY), 0, 0, 0, 0]),
        Ok(0),
        "the root is its own"
    );
    assert_eq!(rump.sys(nr::FSTAT, [0, AT + 4096, 0, 0, 0, 0]), Ok(0));
    let uid = u32::from_le_bytes(rump.memory()[4096 + 28..4096 + 32].try_into().expect("four bytes"));
    assert_eq!(uid, OWNER);
    let at = path(&mut rump, "/file");
    assert_eq!(rump.sys(nr::OPEN, [at, 0, 0, 0, 0, 0]), Err(Errno::EACCES), "mode 0 holds for the owner too");
    assert_eq!(rump.sys(nr::CHOWN, [at, 0, 0, 0, 0, 0]), Err(Errno::EPERM));
    let at = path(&mut rump, "/proc/sys/kernel/hostname");
    assert!(rump.sys(nr::OPEN, [at, O_WRONLY.into(), 0, 0, 0, 0]).is_ok(), "sysctl -w");
}

#[test]
fn others_do_not() {
    let mut rump = Rump::new();
    rump.kernel.belongs_to(OWNER, OWNER).expect("a tree");
    become_user(&mut rump, OWNER + 1);
    assert_eq!(mount(&mut rump), Err(Errno::EPERM));
    let at = path(&mut rump, "/file");
    assert_eq!(rump.sys(nr::OPEN, [at, u64::from(O_CREAT | O_WRONLY), 0, 0, 0, 0]), Err(Errno::EACCES));
    assert_eq!(rump.sys(abi::private::HALT, [0; 6]), Err(Errno::EPERM));
    let at = path(&mut rump, "/proc/sys/kernel/hostname");
    assert_eq!(rump.sys(nr::OPEN, [at, O_WRONLY.into(), 0, 0, 0, 0]), Err(Errno::EACCES));
}
