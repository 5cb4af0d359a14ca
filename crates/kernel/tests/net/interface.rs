//! Interfaces as programs list them: ioctl(2) and rtnetlink(7).

use crate::machine::Rump;
use crate::script::*;
use abi::{Errno, nr};

#[test]
fn ioctls_about_lo() {
    same(|s| {
        let fd = s.socket(INET, DGRAM);
        let request = |name: &str| [name.as_bytes(), &vec![0; 40 - name.len()]].concat();
        // SIOCGIFFLAGS, ADDR, NETMASK, INDEX, HWADDR, METRIC
        for cmd in [0x8913, 0x8915, 0x891b, 0x8933, 0x8927, 0x891d] {
            let at = s.put(&request("lo"));
            s.call(&format!("{cmd:x}"), nr::IOCTL, &[fd, cmd, at]).ok();
            let answer = s.get(at, 24);
            s.say("ifreq", answer);
        }
        let at = s.put(&request("nonesuch0"));
        s.call("", nr::IOCTL, &[fd, 0x8913, at]).ok();
        let at = s.put(&[&[0; 16][..], &1_u32.to_ne_bytes(), &[0; 20]].concat());
        s.call("SIOCGIFNAME", nr::IOCTL, &[fd, 0x8910, at]).ok();
        let name = s.get(at, 16);
        s.say("name", name);
        let at = s.put(&[0; 8]);
        s.call("TCGETS", nr::IOCTL, &[fd, 0x5401, at]).ok();
        s.call("unknown", nr::IOCTL, &[fd, 0x1234_5678, at]).ok();
    });
}

#[test]
fn bytes_that_wait() {
    same(|s| {
        let (client, server) = s.tcp_pair();
        s.send(client, b"12345", 0).ok();
        let at = s.put(&[0; 4]);
        for (fd, cmd) in [(server, 0x541b), (client, 0x541b), (server, 0x8905)] {
            s.call("", nr::IOCTL, &[fd, cmd, at]).ok();
            let count = s.get_u32(at);
            s.say("count", count);
        }
        let (listener, _) = s.listener();
        s.call("listener", nr::IOCTL, &[listener, 0x541b, at]).ok();
        let on = s.put(&1_u32.to_ne_bytes());
        s.call("FIONBIO", nr::IOCTL, &[server, 0x5421, on]).ok();
        let room = s.put(&[0; 8]);
        s.call("", nr::READ, &[server, room, 8]).ok();
        s.call("", nr::READ, &[server, room, 8]).ok();
    });
}

#[test]
fn the_list_of_interfaces() {
    let mut rump = Rump::new();
    let mut s = Script::on(&mut rump);
    let fd = s.socket(INET, DGRAM);
    let room = s.put(&[0; 400]);
    let conf = s.put(&[400_u64.to_ne_bytes(), room.to_ne_bytes()].concat());
    assert_eq!(s.sys(nr::IOCTL, &[fd, 0x8912, conf]), Ok(0));
    assert_eq!(s.get_u32(conf), 40);
    assert_eq!(&s.get(room, 3), b"lo\0");
    assert_eq!(s.get(room + 20, 4), [127, 0, 0, 1]);
}

/// A dump request and the messages that answer it: type and body.
fn dump(s: &mut Script<'_>, fd: u64, kind: u16, family: u8) -> Vec<(u16, Vec<u8>)> {
    let request = [
        &20_u32.to_ne_bytes()[..],
        &kind.to_ne_bytes(),
        &0x301_u16.to_ne_bytes(),
        &5_u32.to_ne_bytes(),
        &[0; 4],
        &[family, 0, 0, 0],
    ];
    s.send(fd, &request.concat(), 0).expect("a request is taken");
    let mut found = Vec::new();
    loop {
        let room = s.put(&[0; 8192]);
        let len = s.sys(nr::RECVFROM, &[fd, room, 8192, DONTWAIT]).expect("an answer");
        let mut bytes = s.get(room, usize::try_from(len).expect("small"));
        while bytes.len() >= 16 {
            let len = u32::from_ne_bytes(bytes[..4].try_into().expect("four")) as usize;
            let kind = u16::from_ne_bytes([bytes[4], bytes[5]]);
            assert_eq!(bytes[8..12], 5_u32.to_ne_bytes(), "the request's sequence number");
            found.push((kind, bytes[16..len].to_vec()));
            bytes.drain(..len.next_multiple_of(4).min(bytes.len()));
            if kind == 3 {
                return found;
            }
        }
    }
}

#[test]
fn rtnetlink_lists() {
    let mut rump = Rump::new();
    let mut s = Script::on(&mut rump);
    let fd = s.open("", nr::SOCKET, &[16, 3, 0]);
    let local = [&16_u16.to_ne_bytes()[..], &[0; 10]].concat();
    s.bind(fd, &local);
    assert_ne!(s.name(nr::GETSOCKNAME, fd).expect("a name")[4..8], [0; 4], "an address of its own");
    let links = dump(&mut s, fd, 18, 0);
    assert_eq!(links.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), [16, 3]);
    assert!(links[0].1.windows(3).any(|window| window == b"lo\0"));
    let addrs = dump(&mut s, fd, 22, 0);
    assert_eq!(addrs.len(), 3, "127.0.0.1, ::1 and the end: {addrs:?}");
    assert!(addrs[0].1.windows(4).any(|window| window == [127, 0, 0, 1]));
    assert_eq!(dump(&mut s, fd, 22, 10).len(), 2, "one family only");
    assert_eq!(
        dump(&mut s, fd, 26, 2).len(),
        4,
        "127.0.0.1, its network and its broadcast address, and the end"
    );
    let bad = [&16_u32.to_ne_bytes()[..], &16_u16.to_ne_bytes(), &1_u16.to_ne_bytes(), &[0; 8]].concat();
    s.send(fd, &bad, 0).expect("a request is taken");
    let room = s.put(&[0; 64]);
    assert_eq!(s.sys(nr::RECVFROM, &[fd, room, 64, DONTWAIT]), Ok(36));
    let errno = -i32::from_ne_bytes(s.get(room + 16, 4).try_into().expect("four"));
    assert_eq!(errno, Errno::ENODEV.number(), "it names no link");
}

#[test]
fn sockstat_names_process_and_descriptor() {
    let mut rump = Rump::new();
    let pid = rump.pid;
    let mut s = Script::on(&mut rump);
    let fd = s.socket(INET, STREAM);
    s.bind(fd, &v4([127, 0, 0, 1], 1234));
    s.sys(nr::LISTEN, &[fd, 1]).expect("listen");
    let room = s.put(&[0; 512]);
    let len = s.sys(abi::private::INFO, &[1, room, 512]).expect("info");
    let text = String::from_utf8(s.get(room, usize::try_from(len).expect("small"))).expect("text");
    assert_eq!(text, format!("0\ttest\t{}\t{fd}\ttcp\tLISTEN\t127.0.0.1:1234\t0.0.0.0:*\n", pid.0));
}
