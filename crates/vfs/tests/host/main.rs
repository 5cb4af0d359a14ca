//! The same random operations here and on the host's tmpfs: results, errors and trees must be equal.
//!
//! As root, operations are carried out as several users, which proves the permission rules; otherwise as the one who runs the test.

#![allow(clippy::unwrap_used, reason = "a test ends there")]

mod host;
mod op;
mod ours;

use op::Op;
use proptest::prelude::*;

/// What an operation came to, as text, or its errno. Times and inode numbers are left out.
type Came = Result<String, i32>;

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

fn run(steps: &[(usize, Op)]) -> Result<(), TestCaseError> {
    let (host, mut ours) = (host::Host::new(), ours::Ours::new());
    for (step, (user, op)) in steps.iter().enumerate() {
        let user = if host.is_root { *user } else { 0 };
        // `..` of the top leads elsewhere there than here.
        if ours.leaves(op) || host.hardlinks_unprotected && matches!(op, Op::Link(..)) && user != 0 {
            continue;
        }
        let (found, expected) = (ours.run(user, op), host.run(user, op));
        prop_assert_eq!(found, expected, "step {}: {:?} as {}", step, op, user);
    }
    prop_assert_eq!(ours.tree(), host.tree());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn same_as_the_host(steps in prop::collection::vec((0..USERS.len(), op::any_op()), 1..60)) {
        run(&steps)?;
    }
}
