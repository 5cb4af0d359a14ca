"""The counters of a server (man/rump_sp.7: rump_info, topic counters)."""

import socket
import struct

REQ, HANDSHAKE, OPTIONS, CALL = 0, 0, 32, 33
CALL_FRAMES = 1
INFO, TOPIC_COUNTERS, ROOM = 0x1004, 2, 64 << 10
HEADER = struct.Struct("<QQHHI")


def read(path):
    """Their values by name."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(str(path))
        stream = connection.makefile("rwb")
        stream.readline()
        send(stream, 1, HANDSHAKE, 0, b"suite\0")
        receive(stream)
        send(stream, 2, OPTIONS, 0, struct.pack("<I", CALL_FRAMES))
        # The address is one that nobody dereferences: the bytes come back in the reply.
        send(stream, 3, CALL, INFO, struct.pack("<6Q", TOPIC_COUNTERS, 0x1000, ROOM, 0, 0, 0) + bytes(8))
        reply = receive(stream)
        segments = struct.unpack_from("<I", reply, 12)[0]
        rows = reply[24 + 16 * segments:].decode().splitlines()
    return {name: int(value) for name, value in (row.split("\t") for row in rows)}


def send(stream, number, kind, union, payload):
    stream.write(HEADER.pack(HEADER.size + len(payload), number, REQ, kind, union) + payload)
    stream.flush()


def receive(stream):
    length = HEADER.unpack(stream.read(HEADER.size))[0]
    return stream.read(length - HEADER.size)
