//! Any arguments, any memory: the kernel answers or waits, and never panics.

use crate::machine::{Machine, Rump};
use abi::nr;
use kernel::Descriptors;
use proptest::prelude::*;

const CALLS: &[u32] = &[
    nr::READ,
    nr::WRITE,
    nr::CLOSE,
    nr::READV,
    nr::WRITEV,
    nr::FCNTL,
    nr::FSTAT,
    nr::DUP,
    nr::DUP2,
    nr::DUP3,
    nr::POLL,
    nr::PPOLL,
    nr::IOCTL,
    nr::PIPE2,
    nr::SOCKET,
    nr::SOCKETPAIR,
    nr::BIND,
    nr::LISTEN,
    nr::ACCEPT,
    nr::ACCEPT4,
    nr::CONNECT,
    nr::GETSOCKNAME,
    nr::GETPEERNAME,
    nr::SENDTO,
    nr::RECVFROM,
    nr::SENDMSG,
    nr::RECVMSG,
    nr::SENDMMSG,
    nr::RECVMMSG,
    nr::SHUTDOWN,
    nr::SETSOCKOPT,
    nr::GETSOCKOPT,
];

/// Where the program's memory is filled with random bytes.
const FILLED: usize = 4096;

fn argument() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => 0..12_u64,
        4 => (0..FILLED as u64).prop_map(|at| 0x10_0000 + at),
        1 => Just(u64::MAX),
        1 => any::<u64>(),
        1 => any::<i32>().prop_map(|number| u64::from(number.cast_unsigned())),
        2 => prop::sample::select(vec![1, 2, 10, 16, 41, 0x541b, 0x8912, 0x8913, 0x40, 0x800]),
    ]
}

fn call() -> impl Strategy<Value = (u32, [u64; 6])> {
    (prop::sample::select(CALLS), prop::array::uniform6(argument()))
}

/// Bytes that often make sense as lengths, families and pointers.
fn memory() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        (0..32_u64).prop_map(u64::to_ne_bytes),
        (0..FILLED as u64).prop_map(|at| (0x10_0000 + at).to_ne_bytes()),
        (1_u64..17, 1_u64..3).prop_map(|(low, high)| (low | high << 32).to_ne_bytes()),
        any::<u64>().prop_map(u64::to_ne_bytes),
    ];
    prop::collection::vec(word, FILLED / 8).prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn nothing_panics(memory in memory(), calls in prop::collection::vec(call(), 1..60), weak: bool) {
        let descriptors = if weak { Descriptors::Weak } else { Descriptors::Strong };
        let mut rump = Rump::with(descriptors, 0);
        rump.memory()[..FILLED].copy_from_slice(&memory);
        let pid = rump.pid;
        for (family, kind) in [(2, 1), (2, 2), (10, 1), (1, 1), (1, 2), (1, 5), (16, 3)] {
            rump.sys_of(pid, nr::SOCKET, [family, kind, 0, 0, 0, 0]).expect("a socket");
        }
        for (number, args) in calls {
            let id = rump.start_with(pid, number, args, vec![900]);
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
