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
