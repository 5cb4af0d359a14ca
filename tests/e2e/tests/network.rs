//! What ip(8), ifconfig(8) and route(8) do with the rump kernel's network, compared with what they do in a network namespace of the
//! host's kernel.

use e2e::{Server, in_a_namespace, run};
use std::process::Command;

fn both_outputs(command: &mut Command) -> String {
    let ran = run(command);
    ran.stdout + &ran.stderr
}

#[track_caller]
fn same(script: &str) {
    let server = Server::start();
    let Some(mut natively) = in_a_namespace(script) else { return };
    let expected = both_outputs(&mut natively);
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

/// What is refused, and in which words.
#[test]
fn ip_says_why() {
    same(
        "exec 2>&1; ip link set lo up; ip addr add 10.0.0.1/24 dev lo; ip -6 addr add fd00::1/64 dev lo
         ip addr add 10.0.0.1/24 dev lo; ip -6 addr add fd00::1/64 dev lo; ip addr del 10.9.9.9/24 dev lo; ip -6 addr del fd09::9/64 dev lo
         ip route add 10.7.0.0/16 via 10.99.0.1; ip -6 route add fd07::/16 via fd99::1; ip route add 10.7.1.0/16 dev lo
         ip route add 10.7.0.0/16 dev lo src 10.88.0.1; ip -6 route add fd07::/32 dev lo src fd88::1; ip route del 10.8.0.0/16
         ip -6 route del fd08::/16; ip route change 10.8.0.0/16 dev lo; ip route get 10.99.0.1; ip -6 route get fd99::1
         ip neigh get 10.0.0.6 dev lo; ip neigh del 10.0.0.77 dev lo; ip link add x0 type nonesuch; ip link set nonesuch up
         ip route show table 77; ip route show table nonesuch; ip nexthop",
    );
}

/// Rules that are made and removed, and tables that they lead to.
#[test]
fn ip_rule() {
    same(
        "exec 2>&1; ip link set lo up; ip rule add from 10.1.0.0/16 table 77; ip rule add from 10.1.0.0/16 table 77
         ip rule add to 10.2.0.0/16 fwmark 5 lookup 78 priority 100; ip rule add iif lo blackhole
         ip rule add not from 10.3.0.1 fwmark 0x10/0xf0 oif lo unreachable; ip rule add table main suppress_prefixlength 0
         ip -6 rule add from fd00::/16 lookup 300; ip rule add iif nonesuch prohibit; ip rule; ip -d rule; ip -6 rule; ip -j rule
         ip rule show table 77; ip rule show from 10.1.0.0/16; ip rule del priority 100; ip rule del priority 100
         ip rule del from 10.1.0.0/16; ip rule; ip rule flush; ip rule; ip route get 127.0.0.1 mark 7 | sed 's/uid.*//'
         ip route add 10.44.0.0/16 dev lo table 77; ip route show table 77; ip route; ip route show table all type unicast
         ip route flush table 77; ip route show table 77",
    );
}

/// What a list is to have, and how it is shown.
#[test]
fn ip_filters_and_forms() {
    same(
        "exec 2>&1; ip link set lo up mtu 9000; ip addr add 10.0.0.1/24 dev lo; ip -6 addr add fd00::1/64 dev lo; ip route add 10.7.0.0/16 dev lo
         for how in 'table local' 'table all' 'dev lo' 'proto kernel' 'type local' 'root 10.0.0.0/8' 'match 10.0.0.9' 'exact 10.0.0.0/24'
         do ip route show $how; ip -6 route show $how; done; ip route get 10.0.0.9 oif lo | sed 's/uid.*//'
         for how in 'scope host' up 'to 10.0.0.0/8' 'label lo' permanent 'dev lo'; do ip addr show $how; done
         ip -j addr show dev lo; ip -j route; ip -d route; ip -d addr show dev lo",
    );
}

/// What ss(8) tells of connections besides their ends.
#[test]
fn ss_details() {
    const SCRIPT: &str = r"ip link set lo up 2>/dev/null; python3 - <<'END'
import socket, subprocess
server = socket.create_server(('127.0.0.1', 4000))
client = socket.create_connection(('127.0.0.1', 4000)); taken, _ = server.accept()
client.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 0x10)
six = socket.create_server(('::', 4001), family=socket.AF_INET6)
for how in ('-tnim state established', '-tlne', '-tn sport = :4000'):
    out = subprocess.run(['ss', *how.split()], capture_output=True, text=True).stdout
    for word in ('skmem:(', ' mss:', 'rto:', 'wscale:', 'segs_in:', 'v6only:0', '<->', 'ESTAB', 'LISTEN', '127.0.0.1:4000'):
        print(how, word, out.count(word))
END";
    let server = Server::start();
    let printed = run(server.hijacked("sh").args(["-c", SCRIPT])).success();
    let Some(mut natively) = in_a_namespace(SCRIPT) else { return };
    assert_eq!(printed, run(&mut natively).success(), "hijacked (left) differs from native (right)");
    assert!(server.counter("calls") > 0, "nothing went through the rump kernel");
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
         timeout 20 ip monitor route >routes & r=$!; timeout 20 ip monitor rule >rules & u=$!; timeout 20 ip monitor address link >addresses & a=$!; sleep 1
         ip route add blackhole 10.5.0.0/16; ip route del blackhole 10.5.0.0/16; ip rule add fwmark 3 table 9; ip rule del fwmark 3
         ip addr add 10.1.0.1/24 dev lo; ip link set lo mtu 9000; ip addr del 10.1.0.1/24 dev lo
         sleep 0.5; kill $r $a $u; wait 2>/dev/null; cat routes; cat addresses rules; rm -r $PWD",
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
