//! Multicast DNS between two rump kernels on one segment, over IPv4 and over IPv6.

use e2e::{Background, Segments, run};

const REGISTER: &str = "
import socket, sys, time
from zeroconf import IPVersion, ServiceInfo, Zeroconf
daemon = Zeroconf(ip_version=getattr(IPVersion, sys.argv[1]))
addresses = [socket.inet_aton('10.0.0.1'), socket.inet_pton(socket.AF_INET6, 'fd00::1')]
daemon.register_service(ServiceInfo('_demo._tcp.local.', 'rump._demo._tcp.local.', port=80, addresses=addresses,
                                    properties={'path': '/x'}, server='rump.local.'))
print('registered', flush=True); time.sleep(60)
";
const LOOK_UP: &str = "
import sys
from zeroconf import IPVersion, ServiceBrowser, Zeroconf
import threading
asker = Zeroconf(ip_version=getattr(IPVersion, sys.argv[1])); seen = threading.Event()
class Seen:
    def add_service(self, zeroconf, kind, name): print(name); seen.set()
    def update_service(self, *_): pass
    def remove_service(self, *_): pass
ServiceBrowser(asker, '_demo._tcp.local.', Seen()); seen.wait(20)
info = asker.get_service_info('_demo._tcp.local.', 'rump._demo._tcp.local.', 10000)
print(info.port, info.properties, info.parsed_addresses(IPVersion.All), info.server); asker.close()
";

/// Debian package python3-zeroconf.
#[track_caller]
fn found_by_multicast(version: &str) {
    let segments = Segments::new();
    let (left, right) = (segments.host(1, ""), segments.host(2, ""));
    let mut register = left.hijacked("python3");
    register.args(["-c", REGISTER, version]);
    let mut daemon = Background::start(&mut register, &left.directory().join("log"));
    daemon.wait_until(|| daemon_says(&left));
    let printed = run(right.hijacked("python3").args(["-c", LOOK_UP, version])).success();
    let expected = "rump._demo._tcp.local.\n80 {b'path': b'/x'} ['10.0.0.1', 'fd00::1'] rump.local.\n";
    assert_eq!(printed, expected);
    assert!(right.counter("call.setsockopt") > 0);
}

fn daemon_says(server: &e2e::Server) -> bool {
    std::fs::read_to_string(server.directory().join("log")).is_ok_and(|log| log.contains("registered"))
}

#[test]
fn ipv4() {
    found_by_multicast("V4Only");
}

#[test]
fn ipv6() {
    found_by_multicast("V6Only");
}
