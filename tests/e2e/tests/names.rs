//! Names are looked up where the program's sockets are: resolv.conf(5) and hosts(5) of the rump kernel, its name servers by its stack.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use e2e::{Background, Ran, Server, artifact, native, ordinary_user, run};
use std::path::Path;
use std::process::Command;

/// A name server: addresses as its arguments say them, `name=address`; it prints its port, and what it is asked.
const DNS: &str = r"
import socket, struct, sys, threading
port = int(sys.argv[1]); names = {}
for arg in sys.argv[2:]:
    name, ip = arg.split('='); names.setdefault(name, []).append(ip)
def answer(q):
    at, labels = 12, []
    while q[at]:
        labels.append(q[at + 1:at + 1 + q[at]].decode()); at += q[at] + 1
    kind, = struct.unpack('>H', q[at + 1:at + 3]); name = '.'.join(labels).lower()
    print(name, kind, flush=True)
    body, n = b'', 0
    for ip in names.get(name, []):
        family = socket.AF_INET6 if ':' in ip else socket.AF_INET
        if kind == {socket.AF_INET: 1, socket.AF_INET6: 28}[family]:
            data = socket.inet_pton(family, ip); n += 1
            body += b'\xc0\x0c' + struct.pack('>HHIH', kind, 1, 60, len(data)) + data
    return q[:2] + struct.pack('>HHHHH', 0x8580 if name in names else 0x8583, 1, n, 0, 0) + q[12:at + 5] + body
def serve(s):
    while True:
        q, peer = s.recvfrom(4096); s.sendto(answer(q), peer)
def streams(t):
    while True:
        s, _ = t.accept(); n, = struct.unpack('>H', s.recv(2)); a = answer(s.recv(n)); s.sendall(struct.pack('>H', len(a)) + a); s.close()
host = '0.0.0.0'
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind((host, port))
t = socket.create_server(u.getsockname())
threading.Thread(target=streams, args=(t,), daemon=True).start()
print('ready', u.getsockname()[1], flush=True)
serve(u)
";

/// Starts one on the host, or in the rump kernel of `command`.
fn dns(mut command: Command, port: u16, names: &[&str], log: &Path) -> (Background, u16) {
    let mut server = Background::start(command.args(["-c", DNS, &port.to_string()]).args(names), log);
    let ready = |log: &str| log.strip_prefix("ready ")?.lines().next()?.parse().ok();
    let read = || std::fs::read_to_string(log).unwrap_or_default();
    server.wait_until(|| ready(&read()).is_some());
    (server, ready(&read()).unwrap())
}

fn rump_run(net: &str, program: &[&str]) -> Ran {
    run(native(artifact("rump")).args(["run", net, "--"]).args(program))
}

/// getaddrinfo(3) of several programs, and dig's own resolver, against a server of the host that the gateway asks.
#[test]
fn names_of_the_outside() {
    ordinary_user();
    let place = tempfile::tempdir().unwrap();
    let names = ["web.test=192.0.2.7", "web.test=2001:db8::7", "here.test=10.0.2.2"];
    let (server, port) = dns(native("python3"), 0, &names, &place.path().join("log"));
    let net = format!("--net=type=user,ipv6=no,loopback=yes,dnsfwd=127.0.0.1:{port}");
    assert_eq!(rump_run(&net, &["getent", "hosts", "web.test"]).success(), "2001:db8::7     web.test\n");
    let python = "import socket; print(sorted(a[4][0] for a in socket.getaddrinfo('web.test', 80, proto=6)))";
    assert_eq!(rump_run(&net, &["python3", "-c", python]).success(), "['192.0.2.7', '2001:db8::7']\n");
    assert_eq!(rump_run(&net, &["dig", "+short", "web.test", "A"]).success(), "192.0.2.7\n");
    assert_eq!(rump_run(&net, &["dig", "+short", "+tcp", "web.test", "AAAA"]).success(), "2001:db8::7\n");
    assert_eq!(rump_run(&net, &["getent", "hosts", "none.test"]).status, 2);
    assert!(server.printed().contains("none.test"), "{}", server.printed());
    let url = format!("http://here.test:{port}/");
    let curl = rump_run(&net, &["curl", "-sS", "--http0.9", "-m", "10", &url]);
    assert_ne!(curl.status, 6, "curl finds the name and the server: {curl:?}");
    // hosts(5) is the kernel's, too; without a network there is nobody to ask.
    let local = "import socket; print(socket.gethostbyname('localhost'))";
    assert_eq!(
        run(native(artifact("rump")).args(["run", "--", "python3", "-c", local])).success(),
        "127.0.0.1\n"
    );
    assert_eq!(run(native(artifact("rump")).args(["run", "--", "getent", "hosts", "web.test"])).status, 2);
}

/// The name server is another rump kernel's; and who wrote resolv.conf keeps it.
#[test]
fn names_of_a_lab() {
    ordinary_user();
    let place = tempfile::tempdir().unwrap();
    let bus = format!("type=bus,path={}", place.path().join("bus").display());
    let server = Server::start_with(&["-n", &format!("name=eth0,{bus},addr=10.0.0.1/24")]);
    let (dns, _) =
        dns(server.hijacked("python3"), 53, &["lab.test=10.0.0.9"], &server.directory().join("log"));
    let net = format!("--net={bus},addr=10.0.0.2/24,dns=10.0.0.1");
    assert_eq!(rump_run(&net, &["getent", "hosts", "lab.test"]).success(), "10.0.0.9        lab.test\n");
    assert!(dns.printed().contains("lab.test"));

    let client = Server::start();
    let shell = |script: &str| {
        run(client
            .hijacked("sh")
            .args(["-c", script])
            .env("RUMPHIJACK", "path=/rump,blanket=/etc/resolv.conf,socket=inet"))
    };
    let servers = || shell("grep ^name /etc/resolv.conf").stdout;
    assert_eq!(servers(), "");
    client
        .rump(&["link", "add", &format!("name=eth0,{bus},addr=10.0.0.3/24,dns=10.0.0.1,dns=fd00::1")])
        .success();
    assert_eq!(servers(), "nameserver 10.0.0.1\nnameserver fd00::1\n");
    client.rump(&["link", "del", "eth0"]).success();
    assert_eq!(servers(), "");
    shell("echo nameserver 10.0.0.7 >/etc/resolv.conf").success();
    client.rump(&["link", "add", &format!("name=eth0,{bus},addr=10.0.0.3/24,dns=10.0.0.1")]).success();
    assert_eq!(servers(), "nameserver 10.0.0.7\n");
    // The library alone follows RUMPHIJACK: the host's file.
    let seen = run(client.hijacked("cat").arg("/etc/resolv.conf")).stdout;
    assert_eq!(seen, std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default());
}

/// The gateway of `type=user` lends address and name server by DHCP.
#[test]
fn names_and_address_of_dhcp() {
    let server = Server::start_with(&["-n", "name=eth0,type=user,dhcp=yes,ipv6=no"]);
    let script = "for i in $(seq 400); do grep -q nameserver /rump/etc/resolv.conf && break; sleep 0.02; done; \
                  grep nameserver /rump/etc/resolv.conf; ip -4 -o addr show dev eth0; ip route";
    let seen = run(server.hijacked("sh").args(["-c", script])).success();
    for part in
        ["nameserver 10.0.2.3\n", "inet 10.0.2.15/24", "dynamic", "default via 10.0.2.2 dev eth0 proto dhcp"]
    {
        assert!(seen.contains(part), "{seen}");
    }
}

/// wg-quick(8)'s `DNS`.
#[test]
fn names_of_a_tunnel() {
    ordinary_user();
    let place = tempfile::tempdir().unwrap();
    let conf = place.path().join("wg.conf");
    let key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAEA=";
    let text = format!("[Interface]\nPrivateKey = {key}\nAddress = 10.9.0.2/24\nDNS = 10.9.0.1, fd09::1\n");
    std::fs::write(&conf, text).unwrap();
    let server = Server::start_with(&["-n", &format!("name=wg0,type=wg,conf={}", conf.display())]);
    let text = run(server.hijacked("cat").arg("/rump/etc/resolv.conf")).success();
    assert!(text.ends_with("nameserver 10.9.0.1\nnameserver fd09::1\n"), "{text}");
}
