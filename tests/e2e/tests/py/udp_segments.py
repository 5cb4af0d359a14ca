"""Datagrams cut by UDP_SEGMENT, and received by UDP_GRO, on lo: `udp_segments.py`. Prints what the kernel answers."""
import errno, itertools, select, socket, struct
UDP, SEGMENT, GRO = 17, 103, 104
def said(f, *args):
    try: return f(*args)
    except OSError as e: return errno.errorcode[e.errno]
def pair(family, gro=None):
    b = socket.socket(family, socket.SOCK_DGRAM); b.bind(('::1' if family == socket.AF_INET6 else '127.0.0.1', 0))
    if gro is not None: b.setsockopt(UDP, GRO, gro)
    a = socket.socket(family, socket.SOCK_DGRAM); a.connect(b.getsockname()); b.settimeout(5)
    return a, b
def got(b):
    "Lengths, first bytes and control messages of what waits."
    found = []
    while select.select([b], [], [], 0 if found else 5)[0]:
        data, control, flags, _ = b.recvmsg(70000, 64)
        found.append((len(data), data[:1], [(l, k, struct.unpack('i', d)[0]) for l, k, d in control], flags))
    return [(one, len(list(same))) for one, same in itertools.groupby(found)]
def segment(size, form='H'): return [(UDP, SEGMENT, struct.pack(form, size))]
def options(s):
    for name in (SEGMENT, GRO):
        print(name, s.getsockopt(UDP, name), [said(s.setsockopt, UDP, name, v) for v in (-1, 65536, 65535, 0, 1000, b'', b'\1', b'\1\0', b'\5\0\0\0\0')], s.getsockopt(UDP, name), s.getsockopt(UDP, name, 2))
for family in (socket.AF_INET, socket.AF_INET6):
    a, b = pair(family); options(a); a.close()
    data = b''.join(bytes([65 + n]) * 1000 for n in range(9)) + b'tail'
    for gro in (None, 1, 0):
        a, b = pair(family, gro)
        for how in (segment(1000), segment(0), segment(9004), segment(9003), segment(65535), segment(1), [], segment(500) + segment(2000)):
            sent = said(a.sendmsg, [data[:120] if how == segment(1) else data], how)
            print(gro, how, sent, got(b) if isinstance(sent, int) else '')
        a.setsockopt(UDP, SEGMENT, 3000); print(a.send(data), got(b), a.sendmsg([data], segment(0)), got(b), a.sendmsg([data], segment(4000)), got(b))
        print(said(a.send, b''), got(b), said(a.send, b'x'), got(b))
    # What is refused.
    a, b = pair(family)
    for n, size in ((128, 10), (129, 10), (64, 1000), (65, 1000), (128, 500), (65, 1), (128, 1), (129, 1), (1, 65000), (2, 32000), (1, 65507), (1, 65508), (1, 65527), (1, 65528)):
        sent = said(a.sendmsg, [b'x' * (n * size)], segment(size)); print(n, size, sent, (got(b)[0][1] if isinstance(sent, int) else ''))
    for control in (segment(10, 'I'), segment(10, 'B'), [(UDP, SEGMENT, b'')], [(UDP, GRO, b'\1\0')], [(UDP, 99, b'')], [(99, SEGMENT, b'\1\0')], [(socket.SOL_SOCKET, 99, b'')]):
        print(control, said(a.sendmsg, [b'x' * 30], control), end=' ')
        b.setblocking(False)
        try:
            while True: print(len(b.recv(99)), end=' ')
        except BlockingIOError: print()
    print(said(a.sendmsg, [b'x' * 9000], segment(1000), socket.MSG_OOB)); 
    try:
        while True: b.recv(9000)
    except BlockingIOError: pass
    # Short buffers, and looks.
    a, b = pair(family, 1); a.sendmsg([data], segment(1000))
    print(b.recvmsg(1500, 64, socket.MSG_PEEK)[1:3], b.recvmsg(0, 64, socket.MSG_PEEK | socket.MSG_TRUNC)[:3], b.recvmsg(100, 3)[1:3])
    # A port that nobody has: each is answered on its own, the socket has one error.
    to = b.getsockname(); b.close(); print(a.sendmsg([data], segment(1000)), said(a.send, b'x'), a.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
# An IPv6 socket that speaks IPv4; many destinations.
b = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); b.setsockopt(41, 26, 0); b.bind(('::', 0)); b.setsockopt(UDP, GRO, 1)
a = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); a.sendmsg([b'z' * 2500], segment(1000), 0, ('127.0.0.1', b.getsockname()[1])); print(got(b))
a = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); a.sendmsg([b'z' * 2500], segment(1000), 0, ('::ffff:127.0.0.1', b.getsockname()[1])); print(got(b))
t = socket.socket(); print(said(t.setsockopt, UDP, SEGMENT, 100), said(t.getsockopt, UDP, SEGMENT))
