//! What is exported, and what is not.

use crate::client::{MOUNT, PORTMAP, ROOT, Words, World};

const EACCES: u32 = 13;
const ESTALE: u32 = 70;

#[test]
fn only_to_whom_it_is_exported() {
    let mut world = World::new(&["10.0.0.0/24(rw)", "10.0.0.9(ro)", "fd00::/8"]);
    let dir = world.mount(b"/srv").unwrap();
    world.peer.address = [10, 0, 1, 2].into();
    assert_eq!(world.mount(b"/srv"), Err(EACCES));
    assert_eq!(world.lookup(&dir, b"."), Err(EACCES), "a handle is no permission");
    world.peer.address = "::ffff:10.0.0.2".parse().unwrap();
    assert!(world.create(&dir, b"f", 0o600).is_ok());
    world.peer.port = 1024;
    assert_eq!(world.mount(b"/srv"), Err(EACCES), "secure");
    world.peer.port = 1023;
    world.peer.address = [10, 0, 0, 9].into();
    assert_eq!(world.create(&dir, b"g", 0o600), Err(30), "the most specific one holds: EROFS");
    world.peer.address = "fd01::1".parse().unwrap();
    assert!(world.mount(b"/srv").is_ok());
}

#[test]
fn nothing_leads_out_of_an_export() {
    let mut world = World::new(&["*(rw,no_root_squash)"]);
    world.user = (0, 0, vec![]);
    let dir = world.mount(b"/srv").unwrap();
    assert_eq!(world.lookup(&dir, b"..").unwrap(), dir);
    assert_eq!(world.mount(b"/srv/.."), Ok(dir.clone()), "its parent is itself");
    assert_eq!(world.mount(b"/etc"), Err(EACCES));
    assert_eq!(world.mount(b"/srvx"), Err(EACCES));
    for name in [b"a/b".as_slice(), b"/etc", b"", b"a\0b"] {
        assert_eq!(world.lookup(&dir, name), Err(EACCES), "{name:?}");
    }
    // A link is followed by the client: here it is a link.
    let now = world.now;
    let start = world.start();
    world.vfs.symlink(&ROOT, b"/etc", start, b"/srv/out", now).unwrap();
    let link = world.lookup(&dir, b"out").unwrap();
    assert_eq!(world.lookup(&link, b"hostname"), Err(20), "ENOTDIR");
    // The handle of what is outside, made up from one inside: another number, the same seal.
    for at in 0..dir.len() {
        let mut other = dir.clone();
        other[at] ^= 1;
        let (status, _) = world.nfs(1, Words::default().bytes(&other));
        assert!([ESTALE, 10001].contains(&status), "byte {at}: {status}");
    }
}

#[test]
fn what_is_not_exported_any_more_is_stale() {
    let mut world = World::new(&["*(rw)"]);
    let dir = world.mount(b"/srv").unwrap();
    world.server.exports.remove(b"/srv").unwrap();
    assert_eq!(world.lookup(&dir, b"."), Err(ESTALE));
    world.export(b"/srv", &["*(rw)"]);
    assert_eq!(world.lookup(&dir, b".").as_ref(), Ok(&dir), "handles say the path's hash, not a number");
}

/// What is mounted inside is seen with `crossmnt` alone.
#[test]
fn mounts_below_an_export() {
    for (options, crosses) in [("*(rw)", false), ("*(rw,crossmnt)", true)] {
        let mut world = World::new(&[options]);
        let (start, now) = (world.start(), world.now);
        world.vfs.mkdir(&ROOT, start, b"/srv/m", 0o755, now).unwrap();
        let on = world.vfs.lookup(&ROOT, start, b"/srv/m", vfs::Follow::Yes).unwrap();
        let inner = vfs::tmpfs::Tmpfs::new(1 << 20, now);
        world.vfs.mount(Box::new(inner), on, "none", vfs::MountFlags::default()).unwrap();
        world.vfs.mkdir(&ROOT, start, b"/srv/m/inside", 0o755, now).unwrap();
        let dir = world.mount(b"/srv").unwrap();
        let sub = world.lookup(&dir, b"m").unwrap();
        assert_eq!(world.lookup(&sub, b"inside").is_ok(), crosses, "{options}");
        assert_eq!(world.lookup(&sub, b"..").unwrap(), dir);
    }
}

#[test]
fn squashing() {
    for (options, user, owner) in [
        ("*(rw)", 1000, 1000),
        ("*(rw)", 0, 65534),
        ("*(rw,no_root_squash)", 0, 0),
        ("*(rw,all_squash,anonuid=77)", 1000, 77),
    ] {
        let mut world = World::new(&[options]);
        world.user = (user, 0, vec![]);
        let dir = world.mount(b"/srv").unwrap();
        let file = world.create(&dir, b"f", 0o600).unwrap();
        let (status, mut results) = world.nfs(1, Words::default().bytes(&file));
        let attr = Words([1u32.to_be_bytes().as_slice(), &results.0].concat()).take_attr();
        assert_eq!((status, attr.map(|(_, uid)| uid)), (0, Some(owner)), "{options} {user}");
        results.0.clear();
    }
}

#[test]
fn what_there_is_is_told() {
    let mut world = World::new(&["10.0.0.0/24(rw)"]);
    world.mount(b"/srv").unwrap();
    let mut exports = world.ask(MOUNT, 3, 5, Words::default());
    assert_eq!((exports.take_u32(), exports.take_bytes()), (1, b"/srv".to_vec()));
    assert_eq!((exports.take_u32(), exports.take_bytes()), (1, b"10.0.0.0/24".to_vec()));
    let mut mounted = world.ask(MOUNT, 3, 2, Words::default());
    assert_eq!((mounted.take_u32(), mounted.take_bytes()), (1, b"10.0.0.2".to_vec()));
    let port = |world: &mut World, program: u32| {
        world.ask(PORTMAP, 2, 3, Words::default().u32(program).u32(3).u32(6).u32(0)).take_u32()
    };
    assert_eq!((port(&mut world, 100_003), port(&mut world, 100_005), port(&mut world, 9)), (2049, 20048, 0));
    let args = Words::default().u32(100_003).u32(3).bytes(b"tcp").bytes(b"").bytes(b"");
    assert_eq!(world.ask(PORTMAP, 4, 3, args).take_bytes(), b"10.0.0.1.8.1");
}
