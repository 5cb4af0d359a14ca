//! Descriptors of the host that travel over rump AF_UNIX sockets, and signals.

use crate::client::{EXEC, HANDSHAKE, REQ, frame};
use crate::server::Server;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

/// `struct msghdr` with one buffer and control data.
fn msghdr(iov: u64, control: u64, control_len: u64) -> Vec<u8> {
    [0, 0, iov, 1, control, control_len, 0].iter().flat_map(|word: &u64| word.to_le_bytes()).collect()
}

fn iovec(base: u64, len: u64) -> Vec<u8> {
    [base, len].iter().flat_map(|word| word.to_le_bytes()).collect()
}

#[test]
fn a_host_descriptor_over_a_rump_socket() {
    const NUMBER: i32 = 5;
    let server = Server::start();
    let mut client = server.guest();
    let [one, other] = client.socketpair();
    let (reader, writer) = rustix::pipe::pipe().unwrap();

    // One `struct cmsghdr`: its length, SOL_SOCKET, SCM_RIGHTS, the number that the program knows it by.
    let mut control = 20_u64.to_le_bytes().to_vec();
    for word in [1, 1, NUMBER, 0] {
        control.extend(word.to_le_bytes());
    }
    let (header, iov) = (msghdr(0x2000, 0x4000, 24), iovec(0x3000, 1));
    let memory: [(u64, &[u8]); 4] = [(0x1000, &header), (0x2000, &iov), (0x3000, b"x"), (0x4000, &control)];
    let reqno = client.start_with(abi::nr::SENDMSG, &[one.kfd.into(), 0x1000, 0], &memory, &reader);
    assert_eq!(client.finish(reqno).value, 1);
    drop(reader);

    let memory: [(u64, &[u8]); 2] = [(0x1000, &header), (0x2000, &iov)];
    let reply = client.call(abi::nr::RECVMSG, &[other.kfd.into(), 0x1000, 0], &memory);
    assert_eq!((reply.value, reply.files.len()), (1, 1));
    rustix::io::write(&writer, b"through").unwrap();
    let mut bytes = [0; 7];
    assert_eq!(rustix::io::read(&reply.files[0].host, &mut bytes), Ok(7));
    assert_eq!(&bytes, b"through");

    drop(reply);
    crate::server::wait_for("the server to let go of it", || rustix::io::write(&writer, b"x").is_err());
}

/// The library sends SIGPIPE to the thread that wrote: what the server sends any thread may read.
#[test]
fn a_hijacked_program_is_sent_no_sigpipe() {
    let server = Server::start();
    let mut client = server.guest();
    let [one, other] = client.socketpair();
    let _no_copies = crate::server::STARTING.read();
    drop(other.host);
    let reqno = client.start(abi::nr::WRITE, &[one.kfd.into(), 0x2000, 1], &[(0x2000, b"x")]);
    let answered = client.receive().unwrap();
    assert_eq!(answered.reqno, reqno);
}

/// A program that execs and at once becomes another user (chroot(8) does): both come with one read.
#[test]
fn a_descriptor_right_behind_an_exec() {
    let server = Server::start();
    let mut client = server.guest();
    let (shown, _other) =
        socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None).unwrap();
    let exec = client.next_reqno();
    let handshake = frame(exec, REQ, HANDSHAKE, EXEC, b"after\0");
    let reqno = client.start_behind(handshake, abi::private::CREDENTIALS, &[], &[], &shown);
    client.expect_accepted(exec);
    assert_eq!(client.finish(reqno).value, 0);
}
