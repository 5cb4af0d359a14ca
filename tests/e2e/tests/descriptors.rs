//! Descriptors as programs use them: compared with the native run.

use e2e::{Server, c_program, native, run};

#[test]
fn a_program_that_shuffles_descriptors() {
    let server = Server::start();
    let program = c_program("h_fds", server.directory());
    let here = server.directory().join("here");
    std::fs::create_dir(&here).expect("a host directory");
    let expected = run(native(&program).arg(&here)).success();
    let _ = run(server.hijacked("mkdir").arg("/rump/here")).success();
    assert_eq!(run(server.hijacked(&program).arg("/rump/here")).success(), expected);
    assert!(server.counter("call.write") > 0);
}
