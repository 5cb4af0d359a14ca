//! The rump kernel's NFS server, used by clients on another rump kernel.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use e2e::{Ran, Segments, Server, c_program_with, native, run};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// A server of files at 10.0.0.1, with a drive of 16 MB that ext4 is on, and a client at 10.0.0.2.
struct Pair {
    server: Server,
    client: Server,
    image: PathBuf,
    _segments: Segments,
}

impl Pair {
    fn new() -> Self {
        let segments = Segments::new();
        let client = segments.host(2, "");
        let image = client.directory().join("dk.img");
        let mut make = native("mkfs.ext4");
        run(make.args(["-q", "-E", "root_owner=65534:65534"]).arg(&image).arg("16m")).success();
        let drive = format!("key=/dev/dk,hostpath={},size=host", image.display());
        let link = segments.link("eth0", "net", ",addr=10.0.0.1/24,addr=fd00::1/64");
        let server = Server::start_with(&["-n", &link, "-d", &drive]);
        let pair = Self { server, client, image, _segments: segments };
        pair.mount();
        pair
    }

    fn mount(&self) {
        self.server.rump(&["mount", "--mkdir", "/dev/dk", "/mnt"]).success();
    }

    fn on_server(&self, script: &str) -> String {
        run(self.server.hijacked("sh").args(["-euc", script])).success()
    }

    fn on_client(&self, script: &str) -> Ran {
        run(self.client.hijacked("bash").args(["-euc", script]).current_dir(self.client.directory()))
    }
}

/// What both see of a directory: names, types, permissions, links, sizes and contents.
fn view(directory: &str) -> String {
    format!(
        "cd {directory}; find . -printf '%p %M %n %s\\n' | sort; find . -type f | sort | xargs -r sha256sum"
    )
}

#[test]
fn files_are_listed_read_and_written_by_libnfs_utils() {
    let pair = Pair::new();
    pair.on_server(
        "mkdir -p /rump/srv/sub; head -c 3000000 /bin/bash > /rump/srv/big; echo hello > /rump/srv/sub/f",
    );
    pair.server.rump(&["nfs", "export", "/rump/srv"]).success();
    let listed =
        pair.on_client("nfs-ls -R nfs://10.0.0.1/srv | awk '{print $1, $2, $5, $6}' | sort").success();
    let expected =
        pair.on_server("cd /rump/srv; find * -printf '%M %n %s %p\\n' | sed 's/ 4096 / 60 /' | sort");
    let names =
        |text: &str| text.lines().map(|line| line.rsplit(' ').next().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(names(&listed), names(&expected), "{listed}\n{expected}");
    pair.on_client("nfs-cat nfs://10.0.0.1/srv/big | cmp - <(head -c 3000000 /bin/bash)").success();
    pair.on_client("nfs-cp nfs://10.0.0.1/srv/sub/f back; test \"$(cat back)\" = hello").success();
    pair.on_client("nfs-cp /bin/bash nfs://[fd00::1]/srv/copy || nfs-cp /bin/bash nfs://10.0.0.1/srv/copy")
        .success();
    pair.on_server("cmp /rump/srv/copy /bin/bash");
    let told = pair.on_client("showmount -e 10.0.0.1; rpcinfo -u 10.0.0.1 nfs 3").success();
    assert!(told.contains("/srv *") && told.contains("ready and waiting"), "{told}");
}

/// The same changes on tmpfs and on an image with ext4, where requests wait for the disk; and what the server's own programs then see.
#[test]
fn all_procedures_on_tmpfs_and_on_a_disk() {
    let pair = Pair::new();
    pair.on_server("mkdir /rump/srv; chmod 1777 /rump/srv /rump/mnt");
    let program = c_program_with("h_nfs", pair.client.directory(), &["-lnfs"]);
    let (mut told, mut seen) = (Vec::new(), Vec::new());
    for directory in ["/srv", "/mnt"] {
        pair.server.rump(&["nfs", "export", directory, "10.0.0.0/24"]).success();
        let url = format!("nfs://10.0.0.1{directory}");
        told.push(run(pair.client.hijacked(&program).args(["do", &url])).success());
        seen.push(pair.on_server(&view(&format!("/rump{directory}/work"))));
    }
    assert_eq!(told[0], told[1]);
    let directories_differ =
        |text: &str| text.lines().filter(|line| !line.contains(" d")).collect::<Vec<_>>().join("\n");
    assert_eq!(directories_differ(&seen[0]), directories_differ(&seen[1]));
    for line in [
        "mkdir again: -17",
        "pread: 11",
        "some text",
        "creat again: -17",
        "/work/a: mode 104755 links 1 size 8 mtime 1",
        "chown: -1",
        "rmdir: -39",
        "/work/none: -2",
        "  c 755 3",
        "free: 1",
    ] {
        assert!(told[0].lines().any(|one| one == line), "'{line}' is missing:\n{}", told[0]);
    }
    assert!(
        seen[0].contains("./l lrwxrwxrwx 1 1\n") && seen[0].contains("./p prw------- 1 0\n"),
        "{}",
        seen[0]
    );
    pair.server.rump(&["nfs", "unexport", "/srv"]).success();
    pair.server.rump(&["nfs", "unexport", "/mnt"]).success();
    pair.server.rump(&["umount", "/mnt"]).success();
    let checked = run(native("e2fsck").args(["-f", "-n"]).arg(&pair.image));
    assert_eq!(checked.status, 0, "{checked:?}");
}

/// A client keeps its handles over a kill of the server: those of a disk are good again, tmpfs and what was in it are gone.
#[test]
fn handles_survive_a_restart_where_files_do() {
    let mut pair = Pair::new();
    pair.on_server("mkdir /rump/mnt/srv; mkdir /rump/mnt/srv/tmp; chmod 1777 /rump/mnt/srv");
    let export = |pair: &Pair| {
        pair.server.rump(&["mount", "-t", "tmpfs", "-o", "mode=1777", "none", "/mnt/srv/tmp"]).success();
        pair.server.rump(&["nfs", "export", "/mnt/srv", "*(rw,crossmnt)"]).success();
    };
    export(&pair);
    let program = c_program_with("h_nfs", pair.client.directory(), &["-lnfs"]);
    let mut client = pair
        .client
        .hijacked(&program)
        .args(["keep", "nfs://10.0.0.1/mnt/srv", "/f", "/tmp/f"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = BufReader::new(client.stdout.take().unwrap()).lines();
    assert_eq!(told.next().unwrap().unwrap(), "ready");
    pair.server.restart();
    pair.mount();
    export(&pair);
    client.stdin.take().unwrap().write_all(b"go\n").unwrap();
    let told: Vec<_> = told.map(Result::unwrap).collect();
    assert!(client.wait().unwrap().success());
    assert_eq!(told, ["/f: kept", "/tmp/f: gone"]);
}

#[test]
fn exports_are_listed_and_refused() {
    let pair = Pair::new();
    let rump = |args: &[&str]| pair.server.rump(&[&["nfs"], args].concat());
    assert!(rump(&["export", "/none"]).stderr.contains("/none: not found (ENOENT)"));
    assert!(rump(&["export", "/proc"]).stderr.contains("no file handles"));
    assert!(rump(&["export", "/mnt", "host.example"]).stderr.contains("names are not looked up"));
    assert!(rump(&["export", "/mnt", "*(rx)"]).stderr.contains("'rx': an unknown option"));
    assert!(rump(&["unexport", "/mnt"]).stderr.contains("/mnt is not exported"));
    rump(&["export", "--ro", "/mnt", "10.0.0.0/24", "10.0.0.2(rw)"]).success();
    let listed = rump(&[]).success();
    assert!(listed.lines().nth(1).unwrap().contains("10.0.0.2") && listed.contains("ro,sync"), "{listed}");
    let mut shown = pair.server.hijacked("cat");
    shown.env("RUMPHIJACK", "vfs=nfssvc").args(["/proc/fs/nfsd/exports", "/proc/fs/nfsd/threads"]);
    let shown = run(&mut shown).success();
    assert!(shown.contains("/mnt\t10.0.0.2(rw,") && shown.ends_with("1\n"), "{shown}");
    let busy = pair.server.rump(&["umount", "/mnt"]);
    assert!(busy.status == 1 && busy.stderr.contains("/mnt: busy"), "an export is a use: {busy:?}");
    assert_eq!(pair.on_client("nfs-ls nfs://10.0.0.1/mnt").status, 0);
    rump(&["unexport", "/mnt"]).success();
    assert_ne!(pair.on_client("nfs-ls nfs://10.0.0.1/mnt").status, 0);
    pair.server.rump(&["umount", "/mnt"]).success();
    assert!(Path::new(&pair.image).exists());
}
