//! What children and threads share: descriptors, memory, handlers, in the combinations of clone(2), clone3(2), unshare(2) and
//! close_range(2) that runtimes use.

use e2e::same_program;

#[test]
fn descriptors_and_memory() {
    let printed = same_program("h_sharing", "connect");
    assert!(
        printed.contains("files alone: 0, Bad file descriptor, device, 200 is socket, bind 0"),
        "{printed}"
    );
}
