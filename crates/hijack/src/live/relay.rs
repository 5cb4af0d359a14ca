//! Servers on TCP, over which no descriptors can be passed: a relay stands in for them.

use super::host_unsafe;
use super::message::refuse;
use abi::nr;
use alloc::vec::Vec;
use client::Relay;
use wire::url::Url;

/// Where to connect for a server at `given`, as which the user wrote `text`, and what to start there. The relay is a mode of
/// rump_server, which lies beside this library, or in `bin` beside the library's `lib`.
pub(super) fn stand_in(given: Url, text: &[u8], library: &[u8]) -> (Url, Option<Relay>) {
    let Url::Tcp(address, port) = given else { return (given, None) };
    let directory = library.iter().rposition(|byte| *byte == b'/').map_or(&b"."[..], |at| &library[..at]);
    let places = [&b"/rump_server\0"[..], b"/../bin/rump_server\0"];
    let Some(program) =
        places.iter().map(|place| [directory, place].concat()).find(|path| is_executable(path))
    else {
        refuse(format_args!(
            "RUMP_SERVER: \"{}\": a server on TCP needs the program rump_server beside librumphijack.so",
            text.escape_ascii()
        ))
    };
    let socket = wire::relay::socket(address, port, host::geteuid());
    let url: Vec<u8> = text.iter().copied().chain([0]).collect();
    (Url::Unix(socket), Some(Relay { program, url }))
}

fn is_executable(path: &[u8]) -> bool {
    const X_OK: u64 = 1;
    host_unsafe::call(nr::ACCESS, [path.as_ptr() as u64, X_OK, 0, 0, 0, 0]).is_ok()
}
