//! Calls that no C library makes: of a program's own text, and of libraries that are loaded while it runs. They are rewritten, not
//! trapped, and whoever loads code in its own way finds it as it is in its file.

use e2e::{Ran, Server, artifact, c_program, c_program_with, native, run};
use std::path::Path;

const LIBRARY: [&str; 3] = ["-O0", "-shared", "-fPIC"];

/// What the program prints natively and under `rump trace --summary`, and how many of its calls were made and trapped.
fn both(server: &Server, program: &Path, arguments: &[&str]) -> (Ran, u64, u64) {
    let directory = server.directory();
    let mut alone = native(program);
    let expected = run(alone.args(arguments).current_dir(directory));
    assert_eq!(expected.status, 0, "natively: {expected:?}");
    let mut rump = native(artifact("rump"));
    rump.args(["trace", "--summary", "--"]).arg(program).args(arguments);
    let found = run(rump.env("RUMP_SERVER", server.url()).current_dir(directory));
    assert_eq!((found.status, &found.stdout), (0, &expected.stdout), "{arguments:?}: {}", found.stderr);
    let last = found.stderr.lines().last().unwrap_or_default();
    let mut words = last.split(' ').filter_map(|word| word.parse().ok());
    let (Some(made), Some(trapped)) = (words.next(), words.next()) else { panic!("{last}") };
    (found, made, trapped)
}

fn plugin(server: &Server, more: &[&str]) -> String {
    let arguments = [&LIBRARY[..], more].concat();
    c_program_with("h_plugin", server.directory(), &arguments).display().to_string()
}

#[test]
fn a_programs_own_calls_are_rewritten() {
    let server = Server::start();
    let program = c_program("h_later", server.directory());
    let (_, made, trapped) = both(&server, &program, &[]);
    assert!(made > 40_000 && trapped == 0, "{trapped} of {made}");
    assert_eq!(server.counter("call.bind"), 1);
}

#[test]
fn those_of_a_library_that_is_loaded_are_too() {
    let server = Server::start();
    let (program, plugin) = (c_program("h_later", server.directory()), plugin(&server, &[]));
    let (_, made, trapped) = both(&server, &program, &["plugin", &plugin]);
    assert!(made > 40_000 && trapped == 0, "{trapped} of {made}");
    assert_eq!(server.counter("call.bind"), 1);
    let (_, made, trapped) = both(&server, &program, &["threads", &plugin]);
    assert!(made > 48_000 && trapped * 100 < made, "{trapped} of {made}");
}

/// ld.so relocates such a text, another loader changes what it likes.
#[test]
fn code_that_is_changed_when_it_is_loaded_is_its_loaders() {
    let server = Server::start();
    let program = c_program("h_later", server.directory());
    let relocated = plugin(&server, &["-DTEXTREL", "-Wl,-z,notext"]);
    let (found, made, trapped) = both(&server, &program, &["plugin", &relocated]);
    assert!(found.stdout.contains("relocated 1"), "{}", found.stdout);
    assert!(trapped > 20_000 && trapped < made, "its calls are left to the trap: {trapped} of {made}");
    let plain = plugin(&server, &[]);
    let (_, _, trapped) = both(&server, &program, &["loader", &plain]);
    assert_eq!(trapped, 1, "the one whose number was changed");
}

/// A process goes without the trap as long as there is nothing to trap: whatever way code comes that nobody has looked through, its
/// calls are caught from the first one on, in children and threads too.
#[test]
fn code_that_a_program_makes() {
    let server = Server::start();
    let program = c_program("h_made", server.directory());
    for way in ["anonymous", "protected", "shared", "private", "fixed", "segment", "personal", "by_child"] {
        let before = server.counter("call.socket");
        let (_, _, trapped) = both(&server, &program, &[way]);
        assert_eq!((server.counter("call.socket") - before, trapped), (3, 3), "{way}");
    }
    let old = run(server.hijacked(program.display().to_string()).args(["anonymous", "old"])).success();
    assert!(old.ends_with("int $0x80: -38\n"), "{old}");
}

/// A host's call costs nothing more where nothing is to be trapped: prctl(2) does not switch the trap on, or only once.
#[test]
fn the_trap_is_on_where_it_is_needed() {
    let server = Server::start();
    let program = c_program("h_made", server.directory());
    let log = server.directory().join("calls");
    let switched = |arguments: &[&str]| {
        let mut strace = server.hijacked("strace");
        strace.args(["-f", "-e", "trace=prctl,execve", "-o"]).arg(&log).args(arguments);
        let _ = run(&mut strace).success();
        let calls = std::fs::read_to_string(&log).expect("what strace has written");
        assert!(calls.contains("execve("), "{calls}");
        calls.lines().filter(|line| line.contains("PR_SET_SYSCALL_USER_DISPATCH")).count()
    };
    assert_eq!(switched(&["sh", "-c", "cat /etc/passwd | sort > /dev/null; cd /; true"]), 0);
    let made = program.display().to_string();
    assert_eq!(switched(&[&made, "anonymous"]), 3, "the process, its child and its thread");
}
