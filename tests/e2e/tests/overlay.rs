//! Overlays: what a program does in one is what it would have done in a copy, and what is below stays as it is.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use e2e::{Ran, artifact, native, run};
use std::path::Path;

/// Changes of every kind, and then the tree that has come of them.
const SCRIPT: &str = "umask 022; echo more >> a/one; rm a/b/two; mkdir new; echo n > new/f; mv c d; rm -r a/b; mkdir a/b; touch a/b/x; \
    mv a/link a/link2; chmod 700 a; mv new newer; ln a/one hard; rm top; mkdir top; truncate -s 3 big; setfattr -n user.more -v w a/one; \
    touch -d '2001-02-03 04:05:06' old; echo y > deep/1/2/3/y; rmdir empty; echo new > empty; mkfifo p; echo z > ex; mv --exchange ex a/one 2>/dev/null || true; \
    find . -path './lost+found' -prune -o -type d -printf '%p %m\\n' -o -printf '%p %y %m %s %l %n\\n' | sort; \
    find . -type f -exec md5sum {} + | sort -k 2; getfattr -R -d . | sort; stat -c %y old; cat a/b/x";

struct Place(tempfile::TempDir);

impl Place {
    /// A directory with a tree, a copy of it, and an image of it.
    fn new() -> Self {
        e2e::ordinary_user();
        let place = Self(tempfile::tempdir().unwrap());
        place.sh(
            "mkdir -p tree/a/b tree/c tree/empty tree/deep/1/2/3; cd tree; echo one > a/one; echo two > a/b/two; echo x > c/x; ln -s one a/link; \
             echo top > top; echo old > old; setfattr -n user.k -v v a/one; head -c 300000 /bin/sh > big; cd ..; cp -a tree copy; \
             truncate -s 16M img; /sbin/mke2fs -q -t ext4 -d tree img; truncate -s 16M up.img; /sbin/mke2fs -q -t ext4 -E root_owner up.img",
        );
        place
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    #[track_caller]
    fn sh(&self, script: &str) -> String {
        run(native("sh").args(["-e", "-c", script]).current_dir(self.path())).success()
    }

    fn rump(&self, args: &[&str]) -> Ran {
        run(native(artifact("rump")).args(args).current_dir(self.path()))
    }
}

#[track_caller]
fn same(native: &str, ours: &str) {
    let different = native.lines().zip(ours.lines()).find(|(native, ours)| native != ours);
    assert_eq!((different, native.lines().count()), (None, ours.lines().count()), "{ours}");
}

#[test]
fn a_program_sees_what_it_would_in_a_copy() {
    let place = Place::new();
    let untouched =
        "md5sum img; find tree -printf '%p %T@ %m %s\\n' | sort; find tree -type f -exec md5sum {} +";
    let before = place.sh(untouched);
    let native = place.sh(&format!("cd copy; {SCRIPT}"));
    assert!(native.contains("./hard f 644"), "{native}");
    let script = format!("cd /rump; {SCRIPT}");
    for below in ["tree", "img"] {
        let ours = place.rump(&["run", "--overlay", below, "--", "sh", "-e", "-c", &script]);
        same(&native, &ours.success());
    }
    assert_eq!(place.sh(untouched), before);
    // Changes are kept on another image.
    let rump = artifact("rump");
    let mount = "mount --mkdir -t overlay -o lowerdir=/low,upperdir=/up/u overlay /m";
    let script = format!("mkdir /rump/up/u; {} {mount}; cd /rump/m; {SCRIPT}", rump.display());
    let ours = place.rump(&[
        "run",
        "--mount",
        "up.img:/up",
        "--mount",
        "tree:ro:/low",
        "--",
        "sh",
        "-e",
        "-c",
        &script,
    ]);
    same(&native, &ours.success());
    assert_eq!(place.sh(untouched), before);
    place.sh("/sbin/e2fsck -f -n up.img");
}

#[test]
fn changes_are_listed() {
    let place = Place::new();
    let rump = artifact("rump");
    let script = format!(
        "cd /rump; {0} diff; test $? = 0; cat a/one; : >> old; rm -r a/b; mkdir a/b; echo > a/b/new; chmod 600 top; echo >> big; mkdir made; \
         rm -r c; set +e; {0} diff; echo $?",
        rump.display()
    );
    let listed = place.rump(&["run", "--overlay", "tree", "--", "sh", "-c", &script]).success();
    assert_eq!(listed, "one\nA /a/b/new\nD /a/b/two\nM /big\nD /c\nA /made\nM /top\n1\n");
    let none = place.rump(&["run", "--", "sh", "-c", &format!("{} diff", rump.display())]);
    assert!(none.status == 125 && none.stderr.contains("no overlay is mounted"), "{none:?}");
}

#[test]
fn marks_are_linux_s_and_layers_in_use() {
    let place = Place::new();
    let rump = artifact("rump");
    let script = format!(
        "cd /rump; mkdir l u w m l/d; echo a > l/d/f; echo b > l/g; {0} mount -t overlay -o lowerdir=/l,upperdir=/u,workdir=/w overlay /m; \
         rm m/g; rm -r m/d; mkdir m/d; stat -c '%F %t %T' u/g; getfattr --only-values -n trusted.overlay.opaque u/d; ls m/d; \
         {0} umount /l && exit 1; cat l/d/f; {0} umount /m; rm l/g; \
         {0} mount -t overlay -o lowerdir=/l,upperdir=/l/d overlay /m",
        rump.display()
    );
    let ran = place.rump(&["run", "--root", "--", "sh", "-c", &script]);
    assert!(ran.stdout.contains("character special file 0 0\nya\n"), "{ran:?}");
    assert!(ran.status != 0 && ran.stderr.contains("none of them inside another"), "{ran:?}");
}
