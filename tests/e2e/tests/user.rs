//! The host's networks through ordinary sockets (`type=user`): no privileges, no helper.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use e2e::{Background, Ran, Server, artifact, native, ordinary_user, run};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream, UdpSocket};
use std::thread::{JoinHandle, spawn};
use std::time::Duration;

const LIMIT: Option<Duration> = Some(Duration::from_secs(20));

/// A kernel behind a gateway whose addresses are this host's loopback.
fn server(more: &str) -> Server {
    Server::start_with(&["-n", &format!("name=eth0,type=user,loopback=yes,ipv6=yes{more}")])
}

/// What a program of Python does in the rump kernel, with the port in `sys.argv[1]`.
fn python(server: &Server, script: &str, port: u16) -> Ran {
    let script = format!("import socket, struct, sys, time\nport = int(sys.argv[1])\n{script}");
    run(server.hijacked("python3").args(["-c", &script, &port.to_string()]))
}

/// A server of this host's loopback that treats one connection; its port.
fn host<T: Send + 'static>(
    at: &str,
    treat: impl FnOnce(TcpStream) -> T + Send + 'static,
) -> (u16, JoinHandle<T>) {
    let listener = TcpListener::bind(at).unwrap();
    let port = listener.local_addr().unwrap().port();
    let thread = spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(LIMIT).unwrap();
        treat(stream)
    });
    (port, thread)
}

#[test]
fn curl_of_an_ordinary_user_reaches_the_outside() {
    ordinary_user();
    let answer = |mut stream: TcpStream| {
        let mut request = [0; 4096];
        let len = stream.read(&mut request).unwrap();
        let page = "x".repeat(3_000_000);
        write!(stream, "HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n{page}", page.len()).unwrap();
        String::from_utf8_lossy(&request[..len]).into_owned()
    };
    for (at, gateway) in [("127.0.0.1:0", "10.0.2.2"), ("[::1]:0", "[fd72:756d:70::2]")] {
        let (port, thread) = host(at, answer);
        let url = format!("http://{gateway}:{port}/page");
        let mut rump = native(artifact("rump"));
        rump.args(["run", "--net=type=user,loopback=yes,ipv6=yes", "--", "curl", "-sS", "-m", "20", &url]);
        assert_eq!(run(&mut rump).success().len(), 3_000_000);
        assert!(thread.join().unwrap().starts_with("GET /page"));
    }
    // It was the rump kernel: the same program without a link has no way.
    let (port, _) = host("127.0.0.1:0", |_| ());
    let url = format!("http://10.0.2.2:{port}/");
    let mut rump = native(artifact("rump"));
    assert_eq!(run(rump.args(["run", "--", "curl", "-sS", "-m", "20", &url])).status, 7);
    let mut rump = native(artifact("rump"));
    let refused = run(rump.args(["run", "--net", "--", "curl", "-sS", "-m", "20", &url]));
    assert_eq!(refused.status, 7, "the host's loopback is reached though nobody said so: {refused:?}");
    let mut rump = native(artifact("rump"));
    let listed =
        run(rump.args(["run", "--net", "--net=type=user,net=10.9.0.0/24", "--", "ip", "addr"])).success();
    assert!(listed.contains("inet 10.0.2.15/24") && listed.contains("inet 10.9.0.15/24"), "{listed}");
}

#[test]
fn each_direction_ends_by_itself() {
    let server = server("");
    // The host answers when it has read all.
    let (port, thread) = host("127.0.0.1:0", |mut stream| {
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        stream.write_all(format!("{} bytes", all.len()).as_bytes()).unwrap();
    });
    let script = "
s = socket.create_connection(('10.0.2.2', port), 20); s.sendall(b'x' * 5000000); s.shutdown(socket.SHUT_WR)
print(s.recv(100), s.recv(100))";
    assert_eq!(python(&server, script, port).success(), "b'5000000 bytes' b''\n");
    thread.join().unwrap();
    // The host ends first and goes on reading.
    let (port, thread) = host("127.0.0.1:0", |mut stream| {
        stream.write_all(b"hello").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut all = String::new();
        stream.read_to_string(&mut all).unwrap();
        all
    });
    let script = "
s = socket.create_connection(('10.0.2.2', port), 20)
print(s.recv(100), s.recv(100)); time.sleep(0.2); s.sendall(b'late'); s.close()";
    assert_eq!(python(&server, script, port).success(), "b'hello' b''\n");
    assert_eq!(thread.join().unwrap(), "late");
}

#[test]
fn refusals_and_resets_arrive() {
    let server = server("");
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let script = "
for address in '10.0.2.2', '10.0.2.3', 'fd72:756d:70::2':
    try: socket.create_connection((address, port), 20)
    except OSError as error: print(error.strerror)
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.settimeout(20); u.connect(('10.0.2.2', port)); u.send(b'x')
try: u.recv(1)
except OSError as error: print(error.strerror)";
    assert_eq!(python(&server, script, port).success(), "Connection refused\n".repeat(4));
    // RST of the host.
    let (port, _) = host("127.0.0.1:0", |mut stream| {
        let _ = stream.read(&mut [0; 1]);
        stream.write_all(&[0; 10]).unwrap();
    });
    let script = "
s = socket.create_connection(('10.0.2.2', port), 20); s.sendall(b'xx'); time.sleep(0.2)
try:
    while s.recv(100): pass
    print('end')
except OSError as error: print(error.strerror)";
    assert_eq!(python(&server, script, port).success(), "Connection reset by peer\n");
    // RST of the guest.
    let (port, thread) = host("127.0.0.1:0", |mut stream| stream.read(&mut [0; 10]).map_err(|e| e.kind()));
    let script = "
s = socket.create_connection(('10.0.2.2', port), 20)
s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0)); s.close(); time.sleep(0.2)";
    python(&server, script, port).success();
    assert_eq!(thread.join().unwrap(), Err(ErrorKind::ConnectionReset));
}

/// Who does not read stops who sends; nothing piles up in between.
#[test]
fn a_slow_reader_slows_the_sender() {
    let server = server("");
    let (port, thread) = host("127.0.0.1:0", |mut stream| {
        let mut taken = 0;
        stream.read_exact(&mut [0; 1]).unwrap();
        stream.set_nonblocking(true).unwrap();
        let mut still = 0;
        while still < 20 {
            match stream.write(&[1; 65536]) {
                Ok(len) => (taken, still) = (taken + len, 0),
                Err(_) => {
                    still += 1;
                    std::thread::sleep(Duration::from_millis(20));
                }
            }
        }
        // Closed only when the other end has finished, too.
        (taken, stream)
    });
    let script = "
s = socket.create_connection(('10.0.2.2', port), 20); s.setblocking(False)
taken = still = 0
while still < 20:
    try: taken += s.send(b'x' * 65536); still = 0
    except BlockingIOError: still += 1; time.sleep(0.02)
s.setblocking(True)
print(taken); sys.stdout.flush(); time.sleep(1)";
    let taken: usize = python(&server, script, port).success().trim().parse().unwrap();
    // Socket buffers of two stacks and of the host.
    assert!(taken < 32 << 20, "{taken} bytes to who reads one");
    let (taken, _stream) = thread.join().unwrap();
    assert!((1..32 << 20).contains(&taken), "{taken} bytes to who reads none");
}

#[test]
fn ports_of_the_host_lead_inside() {
    let (tcp, udp) = (free_port(), UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port());
    let server = server(&format!(",hostfwd=tcp:0.0.0.0:{tcp}-:80,hostfwd=udp:127.0.0.1:{udp}-:7"));
    let client = |port: u16| TcpStream::connect(("127.0.0.1", port));
    let refused = client(tcp).and_then(|mut stream| stream.read(&mut [0; 1]));
    assert_eq!(refused.map_err(|e| e.kind()), Err(ErrorKind::ConnectionReset), "nobody listens inside");
    let script = "
import socket
t = socket.create_server(('0.0.0.0', 80)); u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(('0.0.0.0', 7))
print('ready', flush=True)
for n in range(2):
    s, peer = t.accept(); print('from', peer, flush=True)
    data = b''
    while piece := s.recv(65536): data += piece
    s.sendall(data[::-1]); s.close()
while True:
    data, peer = u.recvfrom(65536); u.sendto(data[::-1], peer)";
    let mut command = server.hijacked("python3");
    let mut inside = Background::start(command.args(["-c", script]), &server.directory().join("log"));
    inside.wait_until(|| {
        std::fs::read_to_string(server.directory().join("log")).is_ok_and(|log| log.contains("ready"))
    });
    let own = own_address().unwrap_or("127.0.0.1".to_owned());
    for (to, seen) in [("127.0.0.1", "10.0.2.2"), (&own, if own == "127.0.0.1" { "10.0.2.2" } else { &own })]
    {
        let mut stream = TcpStream::connect((to, tcp)).unwrap();
        stream.set_read_timeout(LIMIT).unwrap();
        stream.write_all(b"abc").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "cba");
        let port = stream.local_addr().unwrap().port();
        let seen = format!("from ('{seen}', {port})");
        assert!(inside.printed().contains(&seen), "{seen} is not in {}", inside.printed());
    }
    for _ in 0..2 {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(LIMIT).unwrap();
        socket.send_to(b"xyz", ("127.0.0.1", udp)).unwrap();
        let mut answer = [0; 10];
        assert_eq!(socket.recv(&mut answer).unwrap(), 3);
        assert_eq!(&answer[..3], b"zyx");
    }
    // A port that is taken is an error that says so.
    let spec = format!("name=eth1,type=user,net=10.9.0.0/24,hostfwd=tcp:0.0.0.0:{tcp}-:80");
    let taken = server.rump(&["link", "add", &spec]);
    assert!(taken.status != 0 && taken.stderr.contains(&format!("hostfwd tcp:0.0.0.0:{tcp}")), "{taken:?}");
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn datagrams_of_many_flows() {
    let server = server("");
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    socket.set_read_timeout(LIMIT).unwrap();
    let thread = spawn(move || {
        let mut space = [0; 65536];
        let mut peers = std::collections::BTreeSet::new();
        for _ in 0..200 {
            let (len, peer) = socket.recv_from(&mut space).unwrap();
            socket.send_to(&space[..len], peer).unwrap();
            peers.insert(peer);
        }
        peers.len()
    });
    // 60,000 bytes come in fragments, whatever the link's MTU.
    let script = "
for n in range(200):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(20)
    data = bytes([n]) * (60000 if n == 7 else n + 1); s.sendto(data, ('10.0.2.2', port))
    assert s.recvfrom(65536) == (data, ('10.0.2.2', port))
print('ok')";
    assert_eq!(python(&server, script, port).success(), "ok\n");
    // The guest takes a port now and then again.
    assert!(thread.join().unwrap() > 150);
    let listed = server.rump(&["link"]).success();
    assert!(listed.contains(" flows") && !listed.contains(" 0 flows"), "{listed}");
}

#[test]
fn echo_requests_leave_where_the_host_lets_them() {
    let server = server("");
    // The gateway answers itself.
    server.ping("10.0.2.2", 1);
    let Some(own) = own_address() else { return };
    let ran = run(server.hijacked(server.ping_program()).args(["-n", "-c1", "-W5", &own]));
    if ping_sockets() {
        ran.success();
    } else {
        assert!(ran.stdout.contains("Packet filtered"), "{ran:?}");
        assert!(server.rump(&["link"]).success().contains("allows no ping sockets"));
    }
}

/// Whether an ordinary user may have ping sockets (icmp(7)).
fn ping_sockets() -> bool {
    let script = "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)";
    run(native("python3").args(["-c", script])).status == 0
}

/// An address of this host that is not its loopback.
fn own_address() -> Option<String> {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.connect("192.0.2.200:9").ok()?;
    Some(socket.local_addr().unwrap().ip().to_string()).filter(|ip| !ip.starts_with("127."))
}

/// A kernel with few descriptors: connections beyond a quarter of them wait, flows beyond an eighth end the oldest.
#[test]
fn descriptors_are_left_for_others() {
    ordinary_user();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let thread = spawn(move || {
        for _ in 0..35 {
            let (mut stream, _) = listener.accept().unwrap();
            spawn(move || stream.read(&mut [0; 1]));
        }
    });
    let script = "
import select, socket, sys
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for n in range(1, 101): u.sendto(b'x', ('10.0.2.2', n))
def connect():
    s = socket.socket(); s.setblocking(False); s.connect_ex(('10.0.2.2', int(sys.argv[1]))); return s
waiting = [connect() for n in range(35)]
open = []
while len(open) < 30:
    ready = select.select([], waiting, [], 20)[1]
    assert ready
    waiting = [s for s in waiting if s not in ready]; open += ready
print(len(open), len(select.select([], waiting, [], 0.2)[1]))
for s in open: s.close()
while waiting:
    ready = select.select([], waiting, [], 20)[1]
    assert ready
    waiting = [s for s in waiting if s not in ready]
print('all')";
    let mut limited = native("sh");
    let line = "ulimit -n 120; exec \"$0\" run --net=type=user,loopback=yes -- python3 -c \"$1\" \"$2\"";
    let ran = run(limited.arg("-c").arg(line).arg(artifact("rump")).arg(script).arg(port.to_string()));
    assert_eq!(ran.success(), "30 0\nall\n");
    thread.join().unwrap();
}
