"""Random calls on an AF_UNIX stream with urgent data: `unix_urgent.py SEED COUNT`.

Prints what each answers. FIONREAD is left out: Linux 6.18 goes on counting an urgent byte that a read has passed over.
"""
import fcntl, random, select, signal, socket, struct, sys, os, errno
seed, count = int(sys.argv[1]), int(sys.argv[2])
rnd = random.Random(seed); got = []
signal.signal(signal.SIGURG, lambda *_: got.append(1))
a, b = socket.socketpair()
for s in (a, b): s.setblocking(False)
fcntl.fcntl(b, fcntl.F_SETOWN, os.getpid())
n = 0
def data(k):
    global n
    n += 1
    return bytes([n % 256]) * k
def f():
    what = rnd.choice(['send', 'send', 'oob', 'oob', 'recv', 'recv', 'recv', 'urg', 'urg', 'peek', 'peekurg', 'ioctl', 'poll', 'inline', 'waitall', 'zero', 'sendmsg'])
    if what == 'send': return what, a.send(data(rnd.choice([1, 3, 5])))
    if what == 'oob': return what, a.send(data(rnd.choice([1, 1, 3])), socket.MSG_OOB)
    if what == 'sendmsg': return what, a.sendmsg([data(2), data(1)], [], socket.MSG_OOB)
    k = rnd.choice([1, 2, 4, 100])
    if what == 'recv': return what, k, b.recv(k)
    if what == 'zero': return what, b.recv(0)
    if what == 'waitall': return what, k, b.recv(k, socket.MSG_WAITALL)
    if what == 'urg': return what, b.recvmsg(k, 0, socket.MSG_OOB)[0::2]
    if what == 'peek': return what, k, b.recv(k, socket.MSG_PEEK)
    if what == 'peekurg': return what, b.recv(k, socket.MSG_PEEK | socket.MSG_OOB)
    if what == 'inline':
        on = rnd.random() < .3; b.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, on); return what, on
    return 'all',
for i in range(count):
    try: r = f()
    except OSError as e: r = errno.errorcode[e.errno],
    p = select.poll(); p.register(b, 0xffff)
    print(i, *r, len(got), [struct.unpack('i', fcntl.ioctl(b, c, bytes(4)))[0] for c in (0x8905,)], [hex(e) for _, e in p.poll(0)])
a.close()
for _ in range(5):
    try: print(b.recv(3))
    except OSError as e: print(errno.errorcode[e.errno])
