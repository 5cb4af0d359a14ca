//! Bytes that no client sends.

use crate::client::{MOUNT, NFS, PORTMAP, Words, World};
use proptest::prelude::*;

/// A world with something in it, and handles of it.
fn world() -> (World, Vec<Vec<u8>>) {
    let mut world = World::new(&["*(rw,no_root_squash)"]);
    let dir = world.mount(b"/srv").unwrap();
    let file = world.create(&dir, b"a", 0o666).unwrap();
    world.write(&file, 0, b"some bytes", 0).unwrap();
    (world, vec![dir, file, vec![1; 33], Vec::new()])
}

/// Pieces that arguments are made of.
#[derive(Debug, Clone)]
enum Piece {
    Handle(usize),
    Name(usize),
    Word(u32),
    Bytes(Vec<u8>),
}

fn piece() -> impl Strategy<Value = Piece> {
    prop_oneof![
        3 => (0..4usize).prop_map(Piece::Handle),
        3 => (0..7usize).prop_map(Piece::Name),
        4 => prop_oneof![Just(0), Just(1), Just(2), Just(u32::MAX), any::<u32>()].prop_map(Piece::Word),
        1 => proptest::collection::vec(any::<u8>(), 0..20).prop_map(Piece::Bytes),
    ]
}

const NAMES: [&[u8]; 7] = [b"a", b"b", b".", b"..", b"a/b", b"", b"\xff\xfe"];

proptest! {
    #[test]
    fn any_bytes_are_survived(message in proptest::collection::vec(any::<u8>(), 0..120)) {
        let (mut world, _) = world();
        let _ = world.send(&message);
    }

    /// Any procedure with arguments that are nearly right. The file tree keeps its word, and replies their form.
    #[test]
    fn any_arguments_are_survived(
        calls in proptest::collection::vec(
            (prop_oneof![Just((NFS, 3)), Just((MOUNT, 3)), Just((PORTMAP, 2)), Just((PORTMAP, 4))], 0..24u32, proptest::collection::vec(piece(), 0..9)),
            1..12,
        ),
    ) {
        let (mut world, handles) = world();
        for ((program, version), procedure, pieces) in calls {
            let args = pieces.iter().fold(Words::default(), |args, piece| match piece {
                Piece::Handle(at) => args.bytes(&handles[*at]),
                Piece::Name(at) => args.bytes(NAMES[*at]),
                Piece::Word(word) => args.u32(*word),
                Piece::Bytes(bytes) => Words([args.0, bytes.clone()].concat()),
            });
            let message = world.call(program, version, procedure, args);
            let reply = world.send(&message).expect("a call is answered");
            prop_assert!(reply.0.len() >= 20 && reply.0.len() % 4 == 0);
            prop_assert_eq!(&reply.0[..4], &message[..4], "its number");
        }
        prop_assert!(world.list(&handles[0], 4096).is_ok());
    }
}

#[test]
fn other_programs_versions_and_flavors_are_refused_in_the_words_of_rfc_5531() {
    let (mut world, _) = world();
    let mut told = |program, version, procedure| {
        let message = world.call(program, version, procedure, Words::default());
        let mut reply = world.send(&message).unwrap();
        (0..6).map(|_| reply.take_u32()).last().unwrap()
    };
    assert_eq!(told(100_227, 3, 0), 1, "PROG_UNAVAIL: NFSACL");
    assert_eq!(told(NFS, 4, 0), 2, "PROG_MISMATCH");
    assert_eq!(told(NFS, 3, 22), 3, "PROC_UNAVAIL");
    assert_eq!(told(NFS, 3, 1), 4, "GARBAGE_ARGS");
    // RPCSEC_GSS
    let head = Words::default().u32(5).u32(0).u32(2).u32(NFS).u32(3).u32(1).u32(6).u32(0).u32(0).u32(0);
    assert_eq!(
        world.send(&head.0),
        Some(Words::default().u32(5).u32(1).u32(1).u32(1).u32(5)),
        "AUTH_TOOWEAK"
    );
    // Another version of RPC.
    let head = Words::default().u32(5).u32(0).u32(3).u32(NFS).u32(3).u32(1).u32(0).u32(0).u32(0).u32(0);
    assert_eq!(world.send(&head.0), Some(Words::default().u32(5).u32(1).u32(1).u32(0).u32(2).u32(2)));
    assert_eq!(world.send(&Words::default().u32(5).u32(1).0), None, "a reply is not replied to");
}
