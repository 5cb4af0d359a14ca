//! NetBSD's tests/lib/librumphijack/t_tcpip: http, and ssh, which the original marks as an expected failure.
//! sshd runs as the user of the test: as root with privilege separation, a seccomp filter around its children included.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use e2e::{Background, Ran, Segments, Server, artifact, invoking_user, native, run};
use std::process::Command;

const KEY_FILES: [&str; 2] = ["host_key", "user_key"];

/// sshd on port 22 of the rump kernel.
struct Sshd {
    server: Server,
    _daemon: Background,
}

fn sshd() -> Sshd {
    // As root where root runs the suite: only then does sshd separate its privileges.
    invoking_user();
    let server = Server::start();
    let dir = server.directory().to_path_buf();
    for key in KEY_FILES {
        run(native("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(dir.join(key))).success();
    }
    if run(native("id").arg("-u")).success() == "0\n" {
        // What the package's service makes when it is started (RuntimeDirectory).
        std::fs::create_dir_all("/run/sshd").unwrap();
    }
    let at = |name: &str| dir.join(name).display().to_string();
    let lines = [
        "ListenAddress 127.0.0.1:22".to_owned(),
        format!("HostKey {}", at("host_key")),
        format!("AuthorizedKeysFile {}", at("user_key.pub")),
        "PidFile none".to_owned(),
        "StrictModes no".to_owned(),
        "UsePAM no".to_owned(),
        "PermitRootLogin prohibit-password".to_owned(),
        "Subsystem sftp /usr/lib/openssh/sftp-server".to_owned(),
    ];
    std::fs::write(dir.join("config"), lines.join("\n") + "\n").unwrap();
    let mut command = server.hijacked("/usr/sbin/sshd");
    command.args(["-D", "-e", "-f"]).arg(dir.join("config")).env("RUMPHIJACK_RETRYCONNECT", "die");
    let mut daemon = Background::start(&mut command, &dir.join("log"));
    daemon.wait_until(|| server.listens(22));
    Sshd { server, _daemon: daemon }
}

impl Sshd {
    fn options(&self) -> Vec<String> {
        let key = self.server.directory().join("user_key");
        let mut options =
            vec!["-F".to_owned(), "none".to_owned(), "-i".to_owned(), key.display().to_string()];
        for option in ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR"] {
            options.extend(["-o".to_owned(), option.to_owned()]);
        }
        options
    }

    fn command(&self, program: &str) -> Command {
        let mut command = self.server.hijacked(program);
        command.args(self.options());
        command
    }

    fn ssh(&self, remote: &str) -> Ran {
        run(self.command("ssh").args(["-T", "127.0.0.1", remote]))
    }

    fn big(&self) -> String {
        let path = self.server.directory().join("big");
        let bytes: Vec<u8> =
            (0..2_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        std::fs::write(&path, bytes).unwrap();
        path.display().to_string()
    }
}

/// A server whose one socket netstat shows, and a reply whose lines are known. More of http is in web.rs.
#[test]
fn http() {
    let server = Server::start();
    let site = server.directory().join("site");
    std::fs::create_dir(&site).unwrap();
    let page = format!("{}\n", "x".repeat(94));
    std::fs::write(site.join("index.html"), &page).unwrap();
    let mut command = server.hijacked("python3");
    command.args(["-m", "http.server", "--bind", "127.0.0.1", "80", "--directory"]).arg(&site);
    let mut httpd = Background::start(&mut command, &server.directory().join("log"));
    httpd.wait_until(|| server.listens(80));
    let shown = run(server.hijacked("netstat").args(["-ltn"])).success();
    let listening: Vec<&str> = shown.lines().filter(|line| line.starts_with("tcp")).collect();
    assert!(
        matches!(listening[..], [one] if one.contains("127.0.0.1:80 ") && one.contains("LISTEN")),
        "{shown}"
    );
    let script = "printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc.openbsd -N 127.0.0.1 80";
    let reply = run(server.hijacked("sh").args(["-c", script])).success();
    let (head, body) = reply.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.0 200 OK\r\n") && head.contains("Content-Length: 95"), "{head}");
    assert_eq!(body, page);
}

#[test]
fn ssh() {
    let sshd = sshd();
    let listing = format!("ls -li {}", sshd.server.directory().join("config").display());
    let local = run(native("sh").args(["-c", &listing])).success();
    assert_eq!(sshd.ssh(&listing).success(), local);
    assert_eq!(sshd.ssh("exit 7").status, 7);
    assert_eq!(sshd.ssh("echo $((6 * 7)); echo oops >&2").stderr, "oops\n");
    assert!(sshd.server.counter("call.accept") + sshd.server.counter("call.accept4") >= 3);
}

/// The session is in the rump kernel too: it sees the tree that the client sees.
#[test]
fn a_login_shell_in_the_same_kernel() {
    let sshd = sshd();
    run(sshd.server.hijacked("sh").args(["-c", "echo from the client > /rump/note"])).success();
    assert_eq!(sshd.ssh("cat /rump/note").success(), "from the client\n");
}

#[test]
fn scp_and_sftp() {
    let sshd = sshd();
    let (big, dir) = (sshd.big(), sshd.server.directory().display().to_string());
    run(sshd.command("scp").arg("-q").arg(&big).arg(format!("127.0.0.1:{dir}/copied"))).success();
    run(native("cmp").arg(&big).arg(format!("{dir}/copied"))).success();
    run(sshd.command("scp").arg("-q").arg(&big).arg("127.0.0.1:/rump/copied")).success();
    run(sshd.server.hijacked("cmp").arg(&big).arg("/rump/copied")).success();
    std::fs::write(format!("{dir}/batch"), format!("get /rump/copied {dir}/back\n")).unwrap();
    run(sshd.command("sftp").arg("-q").arg("-b").arg(format!("{dir}/batch")).arg("127.0.0.1")).success();
    run(native("cmp").arg(&big).arg(format!("{dir}/back"))).success();
}

#[test]
fn rsync() {
    let sshd = sshd();
    let shell = format!("ssh {}", sshd.options().join(" "));
    let tree = "/usr/include/linux/netfilter/";
    let sync = |from: &str, to: &str| {
        run(sshd.server.hijacked("rsync").args(["-a", "--checksum", "-e", &shell, from, to])).success()
    };
    sync(tree, "127.0.0.1:/rump/there/");
    sync("127.0.0.1:/rump/there/", "/rump/back/");
    let same = run(sshd.server.hijacked("diff").args(["-r", tree, "/rump/back"]));
    assert_eq!((same.status, same.stdout.as_str()), (0, ""), "{same:?}");
}

/// Two rump kernels on one segment: one has a disk with files and serves them, the other looks at them. `args` are the components that
/// the server is told to have.
fn nfs_with(args: &[&str]) {
    let segments = Segments::new();
    let client = Server::start_with(&["-n", &segments.link("shmif0", "net", ",addr=10.1.1.100/24")]);
    let image = client.directory().join("ffs.img");
    run(native("mkfs.ext4").args(["-q", "-E", "root_owner=65534:65534"]).arg(&image).arg("5m")).success();
    let drive = format!("key=/dk,hostpath={},size=host", image.display());
    let link = segments.link("shmif0", "net", ",addr=10.1.1.1/24");
    let server = Server::start_with(&[args, &["-d", &drive, "-n", &link]].concat());
    let script = "mkdir /rump/export; \
        \"$RUMP\" mount -t ext4 /dk /export; touch /rump/export/im_alive; \
        echo testing > /rump/export/file; dd if=/dev/zero of=/rump/export/zeroes bs=1k count=100 2>/dev/null; \
        \"$RUMP\" nfs export /export";
    run(server.hijacked("sh").args(["-euc", script]).env("RUMP", artifact("rump"))).success();
    let read = run(client.hijacked("nfs-cat").arg("nfs://10.1.1.1/export/file")).success();
    assert_eq!(read, "testing\n");
    let listed = run(client.hijacked("nfs-ls").arg("nfs://10.1.1.1/export")).success();
    let file = listed.lines().find(|line| line.ends_with(" im_alive")).unwrap_or_else(|| panic!("{listed}"));
    let fields: Vec<&str> = file.split_whitespace().collect();
    assert_eq!(fields, ["-rw-r--r--", "1", "65534", "65534", "0", "im_alive"]);
    assert!(listed.lines().any(|line| line.contains(" 102400 zeroes")), "{listed}");
}

#[test]
fn nfs() {
    nfs_with(&["-l", "rumpvfs", "-l", "rumpnet_netinet", "-l", "rumpfs_nfsserver"]);
}

/// Nobody has said that the server will be an NFS server.
#[test]
fn nfs_autoload() {
    nfs_with(&[]);
}
