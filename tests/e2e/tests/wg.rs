//! WireGuard (`type=wg`): two rump kernels over the host's loopback interface, and one with wireguard-go.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use e2e::{Background, Server, invoking_user, native, ordinary_user, run, web};
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A secret key and its public one.
struct Keys {
    secret: String,
    public: String,
}

impl Keys {
    fn new() -> Self {
        let secret = run(native("wg").arg("genkey")).success().trim().to_owned();
        let mut command = native("sh");
        command.args(["-c", &format!("echo {secret} | wg pubkey")]);
        Self { public: run(&mut command).success().trim().to_owned(), secret }
    }
}

/// A port of 127.0.0.1 that is free now.
fn free_port() -> u16 {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn write(directory: &Path, name: &str, text: &str) -> PathBuf {
    let path = directory.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn two_rump_kernels() {
    ordinary_user();
    let files = tempfile::tempdir().unwrap();
    let (left, right, shared) = (Keys::new(), Keys::new(), Keys::new().secret);
    let port = free_port();
    let left_conf = format!(
        "[Interface]\nPrivateKey = {}\nListenPort = {port}\nAddress = 10.9.0.1/24, fd09::1/64\n\n\
         [Peer]\nPublicKey = {}\nPresharedKey = {shared}\nAllowedIPs = 10.9.0.2/32, fd09::2/128\n",
        left.secret, right.public
    );
    let right_conf = format!(
        "[Interface]\nPrivateKey = {}\nAddress = 10.9.0.2/24, fd09::2/64\nMTU = 1400\n\n\
         [Peer]\nPublicKey = {}\nPresharedKey = {shared}\nAllowedIPs = 0.0.0.0/0, ::/0\nEndpoint = 127.0.0.1:{port}\n\
         PersistentKeepalive = 1\n",
        right.secret, left.public
    );
    let start = |name: &str, conf: &str| {
        let conf = write(files.path(), name, conf);
        Server::start_with(&["-n", &format!("name=wg0,type=wg,conf={}", conf.display())])
    };
    let (left, right) = (start("left.conf", &left_conf), start("right.conf", &right_conf));
    let _web = web(&left);
    right.ping("10.9.0.1", 2);
    right.ping("fd09::1", 2);
    // The answers have told where the other end is.
    left.ping("10.9.0.2", 1);
    for host in ["10.9.0.1", "[fd09::1]"] {
        let got = run(right.hijacked("curl").args(["-sSg", &format!("http://{host}/page")])).success();
        assert_eq!(got.len(), 500_000);
    }
    let table = right.rump(&["link"]).success();
    assert!(table.contains("1400") && table.contains("1 of 1 peers"), "{table}");
    // A default route goes into the tunnel, where the peer does not take what is not its own.
    let lost = run(right.hijacked(right.directory().join("ping")).args(["-c", "1", "-W", "1", "192.0.2.1"]));
    assert_eq!(lost.status, 1, "{lost:?}");
}

/// An endpoint's name that the host does not know: nobody waits for it, and when it is known the tunnel is there.
#[test]
fn a_name_is_found_later() {
    // hosts(5) of the server's own: nothing but files is asked.
    const OWN_NAMES: &str = r#"mount --bind "$0/hosts" /etc/hosts && mount --bind "$0/nsswitch.conf" /etc/nsswitch.conf && exec "$@""#;
    ordinary_user();
    let files = tempfile::tempdir().unwrap();
    if run(native("unshare").args(["-rm", "true"])).status != 0 {
        println!("skipped: this host does not let an ordinary user make a mount namespace");
        return;
    }
    let (left, right, port) = (Keys::new(), Keys::new(), free_port());
    let conf = format!(
        "[Interface]\nPrivateKey = {}\nListenPort = {port}\nAddress = 10.9.0.1/24\n[Peer]\nPublicKey = {}\nAllowedIPs = 10.9.0.2/32\n",
        left.secret, right.public
    );
    let conf = write(files.path(), "left.conf", &conf);
    let left_server = Server::start_with(&["-n", &format!("name=wg0,type=wg,conf={}", conf.display())]);
    let conf = format!(
        "[Interface]\nPrivateKey = {}\nAddress = 10.9.0.2/24\n[Peer]\nPublicKey = {}\nAllowedIPs = 10.9.0.1/32\n\
         Endpoint = left.test:{port}\nPersistentKeepalive = 1\n",
        right.secret, left.public
    );
    let conf = write(files.path(), "right.conf", &conf);
    let hosts = write(files.path(), "hosts", "");
    write(files.path(), "nsswitch.conf", "hosts: files\n");
    let directory = files.path().display().to_string();
    let right = Server::start_by(
        &["unshare", "-rm", "sh", "-c", OWN_NAMES, &directory],
        &["-n", &format!("name=wg0,type=wg,conf={}", conf.display())],
    );
    assert!(right.rump(&["link"]).success().contains("0 of 1 peers, 1 not found yet"));
    std::fs::write(hosts, "127.0.0.1 left.test\n").unwrap();
    // The keepalive opens the tunnel: nothing was sent from here.
    let peers = |server: &Server| server.rump(&["link"]).success();
    let end = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while !peers(&left_server).contains("1 of 1 peers") {
        assert!(std::time::Instant::now() < end, "{}", peers(&right));
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    left_server.ping("10.9.0.2", 1);
    assert!(!peers(&right).contains("not found"));
}

#[test]
fn what_is_wrong_in_the_file() {
    ordinary_user();
    let files = tempfile::tempdir().unwrap();
    let conf = write(files.path(), "wg.conf", "[Interface]\nPrivateKey = nonsense\n");
    let url = format!("unix://{}", files.path().join("server").display());
    let spec = format!("name=wg0,type=wg,conf={}", conf.display());
    let refused = run(native(e2e::artifact("rump_server")).args(["-n", &spec, &url]));
    assert_eq!(refused.status, 1);
    let expected = format!("{}:2: PrivateKey: not a key", conf.display());
    assert!(refused.stderr.contains(&expected) && refused.stderr.lines().count() == 1, "{refused:?}");
}

/// wireguard-go's interface on the host, which goes with this value.
struct HostInterface {
    name: String,
    _daemon: Background,
}

impl Drop for HostInterface {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["link", "del", &self.name]).stderr(Stdio::null()).status();
    }
}

/// The other implementation: wireguard-go with a tun interface of the host.
#[test]
fn wireguard_go_on_the_host() {
    // An interface of the host's is root's to make.
    invoking_user();
    let is_root = run(native("id").arg("-u")).stdout.trim() == "0";
    if !is_root || !Path::new("/dev/net/tun").exists() {
        println!("skipped: needs root and /dev/net/tun");
        return;
    }
    let files = tempfile::tempdir().unwrap();
    let (rump, host) = (Keys::new(), Keys::new());
    let (name, port) = (format!("rwg{}", std::process::id() % 100_000), free_port());
    let mut command = native("wireguard-go");
    command.args(["-f", &name]).env("WG_PROCESS_FOREGROUND", "1");
    let mut daemon = Background::start(&mut command, &files.path().join("log"));
    daemon.wait_until(|| Path::new(&format!("/var/run/wireguard/{name}.sock")).exists());
    let interface = HostInterface { name, _daemon: daemon };
    let conf = format!(
        "[Interface]\nPrivateKey = {}\nListenPort = {port}\n[Peer]\nPublicKey = {}\nAllowedIPs = 10.219.7.2/32\n",
        host.secret, rump.public
    );
    let conf = write(files.path(), "host.conf", &conf);
    run(native("wg").arg("setconf").arg(&interface.name).arg(conf)).success();
    run(native("ip").args(["addr", "add", "10.219.7.1/24", "dev", &interface.name])).success();
    run(native("ip").args(["link", "set", &interface.name, "mtu", "1420", "up"])).success();
    let conf = format!(
        "[Interface]\nPrivateKey = {}\nAddress = 10.219.7.2/24\n[Peer]\nPublicKey = {}\nAllowedIPs = 10.219.7.0/24\n\
         Endpoint = localhost:{port}\n",
        rump.secret, host.public
    );
    let conf = write(files.path(), "rump.conf", &conf);
    let server = Server::start_with(&["-n", &format!("name=wg0,type=wg,conf={}", conf.display())]);
    server.ping("10.219.7.1", 2);
    let _web = web(&server);
    let got = run(native("curl").args(["-sS", "--max-time", "20", "http://10.219.7.2/page"])).success();
    assert_eq!(got.len(), 500_000);
}
