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

/// Files that are read where they are, and what ends that.
#[test]
fn files_that_are_read_often() {
    same_program("h_direct", "rump_direct");
}

/// Once a file was read, most reads are no calls of the rump kernel's; while somebody watches files all are.
#[test]
fn reads_that_are_no_calls() {
    const SCRIPT: &str = "
import ctypes, os, sys
watch = ctypes.CDLL(None)
if sys.argv[1] == 'watched': watch.inotify_add_watch(watch.inotify_init(), b'/rump/tmp', 1)
fd = os.open(sys.argv[2], os.O_RDONLY)
for _ in range(4):
    while os.read(fd, 4096): pass
    os.lseek(fd, 0, os.SEEK_SET)";
    let server = Server::start();
    let script = "dd if=/dev/zero of=/rump/written bs=1M count=2 status=none; truncate -s 5M /rump/filled; \
        dd if=/dev/zero of=/rump/filled conv=notrunc bs=1M count=5 status=none";
    assert_eq!(run(server.hijacked("sh").args(["-c", script])).success(), "");
    let reads = |how: &str, file: &str| {
        let before = server.counter("call.read");
        let ran = run(server.hijacked("python3").args(["-c", SCRIPT, how, file]));
        assert_eq!(ran.success(), "");
        server.counter("call.read") - before
    };
    let written = reads("alone", "/rump/written");
    assert!((20..100).contains(&written), "{written} of 2,052 reads were calls");
    // One that had holes until it was large has to be moved first.
    let filled = reads("alone", "/rump/filled");
    assert!((1500..3000).contains(&filled), "{filled} of 5,124 reads were calls");
    assert!(reads("watched", "/rump/written") >= 2052);
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
