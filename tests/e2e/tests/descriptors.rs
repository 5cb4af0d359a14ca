//! Descriptors as programs use them: compared with the native run.

use e2e::same_program;

#[test]
fn a_program_that_shuffles_descriptors() {
    same_program("h_fds", "write");
}

#[test]
fn descriptors_by_name() {
    same_program("h_names", "readlink");
}

#[test]
fn signals_when_there_is_something_to_read() {
    same_program("h_async", "fcntl");
}

#[test]
fn bytes_moved_through_pipes() {
    same_program("h_transfer", "recvfrom");
}

#[test]
fn numbers_of_descriptors() {
    same_program("h_numbers", "fcntl");
}

#[test]
fn epoll_and_its_kin() {
    same_program("h_epoll", "rump_watch");
}

#[test]
#[ignore = "long: see CONTRIBUTING.md"]
fn ten_thousand_in_one_epoll_set() {
    same_program("h_many", "rump_watch");
}

#[test]
fn files_in_memory() {
    same_program("h_mmap", "rump_mapfd");
}

/// Locks, mode, owner, attributes and some options of sockets.
#[test]
fn what_sockets_have_as_files() {
    let told = e2e::same_program("h_inode", "flock");
    assert!(told.contains("child: set EAGAIN") && told.contains("mode 140640, ours 1 1"), "{told}");
}
