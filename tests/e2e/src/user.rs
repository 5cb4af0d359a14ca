//! Who runs the programs of the tests: an ordinary user, also when root runs the suite (CI does).
//!
//! Threads have credentials of their own (credentials(7)), and each test has a thread: its thread becomes `nobody`, and so
//! do the files it makes and the programs it starts. Root stays in the saved set-user-ID, which execve(2) replaces by the
//! effective one: the test can go back to reach its checkout, a program that it starts cannot.

use crate::syscall;
use abi::nr;
use std::cell::{Cell, OnceCell};
use std::path::PathBuf;

/// Debian's `nobody` and `nogroup`.
const NOBODY: u64 = 65534;
const ROOT: u64 = 0;

#[derive(Clone, Copy, PartialEq)]
enum User {
    /// Who runs the suite.
    Invoking,
    /// As [`User::Invoking`], by the test's own wish.
    InvokingForGood,
    /// Nobody, with the way back.
    Ordinary,
}

thread_local! {
    static USER: Cell<User> = const { Cell::new(User::Invoking) };
    static HOME: OnceCell<tempfile::TempDir> = const { OnceCell::new() };
}

/// From here on this thread, its files and its programs are an ordinary user's.
///
/// # Panics
/// If root cannot become another user.
pub fn ordinary_user() {
    let root = syscall(nr::GETEUID, [0; 6]) == Ok(ROOT);
    if root && USER.get() == User::Invoking {
        syscall(nr::SETGROUPS, [0; 6]).expect("setgroups");
        syscall(nr::SETRESGID, [NOBODY, NOBODY, NOBODY, 0, 0, 0]).expect("setresgid");
        syscall(nr::SETRESUID, [NOBODY, NOBODY, ROOT, 0, 0, 0]).expect("setresuid");
        USER.set(User::Ordinary);
    }
}

/// This test runs as whoever runs the suite. To be called first, saying why.
pub fn invoking_user() {
    USER.set(User::InvokingForGood);
}

/// What `action` answers when done as the user who runs the suite, who alone may reach the checkout.
pub(crate) fn as_invoking_user<T>(action: impl FnOnce() -> T) -> T {
    if USER.get() != User::Ordinary {
        return action();
    }
    syscall(nr::SETRESUID, [ROOT, ROOT, ROOT, 0, 0, 0]).expect("root is in the saved set-user-ID");
    let answer = action();
    syscall(nr::SETRESUID, [NOBODY, NOBODY, ROOT, 0, 0, 0]).expect("setresuid");
    answer
}

/// This thread's home directory: nothing of a test is left in the invoking user's.
pub(crate) fn home() -> PathBuf {
    ordinary_user();
    HOME.with(|home| home.get_or_init(|| tempfile::tempdir().expect("a home")).path().to_path_buf())
}

/// Whether the programs of this thread may reach what the invoking user built.
pub(crate) fn is_ordinary() -> bool {
    USER.get() == User::Ordinary
}
