//! Working directories of threads' own (unshare(2), `CLONE_FS`).

use e2e::same_program;

#[test]
fn each_thread_has_its_own() {
    let told = same_program("h_places", "rump_place");
    assert!(told.contains("still: a 1, a 1, b 0, at 1") && told.contains("first still: b 1"), "{told}");
}
