//! Programs that ask much of a file system, on an image with ext4: they find what they find on the host's file system, and e2fsck(8)
//! finds nothing afterwards.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use e2e::{Drive, native, run};

/// The script prints the same in a directory of `/rump/mnt` as in one of the host; the image is in order afterwards.
#[track_caller]
fn same(size: &str, script: &str) -> (String, Drive) {
    let mut drive = Drive::ext4(size);
    let expected = drive.natively(script);
    let found = drive.sh(script);
    assert_eq!(found, expected, "on the image (left), on the host (right)");
    let writes = drive.server().counter("call.write") + drive.server().counter("call.pwrite64");
    assert!(writes > 10, "written by way of the rump kernel: {writes}");
    drive.unmount();
    (found, drive)
}

#[test]
fn sqlite_with_a_rollback_journal_and_with_a_log() {
    let script = r#"
        for mode in delete truncate persist wal; do
            db() { sqlite3 -cmd '.timeout 20000' $mode.db "$@"; }
            db "pragma journal_mode=$mode; create table t (a integer primary key, b text)"
            for writer in 1 2 3; do
                for i in 1 2 3 4; do
                    db "begin immediate; insert into t (b) select hex(zeroblob(200)) from generate_series(1, 50); commit" || echo failed
                done &
            done
            wait
            db "update t set b = 'x' where a % 3 = 0; delete from t where a % 5 = 0; begin; delete from t; rollback; vacuum"
            db "pragma integrity_check; select count(*), sum(length(b)) from t"
        done
        ls"#;
    let (printed, _) = same("64m", script);
    assert_eq!(printed.matches("ok\n480|").count(), 4, "{printed}");
}

#[test]
fn git_of_many_files() {
    let script = r#"
        export GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=A GIT_COMMITTER_EMAIL=a@b GIT_CONFIG_NOSYSTEM=1
        export GIT_AUTHOR_DATE='2020-01-01T00:00:00Z' GIT_COMMITTER_DATE='2020-01-01T00:00:00Z'
        git init -q -b main r; cd r; git config core.fsync all
        for d in 1 2 3 4 5 6; do mkdir -p d$d/e; for f in 1 2 3 4 5 6 7 8; do seq $d $((d * f * 50)) > d$d/e/$f; done; done
        git add .; git commit -qm first
        for n in 1 2 3 4; do for f in d$n/e/*; do echo $n >> $f; done; git mv d$n/e/1 d$n/moved; git commit -qam "change $n"; done
        git gc -q --prune=now; git fsck --strict 2>&1; git count-objects; cd ..
        git clone -q --no-local r c 2>&1; cd c; git fsck --strict 2>&1; git log --format='%H %s'; git status --short
        git checkout -q HEAD~2; find d1 d4 -type f | sort | xargs md5sum"#;
    let (printed, _) = same("64m", script);
    assert!(printed.contains("change 4"), "{printed}");
}

/// Hard links, holes, access control lists, extended attributes and times of nanoseconds.
const TREE: &str = r#"
    umask 022; mkdir -p tree/sub/dir; cp /etc/services tree/a; ln tree/a tree/sub/hard; ln -s ../a tree/sub/soft; ln -s gone tree/dangling
    truncate -s 3M tree/sparse; printf end >> tree/sparse; printf x | dd of=tree/sparse bs=1 seek=1000000 conv=notrunc status=none
    seq 20000 > tree/sub/dir/numbers; mkfifo tree/fifo; chmod 2751 tree/sub; chmod 640 tree/sub/dir/numbers
    setfattr -n user.short -v value tree/a; setfattr -n user.long -v $(seq -s , 200) tree/sub/dir/numbers; setfattr -n user.d -v 0x00ff tree/sub
    setfacl -m u:12345:rw,g:54321:r tree/a; setfacl -d -m u:12345:rwx tree/sub/dir; touch tree/sub/dir/inherits
    find tree -depth -exec touch -h -d '2021-03-04 05:06:07.123456789Z' {} +
"#;
/// What is known of the tree in the working directory: names, modes, links, sizes, times, lists, attributes, bytes.
const LIST: &str = r#"
    list() { (cd $1; find . ! -type d -printf '%p %y %m %n %s %T@ %l\n' -o -printf '%p %y %m %T@\n' | sort
        find . ! -type l | sort | xargs getfacl -np | grep -v '^# owner\|^# group'; find . | sort | xargs getfattr -hd -e hex
        find . -type f | sort | xargs md5sum); }
"#;

/// Archives of a tree made here, of what was unpacked of it there, and of that as another implementation of ext4 sees it: the same.
#[test]
fn tar_keeps_all_there_is() {
    let mut drive = Drive::ext4("32m");
    const TAR: &str = "tar --sort=name --format=posix --numeric-owner --xattrs --acls --pax-option=delete=atime,delete=ctime";
    let script = |rest: &str| format!("{TREE}{LIST}pack() {{ {TAR} -cf $1 tree; }}\n{rest}");
    let expected = drive.natively(&script("pack $H/native.tar; list tree"));
    // Attributes lie in an archive in the order in which the file system tells them.
    let found = drive.sh(&script(&format!(
        "pack $H/made.tar; mkdir out; cd out; {TAR} -xpf $H/native.tar; pack $H/unpacked.tar; mkdir again; cd again; \
         {TAR} -xpf $H/unpacked.tar; pack $H/again.tar; cmp $H/unpacked.tar $H/again.tar; cd ..; list tree"
    )));
    assert_eq!(found, expected, "on the image (left), on the host (right)");
    assert!(expected.contains("default:user:12345:rwx") && expected.contains("user.long"), "{expected}");
    drive.natively(&format!("mkdir back; cd back; {TAR} -xpf $H/again.tar; {TAR} -cf $H/back.tar tree; cmp $H/back.tar $H/native.tar"));
    drive.unmount();
    // debugfs is the reference's own: it reads what was written here.
    let seen = drive.natively(&format!(
        "{LIST}debugfs -R 'rdump d/out/tree .' $H/image 2>/dev/null; (cd tree; find . -type f | sort | xargs md5sum); \
         debugfs -R 'ea_get d/out/tree/sub/dir/numbers user.long' $H/image 2>/dev/null; \
         debugfs -R 'ea_list d/out/tree/a' $H/image 2>/dev/null; debugfs -R 'stat d/out/tree/a' $H/image 2>/dev/null"
    ));
    let sums = expected.lines().filter(|line| line.contains("  ./"));
    for sum in sums {
        assert!(seen.contains(sum), "{sum}: {seen}");
    }
    let long: String = (1..=200).map(|n| format!("{n},")).collect();
    assert!(seen.contains(long.trim_end_matches(',')), "{seen}");
    assert!(
        seen.contains("system.posix_acl_access") && seen.contains("user.short (5) = \"value\""),
        "{seen}"
    );
    assert!(seen.contains("mtime: 0x60406abf:1d6f3454"), "nanoseconds: {seen}");
}

/// What Linux's own ext4 sees of it, by a loop device: for root alone, and where the machine has one.
#[test]
fn linux_sees_what_was_written() {
    e2e::invoking_user();
    let mut drive = Drive::ext4("32m");
    let expected = drive.sh(&format!(
        "{TREE}{LIST}list tree; cp /bin/ls big; for i in $(seq 200); do echo $i > f$i; done; rm f?"
    ));
    drive.unmount();
    let mounted = run(native("sh").args(["-euc", &format!(
        "{LIST}mkdir $H/loop; mount -o loop,ro $H/image $H/loop || exit 77; trap 'umount $H/loop' EXIT; list $H/loop/d/tree; \
         cmp $H/loop/d/big /bin/ls; test $(ls $H/loop/d | wc -l) = 193"
    )]).env("H", drive.place()));
    if mounted.status == 77 {
        println!("not tested: no loop device, or not root: {}", mounted.stderr);
        return;
    }
    assert_eq!(mounted.success(), expected);
}

#[test]
fn rsync_both_ways() {
    let mut drive = Drive::ext4("32m");
    const SYNC: &str = "rsync -aHAX --numeric-ids";
    let expected = drive.natively(&format!("{TREE}{LIST}list tree; mv tree $H/from"));
    let found = drive.sh(&format!(
        "{LIST}{SYNC} -S $H/from/ tree/; list tree; {SYNC} -i --checksum $H/from/ tree/; echo more >> $H/from/a; rm $H/from/sub/soft; touch -d 2022-01-02 $H/from/sub; \
         {SYNC} --delete $H/from/ tree/; {SYNC} tree/ $H/back/; list tree > $H/there; list $H/from | diff - $H/there; list $H/back | diff - $H/there"
    ));
    assert_eq!(
        found, expected,
        "nothing is left to do after the first run, and the way back changes nothing"
    );
    drive.unmount();
}

#[test]
fn dbench_and_stressors() {
    let mut drive = Drive::ext4("128m");
    let script = "mkdir db; dbench -c /usr/share/dbench/client.txt -D db -t 1 2 > $H/log 2>&1 || { cat $H/log; exit 1; }; \
        for stressor in hdd iomix fallocate rename dirdeep xattr; do \
            stress-ng --quiet --verify --temp-path . --$stressor 2 --iomix-bytes 8m --hdd-bytes 8m --fallocate-bytes 8m --timeout 1s; done";
    drive.sh(script);
    drive.unmount();
}

/// Blocks of a file have numbers of 32 bits.
#[test]
fn the_largest_file() {
    const SCRIPT: &str = "
import os
f = os.open('f', os.O_RDWR | os.O_CREAT); most = (2**32 - 1) * os.statvfs('.').f_bsize
def tell(what, action):
    try: print(what, action())
    except OSError as error: print(what, error.strerror)
tell('to the end', lambda: os.lseek(f, most, 0) == most)
tell('behind it', lambda: os.lseek(f, most + 1, 0))
tell('write there', lambda: os.write(f, b'x'))
tell('write up to it', lambda: os.pwrite(f, b'xyz', most - 1))
tell('longer', lambda: os.ftruncate(f, most + 1))
tell('allocate', lambda: os.posix_fallocate(f, most - 1, 2))
print(os.fstat(f).st_size == most, os.pread(f, 9, most - 1))
os.unlink('f')";
    let mut drive = Drive::ext4("16m");
    let found = drive.sh(&format!("python3 -c \"{SCRIPT}\""));
    assert_eq!(
        found,
        "to the end True\nbehind it Invalid argument\nwrite there File too large\nwrite up to it 1\n\
         longer File too large\nallocate File too large\nTrue b'x'\n"
    );
    drive.unmount();
}
