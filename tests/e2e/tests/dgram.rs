//! Ethernet over datagrams (`type=dgram`).

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use e2e::{Server, ordinary_user, run, web};
use std::net::UdpSocket;

/// Fetches 500,000 bytes each way round, and pings.
fn joined(left: &Server, right: &Server) {
    right.ping("10.0.0.1", 2);
    let _web = web(left);
    let got = run(right.hijacked("curl").args(["-sS", "--max-time", "20", "http://10.0.0.1/page"])).success();
    assert_eq!(got.len(), 500_000);
}

#[test]
fn over_unix_sockets() {
    ordinary_user();
    let place = tempfile::tempdir().unwrap();
    let path = |name: &str| place.path().join(name).display().to_string();
    let spec = |host: u8, local: &str, remote: &str| {
        let (local, remote) = (path(local), path(remote));
        format!("name=eth0,type=dgram,local={local},remote={remote},addr=10.0.0.{host}/24")
    };
    let left = Server::start_with(&["-n", &spec(1, "a", "b")]);
    let mut right = Server::start_with(&["-n", &spec(2, "b", "a")]);
    joined(&left, &right);
    // Killed, it leaves its socket behind, which the next one replaces; one that is served is not replaced.
    right.kill();
    let again = Server::start_with(&["-n", &spec(2, "b", "a")]);
    again.ping("10.0.0.1", 1);
    let taken = left.rump(&["link", "add", &spec(3, "b", "a").replace("eth0", "eth1")]);
    assert!(taken.status != 0 && taken.stderr.contains("b: Address already in use"), "{taken:?}");
    left.rump(&["link", "del", "eth0"]).success();
    assert!(!place.path().join("a").exists());
}

#[test]
fn over_udp_from_the_other_end_alone() {
    let free = || UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (a, b) = (free(), free());
    let left =
        Server::start_with(&["-n", &format!("name=eth0,type=dgram,local={a},remote={b},addr=10.0.0.1/24")]);
    let right =
        Server::start_with(&["-n", &format!("name=eth0,type=dgram,local={b},remote={a},addr=10.0.0.2/24")]);
    joined(&left, &right);
    let before = left.rump(&["link"]).success();
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    stranger.send_to(&[0xff; 60], a).unwrap();
    let received = |table: &str| {
        let row = table.lines().find(|line| line.starts_with("eth0")).unwrap().to_owned();
        row.split_whitespace().nth(6).unwrap().to_owned()
    };
    std::thread::sleep(std::time::Duration::from_millis(100));
    assert_eq!(received(&left.rump(&["link"]).success()), received(&before), "a stranger's frame was taken");
}
