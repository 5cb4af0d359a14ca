//! Helpers for tests of the stack: addresses, short calls, and a network on a virtual clock.
#![allow(dead_code, missing_docs, reason = "each test file uses its part")]

pub(crate) mod forged;
pub(crate) mod lan;
pub(crate) mod net;

use std::net::SocketAddr;

use abi::Errno;
use tcpip::{Config, Domain, Opt, Readiness, SocketId, Stack};

pub(crate) fn at(text: &str) -> SocketAddr {
    text.parse().expect("an address and port")
}

pub(crate) fn stack() -> Stack {
    Stack::new(Config { seed: 7 })
}

/// A listener on `addr`.
pub(crate) fn listener(stack: &mut Stack, addr: &str) -> SocketId {
    let addr = at(addr);
    let domain = if addr.is_ipv4() { Domain::Inet } else { Domain::Inet6 };
    let id = stack.tcp_socket(domain);
    stack.bind(id, addr).expect("bind");
    stack.listen(id, 128).expect("listen");
    id
}

/// A client that has begun to connect.
pub(crate) fn client(stack: &mut Stack, addr: &str) -> SocketId {
    let addr = at(addr);
    let domain = if addr.is_ipv4() { Domain::Inet } else { Domain::Inet6 };
    let id = stack.tcp_socket(domain);
    assert_eq!(stack.connect(id, addr), Err(Errno::EINPROGRESS));
    id
}

/// Both ends of a connection over `lo`.
pub(crate) fn pair(stack: &mut Stack) -> (SocketId, SocketId) {
    pair_with(stack, &[])
}

/// Both ends of a connection over `lo`, the client having options.
pub(crate) fn pair_with(stack: &mut Stack, opts: &[Opt]) -> (SocketId, SocketId) {
    let listener = listener(stack, "127.0.0.1:80");
    let client = stack.tcp_socket(Domain::Inet);
    for &opt in opts {
        stack.set_option(client, opt).expect("an option");
    }
    assert_eq!(stack.connect(client, at("127.0.0.1:80")), Err(Errno::EINPROGRESS));
    assert_eq!(stack.connect(client, at("127.0.0.1:80")), Ok(()));
    let (server, _) = stack.accept(listener).expect("accept");
    stack.close(listener);
    while stack.next_change().is_some() {}
    (client, server)
}

/// What `recv` answers: bytes, `""` at the end, or the error.
pub(crate) fn recv(stack: &mut Stack, id: SocketId) -> Result<String, Errno> {
    let mut buf = [0; 65536];
    let n = stack.recv(id, &mut buf, false)?;
    Ok(String::from_utf8_lossy(&buf[..n]).into_owned())
}

/// poll(2)'s answer as the names of its bits.
pub(crate) fn polled(stack: &Stack, id: SocketId) -> String {
    names(stack.readiness(id))
}

pub(crate) fn names(ready: Readiness) -> String {
    let bits = [
        (ready.readable, "IN"),
        (ready.pri, "PRI"),
        (ready.writable, "OUT"),
        (ready.err, "ERR"),
        (ready.hup, "HUP"),
        (ready.rdhup, "RDHUP"),
    ];
    let set: Vec<_> = bits.iter().filter(|(on, _)| *on).map(|&(_, name)| name).collect();
    set.join("|")
}

/// The states of all TCP sockets and what closed ones left, sorted.
pub(crate) fn tcp_states(stack: &Stack) -> Vec<&'static str> {
    let tcp = |s: &tcpip::SocketInfo| s.protocol == tcpip::Protocol::Tcp;
    let mut states: Vec<_> = stack.sockets().into_iter().filter(tcp).map(|s| s.state).collect();
    states.sort_unstable();
    states
}
