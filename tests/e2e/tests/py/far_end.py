"""The other end of segments.py: a port that echoes, one that does not read, one that closes at once, one that talks."""
import selectors, socket
wait = selectors.DefaultSelector()
kept = []


def listen(port, ready):
    listener = socket.socket(); listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if port == 81: listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    listener.bind(('', port)); listener.listen(100)
    wait.register(listener, selectors.EVENT_READ, ready)


def echo(connection):
    try: data = connection.recv(65536)
    except OSError: data = b''
    if data: connection.send(data)
    else: wait.unregister(connection); connection.close()


def on_echo(listener):
    connection, _ = listener.accept(); wait.register(connection, selectors.EVENT_READ, echo)


def on_talk(listener):
    connection, _ = listener.accept(); connection.setblocking(False); connection.send(b'y' * 100_000); kept.append(connection)


listen(81, lambda listener: kept.append(listener.accept()))
listen(82, lambda listener: listener.accept()[0].close())
listen(84, on_talk)
listen(80, on_echo)
while True:
    for key, _ in wait.select(): key.data(key.fileobj)
