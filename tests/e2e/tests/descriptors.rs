//! Descriptors as programs use them: compared with the native run.

use e2e::{Server, run, same_program};

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
fn hang_ups_of_sockets_that_are_not_connected() {
    let told = same_program("h_hangups", "rump_watch");
    assert!(told.contains("first: 1 [2 OUT HUP]") && told.contains("a new set: 0\n"), "{told}");
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

/// Files that need no host descriptor until there is a second copy.
#[test]
fn lone_files() {
    let told = same_program("h_lone", "rump_share");
    assert!(told.contains("closed by exec: 1") && told.contains("wrong: 0"), "{told}");
}

/// The server has no descriptor of its own for them.
#[test]
fn lone_files_cost_the_server_no_descriptor() {
    const SCRIPT: &str = r#"
import os
fds = [os.open('/rump/f', os.O_RDWR | os.O_CREAT) for _ in range(500)]
print(len(os.listdir(f'/proc/{os.environ["SERVER"]}/fd')))
copies = [os.dup(fd) for fd in fds]
print(len(os.listdir(f'/proc/{os.environ["SERVER"]}/fd')))
"#;
    let server = Server::start();
    let told =
        run(server.hijacked("python3").args(["-c", SCRIPT]).env("SERVER", server.id().to_string())).success();
    let counts: Vec<usize> = told.lines().map(|line| line.parse().expect("a number")).collect();
    assert!(counts[0] < 100 && (500..700).contains(&counts[1]), "{told}");
}
