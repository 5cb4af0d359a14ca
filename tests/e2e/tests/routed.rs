//! Programs over a path of two routers, of which the line in the middle loses 1 % of the frames and takes 10 ms each way: four rump
//! kernels on three segments.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use e2e::{Background, Segments, Server, native, run};
use std::path::Path;

const LEFT: &str = "10.0.1.2";
const RIGHT: &str = "10.0.3.2";
const RIGHT_V6: &str = "fd00:3::2";

/// Two hosts, and the routers between them.
struct Path2 {
    _segments: Segments,
    left: Server,
    _routers: [Server; 2],
    right: Server,
}

/// An interface's two addresses on the segment NET, and its gateways there.
fn on(segments: &Segments, link: &str, net: u8, host: u8, gateway: Option<u8>, more: &str) -> String {
    let gateway = gateway.map_or(String::new(), |gw| format!(",gw=10.0.{net}.{gw},gw=fd00:{net}::{gw}"));
    let more = format!(",addr=10.0.{net}.{host}/24,addr=fd00:{net}::{host}/64{gateway}{more}");
    segments.link(link, &format!("net{net}"), &more)
}

fn host(segments: &Segments, net: u8) -> Server {
    Server::start_with(&["-n", &on(segments, "eth0", net, 2, Some(1), "")])
}

/// A router between the segment `near` and the middle one, where the other router is its gateway.
fn router(segments: &Segments, near: u8, own: u8, other: u8) -> Server {
    let faults = format!(",loss=1%,delay=10ms,limit=100000,seed={own}");
    let near = on(segments, "eth0", near, 1, None, "");
    let middle = on(segments, "eth1", 2, own, Some(other), &faults);
    let router = Server::start_with(&["-n", &near, "-n", &middle]);
    let mut sysctl = router.hijacked("sysctl");
    sysctl.args(["-q", "-w", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"]);
    run(sysctl.env("RUMPHIJACK", "sysctl=yes,socket=all")).success();
    router
}

impl Path2 {
    fn new() -> Self {
        let segments = Segments::new();
        let routers = [router(&segments, 1, 1, 2), router(&segments, 3, 2, 1)];
        let (left, right) = (host(&segments, 1), host(&segments, 3));
        Self { _segments: segments, left, _routers: routers, right }
    }
}

fn big() -> Vec<u8> {
    (0..1_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

/// A daemon of the right host's, once it listens on this port.
fn serve(path: &Path2, port: u16, program: &str, args: &[&str]) -> Background {
    let log = path.right.directory().join(format!("log{port}"));
    let mut daemon = Background::start(path.right.hijacked(program).args(args), &log);
    daemon.wait_until(|| path.right.listens(port));
    daemon
}

#[test]
fn curl_and_wget() {
    let path = Path2::new();
    let site = path.right.directory().join("site");
    std::fs::create_dir(&site).unwrap();
    std::fs::write(site.join("big"), big()).unwrap();
    let _web = serve(
        &path,
        80,
        "python3",
        &["-m", "http.server", "--bind", "::", "80", "--directory", &text(&site)],
    );
    let printed = path.left.ping(RIGHT_V6, 1);
    // 64 less two routers.
    assert!(printed.contains("ttl=62"), "{printed}");
    let out = path.left.directory().join("out");
    for (program, url) in
        [("curl", format!("http://{RIGHT}/big")), ("wget", format!("http://[{RIGHT_V6}]/big"))]
    {
        let mut command = path.left.hijacked(program);
        let quiet = if program == "curl" { ["-sSg", "-o"] } else { ["-q", "-O"] };
        run(command.args(quiet).arg(&out).arg(&url)).success();
        assert!(std::fs::read(&out).unwrap() == big(), "{url}: not what was sent");
    }
}

#[test]
fn git_clones() {
    let path = Path2::new();
    let base = path.right.directory().join("git");
    let script = "
        export GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=A GIT_COMMITTER_EMAIL=a@b
        git init -q -b main repo; cd repo; head -c 300000 /dev/urandom > f; git add f; git commit -qm one; touch .git/git-daemon-export-ok";
    std::fs::create_dir(&base).unwrap();
    run(native("sh").args(["-euc", script]).current_dir(&base)).success();
    let base = text(&base);
    let export = format!("--base-path={base}");
    let _daemon = serve(&path, 9418, "git", &["daemon", "--reuseaddr", "--listen=0.0.0.0", &export, &base]);
    let clone = path.left.directory().join("clone");
    run(path.left.hijacked("git").args(["clone", "-q", &format!("git://{RIGHT}/repo")]).arg(&clone))
        .success();
    run(native("cmp").arg(clone.join("f")).arg(format!("{base}/repo/f"))).success();
}

#[test]
fn ssh_and_scp() {
    // sshd's privilege separation is root's; the session is that of whoever runs the suite.
    e2e::invoking_user();
    let path = Path2::new();
    let dir = path.right.directory();
    for key in ["host_key", "user_key"] {
        run(native("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(dir.join(key))).success();
    }
    if run(native("id").arg("-u")).success() == "0\n" {
        std::fs::create_dir_all("/run/sshd").unwrap();
    }
    let at = |name: &str| text(&dir.join(name));
    let config = format!(
        "ListenAddress 0.0.0.0:22\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nStrictModes no\nUsePAM no\n\
         PermitRootLogin prohibit-password\nSubsystem sftp /usr/lib/openssh/sftp-server\n",
        at("host_key"),
        at("user_key.pub")
    );
    std::fs::write(dir.join("config"), config).unwrap();
    let _sshd = serve(&path, 22, "/usr/sbin/sshd", &["-D", "-e", "-f", &at("config")]);
    std::fs::write(dir.join("big"), big()).unwrap();
    let options = [
        "-F",
        "none",
        "-i",
        &at("user_key"),
        "-o",
        "StrictHostKeyChecking=no",
        "-o",
        "UserKnownHostsFile=/dev/null",
        "-o",
        "LogLevel=ERROR",
    ];
    let said =
        run(path.left.hijacked("ssh").args(options).args(["-T", RIGHT, "echo $SSH_CONNECTION"])).success();
    assert!(said.starts_with(LEFT), "{said}");
    let copy = path.left.directory().join("copy");
    let from = format!("{RIGHT}:{}", at("big"));
    run(path.left.hijacked("scp").args(options).args(["-q", &from]).arg(&copy)).success();
    assert!(std::fs::read(&copy).unwrap() == big(), "not what was sent");
}

fn text(path: &Path) -> String {
    path.display().to_string()
}
