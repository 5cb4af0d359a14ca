"""Calls on sockets, by a generator of random numbers: `random_sockets.py DIRECTORY SEED COUNT [KIND...]`, each KIND one of tcp, udp, unix.

Prints what each answers. The same seed makes the same calls, in whichever kernel: sockets wait for a twentieth of a second at most, segments are not
held back, little is sent so that no buffer fills, and ports are printed by the order in which they were seen.
"""
import ctypes, errno, fcntl, os, random, select, socket, struct, sys, time
base, seed, count, kinds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:] or ['tcp', 'udp', 'unix']
libc = ctypes.CDLL(None, use_errno=True)
rnd = random.Random(f'{seed} {kinds}')
os.makedirs(base, exist_ok=True); os.chdir(base)
WAIT = struct.pack("ll", 0, 50_000)
FAMILIES = {'tcp': [(socket.AF_INET, socket.SOCK_STREAM), (socket.AF_INET6, socket.SOCK_STREAM)],
            'udp': [(socket.AF_INET, socket.SOCK_DGRAM), (socket.AF_INET6, socket.SOCK_DGRAM)],
            'unix': [(socket.AF_UNIX, socket.SOCK_STREAM)] * 2 + [(socket.AF_UNIX, socket.SOCK_DGRAM), (socket.AF_UNIX, socket.SOCK_SEQPACKET)]}
sockets, byte = [], 0
def said(result, *_):
    if result < 0: raise OSError(ctypes.get_errno(), '')
    return result

# Addresses, as bytes. Fixed ports are ones that nobody has.
def free_ports(n):
    held = [socket.create_server(('127.0.0.1', 0)) for _ in range(n)]
    ports = [s.getsockname()[1] for s in held]
    for s in held: s.close()
    return ports
fixed = free_ports(3)
named = {0: '0', **{port: f'P{n}' for n, port in enumerate(fixed)}}
def port_name(port): return named.setdefault(port, f'E{len(named) - len(fixed) - 1}')
def in4(ip, port): return struct.pack('=H', socket.AF_INET) + port.to_bytes(2, 'big') + socket.inet_aton(ip) + bytes(8)
def in6(ip, port): return struct.pack('=H', socket.AF_INET6) + port.to_bytes(2, 'big') + bytes(4) + socket.inet_pton(socket.AF_INET6, ip) + bytes(4)
def unix(path): return struct.pack('=H', socket.AF_UNIX) + path
def show(raw):
    if len(raw) < 2: return raw.hex()
    family = struct.unpack('=H', raw[:2])[0]
    if family == socket.AF_INET: return f'{socket.inet_ntoa(raw[4:8])}:{port_name(int.from_bytes(raw[2:4], "big"))}/{len(raw)}'
    if family == socket.AF_INET6: return f'{socket.inet_ntop(family, raw[8:24])}:{port_name(int.from_bytes(raw[2:4], "big"))}/{len(raw)}'
    if family == socket.AF_UNIX:
        name = raw[2:]
        # Names that the kernel chooses are random.
        return f'unix {"RANDOM" if b"random" in name else "AUTO" if name[:1] == bytes(1) else name!r}'
    return raw.hex()
def name_of(call, s):
    room = ctypes.create_string_buffer(128); length = ctypes.c_uint(128)
    said(call(s.fileno(), room, ctypes.byref(length)))
    return room.raw[:length.value]
def address(s):
    """One to bind or connect `s` to, and what it is called."""
    what = rnd.random()
    if what < .45 and sockets:
        # Where another is.
        n = rnd.randrange(len(sockets))
        if sockets[n] is s and s.type == socket.SOCK_STREAM: n = (n + 1) % len(sockets)
        try: raw = name_of(libc.getsockname, sockets[n])
        except OSError: raw = b''
        return raw, f'of {n}'
    if what < .5: return rnd.choice([(struct.pack('=H', 0) + bytes(14), 'UNSPEC'), (b'', 'nothing'), (b'\2', 'one byte'), (struct.pack('=H', 99) + bytes(14), 'family 99')])
    port = rnd.choice([0, *fixed])
    if s.family == socket.AF_UNIX:
        path = rnd.choice([b'a', b'b', b'c/d', bytes(1) + b'random%d-%d' % (seed, os.getpid()), b'', b'a\0', b'x' * 108, b'a'])
        return unix(path), f'unix {path[:8]!r}'
    if (s.family == socket.AF_INET) ^ (what > .93):
        ip = rnd.choice(['127.0.0.1', '127.0.0.1', '0.0.0.0', '127.0.0.2', '127.0.0.1'])
        return in4(ip, port)[:rnd.choice([16, 16, 16, 16, 8])], f'{ip}:{port_name(port)}'
    ip = rnd.choice(['::1', '::1', '::', '::ffff:127.0.0.1', '::ffff:0.0.0.0', '::1'])
    return in6(ip, port)[:rnd.choice([28, 28, 28, 24, 8])], f'[{ip}]:{port_name(port)}'

def enter(s):
    for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO): s.setsockopt(socket.SOL_SOCKET, option, WAIT)
    if s.family != socket.AF_UNIX and s.type == socket.SOCK_STREAM: s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if len(sockets) >= 8: sockets.pop(rnd.randrange(8)).close()
    sockets.append(s)
def pick(): return rnd.choice(sockets)
def data():
    global byte
    byte += 1
    return bytes([byte % 256]) * rnd.choice([0, 1, 1, 10, 10, 500])
def seen(b): return f'{len(b)}:{b[:3].hex()}{b[-1:].hex()}'
def shown_control(control): return [(level, kind, len(value)) for level, kind, value in control]

def op_socket():
    family, kind = rnd.choice(FAMILIES[rnd.choice(kinds)]); nonblock = rnd.random() < .5
    s = socket.socket(family, kind); enter(s); s.setblocking(not nonblock)
    return f'{family.name} {kind.name} {"nonblock" * nonblock}', lambda: sockets.index(s)
def op_socketpair():
    if 'unix' not in kinds: return op_socket()
    kind = rnd.choice([socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET])
    def f():
        for s in socket.socketpair(socket.AF_UNIX, kind): enter(s)
    return kind.name, f
def op_bind():
    s = pick(); raw, name = address(s)
    return name, lambda: said(libc.bind(s.fileno(), raw, len(raw)))
def op_listen():
    s, n = pick(), rnd.choice([8, 128, -1])
    return n, lambda: said(libc.listen(s.fileno(), n))
def op_connect():
    s = pick(); raw, name = address(s)
    return name, lambda: said(libc.connect(s.fileno(), raw, len(raw)))
def op_accept():
    s, flags = pick(), rnd.choice([0, socket.SOCK_NONBLOCK, socket.SOCK_CLOEXEC, 1])
    def f():
        room = ctypes.create_string_buffer(128); length = ctypes.c_uint(128)
        new = socket.socket(fileno=said(libc.accept4(s.fileno(), room, ctypes.byref(length), flags)))
        found = show(room.raw[:length.value]), fcntl.fcntl(new, fcntl.F_GETFL), fcntl.fcntl(new, fcntl.F_GETFD)
        new.setblocking(not flags & socket.SOCK_NONBLOCK); enter(new)
        return found
    return flags, f
# A connection of two, since by chance there are few.
def op_pair():
    family, kind = rnd.choice([one for kind in kinds for one in FAMILIES[kind] if one[1] != socket.SOCK_DGRAM] or [(socket.AF_INET, socket.SOCK_DGRAM)])
    if kind == socket.SOCK_DGRAM: return op_socket()
    def f():
        l = socket.socket(family, kind)
        if family != socket.AF_UNIX: l.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        l.bind({socket.AF_INET: ('127.0.0.1', 0), socket.AF_INET6: ('::1', 0), socket.AF_UNIX: ''}[family]); l.listen(8)
        c = socket.socket(family, kind); c.connect(l.getsockname()); s, _ = l.accept(); l.close(); enter(c); enter(s)
        return port_name(c.getsockname()[1]) if family != socket.AF_UNIX else None
    return f'{family.name} {kind.name}', f
SEND = [0, 0, 0, socket.MSG_DONTWAIT, socket.MSG_OOB, socket.MSG_EOR, socket.MSG_DONTROUTE, socket.MSG_NOSIGNAL]
RECEIVE = [0, 0, 0, socket.MSG_PEEK, socket.MSG_DONTWAIT, socket.MSG_OOB, socket.MSG_TRUNC, socket.MSG_WAITALL, socket.MSG_PEEK | socket.MSG_TRUNC, socket.MSG_OOB | socket.MSG_PEEK, socket.MSG_ERRQUEUE]
def op_send():
    s, flags, d = pick(), rnd.choice(SEND), data()
    return f'{flags:x} {len(d)}', lambda: s.send(d, flags)
def op_write():
    s, d = pick(), data()
    return len(d), lambda: os.write(s.fileno(), d)
def op_sendto():
    s, flags, d = pick(), rnd.choice(SEND), data(); raw, name = address(s)
    return f'{flags:x} {len(d)} {name}', lambda: said(libc.sendto(s.fileno(), d, len(d), flags, raw, len(raw)))
def op_sendmsg():
    s, flags, d = pick(), rnd.choice(SEND), [data(), data()]
    return f'{flags:x} {[len(x) for x in d]}', lambda: s.sendmsg(d, [], flags)
def op_recv():
    s, flags, n = pick(), rnd.choice(RECEIVE), rnd.choice([0, 1, 5, 10, 2000])
    return f'{flags:x} {n}', lambda: seen(s.recv(n, flags)) if not flags & socket.MSG_TRUNC else s.recv_into(bytearray(n), n, flags)
def op_read():
    s, n = pick(), rnd.choice([0, 1, 5, 2000])
    return n, lambda: seen(os.read(s.fileno(), n))
def op_recvfrom():
    s, flags, n = pick(), rnd.choice(RECEIVE), rnd.choice([1, 10, 2000])
    def f():
        room = ctypes.create_string_buffer(128); length = ctypes.c_uint(128); into = ctypes.create_string_buffer(n)
        got = said(libc.recvfrom(s.fileno(), into, n, flags, room, ctypes.byref(length)))
        return got, into.raw[:3].hex(), show(room.raw[:length.value]) if length.value <= 128 else length.value
    return f'{flags:x} {n}', f
def op_recvmsg():
    s, flags, n = pick(), rnd.choice(RECEIVE), rnd.choice([0, 1, 10, 2000])
    def f():
        got, control, found, _ = s.recvmsg(n, 256, flags)
        return seen(got) if not flags & socket.MSG_TRUNC else None, shown_control(control), hex(found)
    return f'{flags:x} {n}', f
def op_shutdown():
    s, how = pick(), rnd.choice([0, 1, 2, 1, 3])
    return how, lambda: said(libc.shutdown(s.fileno(), how))
def op_getsockname():
    s = pick()
    return '', lambda: show(name_of(libc.getsockname, s))
def op_getpeername():
    s = pick()
    return '', lambda: show(name_of(libc.getpeername, s))
def op_poll():
    s, wanted = pick(), rnd.choice([0xffff, 0, select.POLLIN, select.POLLOUT | select.POLLRDHUP, select.POLLPRI])
    def f():
        p = select.poll(); p.register(s, wanted)
        return [hex(events) for _, events in p.poll(0)]
    return f'{wanted:x}', f
def op_poll_all():
    def f():
        p = select.poll()
        for s in sockets: p.register(s, 0xffff)
        found = dict(p.poll(0))
        return [hex(found.get(s.fileno(), 0)) for s in sockets]
    return '', f
def op_ioctl():
    # FIONREAD, SIOCATMARK, SIOCOUTQ, SIOCOUTQNSD.
    s, what = pick(), rnd.choice([0x541b, 0x541b, 0x8905, 0x5411, 0x894b])
    def f():
        end = time.monotonic() + .3
        while True:
            value = struct.unpack('i', fcntl.ioctl(s, what, bytes(4)))[0]
            # What is not acknowledged is soon; of others it is counted with what the kernel needs for it.
            if what != 0x5411 or s.family == socket.AF_UNIX or s.type == socket.SOCK_DGRAM or value == 0 or time.monotonic() > end: break
            time.sleep(.01)
        # What Linux counts of a connection that is over depends on how it ended.
        if what == 0x5411 and s.type == socket.SOCK_STREAM and s.family != socket.AF_UNIX and s.getsockopt(6, socket.TCP_INFO, 1)[0] not in (1, 8): return None
        return value if what != 0x5411 or s.family != socket.AF_UNIX and s.type == socket.SOCK_STREAM else value > 0
    return hex(what), f
OPTIONS = [(1, n) for n in (2, 6, 9, 10, 13, 15, 16, 18, 29, 30, 35, 38, 39, 3, 4, 7777)] + [(0, n) for n in (1, 2, 6, 8, 10, 11, 12, 13, 15, 24)] \
    + [(41, n) for n in (16, 25, 26, 49, 51, 66, 67)] + [(6, n) for n in (4, 5, 6, 7, 8, 18, 23, 30, 36)] + [(17, 104), (17, 103)]
UNSET = {(1, 3), (1, 4), (1, 38), (1, 39), (1, 30), (1, 18)}
def op_getsockopt():
    s, (level, name) = pick(), rnd.choice(OPTIONS)
    return f'{level} {name}', lambda: s.getsockopt(level, name, rnd2.choice([4, 4, 8, 2, 1])).hex()
def op_error():
    s = pick()
    return '', lambda: s.getsockopt(1, 4)
def op_setsockopt():
    s, (level, name) = pick(), rnd.choice([one for one in OPTIONS if one not in UNSET])
    value = struct.pack('ii', rnd.choice([0, 1, 1, 2, 100, -1, 70000]), rnd.choice([0, 1]))[:rnd.choice([4, 4, 4, 8, 1, 0])]
    return f'{level} {name} {value.hex()}', lambda: s.setsockopt(level, name, value)
def op_linger():
    s = pick()
    return '', lambda: s.setsockopt(1, socket.SO_LINGER, struct.pack('ii', 1, 0))
def op_state():
    s = pick()
    return '', lambda: s.getsockopt(6, socket.TCP_INFO, 1).hex()
def op_dup():
    s = pick()
    return '', lambda: enter(s.dup())
def op_close():
    s = pick()
    def f():
        sockets.remove(s); s.close()
    return '', f
def op_blocking():
    s, on = pick(), rnd.random() < .3
    return on, lambda: s.setblocking(on)
ops = {name[3:]: f for name, f in sorted(globals().items()) if name.startswith('op_')}
often = {'send': 5, 'recv': 5, 'pair': 3, 'connect': 6, 'bind': 4, 'listen': 3, 'accept': 4, 'poll': 3, 'poll_all': 2, 'shutdown': 2, 'sendto': 4, 'recvfrom': 3, 'close': 2, 'socket': 2}
rnd2 = random.Random(seed + 1)
for i in range(count):
    name = rnd.choices(list(ops), [often.get(name, 1) for name in ops])[0]
    if not sockets: name = 'socket'
    what, f = ops[name]()
    who = ''
    cells = f.__closure__ or ()
    for cell in cells:
        if isinstance(cell.cell_contents, socket.socket) and cell.cell_contents in sockets: who = sockets.index(cell.cell_contents)
    try: r = f()
    except OSError as e: r = errno.errorcode.get(e.errno, e.errno)
    print(i, name, who, what, '->', r)
    # What a call has caused on lo is there a moment later.
    time.sleep(.002)
for s in sockets: s.close()
