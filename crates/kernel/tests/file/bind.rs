//! Mounts that show others again, files among them, the exchange of the root, and mounts that expire.

use crate::machine::{Machine, Rump};
use crate::mount::{ROOM, call, line, mount, stat, two, umount, with_tmpfs};
use crate::proc::{open, read};
use abi::raw::general::*;
use abi::{Errno, nr};

fn cwd(rump: &mut Rump) -> String {
    let len = usize::try_from(rump.sys(nr::GETCWD, [ROOM, 100, 0, 0, 0, 0]).expect("a directory"))
        .expect("a length");
    String::from_utf8_lossy(&rump.memory()[0x1_0000..0x1_0000 + len - 1]).into_owned()
}

#[test]
fn what_is_mounted_below_is_shown_with_it() {
    let mut rump = with_tmpfs(0, "");
    for dir in ["/tmp/m/in", "/tmp/m/in/deep", "/tmp/to", "/tmp/alone"] {
        assert_eq!(call(&mut rump, nr::MKDIR, dir, 0o755), Ok(0));
    }
    assert_eq!(mount(&mut rump, "inner", "/tmp/m/in", "tmpfs", 0, ""), Ok(0));
    assert_eq!(call(&mut rump, nr::MKDIR, "/tmp/m/in/deep", 0o755), Ok(0));
    assert_eq!(mount(&mut rump, "deeper", "/tmp/m/in/deep", "tmpfs", 0, ""), Ok(0));
    assert_eq!(call(&mut rump, nr::MKDIR, "/tmp/m/in/deep/d", 0o755), Ok(0));
    assert_eq!(mount(&mut rump, "/tmp/m", "/tmp/to", "", MS_BIND | MS_REC, ""), Ok(0));
    assert_eq!(mount(&mut rump, "/tmp/m", "/tmp/alone", "", MS_BIND, ""), Ok(0));
    assert!(stat(&mut rump, "/tmp/to/in/deep/d").st_mode & S_IFDIR != 0);
    assert_eq!(call(&mut rump, nr::RMDIR, "/tmp/alone/in/deep/d", 0), Err(Errno::ENOENT));
    assert!(line(&mut rump, "/proc/mounts", "/tmp/to/in/deep").starts_with("deeper "));
    assert_eq!(umount(&mut rump, "/tmp/to", 0), Err(Errno::EBUSY));
    assert_eq!(umount(&mut rump, "/tmp/to", MNT_DETACH), Ok(0));
    assert!(line(&mut rump, "/proc/mounts", "/tmp/m/in/deep").starts_with("deeper "));
    // Also of the root, with /proc, and into itself.
    assert_eq!(mount(&mut rump, "/", "/tmp/to", "", MS_BIND | MS_REC, ""), Ok(0));
    assert!(read(&mut rump, "/tmp/to/proc/version").is_ok());
    assert!(read(&mut rump, "/tmp/to/tmp/m/f").is_ok());
}

#[test]
fn a_file_is_shown_over_another() {
    let mut rump = with_tmpfs(0, "");
    for name in ["/tmp/over", "/tmp/m/g"] {
        let fd = open(&mut rump, name, O_CREAT | O_WRONLY).expect("a file");
        assert_eq!(rump.sys(nr::CLOSE, [fd, 0, 0, 0, 0, 0]), Ok(0));
    }
    assert_eq!(mount(&mut rump, "/tmp/m", "/tmp/over", "", MS_BIND, ""), Err(Errno::ENOTDIR));
    assert_eq!(mount(&mut rump, "/tmp/m/f", "/tmp", "", MS_BIND, ""), Err(Errno::ENOTDIR));
    assert_eq!(mount(&mut rump, "/tmp/m/f", "/tmp/over", "", MS_BIND, ""), Ok(0));
    let (one, other) = (stat(&mut rump, "/tmp/m/f"), stat(&mut rump, "/tmp/over"));
    assert_eq!((one.st_dev, one.st_ino), (other.st_dev, other.st_ino));
    assert!(
        line(&mut rump, "/proc/self/mountinfo", "/tmp/over")
            .contains(" /f /tmp/over rw,relatime - tmpfs mine rw")
    );
    assert_eq!(call(&mut rump, nr::UNLINK, "/tmp/over", 0), Err(Errno::EBUSY));
    assert_eq!(two(&mut rump, nr::RENAME, "/tmp/over", "/tmp/x"), Err(Errno::EBUSY));
    assert_eq!(two(&mut rump, nr::RENAME, "/tmp/m/g", "/tmp/over"), Err(Errno::EXDEV));
    assert_eq!(umount(&mut rump, "/tmp/m", 0), Ok(0), "what is shown lives on");
    assert!(read(&mut rump, "/tmp/over").is_ok());
    assert_eq!(umount(&mut rump, "/tmp/over", 0), Ok(0));
    assert_ne!(stat(&mut rump, "/tmp/over").st_dev, one.st_dev);
}

#[test]
fn the_root_is_exchanged() {
    let mut rump = with_tmpfs(0, "");
    assert_eq!(call(&mut rump, nr::MKDIR, "/tmp/m/old", 0o755), Ok(0));
    assert_eq!(call(&mut rump, nr::MKDIR, "/tmp/no", 0o755), Ok(0));
    let child = rump.kernel.fork(rump.pid).expect("a child");
    assert_eq!(two(&mut rump, nr::PIVOT_ROOT, "/tmp/no", "/tmp/no"), Err(Errno::EINVAL), "no mount");
    assert_eq!(two(&mut rump, nr::PIVOT_ROOT, "/", "/tmp/no"), Err(Errno::EBUSY));
    assert_eq!(
        two(&mut rump, nr::PIVOT_ROOT, "/tmp/m", "/tmp/no"),
        Err(Errno::EBUSY),
        "not below the new root"
    );
    assert_eq!(two(&mut rump, nr::PIVOT_ROOT, "/tmp/m", "/tmp/m/f"), Err(Errno::ENOTDIR));
    assert_eq!(two(&mut rump, nr::PIVOT_ROOT, "/tmp/m", "/tmp/m/old"), Ok(0));
    assert!(read(&mut rump, "/f").is_ok());
    assert_eq!(cwd(&mut rump), "/");
    assert!(read(&mut rump, "/old/proc/version").is_ok());
    assert!(line(&mut rump, "/old/proc/mounts", "/old").starts_with("rootfs "));
    let at = crate::proc::path(&mut rump, "/f");
    assert!(rump.sys_of(child, nr::OPEN, [at, 0, 0, 0, 0, 0]).is_ok(), "everybody's root");
    assert_eq!(umount(&mut rump, "/", 0), Err(Errno::EBUSY));
    assert_eq!(two(&mut rump, nr::PIVOT_ROOT, "/old", "/old/tmp/m"), Ok(0), "and back");
    assert!(read(&mut rump, "/tmp/m/f").is_ok());
    assert_eq!(call(&mut rump, nr::CHDIR, "..", 0), Ok(0));
    assert_eq!(cwd(&mut rump), "/");
}

#[test]
fn what_nobody_used_expires() {
    let mut rump = with_tmpfs(0, "");
    assert_eq!(umount(&mut rump, "/tmp/m", MNT_EXPIRE | MNT_FORCE), Err(Errno::EINVAL));
    let fd = open(&mut rump, "/tmp/m/f", O_RDONLY).expect("a file");
    assert_eq!(umount(&mut rump, "/tmp/m", MNT_EXPIRE), Err(Errno::EBUSY));
    assert_eq!(rump.sys(nr::CLOSE, [fd, 0, 0, 0, 0, 0]), Ok(0));
    assert_eq!(umount(&mut rump, "/tmp/m", MNT_EXPIRE), Err(Errno::EAGAIN));
    let _ = stat(&mut rump, "/tmp/m/f");
    assert_eq!(umount(&mut rump, "/tmp/m", MNT_EXPIRE), Err(Errno::EAGAIN), "used meanwhile");
    assert_eq!(umount(&mut rump, "/tmp/m", MNT_EXPIRE), Ok(0));
    assert_eq!(umount(&mut rump, "/tmp/m", MNT_EXPIRE), Err(Errno::EINVAL));
}
