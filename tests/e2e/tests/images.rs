//! `rump image` and `rump run --mount`: disk images in the hands of an ordinary user and ordinary programs.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use e2e::{Ran, artifact, native, run};
use std::path::{Path, PathBuf};

struct Place(tempfile::TempDir);

impl Place {
    /// A directory with an image of two partitions: FAT, and ext4 with files of root.
    fn new() -> Self {
        e2e::ordinary_user();
        let place = Self(tempfile::tempdir().unwrap());
        let script = "truncate -s 48M disk.img; printf 'label: gpt\\n,8M\\n,32M\\n' | /sbin/sfdisk -q disk.img; \
            truncate -s 8M fat; /sbin/mkfs.vfat fat >/dev/null; mkdir -p tree/etc; echo secret > tree/etc/shadow; chmod 600 tree/etc/shadow; \
            truncate -s 32M ext4; /sbin/mke2fs -q -t ext4 -E root_owner=0:0 -d tree ext4; \
            debugfs -w -R 'set_inode_field etc/shadow uid 0' ext4 2>/dev/null; \
            dd if=fat of=disk.img bs=1M seek=1 conv=notrunc 2>/dev/null; dd if=ext4 of=disk.img bs=1M seek=9 conv=notrunc 2>/dev/null";
        run(native("sh").args(["-e", "-c", script]).current_dir(place.path())).success();
        place
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn image(&self) -> PathBuf {
        self.path().join("disk.img")
    }

    fn rump(&self, args: &[&str]) -> Ran {
        run(native(artifact("rump")).args(args).current_dir(self.path()))
    }
}

#[test]
fn everyday_jobs() {
    let place = Place::new();
    let info = place.rump(&["image", "info", "disk.img"]).success();
    assert!(info.contains("1  vfat") && info.contains("2  ext4") && info.contains("33554432"), "{info}");
    let which = place.rump(&["image", "ls", "disk.img"]);
    assert!(which.status == 125 && which.stderr.contains("which partition"), "{which:?}");
    let listed = place.rump(&["image", "ls", "disk.img:2", "/etc"]).success();
    assert!(
        listed.contains("-rw-------") && listed.contains("root") && listed.contains("shadow"),
        "{listed}"
    );
    // Root's file can be read, and is the user's on the host.
    place.rump(&["image", "cp", "disk.img:2", ":/etc/shadow", "copy"]).success();
    assert_eq!(std::fs::read_to_string(place.path().join("copy")).unwrap(), "secret\n");
    place.rump(&["image", "cp", "disk.img:2", "copy", ":/etc/more"]).success();
    place.rump(&["image", "cp", "disk.img:1", "copy", ":/A name of FAT.text"]).success();
    let said =
        place.rump(&["image", "sh", "disk.img:1", "-c", "cat 'a NAME of fat.TEXT'; mv A* x; mkdir y; ls"]);
    assert_eq!(said.success(), "secret\nx\ny\n");
    let said = place
        .rump(&["image", "sh", "disk.img:2", "-c", "cat etc/more; pwd; rm etc/more; touch etc/new"])
        .success();
    assert_eq!(said, "secret\n/rump\n");
    let script = "dd if=disk.img of=part bs=1M skip=9 count=32 2>/dev/null; e2fsck -f -n part >/dev/null; debugfs -R 'ls etc' part 2>/dev/null; \
        dd if=disk.img of=part bs=1M skip=1 count=8 2>/dev/null; fsck.vfat -n part";
    let seen = run(native("sh").args(["-e", "-c", script]).current_dir(place.path())).success();
    assert!(seen.contains("new") && !seen.contains("more"), "{seen}");
}

#[test]
fn programs_on_images_and_directories() {
    let place = Place::new();
    run(native("mksquashfs")
        .args(["tree", "squash.img", "-quiet", "-no-progress"])
        .current_dir(place.path()))
    .success();
    let listed = place.rump(&["run", "--mount", "squash.img", "--", "ls", "/rump/etc"]).success();
    assert_eq!(listed, "shadow\n");
    run(native("xorriso")
        .args(["-as", "mkisofs", "-quiet", "-R", "-o", "cd.iso", "tree"])
        .current_dir(place.path()))
    .success();
    let read = place.rump(&[
        "run",
        "--root",
        "--mount",
        "cd.iso",
        "--",
        "sh",
        "-c",
        "cat /rump/etc/shadow; stat -f -c %T /rump",
    ]);
    let read = read.success();
    assert!(read.starts_with("secret\n") && read.contains("isofs"), "{read}");
    let listed = place.rump(&["image", "ls", "cd.iso", "/etc"]).success();
    assert!(listed.contains("shadow"), "{listed}");
    let image = place.image();
    let mount = format!("{}:1:ro:/mnt/fat", image.display());
    let refused = place.rump(&["run", "--mount", &mount, "--", "touch", "/rump/mnt/fat/x"]);
    assert!(refused.status == 1 && refused.stderr.contains("Read-only file system"), "{refused:?}");
    let status = place.rump(&[
        "run",
        "--mount",
        "tree:/host",
        "--",
        "sh",
        "-c",
        "echo made > /rump/host/made; exit 7",
    ]);
    assert_eq!(status.status, 7, "{status:?}");
    assert_eq!(std::fs::read_to_string(place.path().join("tree/made")).unwrap(), "made\n");
    let missing = place.rump(&["run", "--mount", "none.img", "--", "true"]);
    assert!(missing.stderr.contains("no such file"), "{missing:?}");
    let whose =
        run(native(artifact("rump")).env("RUMP_SERVER", "unix:///x").args(["run", "--root", "--", "true"]));
    assert!(whose.status == 125 && whose.stderr.contains("unset RUMP_SERVER"), "{whose:?}");
}
