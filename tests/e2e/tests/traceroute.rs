//! traceroute(8) through the host's networks (`type=user`): hops beyond the host are told, and so is what they say.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use e2e::{artifact, native, run};

/// A host in a network namespace of its own, with a router and a host behind it; `$1` is rump_server, `$2` the library.
const SCRIPT: &str = "
set -e
mount -t tmpfs none /run
ip link set lo up
for name in router far; do ip netns add $name; ip -n $name link set lo up; done
ip link add veth0 type veth peer name veth1 netns router
ip -n router link add veth0 type veth peer name veth1 netns far
ip addr add 192.0.2.1/25 dev veth0; ip link set veth0 up; ip route add default via 192.0.2.2
ip -n router addr add 192.0.2.2/25 dev veth1; ip -n router link set veth1 up
ip -n router addr add 192.0.2.129/25 dev veth0; ip -n router link set veth0 up
ip -n far addr add 192.0.2.130/25 dev veth1; ip -n far link set veth1 up; ip -n far route add default via 192.0.2.129
ip -n router route add unreachable 198.51.100.0/24
ip netns exec router sysctl -qw net.ipv4.ip_forward=1 net.ipv4.icmp_ratelimit=0
ip netns exec far sysctl -qw net.ipv4.icmp_ratelimit=0
sysctl -qw net.ipv4.ping_group_range='0 0'
directory=$(mktemp -d)
$1 -n name=eth0,type=user unix://$directory/server
export RUMP_SERVER=unix://$directory/server RUMPHIJACK=socket=all
# First: a router that has just told of other things says for a second nothing of networks that it cannot reach.
LD_PRELOAD=$2 traceroute -n -q 1 -w 2 -m 4 198.51.100.7 2>&1 || true
for how in '' -I; do
    LD_PRELOAD=$2 traceroute -n $how -q 2 -w 2 192.0.2.130 2>&1 || true
done
LD_PRELOAD=$2 python3 -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(5); s.connect((\"192.0.2.130\", 9)); s.send(b\"x\")
try: s.recv(1)
except OSError as error: print(error.strerror)
'
$3 halt --server $RUMP_SERVER
rm -r $directory
";

#[test]
fn hops_beyond_the_host_are_told() {
    if run(native("unshare").args(["-rnm", "true"])).status != 0 {
        return;
    }
    let files = ["rump_server", "librumphijack.so", "rump"].map(artifact);
    let printed = run(native("unshare").args(["-rnm", "sh", "-c", SCRIPT, "sh"]).args(files)).success();
    let hops: Vec<Vec<&str>> = printed
        .lines()
        .filter(|line| line.starts_with(' '))
        .map(|line| {
            line.split_whitespace()
                .filter(|word| word.contains(['.', '!']) && !word.ends_with("ms"))
                .collect()
        })
        .map(|words: Vec<&str>| words.into_iter().filter(|word| word.matches('.').count() != 1).collect())
        .collect();
    let way = [vec!["10.0.2.2"], vec!["192.0.2.2"], vec!["192.0.2.130"]];
    assert_eq!(hops.get(..2), Some(&[vec!["10.0.2.2"], vec!["192.0.2.2", "!H"]][..]), "{printed}");
    assert_eq!(hops.get(2..5), Some(&way[..]), "UDP: {printed}");
    assert_eq!(hops.get(5..), Some(&way[..]), "echo requests: {printed}");
    assert!(printed.ends_with("Connection refused\n"), "{printed}");
}
