"""Segments written by hand against a TCP of whatever kernel: RFC 9293, RFC 5961, RFC 7323. Prints what it answers.

The peer is an address that nobody has, so that no kernel answers for it."""
import random, select, sys, time
from scapy.all import ARP, Ether, IP, TCP, Raw, conf
conf.verb = 0

ME, GATEWAY, THEM = '10.0.1.77', '10.0.1.1', '10.0.2.9'
ECHO, DEAF, SHORT, CLOSED, TALK = 80, 81, 82, 83, 84
MARK = 1023
wire = conf.L2socket(iface='eth0')
mac = '02:00:00:00:00:77'
port = random.randrange(20000, 60000)


def heard(timeout, wanted):
    """The first frame that is wanted."""
    end = time.monotonic() + timeout
    while (left := end - time.monotonic()) > 0:
        if not select.select([wire], [], [], left)[0]: break
        frame = wire.recv()
        if frame is not None and wanted(frame): return frame


def gateway():
    """Its hardware address; it takes note of ours."""
    for _ in range(20):
        wire.send(Ether(src=mac, dst='ff:ff:ff:ff:ff:ff') / ARP(hwsrc=mac, psrc=ME, pdst=GATEWAY))
        found = heard(0.5, lambda f: ARP in f and f[ARP].op == 2 and f[ARP].psrc == GATEWAY)
        if found: return found[ARP].hwsrc
    sys.exit('nobody answers')


class Peer:
    """One end of a connection."""
    def __init__(self, dport=ECHO, options=(), isn=5000):
        global port
        port += 1
        self.sport, self.dport, self.seq, self.ack, self.options = port, dport, isn, 0, list(options)

    def send(self, flags, seq=None, ack=None, data=b'', options=None, window=500, wait=None):
        """Sends a segment. Answers what comes within `wait` seconds; without that, what comes before the answer to a SYN for a closed
        port that is sent behind it. None: nothing."""
        tcp = TCP(sport=self.sport, dport=self.dport, flags=flags, window=window, seq=(self.seq if seq is None else seq) % 2**32,
                  ack=(self.ack if ack is None else ack) % 2**32 if 'A' in flags else 0,
                  options=self.options if options is None else options)
        frame = Ether(src=mac, dst=router) / IP(src=ME, dst=THEM) / tcp
        wire.send(frame / Raw(data) if data else frame)
        if wait is not None: return self.wait(wait)
        wire.send(Ether(src=mac, dst=router) / IP(src=ME, dst=THEM) / TCP(sport=MARK, dport=CLOSED, flags='S', seq=1))
        marked = lambda f: TCP in f and f[IP].src == THEM and f[TCP].dport == MARK
        first = heard(10, lambda f: self.mine(f) or marked(f))
        if not self.mine(first): return None
        heard(10, marked)
        return first

    def mine(self, f):
        return TCP in f and f[IP].src == THEM and f[TCP].dport == self.sport and f[TCP].sport == self.dport

    def wait(self, timeout):
        return heard(timeout, self.mine)

    def open(self):
        answer = self.send('S', wait=10)
        self.seq, self.ack = self.seq + 1, answer[TCP].seq + 1
        self.send('A', wait=0)
        return self

    def show(self, answer):
        """Flags, and numbers from where the connection is."""
        if answer is None: return 'nothing'
        tcp = answer[TCP]
        number = lambda n, base: (n - base + 2**31) % 2**32 - 2**31
        text = f'{tcp.flags} seq {number(tcp.seq, self.ack)}'
        return f'{text} ack {number(tcp.ack, self.seq)}' if 'A' in tcp.flags else text

    def lives(self):
        """Whether bytes come back."""
        data = b'x' * 7
        self.send('PA', data=data, wait=0)
        end = time.monotonic() + 10
        while (left := end - time.monotonic()) > 0 and (answer := self.wait(left)) is not None:
            if 'R' in answer[TCP].flags: return 'dead'
            if Raw in answer and bytes(answer[Raw])[:7] == data:
                self.seq, self.ack = self.seq + 7, self.ack + 7
                self.send('A', wait=0)
                return 'alive'
        return 'silent'


def case(name, *found):
    print(name + ':', *found, flush=True)


def stamps(value, echo=0):
    return [('NOP', None), ('NOP', None), ('Timestamp', (value, echo))]


def stranger():
    for name, flags, seq, ack, data in [
        ('RST at RCV.NXT', 'R', 0, 0, b''), ('RST in the window', 'R', 100, 0, b''), ('RST before it', 'R', -1, 0, b''),
        ('RST beyond it', 'R', 10_000_000, 0, b''), ('SYN', 'S', 0, 0, b''), ('SYN before', 'S', -100_000, 0, b''), ('SYN, ACK', 'SA', 1, 0, b''),
        ('ACK of what was not sent', 'A', 0, 10_000, b'lost'), ('ACK of long ago', 'A', 0, -100_000, b'lost'),
        ('a keep-alive probe', 'A', -1, 0, b''), ('an old segment', 'A', -5, 0, b'abcde'), ('one beyond the window', 'A', 10_000_000, 0, b'abcde'),
        ('no ACK', '', 0, 0, b'lost')]:
        peer = Peer().open()
        case(name, peer.show(peer.send(flags, peer.seq + seq, peer.ack + ack, data)), peer.lives())


def unopened():
    for name, dport in [('listening', ECHO), ('closed', CLOSED)]:
        for flags in ['', 'F', 'FPU', 'R', 'A', 'FA', 'SF', 'SA']:
            peer = Peer(dport)
            case(f'{name}, {flags or "null"}', peer.show(peer.send(flags, ack=0)))
    peer = Peer(CLOSED)
    case('closed SYN', peer.show(peer.send('S')).split('ack')[1])
    peer = Peer()
    answer = peer.send('S')
    wrong = peer.send('A', peer.seq + 1, answer[TCP].seq + 9)
    case('SYN-RECEIVED, a wrong ACK', wrong[TCP].flags, wrong[TCP].seq - answer[TCP].seq)


def paws():
    peer = Peer(options=stamps(1000))
    answer = peer.send('S', wait=10)
    echo = dict(answer[TCP].options).get('Timestamp', (0, 0))
    case('stamps', echo[1])
    peer.seq, peer.ack = peer.seq + 1, answer[TCP].seq + 1
    peer.send('A', options=stamps(1001, echo[0]), wait=0)
    case('an old stamp', peer.show(peer.send('PA', data=b'old', options=stamps(500, echo[0]))))
    new = peer.send('PA', data=b'new', options=stamps(1002, echo[0]), wait=10)
    case('a new stamp', 'ack', new[TCP].ack - peer.seq, dict(new[TCP].options)['Timestamp'][1])


def windows():
    peer = Peer(DEAF).open()
    sent, window = 0, 1000
    while window:
        answer = peer.send('A', peer.seq + sent, data=b'z' * min(window, 1000), wait=10)
        if answer is None: break
        sent, window = (answer[TCP].ack - peer.seq) % 2**32, answer[TCP].window
    # Answers to what lies beyond a window are rate limited.
    time.sleep(0.6)
    probe = peer.send('A', peer.seq + sent, data=b'!')
    case('a full window', window == 0, 'a probe', probe[TCP].window, (probe[TCP].ack - peer.seq) % 2**32 == sent)
    peer = Peer(TALK).open()
    first = peer.wait(10)
    got = (first[TCP].seq - peer.ack) % 2**32 + len(first[Raw])
    peer.send('A', ack=peer.ack + got, window=0, wait=0)
    while (more := peer.wait(0.15)) is not None and Raw in more: got = max(got, (more[TCP].seq - peer.ack) % 2**32 + len(more[Raw]))
    peer.send('A', ack=peer.ack + got, window=0, wait=0)
    probe = peer.wait(10)
    small = probe is not None and (Raw not in probe or len(probe[Raw]) <= 1)
    opened = peer.send('A', ack=peer.ack + got, window=500, wait=10)
    case('a closed window', 'is probed', small, 'and goes on', opened is not None and Raw in opened)


def ends():
    peer = Peer().open()
    peer.send('FA', wait=0)
    answers = [peer.wait(10)]
    if 'F' not in answers[0][TCP].flags: answers.append(peer.wait(10))
    case('FIN', peer.show(answers[-1]))
    peer.seq, peer.ack = peer.seq + 1, peer.ack + 1
    peer.send('A', wait=0)
    case('after all', peer.show(peer.send('A', data=b'late')).split(' ack')[0])
    peer = Peer(SHORT).open()
    fin = peer.wait(10)
    case('closed there', peer.show(fin))
    peer.ack += 1
    case('FIN-WAIT-2, our FIN', peer.show(peer.send('FA')))
    case('TIME-WAIT, again', peer.show(peer.send('FA')))
    case('TIME-WAIT, a wrong RST', peer.show(peer.send('R', peer.seq + 50)), peer.show(peer.send('FA')))
    peer.seq, isn = peer.seq + 100_000, peer.ack
    again = peer.send('S', wait=10)
    case('TIME-WAIT, a new SYN', again[TCP].flags, again[TCP].ack - peer.seq)


router = gateway()
for what in sys.argv[1:]:
    router = gateway()
    globals()[what]()
