//! NetBSD's tests/lib/librumphijack/t_vfs: trees of files, prefixes and blankets. Where the original makes an FFS
//! image, the rump kernel's own root is the file system.

use e2e::{Server, native, run};
use std::path::{Path, PathBuf};

/// A directory of the host with a little of everything.
fn dir(server: &Server) -> PathBuf {
    let dir = server.directory().join("dir");
    let script = "mkdir -p dir/sub/deep dir/empty && seq 20000 > dir/numbers && echo x > dir/sub/x && \
                  ln dir/sub/x dir/hard && ln -s sub/x dir/soft && chmod 640 dir/numbers && \
                  touch -d 2001-02-03T04:05:06Z dir/sub/x && head -c 300000 /bin/sh > dir/sub/deep/binary";
    let _ = run(native("sh").args(["-c", script]).current_dir(server.directory())).success();
    dir
}

fn same(server: &Server, left: &Path, right: &str) {
    let _ = run(server.hijacked("diff").args(["-ru", "--no-dereference"]).arg(left).arg(right)).success();
}

fn sh(server: &Server, script: &str) -> String {
    run(server.hijacked("sh").args(["-ec", script]).current_dir(server.directory())).success()
}

#[test]
fn paxcopy() {
    let server = Server::start();
    let dir = dir(&server);
    // pax is no part of Debian's base system; cpio's pass-through mode is the same walk.
    let _ = sh(&server, "mkdir /rump/mnt && tar -cf - dir | tar -xf - -C /rump/mnt");
    same(&server, &dir, "/rump/mnt/dir");
}

#[test]
fn cpcopy() {
    let server = Server::start();
    let dir = dir(&server);
    let _ = sh(&server, "mkdir /rump/mnt && cp -Rp dir /rump/mnt");
    same(&server, &dir, "/rump/mnt/dir");
}

const STAT: &str = "stat -c '%i %f %h %u %g %s %Y'";

#[test]
fn mv_nox() {
    let server = Server::start();
    let script = format!("cd /rump; touch f; mkdir d; {STAT} f; mv f d/g; {STAT} d/g; test ! -e f");
    let output = sh(&server, &script);
    let lines: Vec<&str> = output.lines().collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0], lines[1]);
}

#[test]
fn ln_nox() {
    let server = Server::start();
    let output = sh(&server, &format!("cd /rump; echo content > f; ln f g; {STAT} f; {STAT} g; cat g"));
    let lines: Vec<&str> = output.lines().collect();
    assert_eq!(lines[0], lines[1]);
    assert_eq!(lines[2], "content");
}

#[test]
fn mv_x() {
    let server = Server::start();
    let dir = dir(&server);
    let _ = sh(&server, "cp -Rp dir copy; mv dir /rump; test ! -e dir");
    same(&server, &server.directory().join("copy"), "/rump/dir");
    let _ = sh(&server, "mv /rump/dir .; test ! -e /rump/dir");
    let _ = run(native("diff").arg("-ru").arg(&dir).arg(server.directory().join("copy"))).success();
}

#[test]
fn ln_x() {
    let server = Server::start();
    let output = sh(&server, "touch f; ! ln ./f /rump/. 2>&1; ls -A /rump | grep -c '^f$' || true");
    assert!(output.contains("cross-device"), "{output}");
    assert!(output.ends_with("0\n"), "{output}");
    // Linux looks for the file first (fs/namei.c, do_linkat).
    for (from, to) in [("/rump/none", "g"), ("none", "/rump/g")] {
        let output = sh(&server, &format!("! link {from} {to} 2>&1"));
        assert!(output.contains("No such file"), "{output}");
    }
}

#[test]
fn runonprefix() {
    let server = Server::start();
    let _ = run(server.hijacked("stat").arg("/rump/dev")).success();
    assert_ne!(run(server.hijacked("stat").arg("/rumpdev")).status, 0);
}

#[test]
fn blanket() {
    let server = Server::start();
    let null = |path: &str| {
        let mut command = server.hijacked("stat");
        command.env("RUMPHIJACK", "blanket=/dev,path=/rump").args(["-c", "%i %d %f %t %T %X %Y", path]);
        run(&mut command).success()
    };
    assert_eq!(null("/rump/dev/null"), null("/dev/null"));
    assert_ne!(
        null("/dev/null"),
        run(native("stat").args(["-c", "%i %d %f %t %T %X %Y", "/dev/null"])).stdout
    );
}

#[test]
fn doubleblanket() {
    let server = Server::start();
    let _ = sh(&server, "mkdir /rump/dir && ln -s /dir /rump/dirtoo && touch /rump/dir/file");
    let file = |path: &str| {
        let mut command = server.hijacked("stat");
        command.env("RUMPHIJACK", "blanket=/dirtoo:/dir").args(["-c", "%i %d %f %X", path]);
        run(&mut command).success()
    };
    assert_eq!(file("/dir/file"), file("/dirtoo/file"));
}
