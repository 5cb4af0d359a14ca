//! The server's side.

use super::Relay;
use super::pair::Pair;
use crate::credentials;
use crate::files::{Files, Hint};
use crate::session::Session;
use crate::socket_unsafe;
use foldhash::HashMap;
use kernel::{FileId, FileKind};
use rustix::event::epoll::EventFlags;
use rustix::net::{AddressFamily, SocketFlags, sockopt};
use std::io::{Read, Write};
use std::net::{SocketAddrV4, TcpStream};
use std::os::fd::OwnedFd;
use std::time::Duration;
use wire::banner::{self, Banner};
use wire::call::{Reply, emit_request};
use wire::relay::{self, Ready, Token};
use wire::{Decoder, Frame, Header, Message, class, handshake, kind, option};

/// A server that has not answered by then is away.
const PATIENCE: Duration = Duration::from_secs(2);

/// A connection to a server with extensions, and its banner.
pub(super) fn connect(far: SocketAddrV4) -> Option<(OwnedFd, Vec<u8>)> {
    let (stream, line) = greeted(far)?;
    stream.set_nonblocking(true).ok()?;
    Some((stream.into(), line))
}

fn greeted(far: SocketAddrV4) -> Option<(TcpStream, Vec<u8>)> {
    let socket = socket_unsafe::stream(AddressFamily::INET, SocketFlags::empty()).ok()?;
    // connect(2) waits no longer either (socket(7)).
    sockopt::set_socket_timeout(&socket, sockopt::Timeout::Send, Some(PATIENCE)).ok()?;
    rustix::net::connect(&socket, &far).ok()?;
    let mut stream = TcpStream::from(socket);
    stream.set_nodelay(true).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let mut line = Vec::new();
    while line.last() != Some(&b'\n') && line.len() < banner::LENGTH_MAX {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        line.extend(byte);
    }
    Banner::parse(&line).filter(|banner| banner.has_extensions() && banner.ostype == crate::BANNER.ostype)?;
    Some((stream, line))
}

/// The relay's own session, known to the server.
pub(super) fn introduce(far: SocketAddrV4, token: &Token) -> Option<Session> {
    let (mut stream, _) = greeted(far)?;
    let name = Message::Name { kind: handshake::GUEST, name: b"relay".to_vec() }.payload();
    let options = [&(option::CALL | option::RELAY | option::CONTROL).to_le_bytes()[..], token].concat();
    // Answered once the options are known.
    let call = emit_request([0; 6], 0, &[]);
    let frames = [
        (Header::request(1, kind::HANDSHAKE, handshake::GUEST), name),
        (Header::request(2, kind::OPTIONS, 0), options),
        (Header::request(3, kind::CALL, abi::nr::GETPID), call),
    ];
    let bytes: Vec<u8> =
        frames.into_iter().flat_map(|(header, payload)| Frame { header, payload }.emit()).collect();
    stream.write_all(&bytes).ok()?;
    let mut decoder = Decoder::default();
    let mut answered = false;
    while !answered {
        let mut bytes = [0; 256];
        let len = stream.read(&mut bytes).ok().filter(|len| *len > 0)?;
        decoder.push(&bytes[..len]);
        while let Ok(Some(frame)) = decoder.next_frame() {
            answered |= frame.header.class == class::RESP && frame.header.reqno == 3;
        }
    }
    stream.set_nonblocking(true).ok()?;
    let mut session = Session::new(stream.into(), credentials::of_stranger());
    session.decoder = decoder;
    Some(session)
}

impl Relay {
    pub(super) fn read_control(&mut self) {
        let Some(control) = &mut self.control else { return };
        if control.read(&mut self.space).is_err() {
            return self.lose_server();
        }
        let mut decoder = std::mem::take(&mut control.decoder);
        while let Ok(Some(frame)) = decoder.next_view() {
            match frame.header.kind {
                kind::READY => {
                    if let Some(ready) = Ready::parse(frame.payload) {
                        let mask = newest(&mut self.newest, &ready);
                        self.files.ready(FileId(ready.file), mask, ready.edge);
                    }
                }
                kind::CLOSED => {
                    if let Some(file) = relay::parse_file(frame.payload).map(FileId) {
                        self.newest.remove(&file);
                        self.files.forget(file);
                    }
                }
                _ => {}
            }
        }
        if let Some(control) = &mut self.control {
            control.decoder = decoder;
            control.slim(&mut self.space);
        }
    }

    pub(super) fn read_far(&mut self, name: u64, flags: EventFlags) {
        self.touched.push(name);
        let Some(pair) = self.pairs.get_mut(&name) else { return };
        if flags == EventFlags::OUT {
            return;
        }
        if pair.far.read(&mut self.space).is_err() {
            return self.end(name);
        }
        let mut decoder = std::mem::take(&mut pair.far.decoder);
        loop {
            match decoder.next_view() {
                Ok(Some(frame)) => pair.take_far(&frame, &mut self.files, &mut self.newest),
                Ok(None) => break,
                Err(_) => return self.end(name),
            }
        }
        pair.far.decoder = decoder;
        pair.far.slim(&mut self.space);
    }
}

/// The newest mask that is known of the file.
fn newest(known: &mut HashMap<FileId, (u64, u16)>, ready: &Ready) -> u16 {
    let newest = known.entry(FileId(ready.file)).or_insert((ready.sequence, ready.mask));
    if ready.sequence > newest.0 {
        *newest = (ready.sequence, ready.mask);
    }
    newest.1
}

impl Pair {
    fn take_far(&mut self, frame: &Frame<&[u8]>, files: &mut Files, known: &mut HashMap<FileId, (u64, u16)>) {
        let Header { reqno, class, kind, .. } = frame.header;
        match (class, kind) {
            (class::REQ, kind::READY) => {
                if let Some(ready) = Ready::parse(frame.payload) {
                    let mask = newest(known, &ready);
                    self.hints.insert(reqno, files.touched(FileId(ready.file), mask));
                }
            }
            (class::RESP, kind::CALL) => self.reply(frame, files),
            _ => self.near.out.frame(frame.header, frame.payload),
        }
    }

    /// An answer: host descriptors are made for the files that were born.
    fn reply(&mut self, frame: &Frame<&[u8]>, files: &mut Files) {
        let hint = self.hints.remove(&frame.header.reqno).unwrap_or_default();
        let Some(mut reply) = Reply::parse(frame.payload) else { return };
        if reply.files.is_empty() && hint == Hint::default() {
            return self.near.out.frame(frame.header, frame.payload);
        }
        (reply.drain, reply.fill) = (hint.drain, hint.fill);
        let mut fds = Vec::new();
        for entry in &mut reply.files {
            let file = FileId(entry.cookie);
            if !entry.passed {
                entry.cookie = files.cookie(file).unwrap_or(0);
                continue;
            }
            let kind = FileKind::from_number(entry.kind).unwrap_or(FileKind::Regular);
            match files.birth(file, kind, self.near.who.uid) {
                Ok((a, cookie, _)) => {
                    entry.cookie = cookie;
                    fds.push(a);
                }
                Err(errno) => {
                    // The server closes it, and the client's call has failed.
                    self.far.out.frame(Header::request(0, kind::GONE, 0), &file.0.to_le_bytes());
                    reply.result = -i64::from(errno.raw_os_error());
                    entry.passed = false;
                }
            }
        }
        if reply.result < 0 {
            reply.files.clear();
            fds.clear();
        }
        let segments = std::mem::take(&mut reply.segments);
        let owned = segments.iter().map(|segment| (segment.address, segment.bytes.to_vec())).collect();
        reply.segments = segments;
        self.near.out.reply(frame.header, &reply, fds);
        self.near.out.segments(owned);
    }
}
