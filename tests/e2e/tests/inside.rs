//! All of it but the interception: this test process is the hijacked program, on a server of its own.

use abi::layout::{Pollfd, SockaddrIn};
use abi::{Errno, nr};
use e2e::{Server, syscall};
use hijack::Hijack;
use hijack::dispatch::{Answer, Call};
use hijack::live::{Live, Outside, start};
use std::ffi::CStr;
use zerocopy::IntoBytes;

const AF_INET: u64 = 2;
const SOCK_STREAM: u64 = 1;
const POLLIN: u16 = 1;
const POLLOUT: u16 = 4;
const EPOLLIN: u32 = 1;

struct Program(&'static Hijack<Live>);

impl Program {
    fn start(server: &Server) -> Self {
        let url = format!("RUMP_SERVER={}", server.url());
        let outside =
            Outside { mark: |_, _| {}, task: || 0, place: || 0, set_place: |_| 0, library: None, exe: None };
        Self(start([url.as_bytes()].into_iter(), outside).expect("hijacked"))
    }

    fn call(&self, number: u32, args: &[u64]) -> Result<u64, Errno> {
        let mut registers = [0; 6];
        registers[..args.len()].copy_from_slice(args);
        match self.0.call(&Call { nr: number, args: registers })? {
            Answer::Host => syscall(number, registers),
            Answer::Value(value) => Ok(value),
        }
    }

    fn ok(&self, number: u32, args: &[u64]) -> u64 {
        self.call(number, args).unwrap_or_else(|errno| panic!("call {number} {args:?}: {errno}"))
    }

    fn poll(&self, fd: u64, events: u16, timeout: i32) -> u16 {
        let mut fds = [Pollfd { fd: fd as i32, events, revents: 0 }];
        self.ok(nr::POLL, &[fds.as_mut_bytes().as_mut_ptr() as u64, 1, timeout as u64]);
        fds[0].revents
    }

    /// The host's poll, as any other watcher in the process would see it.
    fn host_poll(fd: u64, events: u16) -> u16 {
        let mut fds = [Pollfd { fd: fd as i32, events, revents: 0 }];
        syscall(nr::POLL, [fds.as_mut_bytes().as_mut_ptr() as u64, 1, 1000, 0, 0, 0]).expect("poll");
        fds[0].revents
    }
}

fn at(text: &CStr) -> u64 {
    text.as_ptr() as u64
}

fn sockets(program: &Program) {
    let address = SockaddrIn {
        sin_family: AF_INET as u16,
        sin_port: 80u16.to_be_bytes(),
        sin_addr: [127, 0, 0, 1],
        sin_zero: [0; 8],
    };
    let address_at = address.as_bytes().as_ptr() as u64;
    let listener = program.ok(nr::SOCKET, &[AF_INET, SOCK_STREAM, 0]);
    program.ok(nr::BIND, &[listener, address_at, 16]);
    program.ok(nr::LISTEN, &[listener, 5]);
    assert_eq!(program.poll(listener, POLLIN, 0), 0);

    let epoll = program.ok(nr::EPOLL_CREATE1, &[0]);
    let mut event = [0u8; 12];
    event[..4].copy_from_slice(&EPOLLIN.to_ne_bytes());
    event[4..].copy_from_slice(&listener.to_ne_bytes());
    program.ok(nr::EPOLL_CTL, &[epoll, 1, listener, event.as_ptr() as u64]);
    let mut events = [0u8; 48];
    let wait = |events: &mut [u8], timeout| {
        program.ok(nr::EPOLL_WAIT, &[epoll, events.as_mut_ptr() as u64, 4, timeout])
    };
    assert_eq!(wait(&mut events, 0), 0, "nobody has connected");

    let client = program.ok(nr::SOCKET, &[AF_INET, SOCK_STREAM, 0]);
    program.ok(nr::CONNECT, &[client, address_at, 16]);
    assert_eq!(wait(&mut events, 1000), 1, "somebody has connected");
    assert_eq!(events[4..12], listener.to_ne_bytes());
    let accepted = program.ok(nr::ACCEPT, &[listener, 0, 0]);
    assert_eq!(wait(&mut events, 0), 0, "accept took it");

    program.ok(nr::WRITE, &[client, at(c"ping"), 4]);
    assert_eq!(program.poll(accepted, POLLIN | POLLOUT, 1000), POLLIN | POLLOUT);
    let mut text = [0u8; 16];
    assert_eq!(program.ok(nr::READ, &[accepted, text.as_mut_ptr() as u64, 16]), 4);
    assert_eq!(&text[..4], b"ping");

    program.ok(nr::CLOSE, &[client]);
    assert_eq!(program.poll(accepted, POLLIN, 1000), POLLIN);
    assert_eq!(program.ok(nr::READ, &[accepted, text.as_mut_ptr() as u64, 16]), 0);
    for fd in [accepted, listener, epoll] {
        program.ok(nr::CLOSE, &[fd]);
    }
}

fn loss(program: &Program, server: &mut Server) {
    let socket = program.ok(nr::SOCKET, &[AF_INET, SOCK_STREAM, 0]);
    server.kill();
    assert_ne!(Program::host_poll(socket, POLLIN), 0, "who polls it is told");
    assert_eq!(program.call(nr::SOCKET, &[AF_INET, SOCK_STREAM, 0]), Err(Errno::ENOTCONN));
    assert_eq!(program.call(nr::LISTEN, &[socket, 5]), Err(Errno::ENOTCONN));
    assert_eq!(program.call(nr::CLOSE, &[socket]), Ok(0));
    assert!(program.call(nr::OPEN, &[at(c"/dev/null"), 0, 0]).is_ok(), "the host's calls go on");
}

#[test]
fn a_program_on_its_server() {
    let mut server = Server::start();
    let program = Program::start(&server);
    sockets(&program);
    assert!(server.counter("call.accept") > 0);
    loss(&program, &mut server);
}
