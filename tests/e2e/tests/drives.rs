//! Drives (`rump_server -d`) and what is on them, by unmodified programs.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use e2e::{Server, artifact, is_clean, native, run};
use std::path::Path;

/// A server with a drive of so many bytes in its directory, which is left when the server is.
fn server(image: &Path, more: &str) -> Server {
    Server::start_with(&["-d", &format!("key=/dev/dk,hostpath={},{more}", image.display())])
}

fn place() -> tempfile::TempDir {
    e2e::ordinary_user();
    tempfile::tempdir().unwrap()
}

/// Runs a shell script hijacked; it must succeed.
#[track_caller]
fn hijacked(server: &Server, script: &str) -> String {
    run(server.hijacked("sh").args(["-e", "-c", script])).success()
}

#[track_caller]
fn rump(server: &Server, args: &[&str]) -> String {
    run(native(artifact("rump")).env("RUMP_SERVER", server.url()).args(args)).success()
}

#[test]
fn a_drive_is_a_block_device() {
    let place = place();
    let image = place.path().join("dk.img");
    let server = server(&image, "size=8m");
    assert_eq!(std::fs::metadata(&image).unwrap().len(), 8 << 20, "made, and as long as was asked for");
    let printed = hijacked(
        &server,
        "stat -c '%F %s' /rump/dev/dk; head -c 100000 /bin/ls > /rump/tmp/ls; \
         dd if=/rump/tmp/ls of=/rump/dev/dk bs=1000 seek=3 2>/dev/null; \
         dd if=/rump/dev/dk bs=1000 skip=3 count=100 2>/dev/null | cmp - /rump/tmp/ls; \
         dd if=/dev/zero of=/rump/dev/dk bs=1M 2>&1 | head -1; wc -c < /rump/dev/dk; sync /rump/dev/dk",
    );
    assert_eq!(
        printed,
        "block special file 0\ndd: error writing '/rump/dev/dk': No space left on device\n8388608\n"
    );
    hijacked(&server, "printf 'label: dos\\n,4M,L\\n,,L\\n' | /sbin/sfdisk -q /rump/dev/dk");
    let table = hijacked(&server, "/sbin/fdisk -l /rump/dev/dk");
    assert!(table.contains("/rump/dev/dk: 8 MiB, 8388608 bytes, 16384 sectors"), "{table}");
    drop(server);
    let table = run(native("/sbin/sfdisk").arg("-l").arg(&image)).success();
    assert!(
        table.contains("4M 83 Linux") && table.contains("3M 83 Linux"),
        "what was written is in the file: {table}"
    );
}

#[test]
fn partitions_offsets_and_kinds() {
    let place = place();
    let image = place.path().join("disk.img");
    std::fs::File::create(&image).unwrap().set_len(16 << 20).unwrap();
    let script = format!("printf 'label: gpt\\n,4M\\n,8M\\n' | /sbin/sfdisk -q {}", image.display());
    run(native("sh").args(["-c", &script])).success();
    let path = image.display();
    let server = Server::start_with(&[
        "-d",
        &format!("key=/dev/p2,hostpath={path},disklabel=2"),
        "-d",
        &format!("key=/a/file,hostpath={path},size=1m,offset=5m,type=reg"),
        "-d",
        &format!("key=/dev/raw,hostpath={path},size=host,type=chr"),
    ]);
    // The second partition starts at 5 MiB (the first at 1).
    let printed = hijacked(
        &server,
        "stat -c '%F %s' /rump/dev/p2 /rump/a/file /rump/dev/raw; wc -c < /rump/dev/p2; \
         printf hello | dd of=/rump/dev/p2 conv=notrunc 2>/dev/null; head -c 5 /rump/a/file; \
         dd if=/rump/dev/raw bs=1M skip=5 count=1 2>/dev/null | head -c 5",
    );
    assert_eq!(
        printed,
        "block special file 0\nregular file 1048576\ncharacter special file 0\n8388608\nhellohello"
    );
}

#[test]
fn what_cannot_be_a_drive_is_told_at_once() {
    let place = place();
    let (image, missing) = (place.path().join("img"), place.path().join("missing"));
    let _holder = server(&image, "size=1m");
    let refused = |spec: String| {
        let url = format!("unix://{}", place.path().join("s").display());
        let ran = run(native(artifact("rump_server")).args(["-d", &spec, &url]));
        assert_eq!(ran.status, 1, "{ran:?}");
        assert_eq!(ran.stderr.lines().count(), 1, "{ran:?}");
        ran.stderr
    };
    let busy = refused(format!("key=/dev/d,hostpath={},size=host", image.display()));
    assert!(busy.contains("in use by another process"), "{busy}");
    let none = refused(format!("key=/dev/d,hostpath={},size=host", missing.display()));
    assert!(none.contains("No such file"), "{none}");
    std::fs::write(&missing, [0; 1000]).unwrap();
    let label = refused(format!("key=/dev/d,hostpath={},disklabel=1", missing.display()));
    assert!(label.contains("no partition table"), "{label}");
    let relative = refused(format!("key=d,hostpath={},size=1m", missing.display()));
    assert!(relative.contains("absolute path"), "{relative}");
}

#[test]
fn a_tree_on_ext4_as_on_the_host() {
    let place = place();
    let image = place.path().join("dk.img");
    let server = server(&image, "size=64m");
    hijacked(&server, "/sbin/mkfs.ext4 -q -E root_owner /rump/dev/dk");
    rump(&server, &["mount", "--mkdir", "-t", "ext4", "/dev/dk", "/mnt"]);
    assert!(rump(&server, &["mount"]).contains("/dev/dk /mnt ext4 rw"));
    let script = |dir: &str| {
        format!(
            "cd {dir}; umask 022; mkdir d; cp -a /usr/share/perl5 /etc/services d/; ln d/services hard; ln -s d/services soft; \
             truncate -s 1M sparse; echo end >> sparse; mv d/services d/renamed; chmod 640 d/renamed; rm -r d/perl5/Debconf; \
             touch -d '2001-02-03 04:05:06.789' hard; setfattr -n user.x -v y hard; \
             find . -name lost+found -prune -o -path . -o -type d -printf '%p %m %n\\n' -o -printf '%p %y %m %n %l %s\\n' | sort; \
             stat -c %y hard; getfattr --only-values -n user.x hard; find . -type f -exec md5sum {{}} + | sort"
        )
    };
    let host = tempfile::tempdir().unwrap();
    let native = run(native("sh").args(["-e", "-c", &script(&host.path().display().to_string())])).success();
    let ours = hijacked(&server, &script("/rump/mnt"));
    let different = native.lines().zip(ours.lines()).find(|(native, ours)| native != ours);
    assert_eq!((different, native.lines().count()), (None, ours.lines().count()));
    let busy = run(e2e::native(artifact("rump"))
        .env("RUMP_SERVER", server.url())
        .args(["mount", "/dev/dk", "/tmp"]));
    assert!(busy.stderr.contains("mounted already"), "{busy:?}");
    rump(&server, &["umount", "/rump/mnt"]);
    is_clean(&image);
    assert!(server.counter("call.write") > 0);
    // What debugfs sees is what was written.
    let seen = run(e2e::native("debugfs").args(["-R", "cat d/renamed"]).arg(&image)).success();
    assert_eq!(seen, std::fs::read_to_string("/etc/services").unwrap());
}

#[test]
fn what_was_synced_outlives_a_killed_server() {
    let place = place();
    let image = place.path().join("dk.img");
    let mut first = server(&image, "size=64m");
    hijacked(&first, "/sbin/mkfs.ext4 -q -E root_owner /rump/dev/dk");
    rump(&first, &["mount", "--mkdir", "/dev/dk", "/mnt"]);
    hijacked(
        &first,
        "head -c 3M /dev/urandom > /rump/mnt/kept; sync /rump/mnt/kept; md5sum < /rump/mnt/kept > /rump/mnt/sum; sync",
    );
    hijacked(
        &first,
        "cp -r /usr/share/perl5 /rump/mnt; rm -r /rump/mnt/perl5/Debconf; echo late > /rump/mnt/late",
    );
    first.kill();
    let second = server(&image, "size=host");
    rump(&second, &["mount", "--mkdir", "/dev/dk", "/mnt"]);
    hijacked(
        &second,
        "test \"$(md5sum < /rump/mnt/kept)\" = \"$(cat /rump/mnt/sum)\"; rm -rf /rump/mnt/perl5; cp /etc/services /rump/mnt",
    );
    rump(&second, &["mount", "-o", "remount,ro", "/dev/dk", "/mnt"]);
    let refused = run(second.hijacked("touch").arg("/rump/mnt/x"));
    assert!(refused.stderr.contains("Read-only file system"), "{refused:?}");
    rump(&second, &["umount", "/mnt"]);
    is_clean(&image);
}

/// Handles lead to the same files after the server was killed and started again: those of drives and of directories of the host; not those
/// of files that were removed since, nor those of tmpfs, where nothing is left.
#[test]
fn handles_outlive_the_server_where_files_do() {
    let place = place();
    let (image, host) = (place.path().join("dk.img"), place.path().join("host"));
    run(native("mkfs.ext4").args(["-q", "-E", "root_owner"]).arg(&image).arg("16m")).success();
    std::fs::create_dir_all(host.join("sub")).unwrap();
    let mut server = server(&image, "size=host");
    let program = e2e::c_program("h_handle", place.path());
    let mount = |server: &Server| {
        rump(server, &["mount", "--mkdir", "/dev/dk", "/disk"]);
        rump(server, &["mount", "--mkdir", "-t", "dir", &host.display().to_string(), "/host"]);
    };
    let handle = |server: &Server, what: &str, path: &str, file: &str| {
        let mut command = server.hijacked(&program);
        command.env("RUMPHIJACK", "path=/rump,vfs=fhcalls").args([what, path]).arg(place.path().join(file));
        run(&mut command).success()
    };
    mount(&server);
    let at = ["/rump/disk", "/rump/host/sub", "/rump/tmp"];
    for (place, name) in at.iter().zip(["disk", "host", "tmp"]) {
        hijacked(
            &server,
            &format!("echo {name} > {place}/kept; echo gone > {place}/gone; sync {place}/gone"),
        );
        for file in ["kept", "gone"] {
            assert_eq!(handle(&server, "make", &format!("{place}/{file}"), &format!("{name}.{file}")), "");
        }
    }
    assert_eq!(handle(&server, "open", "/rump/disk", "disk.kept"), "disk\n\n");
    hijacked(&server, "rm /rump/disk/gone /rump/host/sub/gone; sync");
    server.restart();
    mount(&server);
    // Numbers of inodes are given again.
    hijacked(&server, "echo other > /rump/disk/other; echo other > /rump/host/sub/other");
    let found = |mount: &str, file: &str| handle(&server, "open", mount, file);
    assert_eq!(found("/rump/host", "host.kept"), "host\n\n");
    assert_eq!(found("/rump/disk", "disk.kept"), "disk\n\n");
    for (mount, file) in [("/rump/disk", "disk.gone"), ("/rump/host", "host.gone"), ("/rump/tmp", "tmp.kept")]
    {
        assert_eq!(found(mount, file), "ESTALE\n", "{file}");
    }
    assert_eq!(found("/rump/host", "disk.kept"), "ESTALE\n", "of another file system");
}
