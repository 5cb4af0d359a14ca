//! What ip(8), ifconfig(8) and route(8) do with the rump kernel's network, compared with what they do in a network namespace of the
//! host's kernel.

use e2e::{Server, native, run};
use std::process::Command;

/// Both say it in words of their own.
const REASONS: [(&str, &str); 2] =
    [("RTNETLINK answers: File exists", "refused"), ("Error: ipv4: Address already assigned.", "refused")];

/// What a script prints in a new network namespace of an ordinary user. Where a host lets nobody make one, there is nothing to
/// compare with.
fn in_a_namespace(script: &str) -> Option<String> {
    let allowed = run(native("unshare").args(["-rn", "true"])).status == 0;
    if !allowed {
        eprintln!("skipped: this host does not let an ordinary user make a network namespace");
        return None;
    }
    Some(both_outputs(native("unshare").args(["-rn", "sh", "-c", script])))
}

fn both_outputs(command: &mut Command) -> String {
    let ran = run(command);
    let mut text = ran.stdout + &ran.stderr;
    for (theirs, ours) in REASONS {
        text = text.replace(theirs, ours);
    }
    text
}

#[track_caller]
fn same(script: &str) {
    let server = Server::start();
    let Some(expected) = in_a_namespace(script) else { return };
    let found = both_outputs(server.hijacked("sh").args(["-c", script]));
    assert_eq!(found, expected, "hijacked (left) differs from native (right):\n{script}");
    assert!(server.counter("calls") > 0, "nothing went through the rump kernel");
}

/// An address, and what comes with it.
#[test]
fn ip_address() {
    same(
        "exec 2>&1; ip link set lo up; ip link set lo mtu 9000
         ip addr add 10.9.0.1/24 dev lo; ip addr add 10.9.0.1/24 dev lo; ip addr add 10.9.0.2/24 dev lo label lo:2
         ip -6 addr add fd00::1/64 dev lo; sleep 0.3; ip -o addr show dev lo; ip -4 -br addr
         ip route get 10.9.0.1 | sed 's/uid.*//'; ip route get 127.0.0.1 | sed 's/uid.*//'
         ip addr del 10.9.0.1/24 dev lo; ip -4 addr; ip link show; ip addr flush dev lo; ip addr",
    );
}

/// Routes, rules and neighbours.
#[test]
fn ip_route() {
    same(
        "exec 2>&1; ip link set lo up
         ip route add 10.7.0.0/16 dev lo; ip route add 10.7.0.0/16 dev lo; ip route add blackhole 10.5.0.0/16 metric 7
         ip route add unreachable 10.6.0.0/16; ip route replace 10.7.0.0/16 dev lo mtu 1400; ip route
         ip route show 10.5.0.0/16; ip route get 10.5.1.1; ip route get 10.6.1.1
         ip route del 10.7.0.0/16; ip route del 10.7.0.0/16; ip route
         ip rule; ip -6 rule; ip neigh; ip link set nonesuch up; ip link del lo",
    );
}

/// The old tools.
#[test]
fn ifconfig_and_route() {
    same(
        "exec 2>&1; ifconfig lo 127.0.0.1 netmask 255.0.0.0 mtu 1500 up; ifconfig lo:1 10.3.0.1 netmask 255.255.0.0
         ifconfig lo:1 | head -2; ifconfig lo | head -2; ifconfig lo:1 0.0.0.0; ifconfig -s -a | cut -c1-16
         route add -net 10.7.0.0/16 dev lo; route add -net 10.6.0.0/16 reject; route -n
         route del -net 10.7.0.0/16 dev lo; route -n",
    );
}

/// Whoever listens is told of changes.
#[test]
fn ip_monitor() {
    same(
        "exec 2>&1; ip link set lo up; cd $(mktemp -d)
         timeout 20 ip monitor route >routes & r=$!; timeout 20 ip monitor address link >addresses & a=$!; sleep 1
         ip route add blackhole 10.5.0.0/16; ip route del blackhole 10.5.0.0/16
         ip addr add 10.1.0.1/24 dev lo; ip link set lo mtu 9000; ip addr del 10.1.0.1/24 dev lo
         sleep 0.5; kill $r $a; wait 2>/dev/null; grep -v local routes | grep -v broadcast; cat addresses; rm -r $PWD",
    );
}

/// `ip monitor` asks for the numbers of all namespaces that have names on the host.
#[test]
fn namespaces_have_no_numbers() {
    const SCRIPT: &str = r#"python3 - <<'END'
import os, socket, struct
asked = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
def ask(kind, flags, attributes):
    body = b'\0' * 4 + attributes
    asked.send(struct.pack('IHHII', 16 + len(body), kind, flags, 7, 0) + body)
    answer = asked.recv(4096)
    kind = struct.unpack('H', answer[4:6])[0]
    print(kind, answer[16:20 if kind == 2 else 28].hex())
ask(90, 1, struct.pack('HHI', 8, 2, os.getpid()))
ask(90, 1, struct.pack('HHI', 8, 3, os.open('/proc/self/ns/net', os.O_RDONLY)))
ask(90, 1, b'')
END"#;
    e2e::same_in_both(SCRIPT);
}
