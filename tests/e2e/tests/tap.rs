//! A rump kernel and the host's over a tap (`type=tap`): the other end is Linux itself.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use e2e::{Background, Server, invoking_user, native, run};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

/// A tap interface of the host's with 10.219.NET.1/24 and fd00:219:NET::1/64, which goes with this value, and a server on it with
/// the addresses that end in 2.
struct Tap {
    name: String,
    net: u32,
    server: Server,
}

impl Tap {
    /// None where the host gives none, with the reason printed.
    fn new(more: &str) -> Option<Self> {
        // An interface of the host's is root's to make.
        invoking_user();
        let is_root = run(native("id").arg("-u")).stdout.trim() == "0";
        if !is_root || !Path::new("/dev/net/tun").exists() {
            println!("skipped: needs root and /dev/net/tun");
            return None;
        }
        let net = free_net();
        let name = format!("rtap{net}");
        run(native("ip").args(["tuntap", "add", "dev", &name, "mode", "tap"])).success();
        let spec =
            format!("name=eth0,type=tap,dev={name},addr=10.219.{net}.2/24,addr=fd00:219:{net}::2/64{more}");
        let server = Server::start_with(&["-n", &spec]);
        let tap = Self { name, net, server };
        for address in [format!("10.219.{net}.1/24"), format!("fd00:219:{net}::1/64")] {
            run(native("ip").args(["addr", "add", &address, "dev", &tap.name, "nodad"])).success();
        }
        run(native("ip").args(["link", "set", &tap.name, "up"])).success();
        Some(tap)
    }

    fn v4(&self, host: u8) -> String {
        format!("10.219.{}.{host}", self.net)
    }

    fn v6(&self, host: u8) -> String {
        format!("fd00:219:{}::{host}", self.net)
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        run(native("ip").args(["link", "del", &self.name]));
    }
}

/// A network that no interface has, another one for each test.
fn free_net() -> u32 {
    static TESTS: AtomicU32 = AtomicU32::new(0);
    let first = std::process::id() % 100 * 2 + TESTS.fetch_add(1, Ordering::Relaxed);
    let taken = |net: &u32| Path::new(&format!("/sys/class/net/rtap{net}")).exists();
    (first..256).step_by(2).find(|net| !taken(net)).unwrap()
}

/// A page of `len` bytes on port 8219 of all addresses.
fn web(mut python: std::process::Command, directory: &Path, len: usize) -> Background {
    std::fs::create_dir(directory).unwrap();
    std::fs::write(directory.join("page"), "x".repeat(len)).unwrap();
    python.args(["-u", "-m", "http.server", "--bind", "::", "8219", "--directory"]).arg(directory);
    let log = directory.join("log");
    let mut background = Background::start(&mut python, &log);
    background.wait_until(|| std::fs::read_to_string(&log).is_ok_and(|text| text.contains("Serving")));
    background
}

#[test]
fn ping_fragments_and_tcp_both_ways() {
    let Some(tap) = Tap::new("") else { return };
    let server = &tap.server;
    for address in [tap.v4(1), tap.v6(1)] {
        server.ping(&address, 2);
        // Beyond the MTU: fragments both ways.
        let ping = server.directory().join("ping");
        let long = ["-n", "-c", "2", "-i", "0.2", "-W", "5", "-s", "4000", &address];
        let printed = run(server.hijacked(ping).args(long)).success();
        assert!(printed.contains("4008 bytes from"), "{printed}");
    }
    for address in [tap.v4(2), tap.v6(2)] {
        for size in ["56", "4000"] {
            let args = ["-n", "-c", "2", "-i", "0.2", "-W", "5", "-s", size, &address];
            run(native("ping").args(args)).success();
        }
    }
    let inside = web(server.hijacked("python3"), &server.directory().join("inside"), 5_000_000);
    for host in [tap.v4(2), format!("[{}]", tap.v6(2))] {
        let url = format!("http://{host}:8219/page");
        let got = run(native("curl").args(["-sSg", "--max-time", "30", &url])).success();
        assert_eq!(got.len(), 5_000_000, "{url}");
    }
    drop(inside);
    let _outside = web(native("python3"), &server.directory().join("outside"), 5_000_000);
    for host in [tap.v4(1), format!("[{}]", tap.v6(1))] {
        let url = format!("http://{host}:8219/page");
        let got = run(server.hijacked("curl").args(["-sSg", "--max-time", "30", &url])).success();
        assert_eq!(got.len(), 5_000_000, "{url}");
    }
}

#[test]
fn a_thousand_connections() {
    const SERVE: &str = "
import socket, sys
listener = socket.create_server(('0.0.0.0', 8219), backlog=1000); print('ready', flush=True)
held = []
while len(held) < 1000:
    connection, _ = listener.accept(); held.append(connection)
for connection in held: connection.sendall(connection.recv(100)); connection.close()
";
    const CONNECT: &str = "
import socket, sys
held = [socket.create_connection((sys.argv[1], 8219), timeout=20) for _ in range(1000)]
for n, connection in enumerate(held): connection.sendall(b'%d' % n)
assert all(connection.recv(100) == b'%d' % n for n, connection in enumerate(held))
print('all')
";
    let Some(tap) = Tap::new("") else { return };
    let mut python = tap.server.hijacked("python3");
    let log = tap.server.directory().join("log");
    let mut serving = Background::start(python.args(["-c", SERVE]), &log);
    serving.wait_until(|| std::fs::read_to_string(&log).is_ok_and(|text| text.contains("ready")));
    let connected = run(native("python3").args(["-c", CONNECT, &tap.v4(2)]));
    assert_eq!(connected.success(), "all\n", "{}", serving.printed());
}

#[test]
fn who_may_not_is_told_what_to_do() {
    e2e::ordinary_user();
    let directory = tempfile::tempdir().unwrap();
    let url = format!("unix://{}", directory.path().join("server").display());
    let refused =
        run(native(e2e::artifact("rump_server")).args(["-n", "name=eth0,type=tap,dev=rtapx", &url]));
    assert_eq!(refused.status, 1);
    assert!(refused.stderr.contains("as root: ") && refused.stderr.lines().count() == 1, "{refused:?}");
}
