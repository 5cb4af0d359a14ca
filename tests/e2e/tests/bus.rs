//! Rump kernels on one segment of shared memory (`type=bus`), and what `rump link` does to their links.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use e2e::{Background, Segments, Server, run};
use std::time::Instant;

/// A web server on port 80 of all addresses, with a file of 3 MB.
fn web(server: &Server) -> Background {
    let site = server.directory().join("site");
    std::fs::create_dir(&site).unwrap();
    std::fs::write(site.join("big"), big()).unwrap();
    let mut command = server.hijacked("python3");
    command.args(["-m", "http.server", "--bind", "::", "80", "--directory"]).arg(&site);
    let mut python = Background::start(&mut command, &server.directory().join("log"));
    python.wait_until(|| server.listens(80));
    python
}

fn big() -> Vec<u8> {
    (0..3_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

#[track_caller]
fn fetch(client: &Server, host: &str) {
    let out = client.directory().join("out");
    let url = format!("http://{host}/big");
    run(client.hijacked("curl").args(["-sS", "-g", "--max-time", "50", &url, "-o"]).arg(&out)).success();
    assert!(std::fs::read(&out).unwrap() == big(), "{url}: not what was sent");
}

/// A column of `rump link` for a link.
#[track_caller]
fn column(server: &Server, link: &str, name: &str) -> String {
    let table = server.rump(&["link"]).success();
    let mut lines = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let at = lines.next().unwrap().iter().position(|head| *head == name).unwrap();
    lines.find(|row| row[0] == link).unwrap_or_else(|| panic!("no {link}: {table}"))[at].to_owned()
}

#[test]
fn curl_on_one_python_on_the_other() {
    let segments = Segments::new();
    let (left, right) = (segments.host(1, ""), segments.host(2, ""));
    let _web = web(&left);
    fetch(&right, "10.0.0.1");
    fetch(&right, "[fd00::1]");
    right.ping("10.0.0.1", 2);
    right.ping("fd00::1", 2);
    assert!(column(&right, "eth0", "RX").parse::<u64>().unwrap() > 1000, "3 MB are 2000 frames");
    assert_eq!(column(&right, "eth0", "STATE"), "up");
}

#[test]
fn loss_and_delay_are_survived_and_the_same_as_set() {
    let segments = Segments::new();
    let faults = ",loss=2%,delay=2ms,duplicate=1%,corrupt=1%,reorder=1%,seed=7";
    let (left, right) = (segments.host(1, faults), segments.host(2, faults));
    let _web = web(&left);
    fetch(&right, "10.0.0.1");
    assert!(column(&left, "eth0", "LOST").parse::<u64>().unwrap() > 10, "of 2000 frames 2 % are lost");
    assert_eq!(
        column(&left, "eth0", "FAULTS"),
        faults[1..].replace(
            "delay=2ms,duplicate=1%,corrupt=1%,reorder=1%",
            "duplicate=1%,corrupt=1%,reorder=1%,delay=2ms"
        )
    );
}

#[test]
fn links_change_come_and_go_while_they_run() {
    let segments = Segments::new();
    let (left, right) = (segments.host(1, ""), segments.host(2, ""));
    right.ping("10.0.0.1", 1);
    right.rump(&["link", "set", "eth0", "delay=150ms"]).success();
    let before = Instant::now();
    right.ping("10.0.0.1", 1);
    assert!(before.elapsed().as_millis() >= 150, "{:?}", before.elapsed());
    right.rump(&["link", "set", "eth0", "delay=0ms,partition"]).success();
    assert_eq!(column(&right, "eth0", "STATE"), "partition");
    let lost = run(right.hijacked(right.directory().join("ping")).args(["-c", "1", "-W", "1", "10.0.0.1"]));
    assert_eq!(lost.status, 1, "{lost:?}");
    right.rump(&["link", "set", "eth0", "up"]).success();
    right.ping("10.0.0.1", 1);

    right.rump(&["link", "del", "eth0"]).success();
    let gone = run(right.hijacked(right.directory().join("ping")).args(["-c", "1", "-W", "1", "10.0.0.1"]));
    assert_eq!(gone.status, 2, "the network must be unreachable: {gone:?}");
    let spec = segments.link("eth1", "net", ",addr=10.0.0.3/24,mac=02:00:00:00:00:03");
    right.rump(&["link", "add", &spec]).success();
    assert_eq!(column(&right, "eth1", "MAC"), "02:00:00:00:00:03");
    right.ping("10.0.0.1", 1);
    left.ping("10.0.0.3", 1);
    for (args, part) in [
        (["link", "set", "eth1", "loss=5"].as_slice(), "'5'"),
        (&["link", "set", "eth1", "sideways"], "'sideways'"),
        (&["link", "set", "eth9", "up"], "'eth9'"),
        (&["link", "del", "lo"], "lo"),
        (&["link", "add", &spec], "eth1"),
        (&["link", "add", "name=eth2,type=bus"], "'path='"),
    ] {
        let refused = right.rump(args);
        assert!(refused.status == 1 && refused.stderr.contains(part), "{args:?}: {refused:?}");
        assert_eq!(refused.stderr.lines().count(), 1, "{refused:?}");
    }
}

/// Members that are killed at any time, with kill -9, neither stop the others nor what comes after them.
#[test]
fn members_come_and_go_and_are_killed() {
    let segments = Segments::new();
    let left = segments.host(1, "");
    for number in 2..6 {
        let mut other = segments.host(number, "");
        other.ping("10.0.0.1", 1);
        let address = format!("10.0.0.{number}");
        let flood = ["-q", "-f", "-c", "100000", "10.0.0.1"];
        let mut flooding = other.hijacked(other.directory().join("ping"));
        let flooding = Background::start(flooding.args(flood), &other.directory().join("flood"));
        left.ping(&address, 2);
        other.kill();
        drop(flooding);
    }
    // What the file of the segment holds is nobody's business.
    std::fs::write(segments.path("net"), [0x5a; 100_000]).unwrap();
    std::fs::OpenOptions::new().write(true).open(segments.path("net")).unwrap().set_len(0).unwrap();
    let (one, two) = (segments.host(7, ""), segments.host(8, ""));
    left.ping("10.0.0.8", 1);
    one.ping("fd00::8", 1);
    two.ping("10.0.0.1", 1);
    assert!(left.rump(&["link"]).success().contains("2 other members"));
}
