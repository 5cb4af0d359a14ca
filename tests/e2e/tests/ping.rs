//! ping(8) over ping sockets (icmp(7)).

use e2e::{Server, native, run};

/// What ping prints without the times.
fn plain(stdout: &str) -> Vec<String> {
    let line = |line: &str| line.split(" time").next().unwrap_or_default().to_owned();
    stdout.lines().filter(|line| !line.starts_with("rtt")).map(line).collect()
}

#[test]
fn ping_both_families() {
    let server = Server::start();
    let ping = server.ping_program();
    for address in ["127.0.0.1", "::1"] {
        let args = ["-n", "-c", "3", "-i", "0.2", address];
        let expected = run(native("ping").args(args)).success();
        let found = run(server.hijacked(&ping).args(args)).success();
        assert_eq!(plain(&found), plain(&expected), "hijacked (left) differs from native (right)");
    }
    assert!(server.counter("call.recvmsg") > 0, "it did not go through the rump kernel");
}
