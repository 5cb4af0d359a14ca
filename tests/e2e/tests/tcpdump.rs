//! tcpdump(8): packet sockets with a ring in shared memory, and a filter that the rump kernel runs.

use e2e::{Server, run};

#[test]
fn frames_that_a_filter_wants() {
    let server = Server::start();
    // On the host only root may capture, so there is nothing to compare with: the frames are those that are sent here.
    let script = "tcpdump -n -l -i lo -c 2 'icmp[icmptype] == icmp-echo and greater 300' 2>err & dump=$!
        for i in $(seq 200); do grep -q 'listening on lo' err && break; sleep 0.02; done
        $PING -n -c 1 127.0.0.1 >/dev/null; $PING -n -c 2 -i 0.2 -s 400 127.0.0.1 >/dev/null; wait $dump; grep -i fail err";
    let ping = server.ping_program();
    let ran =
        run(server.hijacked("sh").args(["-c", script]).env("PING", ping).current_dir(server.directory()));
    let lines: Vec<&str> = ran.stdout.lines().collect();
    let wanted = |line: &&str| {
        line.contains("127.0.0.1 > 127.0.0.1: ICMP echo request") && line.ends_with("length 408")
    };
    assert_eq!(lines.iter().filter(|line| wanted(line)).count(), 2, "{ran:?}");
    assert_eq!(lines.len(), 2, "nothing but what the filter wants, and the filter was taken: {ran:?}");
}

/// A program that waits for its ring and for something of the host sleeps while the ring is empty.
#[test]
fn a_ring_that_was_emptied_is_not_ready() {
    let server = Server::start();
    let script = "
import mmap, os, select, socket, struct, time
SOL_PACKET, PACKET_RX_RING, PACKET_VERSION, V2 = 263, 5, 10, 1
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x800)); s.bind(('lo', 0x800))
s.setsockopt(SOL_PACKET, PACKET_VERSION, V2)
s.setsockopt(SOL_PACKET, PACKET_RX_RING, struct.pack('4I', 4096, 2, 2048, 4))
ring = mmap.mmap(s.fileno(), 8192)
r, w = os.pipe(); p = select.poll(); p.register(s, select.POLLIN); p.register(r, select.POLLIN)
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
at = 0
for n in range(3):
    u.sendto(b'x', ('127.0.0.1', 9)); got = p.poll(5000); assert got == [(s.fileno(), select.POLLIN)], got
    while struct.unpack_from('I', ring, at * 2048)[0]:
        struct.pack_into('I', ring, at * 2048, 0); at = (at + 1) % 4
    begun = time.monotonic(); got = p.poll(200); assert not got and time.monotonic() - begun > 0.15, got
    ready = select.select([s, r], [], [], 0.05)[0]; assert not ready
print('asleep')";
    assert_eq!(run(server.hijacked("python3").args(["-c", script])).success(), "asleep\n");
}

/// packet(7): where a frame goes to says its address alone, and of that the family does not matter (net/packet/af_packet.c,
/// `packet_snd`; stress-ng leaves it 0).
#[test]
fn where_frames_go_to() {
    let server = Server::start();
    let script = "
import ctypes, errno, os, socket, struct
libc = ctypes.CDLL(None, use_errno=True)
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(('127.0.0.1', 0)); u.settimeout(5); port = u.getsockname()[1]
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0); s.bind(('lo', 0)); lo = socket.if_nametoindex('lo')
header = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 32, 1, 0, 64, 17, 0, b'\\x7f\\0\\0\\1', b'\\x7f\\0\\0\\1')
total = sum(struct.unpack('!10H', header)); total = (total & 0xffff) + (total >> 16)
header = header[:10] + struct.pack('!H', ~total & 0xffff) + header[12:]
frame = bytes(12) + b'\\x08\\0' + header + struct.pack('!4H', 9, port, 12, 0) + b'data'
def send(family, index, length=20):
    to = struct.pack('=HHiHBB8s', family, 0, index, 0, 0, 6, bytes(8))
    sent = libc.sendto(s.fileno(), frame, len(frame), 0, to, length)
    print(sent if sent >= 0 else errno.errorcode[ctypes.get_errno()], u.recv(100).decode() if sent > 0 else '')
send(17, lo); send(0, lo); send(17, 0); send(17, 99); send(17, lo, 12)
assert libc.bind(s.fileno(), bytes(20), 20) < 0 and ctypes.get_errno() == errno.EINVAL
print(s.send(frame), u.recv(100).decode())";
    let printed = run(server.hijacked("python3").args(["-c", script])).success();
    assert_eq!(printed, "46 data\n46 data\nENXIO \nENXIO \nEINVAL \n46 data\n");
}
