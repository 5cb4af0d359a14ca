//! Everyday programs on files: each script prints the same on the host's tree and on the rump kernel's.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use e2e::{Server, c_program, native, run, same_in_both};

/// A small tree in `$D/tree`, the same each time.
const TREE: &str = "
mkdir -p $D/tree/a/b/c $D/tree/empty
printf 'one\\n' > $D/tree/1
printf 'two\\nlines\\n' > $D/tree/a/2
head -c 100000 /dev/zero | tr '\\0' x > $D/tree/a/b/big
ln -s ../1 $D/tree/a/link
ln -s /nowhere $D/tree/dangling
ln $D/tree/1 $D/tree/hard
chmod 640 $D/tree/1; chmod 2755 $D/tree/a
touch -h -d '2020-02-02 02:02:02.123456789Z' $D/tree/1 $D/tree/a/2 $D/tree/a/link $D/tree/dangling $D/tree/a/b/big
";

/// What can be said of a tree without inode numbers, changing times and a directory's size.
const LIST: &str = "list() { (cd $1; find . ! -type d -printf '%p %y %m %n %s %T@ %l\\n'; \
    find . -type d -printf '%p %y %m %n\\n') | sort; }\n";

fn with_tree(script: &str) -> String {
    same_in_both(&format!("{LIST}{TREE}{script}"))
}

#[test]
fn tree_itself() {
    let printed = with_tree("list $D/tree");
    assert!(printed.contains("./a/b/big f"), "{printed}");
}

#[test]
fn ls_recursive() {
    // A directory's size and a listing's total are the file system's own affair.
    with_tree(
        "cd $D; TZ=UTC ls -lR --time-style=+%s --ignore=empty tree | grep -v -e ^total -e ^d | tr -s ' '; ls -R tree; ls -F tree",
    );
}

#[test]
fn cp_archive() {
    with_tree("cp -a $D/tree $D/copy; list $D/copy; diff -r $D/tree $D/copy 2>/dev/null || true");
}

#[test]
fn mv_within() {
    with_tree("mv $D/tree $D/moved; list $D/moved; ls $D");
}

#[test]
fn links_with_absolute_targets() {
    with_tree(
        "ln -s $D/tree/1 $D/one; cat $D/one; readlink $D/one; ln -s $D/tree $D/t; ls $D/t; ls $D/t/a/b; cd $D/t/a; pwd -P; \
        ln -s $D/tree/new $D/n; echo made > $D/n; cat $D/tree/new; realpath $D/t/1; rm $D/n $D/one; ls $D/tree",
    );
}

#[test]
fn rm_recursive() {
    with_tree("rm -r $D/tree; ls -A $D; rm $D/nothing 2>&1 || echo refused");
}

#[test]
fn find_expressions() {
    with_tree(
        "cd $D; find tree -name '*[12]' -o -type l | sort; find tree -size +10k; find tree -empty | sort; \
        find tree -type f -newermt 2021-01-01 | sort; find tree -samefile tree/1 | sort; find tree -perm 640 | sort",
    );
}

#[test]
fn tar_round_trip() {
    with_tree(
        "tar -C $D -cf $D/t.tar tree; tar -tf $D/t.tar | sort; mkdir $D/out; tar -C $D/out -xpf $D/t.tar; list $D/out",
    );
}

#[test]
fn grep_recursive() {
    with_tree(
        "cd $D; grep -r -n -I -e o . | sort; grep -rc lines tree | sort; grep -q nothing tree/1 || echo none",
    );
}

#[test]
fn sed_in_place() {
    with_tree("sed -i 's/two/2/; $a end' $D/tree/a/2; cat $D/tree/a/2; stat -c '%a %h' $D/tree/a/2");
}

#[test]
fn sort_large() {
    same_in_both(
        "cd $D; seq 200000 | awk '{print ($1 * 7919) % 200003}' > numbers; \
         sort -n -S 1M -T $D -o sorted numbers; sort -nc sorted; head -3 sorted; tail -1 sorted; wc -l sorted; \
         cksum < sorted; ls",
    );
}

#[test]
fn dd_positions() {
    same_in_both(
        "cd $D; dd if=/dev/zero of=f bs=1 count=1 seek=99999 2>&1 | head -2; stat -c '%s' f; \
         printf abc | dd of=f bs=1 seek=10 conv=notrunc 2>/dev/null; dd if=f bs=1 skip=9 count=5 2>/dev/null | od -c; \
         truncate -s 5 f; wc -c < f; fallocate -l 1000 f; wc -c < f",
    );
}

/// Reads of a file move all that there is, however much that is.
#[test]
fn long_reads() {
    same_in_both(
        "cd $D; head -c 9000001 /dev/zero | tr '\\0' x > f; dd if=f of=g bs=4M count=2 2>&1 | head -2; wc -c < g; cmp f g",
    );
    let script = "
import os
fd = os.open(os.environ['D'] + '/f', os.O_RDWR | os.O_CREAT)
data = b''.join(n.to_bytes(4, 'big') for n in range(1200000)); print(os.write(fd, data), len(os.pread(fd, 1 << 23, 77)))
for parts in ((1 << 20, 1 << 20), (3000000, 0, 5), (1, 1 << 21), (5000000,), (10,) * 900 + (1 << 22,)):
    into = [bytearray(length) for length in parts]; got = os.preadv(fd, into, 13)
    print(got, b''.join(into)[:got] == data[13:13 + got], end=' ')
    os.lseek(fd, 7, 0); got = os.readv(fd, into); print(got, b''.join(into)[:got] == data[7:7 + got], os.lseek(fd, 0, 1))
os.lseek(fd, 5, 0); got = os.read(fd, 4000000); print(len(got), got == data[5:4000005])";
    same_in_both(&format!("python3 -c \"{script}\""));
}

/// What is larger than a megabyte lies elsewhere in the rump kernel's memory; its holes take none there either.
#[test]
fn large_files_with_holes() {
    let script = r#"
cd $D; dd if=/dev/urandom of=f bs=10k count=300 2>/dev/null; sum=$(md5sum < f)
tell() { python3 -c "
import os, sys
f = os.open('f', os.O_RDONLY); size, at, parts = os.fstat(f).st_size, 0, []
while at < size:
    try: start = os.lseek(f, at, os.SEEK_DATA)
    except OSError: break
    at = os.lseek(f, start, os.SEEK_HOLE); parts.append((start, at))
print(sys.argv[1], size, os.fstat(f).st_blocks, parts)" $1; }
tell dense; test "$(md5sum < f)" = "$sum"
truncate -s 6G f; tell longer; test "$(head -c 3072000 f | md5sum)" = "$sum"
printf x | dd of=f bs=1 seek=4G conv=notrunc 2>/dev/null; tell far
fallocate -p -o 1M -l 1M f; tell punched; head -c 2M f | tail -c 1M | tr -d '\0' | wc -c
truncate -s 2500000 f; tell shorter; cat f >> g; cmp f g; cp --sparse=always f h; cmp f h
printf 'the end' >> f; tail -c 7 f; echo; truncate -s 0 f; tell empty
"#;
    let printed = same_in_both(script);
    assert!(printed.contains("longer 6442450944 6000 [(0, 3072000)]"), "{printed}");
}

#[test]
fn permissions_and_owners() {
    same_in_both(
        "cd $D; umask 027; : > f; mkdir d; stat -c '%a %F' f d; chmod u+s,g-r f; stat -c %A f; \
         chmod 000 f; test -e f && echo there; umask 0; : > g; stat -c %a g; install -m 711 g h; stat -c %a h",
    );
}

#[test]
fn links_and_names() {
    same_in_both(
        "cd $D; : > f; ln f g; stat -c %h f; ln -s f s; readlink s; cat s; ln f g 2>&1 || true; \
         mkdir d; rmdir d; rmdir f 2>&1 || true; mkdir d/e/f 2>&1 || true; ln -s loop loop; cat loop 2>&1 || true; \
         n=$(printf '%0256d' 0); : > $n 2>/dev/null || echo too long; mv -T f d 2>&1; ls -F",
    );
}

#[test]
fn extended_attributes() {
    same_in_both(
        "cd $D; : > f; setfattr -n user.color -v blue f; setfattr -n user.size -v 12 f; getfattr -d f; \
         setfattr -x user.size f; getfattr -d f; getfattr -n user.none f 2>&1 || true",
    );
}

/// The shell is given a descriptor for the whole script: the original emptied the file at each append.
#[test]
fn open_flags() {
    same_in_both(
        "cd $D; echo one > f; echo two >> f; cat f; : > f; wc -c < f; set -C; (echo x > f) 2>/dev/null || echo refused; \
         set +C; exec 5>>f; echo 1 >&5; echo 2 > f; echo 3 >&5; cat f",
    );
}

#[test]
fn locks() {
    same_in_both(
        "cd $D; : > l; flock l sh -c 'flock -n l echo got || echo held'; flock -n l echo free; \
         flock -s l flock -s -n l echo shared",
    );
}

#[test]
fn sqlite() {
    same_in_both(
        "sqlite3 $D/t.db 'pragma journal_mode=wal; create table t(a, b); begin; insert into t values(1, \"x\"),(2, \"y\"); \
        commit; select sum(a) from t; pragma integrity_check;'\n\
        for i in 1 2 3 4; do sqlite3 -cmd '.timeout 20000' $D/t.db \"insert into t values($i, 'z')\" & done; wait\n\
        sqlite3 $D/t.db 'select count(*), sum(a) from t; pragma wal_checkpoint(truncate); vacuum; pragma integrity_check;'",
    );
}

#[test]
fn vim_writes_a_file() {
    with_tree("vim.tiny -es -u NONE $D/tree/a/2 -c '%s/lines/rows/' -c wq; cat $D/tree/a/2; ls $D/tree/a");
}

#[test]
fn rsync_within() {
    with_tree(
        "rsync -aH $D/tree/ $D/copy/; list $D/copy; rm $D/tree/a/2; rsync -aH --delete $D/tree/ $D/copy/; list $D/copy",
    );
}

#[test]
fn a_program_that_runs_is_busy() {
    // `cat` waits for its input; where it is written to while it runs, open(2) says so, and where it is open for writing, execve(2).
    same_in_both(
        r#"
        cp "$(command -v cat)" "$D/prog"; chmod 755 "$D/prog"
        mkfifo "$D/fifo"; "$D/prog" < "$D/fifo" & exec 9> "$D/fifo"
        sleep 0.2
        (: >> "$D/prog") 2>/dev/null || echo busy; truncate -s 0 "$D/prog" 2>/dev/null || echo busy
        exec 9>&-; wait; (: >> "$D/prog") && echo free
        (exec 8>> "$D/prog"; "$D/prog" /dev/null) 2>/dev/null || echo "status $?"
        mv "$D/prog" "$D/other"; "$D/other" /dev/null && echo runs
        "#,
    );
}

/// fsopen(2) and its kin, as Linux answers them to the root of a user namespace; where there is none, as it did once.
#[test]
fn the_calls_of_newer_mount_programs() {
    let server = Server::start();
    let program = c_program("h_newmount", server.directory());
    run(server.hijacked("mkdir").arg("/rump/d")).success();
    let found = run(server.hijacked(&program).arg("/rump/d")).success();
    assert!(server.counter("call.move_mount") > 5 && server.counter("call.fsconfig") > 5);
    let here = server.directory().join("d");
    std::fs::create_dir(&here).unwrap();
    let mut native = native("unshare");
    if run(native.arg("-Urm").arg(&program).arg(&here)).status == 0 {
        assert_eq!(found, run(&mut native).success(), "hijacked (left) differs from native (right)");
    }
    assert!(found.contains("clone with what is below: ok\n") && found.ends_with("4 bytes\n"), "{found}");
}

/// What is refused here is refused so that programs do it another way, or say what is wrong.
#[test]
fn refusals() {
    let server = Server::start();
    let sh = |script: &str| run(server.hijacked("bash").args(["-c", script]));
    let clone = sh("cd /rump/tmp; echo x > a; cp --reflink=always a b; cp --reflink=auto a c && cat c");
    assert_eq!(clone.stdout, "x\n", "{clone:?}");
    assert!(clone.stderr.contains("failed to clone 'b' from 'a': Operation not supported"), "{clone:?}");
    let lease = sh(
        "cd /rump/tmp; python3 -c \"import fcntl; fcntl.fcntl(open('a'), fcntl.F_SETLEASE, fcntl.F_RDLCK)\"",
    );
    assert!(lease.stderr.contains("[Errno 22] Invalid argument"), "{lease:?}");
    server
        .rump(&[
            "mount",
            "--mkdir",
            "-t",
            "tmpfs",
            "-o",
            "mode=1777,usrquota_block_hardlimit=40k",
            "none",
            "/q",
        ])
        .success();
    let quota = sh("head -c 100000 /dev/zero > /rump/q/f; stat -c %s /rump/q/f");
    assert!(quota.stderr.contains("Disk quota exceeded") && quota.stdout == "40960\n", "{quota:?}");
}
