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
    assert!(column(&right, "eth0", "RX").parse::<u64>().unwrap() > 90, "2 x 3 MB are more frames of 64 KiB");
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

/// Whoever may write the segment's file may connect to its members; nothing that is said or passed there harms them.
#[test]
fn hostile_members() {
    const HOSTILE: &str = "
import array, mmap, os, socket, struct, sys
def connect():
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.connect(sys.argv[1]); return s
def hello(s, head, *fds):
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', fds))] if fds else []
    s.sendmsg([b'rump bus 1' + struct.pack('<Q', head)], rights)
SIZE = 8 * (64 + (1 << 20))
def memory(seal, size=SIZE):
    fd = os.memfd_create('x', os.MFD_ALLOW_SEALING); os.ftruncate(fd, size)
    if seal: __import__('fcntl').fcntl(fd, 1033, 2)
    return fd
silent = connect()
for text in [b'', b'x', b'rump bus 1', b'rump bus 2' + bytes(8), bytes(60000)]:
    try: connect().send(text)
    except OSError: pass
hello(connect(), 0)
hello(connect(), 0, os.open('/dev/zero', os.O_RDWR)); hello(connect(), 0, os.pipe()[0])
hello(connect(), 0, memory(True, 4096)); hello(connect(), 0, memory(True))
unsealed = memory(False); hello(connect(), 0, unsealed); os.ftruncate(unsealed, 0)
# One that looks right, and lies about everything: places, lengths, that it sleeps.
kept = []
for head in 0, 1, 1 << 19, 1 << 20, (1 << 64) - 1:
    fd = memory(True); m = mmap.mmap(fd, SIZE); kept.append(m)
    m[0:8] = struct.pack('>Q', int.from_bytes(b'rumpbus' + bytes([1]), 'big'))[::-1]
    for word in 8, 16: m[8 * word:8 * word + 8] = struct.pack('<Q', (1 << 64) - 1)
    s = connect(); kept.append(s); hello(s, head, fd)
    for lie in 1, 1 << 20, (1 << 20) + 1, 1 << 40, (1 << 64) - 1, 3:
        for at in range(0, 4096, 8): m[512 + at:520 + at] = struct.pack('<Q', lie)
        m[8 * 24:8 * 24 + 8] = struct.pack('<Q', lie); m[8 * 32:8 * 32 + 8] = struct.pack('<Q', lie)
        try:
            for _ in range(50): s.send(b'wake up')
        except OSError: pass
print('done', flush=True); __import__('time').sleep(60)
";
    let segments = Segments::new();
    let (left, right) = (segments.host(1, ""), segments.host(2, ""));
    left.ping("10.0.0.2", 1);
    for member in ["0", "1"] {
        let mut python = e2e::native("python3");
        let socket = segments.path("net.d").join(member);
        let log = left.directory().join(format!("hostile{member}"));
        let mut hostile = Background::start(python.args(["-c", HOSTILE]).arg(socket), &log);
        hostile.wait_until(|| std::fs::read_to_string(&log).is_ok_and(|text| !text.is_empty()));
        assert_eq!(hostile.printed(), "done\n");
        left.ping("10.0.0.2", 2);
    }
    right.ping("10.0.0.1", 2);
}

/// Who comes over tcp:// is nobody to this host: no link is made for them, which could start a program or open a file.
#[test]
fn over_tcp_no_link_is_made() {
    e2e::ordinary_user();
    let directory = tempfile::tempdir().unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("tcp://127.0.0.1:{port}/");
    let mut server = e2e::native(e2e::artifact("rump_server"));
    let log = directory.path().join("log");
    let mut server = Background::start(server.args(["-s", &url]), &log);
    server.wait_until(|| std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    let file = directory.path().join("made");
    let rump = |args: &[&str]| run(e2e::native(e2e::artifact("rump")).args(args).env("RUMP_SERVER", &url));
    assert_eq!(rump(&["link"]).status, 0);
    let refused = rump(&["link", "add", &format!("name=eth0,type=bus,path={}", file.display())]);
    assert!(refused.status == 1 && refused.stderr.contains("tcp://") && !file.exists(), "{refused:?}");
}
