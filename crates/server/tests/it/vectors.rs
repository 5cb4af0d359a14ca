//! The conversations that were captured from the original (spec/rump_sp_vectors), with our server in its place.
//!
//! The kernels differ, NetBSD's there and Linux's here: every call is made as getpid(2), so that what is compared is the
//! protocol. Each request has its answer under its number, and the answers that say nothing of the kernel are the same
//! bytes.

use crate::client::{Client, HANDSHAKE, PREFORK, REQ, SYSCALL};
use crate::server::Server;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

const HEADER: usize = 24;
const REQNO: usize = 8;
const CLASS: usize = 16;
const KIND: usize = 18;
const WORD: usize = 20;
const FORK: u32 = 2;

/// A frame of a capture and which way it went.
struct Line {
    connection: usize,
    from_client: bool,
    bytes: Vec<u8>,
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(bytes[at..at + 2].try_into().unwrap())
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn lines(path: &Path) -> Vec<Line> {
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    let line = |text: &str| {
        let words: Vec<&str> = text.split_whitespace().collect();
        let [connection, way, hex] = words[..] else { return None };
        let bytes: Vec<u8> = (hex != "EOF").then(|| hex.as_bytes().chunks(2).map(byte).collect())?;
        let connection = connection.strip_prefix("conn")?.parse().ok()?;
        Some(Line { connection, from_client: way == "C->S", bytes })
    };
    std::fs::read_to_string(path).unwrap().lines().filter_map(line).collect()
}

/// The captured answer to this request.
fn answer<'a>(lines: &'a [Line], request: &Line) -> Option<&'a [u8]> {
    let reqno = &request.bytes[REQNO..CLASS];
    let is_answer = |line: &&Line| {
        line.connection == request.connection
            && !line.from_client
            && u16_at(&line.bytes, CLASS) != REQ
            && line.bytes[REQNO..CLASS] == *reqno
    };
    lines.iter().find(is_answer).map(|line| line.bytes.as_slice())
}

fn replay(path: &Path) -> usize {
    let server = Server::start();
    let (lines, mut asked) = (lines(path), 0);
    let mut clients: BTreeMap<usize, Client> = BTreeMap::new();
    // The captured cookies and those of our server.
    let mut cookies: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let client = clients.entry(line.connection).or_insert_with(|| server.connect());
        if !line.from_client || u16_at(&line.bytes, CLASS) != REQ {
            continue;
        }
        let kind = u16_at(&line.bytes, KIND);
        let mut request = line.bytes.clone();
        if kind == SYSCALL {
            request[WORD..HEADER].copy_from_slice(&abi::nr::GETPID.to_le_bytes());
        }
        if kind == HANDSHAKE && u32_at(&request, WORD) == FORK {
            let known = cookies.iter().find(|(captured, _)| request[HEADER..].starts_with(captured));
            let Some((_, ours)) = known else { continue };
            request[HEADER..HEADER + 16].copy_from_slice(ours);
        }
        client.stream.write_all(&request).unwrap();
        let found = client.receive().unwrap_or_else(|| panic!("{path:?}: no answer to {request:x?}"));
        assert_eq!(found.reqno.to_le_bytes(), request[REQNO..CLASS], "{path:?}");
        // A call that the capture shows unanswered waited, or its client was killed.
        let Some(expected) = answer(&lines[at..], line) else { continue };
        let header = (found.class, found.kind, found.payload.len());
        let captured = (u16_at(expected, CLASS), u16_at(expected, KIND), expected.len() - HEADER);
        assert_eq!(header, captured, "{path:?}: {request:x?}");
        match kind {
            HANDSHAKE => assert_eq!(found.payload, expected[HEADER..], "{path:?}"),
            PREFORK => cookies.push((expected[HEADER..].to_vec(), found.payload)),
            _ => {}
        }
        asked += 1;
    }
    asked
}

#[test]
fn conversations_of_the_original() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wire/tests/vectors");
    let mut files = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        assert!(replay(&path) >= 2, "{path:?}");
        files += 1;
    }
    assert_eq!(files, 14);
}
