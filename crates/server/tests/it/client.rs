//! A client that writes and reads rump_sp byte by byte, independent of the crates that it tests.

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags,
};
use std::collections::VecDeque;
use std::io::{IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

pub(crate) const REQ: u16 = 0;
pub(crate) const RESP: u16 = 1;
pub(crate) const ERROR: u16 = 2;

pub(crate) const HANDSHAKE: u16 = 0;
pub(crate) const SYSCALL: u16 = 1;
pub(crate) const COPYIN: u16 = 2;
pub(crate) const PREFORK: u16 = 7;
pub(crate) const OPTIONS: u16 = 32;
pub(crate) const CALL: u16 = 33;
pub(crate) const CANCEL: u16 = 34;

pub(crate) const GUEST: u32 = 0;
pub(crate) const FORK: u32 = 2;
pub(crate) const EXEC: u32 = 3;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) reqno: u64,
    pub(crate) class: u16,
    pub(crate) kind: u16,
    pub(crate) word: u32,
    pub(crate) payload: Vec<u8>,
}

/// A file that a call made, with its host descriptor.
#[derive(Debug)]
pub(crate) struct NewFile {
    pub(crate) cookie: u64,
    pub(crate) kfd: u32,
    pub(crate) host: OwnedFd,
}

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) value: i64,
    pub(crate) files: Vec<NewFile>,
    pub(crate) drain: u32,
    pub(crate) fill: u32,
    pub(crate) out: Vec<(u64, Vec<u8>)>,
}

pub(crate) struct Client {
    pub(crate) stream: UnixStream,
    reqno: u64,
    bytes: Vec<u8>,
    fds: VecDeque<OwnedFd>,
}

pub(crate) fn frame(reqno: u64, class: u16, kind: u16, word: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = (24 + payload.len() as u64).to_le_bytes().to_vec();
    bytes.extend(reqno.to_le_bytes());
    bytes.extend(class.to_le_bytes());
    bytes.extend(kind.to_le_bytes());
    bytes.extend(word.to_le_bytes());
    bytes.extend(payload);
    bytes
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

impl Client {
    pub(crate) fn connect(path: &Path) -> Self {
        let mut stream = UnixStream::connect(path).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.set_write_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut banner = [0; 95];
        let len = stream.read(&mut banner).unwrap();
        let banner = std::str::from_utf8(&banner[..len]).unwrap();
        assert!(banner.starts_with("RUMPSP-0.5-Linux-") && banner.ends_with("/x86_64\n"), "{banner:?}");
        Self::of(stream)
    }

    /// On a connection whose banner was read.
    pub(crate) fn of(stream: UnixStream) -> Self {
        Self { stream, reqno: 0, bytes: Vec::new(), fds: VecDeque::new() }
    }

    pub(crate) fn send(&mut self, class: u16, kind: u16, word: u32, payload: &[u8]) -> u64 {
        self.reqno += 1;
        self.stream.write_all(&frame(self.reqno, class, kind, word, payload)).unwrap();
        self.reqno
    }

    /// The next frame, none at the end of the stream.
    pub(crate) fn receive(&mut self) -> Option<Frame> {
        loop {
            if self.bytes.len() >= 24 {
                let len = u64_at(&self.bytes, 0) as usize;
                if self.bytes.len() >= len {
                    let rest = self.bytes.split_off(len);
                    let whole = std::mem::replace(&mut self.bytes, rest);
                    return Some(Frame {
                        reqno: u64_at(&whole, 8),
                        class: u32_at(&whole, 16) as u16,
                        kind: (u32_at(&whole, 16) >> 16) as u16,
                        word: u32_at(&whole, 20),
                        payload: whole[24..].to_vec(),
                    });
                }
            }
            if !self.read_more() {
                assert_eq!(self.bytes, [], "the end within a frame");
                return None;
            }
        }
    }

    fn read_more(&mut self) -> bool {
        let mut space = vec![0; 64 << 10];
        let mut control = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(253))];
        let mut control = RecvAncillaryBuffer::new(&mut control);
        let mut pieces = [IoSliceMut::new(&mut space)];
        let got = match rustix::net::recvmsg(&self.stream, &mut pieces, &mut control, RecvFlags::empty()) {
            Ok(got) => got.bytes,
            Err(rustix::io::Errno::CONNRESET | rustix::io::Errno::PIPE) => 0,
            Err(errno) => panic!("recvmsg: {errno}"),
        };
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(fds) = message {
                self.fds.extend(fds);
            }
        }
        self.bytes.extend(&space[..got]);
        got > 0
    }

    pub(crate) fn guest(&mut self, name: &str) {
        let reqno = self.send(REQ, HANDSHAKE, GUEST, format!("{name}\0").as_bytes());
        self.expect_accepted(reqno);
    }

    pub(crate) fn expect_accepted(&mut self, reqno: u64) {
        let expected = Frame { reqno, class: RESP, kind: HANDSHAKE, word: 0, payload: vec![0; 4] };
        assert_eq!(self.receive(), Some(expected));
    }

    pub(crate) fn expect_refusal(&mut self, reqno: u64, code: u32) {
        let expected = Frame { reqno, class: ERROR, kind: 0, word: code, payload: Vec::new() };
        assert_eq!(self.receive(), Some(expected));
    }

    pub(crate) fn options(&mut self, bits: u32) {
        self.send(REQ, OPTIONS, 0, &bits.to_le_bytes());
    }

    /// Sends a CALL; answers its number.
    pub(crate) fn start(&mut self, nr: u32, args: &[u64], memory: &[(u64, &[u8])]) -> u64 {
        let payload = call_payload(args, memory, 0);
        self.send(REQ, CALL, nr, &payload)
    }

    /// Sends a CALL with a descriptor; answers its number.
    pub(crate) fn start_with(&mut self, nr: u32, args: &[u64], memory: &[(u64, &[u8])], fd: &OwnedFd) -> u64 {
        self.start_behind(Vec::new(), nr, args, memory, fd)
    }

    /// The name of the next frame, for who sends it himself.
    pub(crate) fn next_reqno(&mut self) -> u64 {
        self.reqno += 1;
        self.reqno
    }

    /// As [`Client::start_with`], in one message with what stands before it.
    pub(crate) fn start_behind(
        &mut self,
        mut bytes: Vec<u8>,
        nr: u32,
        args: &[u64],
        memory: &[(u64, &[u8])],
        fd: &OwnedFd,
    ) -> u64 {
        self.reqno += 1;
        bytes.extend(frame(self.reqno, REQ, CALL, nr, &call_payload(args, memory, 1)));
        let fds = [fd.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        assert!(control.push(SendAncillaryMessage::ScmRights(&fds)));
        let pieces = [IoSlice::new(&bytes)];
        let sent = rustix::net::sendmsg(&self.stream, &pieces, &mut control, SendFlags::empty());
        assert_eq!(sent, Ok(bytes.len()));
        self.reqno
    }
}

pub(crate) fn call_payload(args: &[u64], memory: &[(u64, &[u8])], descriptors: u32) -> Vec<u8> {
    let mut payload = Vec::new();
    for at in 0..6 {
        payload.extend(args.get(at).copied().unwrap_or(0).to_le_bytes());
    }
    payload.extend((memory.len() as u32).to_le_bytes());
    payload.extend(descriptors.to_le_bytes());
    for (addr, bytes) in memory {
        payload.extend(addr.to_le_bytes());
        payload.extend((bytes.len() as u64).to_le_bytes());
    }
    for (_, bytes) in memory {
        payload.extend(*bytes);
    }
    payload
}

impl Client {
    /// The reply to a CALL, which is the next frame.
    pub(crate) fn finish(&mut self, reqno: u64) -> Reply {
        let frame = self.receive().expect("a reply");
        assert_eq!((frame.class, frame.kind, frame.reqno), (RESP, CALL, reqno), "{frame:?}");
        self.parse_reply(&frame.payload)
    }

    pub(crate) fn call(&mut self, nr: u32, args: &[u64], memory: &[(u64, &[u8])]) -> Reply {
        let reqno = self.start(nr, args, memory);
        self.finish(reqno)
    }

    pub(crate) fn parse_reply(&mut self, payload: &[u8]) -> Reply {
        let (files, segments) = (u32_at(payload, 8) as usize, u32_at(payload, 12) as usize);
        let mut at = 24;
        let mut reply = Reply {
            value: u64_at(payload, 0).cast_signed(),
            files: Vec::new(),
            drain: u32_at(payload, 16),
            fill: u32_at(payload, 20),
            out: Vec::new(),
        };
        for _ in 0..files {
            // Without a descriptor it is one that the process has already.
            if u32_at(payload, at + 24) & 2 != 0 {
                reply.files.push(NewFile {
                    cookie: u64_at(payload, at),
                    kfd: u32_at(payload, at + 16),
                    host: self.fds.pop_front().expect("its descriptor"),
                });
            }
            at += 32;
        }
        let mut data = at + segments * 16;
        for _ in 0..segments {
            let len = u64_at(payload, at + 8) as usize;
            reply.out.push((u64_at(payload, at), payload[data..data + len].to_vec()));
            data += len;
            at += 16;
        }
        assert_eq!(data, payload.len());
        reply
    }

    /// A connected pair of rump AF_UNIX stream sockets.
    pub(crate) fn socketpair(&mut self) -> [NewFile; 2] {
        let reply = self.call(abi::nr::SOCKETPAIR, &[1, 1, 0, 0x1000], &[]);
        assert_eq!(reply.value, 0);
        reply.files.try_into().unwrap()
    }

    pub(crate) fn write(&mut self, file: &NewFile, data: &[u8]) -> Reply {
        self.call(abi::nr::WRITE, &[file.kfd.into(), 0x2000, data.len() as u64], &[(0x2000, data)])
    }

    pub(crate) fn read(&mut self, file: &NewFile, len: u64) -> Reply {
        self.call(abi::nr::READ, &[file.kfd.into(), 0x3000, len], &[])
    }

    pub(crate) fn identify(&mut self, cookie: u64) -> i64 {
        self.call(abi::private::IDENTIFY, &[cookie], &[]).value
    }

    /// A counter of rump_info.
    pub(crate) fn counter(&mut self, name: &str) -> u64 {
        let reply = self.call(abi::private::INFO, &[2, 0x1000, 1 << 16], &[]);
        let text = String::from_utf8(reply.out[0].1.clone()).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('\t'));
        line.map_or(0, |value| value.parse().unwrap())
    }
}
