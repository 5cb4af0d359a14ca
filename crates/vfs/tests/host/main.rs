//! The same random operations here and on the host's tmpfs: results, errors and trees must be equal.
//!
//! As root, operations are carried out as several users, which proves the permission rules; otherwise as the one who runs the test.

#![allow(clippy::unwrap_used, reason = "a test ends there")]

mod host;
mod op;
mod ours;

use op::Op;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::Duration;

/// What an operation came to, as text, or its errno. Times and inode numbers are left out.
type Came = Result<String, i32>;

/// For each path what stat(2) says, and its times in nanoseconds: of access (0 unless it is a regular file: looking at the tree
/// reads directories and links), of modification, of change.
type Tree = BTreeMap<String, (String, [i128; 3])>;

/// Which paths have other times now.
fn touched(before: &Tree, after: &Tree) -> Vec<String> {
    let change = |(path, (_, now)): (&String, &(String, [i128; 3]))| {
        let (_, then) = before.get(path)?;
        let [atime, mtime, ctime] = [0, 1, 2].map(|which| then[which] != now[which]);
        (then != now).then(|| format!("{path}: atime {atime} mtime {mtime} ctime {ctime}"))
    };
    after.iter().filter_map(change).collect()
}

/// What stat(2) says of each path.
fn stats(tree: &Tree) -> Vec<(&String, &String)> {
    tree.iter().map(|(path, (stat, _))| (path, stat)).collect()
}

/// A user that operations are carried out as.
struct User {
    uid: u32,
    gid: u32,
    groups: &'static [u32],
}

const USERS: &[User] = &[
    User { uid: 0, gid: 0, groups: &[] },
    User { uid: 1000, gid: 1000, groups: &[3000] },
    User { uid: 1001, gid: 3000, groups: &[] },
];

/// How long two changes must be apart to have different times everywhere: a tick of a kernel with HZ=100.
const TICK: Duration = Duration::from_millis(11);

fn run(steps: &[(usize, Op)], with_times: bool) -> Result<(), TestCaseError> {
    let (host, mut ours) = (host::Host::new(), ours::Ours::new());
    let (mut here, mut there) = (ours.tree(), host.tree());
    for (step, (user, op)) in steps.iter().enumerate() {
        let user = if host.is_root { *user } else { 0 };
        // `..` of the top leads elsewhere there than here.
        if ours.leaves(op) || host.hardlinks_unprotected && matches!(op, Op::Link(..)) && user != 0 {
            continue;
        }
        if with_times {
            std::thread::sleep(TICK);
        }
        let (found, expected) = (ours.run(user, op), host.run(user, op));
        prop_assert_eq!(found, expected, "step {}: {:?} as {}", step, op, user);
        let (here_now, there_now) = (ours.tree(), host.tree());
        prop_assert_eq!(stats(&here_now), stats(&there_now), "step {}: {:?} as {}", step, op, user);
        if with_times {
            let (found, expected) = (touched(&here, &here_now), touched(&there, &there_now));
            prop_assert_eq!(found, expected, "step {}: {:?} as {}", step, op, user);
        }
        (here, there) = (here_now, there_now);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn same_as_the_host(steps in prop::collection::vec((0..USERS.len(), op::any_op()), 1..60)) {
        run(&steps, false)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, max_shrink_iters: 100, ..ProptestConfig::default() })]
    #[test]
    fn same_times_as_the_host(steps in prop::collection::vec((0..USERS.len(), op::any_op()), 1..50)) {
        run(&steps, true)?;
    }
}

/// Found by `same_as_the_host`, rarely: pages that were reserved behind the end go when a file is cut to its own length.
#[test]
fn reserved_pages_behind_the_end() {
    const KEEP_SIZE: u32 = 1;
    const O_TRUNC: u32 = 0o1000;
    let a = || "a".to_owned();
    let steps = [
        op::Op::Mknod(a(), 0o100_755),
        op::Op::Allocate(a(), KEEP_SIZE, 0, 1),
        op::Op::Open(a(), O_TRUNC, 0o755, 0),
    ];
    run(&steps.map(|op| (0, op)), false).expect("as the host does it");
}
