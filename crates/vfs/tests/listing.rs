//! Listing a directory that changes meanwhile (readdir(3)): what stands there all the time comes exactly once.

#![allow(clippy::unwrap_used, reason = "a test ends there")]

use proptest::prelude::*;
use std::collections::BTreeMap;
use vfs::tmpfs::Tmpfs;
use vfs::{Follow, Start, Vfs, Who};

const ROOT: Who<'_> = Who { uid: 0, gid: 0, groups: &[], umask: 0, prefix: b"" };

#[derive(Debug, Clone)]
enum Change {
    Make(u32),
    Remove(u32),
    Rename(u32, u32),
}

fn change() -> impl Strategy<Value = Change> {
    // Names below 20 are left alone.
    let name = || 20..60_u32;
    prop_oneof![
        name().prop_map(Change::Make),
        name().prop_map(Change::Remove),
        (name(), name()).prop_map(|(from, to)| Change::Rename(from, to)),
    ]
}

fn apply(vfs: &mut Vfs, start: Start, change: &Change) {
    let name = |number: &u32| number.to_string().into_bytes();
    let _refused = match change {
        Change::Make(number) => vfs.mkdir(&ROOT, start, &name(number), 0o755, 1),
        Change::Remove(number) => vfs.unlink(&ROOT, start, &name(number), abi::raw::general::AT_REMOVEDIR, 1),
        Change::Rename(from, to) => {
            vfs.rename(&ROOT, (start, &name(from)), (start, &name(to)), 0, 1).map(drop)
        }
    };
}

proptest! {
    #[test]
    fn what_stays_comes_once(changes in prop::collection::vec(change(), 0..80), at_once in 1..9_usize) {
        let mut vfs = Vfs::new(Tmpfs::new(64 << 20, 1), [1; 32], 1).unwrap();
        let root = Start { root: vfs.root(), dir: vfs.root() };
        let start = Start { dir: vfs.lookup(&ROOT, root, b"tmp", Follow::Yes).unwrap(), ..root };
        (0..40).for_each(|number| apply(&mut vfs, start, &Change::Make(number)));
        let mut times: BTreeMap<Vec<u8>, u32> = BTreeMap::new();
        let (mut after, mut changes) = (0, changes.iter());
        loop {
            let mut left = at_once;
            vfs.read_dir(start.dir, after, &mut |cookie, _, _, name| {
                assert!(cookie > after);
                (after, left) = (cookie, left - 1);
                *times.entry(name.to_vec()).or_default() += 1;
                left > 0
            }).unwrap();
            if left == at_once {
                break;
            }
            if let Some(change) = changes.next() {
                apply(&mut vfs, start, change);
            }
        }
        for number in 0..20_u32 {
            prop_assert_eq!(times.get(number.to_string().as_bytes()), Some(&1));
        }
        prop_assert_eq!((times[b".".as_slice()], times[b"..".as_slice()]), (1, 1));
    }
}
