//! PREFORK and the handshake FORK.

use crate::client::{FORK, HANDSHAKE, PREFORK, REQ};
use crate::server::Server;

const INVALID_PREFORK: u32 = 3;
const MALFORMED: u32 = 7;

fn prefork(client: &mut crate::client::Client) -> Vec<u8> {
    client.send(REQ, PREFORK, 0, &[]);
    let cookie = client.receive().unwrap().payload;
    assert_eq!(cookie.len(), 16);
    cookie
}

fn handshake(cookie: &[u8], cancel: i32) -> Vec<u8> {
    [cookie, &cancel.to_le_bytes()].concat()
}

#[test]
fn a_child_has_its_parents_files_even_if_the_parent_is_gone() {
    let server = Server::start();
    let mut parent = server.guest();
    let [one, other] = parent.socketpair();
    let cookie = prefork(&mut parent);
    drop(parent);
    let mut child = server.connect();
    let reqno = child.send(REQ, HANDSHAKE, FORK, &handshake(&cookie, 0));
    child.expect_accepted(reqno);
    child.options(3);
    assert_eq!(child.write(&one, b"x").value, 1);
    assert_eq!(child.read(&other, 9).out, [(0x3000, b"x".to_vec())]);
    assert_eq!(child.socketpair().len(), 2, "new files are host descriptors too");
}

#[test]
fn a_cookie_is_good_once() {
    let server = Server::start();
    let mut parent = server.guest();
    let cookie = prefork(&mut parent);
    for accepted in [true, false] {
        let mut child = server.connect();
        let reqno = child.send(REQ, HANDSHAKE, FORK, &handshake(&cookie, 0));
        if accepted {
            child.expect_accepted(reqno);
        } else {
            child.expect_refusal(reqno, INVALID_PREFORK);
            assert_eq!(child.receive(), None);
        }
    }
}

#[test]
fn fork_fakeauth_and_short_and_cancelled_cookies() {
    let server = Server::start();
    let mut parent = server.guest();
    let cookie = prefork(&mut parent);
    let mut forged = cookie.clone();
    forged[15] ^= 1;
    for (payload, refusal) in [
        (handshake(&forged, 0), INVALID_PREFORK),
        (cookie.clone(), MALFORMED),
        (handshake(&cookie, 0)[..19].to_vec(), MALFORMED),
        ([handshake(&cookie, 0), vec![0]].concat(), MALFORMED),
        (Vec::new(), MALFORMED),
    ] {
        let mut child = server.connect();
        let reqno = child.send(REQ, HANDSHAKE, FORK, &payload);
        child.expect_refusal(reqno, refusal);
        assert_eq!(child.receive(), None);
    }
    let mut child = server.connect();
    child.send(REQ, HANDSHAKE, FORK, &handshake(&cookie, 1));
    assert_eq!(child.receive(), None, "cancelled: closed without an answer");
    let mut child = server.connect();
    let reqno = child.send(REQ, HANDSHAKE, FORK, &handshake(&cookie, 0));
    child.expect_refusal(reqno, INVALID_PREFORK);
}
