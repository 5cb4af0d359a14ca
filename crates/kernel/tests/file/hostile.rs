//! Any arguments, any memory: the kernel answers or waits, and never panics; and where the bytes come from makes no
//! difference.

use crate::machine::{Machine, Rump};
use abi::nr;
use abi::table::{self, Route};
use kernel::Descriptors;
use proptest::prelude::*;

/// Where the program's memory is filled.
const FILLED: usize = 4096;
const AT: u64 = 0x10_0000;

/// Paths that lead somewhere, at multiples of 16.
const PATHS: &[&str] = &[
    "/tmp/a",
    "/tmp/d",
    "/tmp/d/f",
    "a",
    ".",
    "..",
    "",
    "/",
    "/dev/zero",
    "/tmp/fifo",
    "/dev/null",
    "/tmp/l",
];

/// Every call that names a file, by number.
fn calls() -> Vec<u32> {
    let named = |route: &Route| {
        matches!(route, Route::ByPath(_) | Route::At { .. } | Route::TwoPaths { .. } | Route::ByFd(_))
    };
    let by_table = table::all().filter(|row| named(&row.route)).map(|row| row.nr);
    by_table
        .chain([nr::GETCWD, nr::CHDIR, nr::FCHDIR, nr::SENDFILE, nr::COPY_FILE_RANGE, nr::CLOSE_RANGE])
        .collect()
}

fn argument() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => 0..12_u64,
        4 => (0..PATHS.len() as u64).prop_map(|number| AT + number * 16),
        2 => (0..FILLED as u64).prop_map(|at| AT + at),
        1 => Just(u64::MAX),
        1 => Just(-100_i64 as u64),
        1 => any::<u64>(),
        3 => prop::sample::select(vec![0o100, 0o2, 0o1102, 0o200_000, 0o10_000_000, 0o20_200_002, 0o10_644, 0x1000, 0x100]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn nothing_panics(
        noise in prop::collection::vec(any::<u8>(), FILLED - 16 * PATHS.len()),
        steps in prop::collection::vec((prop::sample::select(calls()), prop::array::uniform6(argument())), 1..60),
        weak: bool,
        uid in prop::sample::select(vec![0_u32, 1000]),
    ) {
        let mut rump = Rump::with(if weak { Descriptors::Weak } else { Descriptors::Strong }, uid);
        for (number, path) in PATHS.iter().enumerate() {
            rump.memory()[number * 16..number * 16 + path.len()].copy_from_slice(path.as_bytes());
        }
        rump.memory()[16 * PATHS.len()..FILLED].copy_from_slice(&noise);
        let pid = rump.pid;
        for (path, flags) in [(0, 0o102_u64), (4, 0), (8, 2), (1, 0o10_000_000)] {
            rump.sys_of(pid, nr::OPEN, [AT + path * 16, flags, 0o600, 0, 0, 0]).ok();
        }
        for (number, args) in steps {
            let id = rump.start(pid, number, args);
            if rump.answer(id).is_none() {
                rump.pass(1_000_000);
                rump.cancel(id);
                prop_assert!(rump.answer(id).is_some(), "an interrupted call is answered");
            }
        }
        rump.kernel.detach(pid);
        rump.pump();
    }
}
