//! NetBSD's tests/lib/librumphijack/t_sh: shells and the rump kernel's files.

use e2e::{Server, run};

#[test]
fn runscript() {
    let server = Server::start();
    let script = server.directory().join("thescript");
    std::fs::write(&script, "echo Hello, this is your script speaking\n").expect("a host file");
    let _ = run(server.hijacked("mv").arg(&script).arg("/rump")).success();
    assert!(!script.exists(), "it was moved");
    let output = run(server.hijacked("sh").arg("/rump/thescript")).success();
    assert_eq!(output, "Hello, this is your script speaking\n");
}

#[test]
fn redirect() {
    let server = Server::start();
    let line = "echo output of a shell > /rump/thefile";
    assert_eq!(run(server.hijacked("sh").args(["-c", line])).success(), "");
    assert_eq!(run(server.hijacked("cat").arg("/rump/thefile")).success(), "output of a shell\n");
    assert_eq!(
        run(server.hijacked("sh").args(["-c", "cat < /rump/thefile"])).success(),
        "output of a shell\n"
    );
}

#[test]
fn a_script_in_the_rump_kernel_is_executed() {
    let server = Server::start();
    let lines =
        "printf '#!/bin/sh -e\\necho \"$0 $1 $#\"\\n' > /rump/s && chmod +x /rump/s && /rump/s one two";
    assert_eq!(run(server.hijacked("sh").args(["-c", lines])).success(), "/rump/s one 2\n");
}

#[test]
fn a_program_in_the_rump_kernel_is_executed() {
    let server = Server::start();
    let lines =
        "cp /bin/echo /rump/say && /rump/say hello && cd /rump && ./say again && chmod -x say && ./say";
    let ran = run(server.hijacked("sh").args(["-c", lines]));
    assert_eq!((ran.status, ran.stdout.as_str()), (126, "hello\nagain\n"), "{}", ran.stderr);
}
