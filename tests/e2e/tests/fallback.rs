//! Without Syscall User Dispatch (Linux before 5.11, containers whose filters refuse it) rewriting alone catches a program's calls.

use e2e::{Server, artifact, c_program, native, run};
use std::process::Command;

/// A command as it is, under a filter that refuses Syscall User Dispatch.
fn refused(filter: &std::path::Path, command: &Command) -> Command {
    let mut refused = native(filter);
    refused.arg("env");
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            refused.arg(format!("{}={}", name.display(), value.display()));
        }
    }
    refused.arg(command.get_program()).args(command.get_args());
    refused
}

/// The C library's calls are all rewritten: files, sockets, children and signals are the rump kernel's and work as natively.
#[test]
fn rewriting_alone() {
    let server = Server::start();
    let filter = c_program("h_refuse", server.directory());
    let script = "\
import os, socket, subprocess, sys, threading
s = socket.create_server(('127.0.0.1', 80))
threading.Thread(target=lambda: s.accept()[0].sendall(b'hello')).start()
c = socket.create_connection(('127.0.0.1', 80))
print(c.recv(5))
os.mkdir('/rump/d'); os.chdir('/rump/d')
open('f', 'w').write('some')
print(subprocess.run(['cat', 'f'], capture_output=True).stdout, os.fork() and os.wait()[1])
";
    let mut program = server.hijacked("python3");
    program.args(["-u", "-c", script]);
    let found = run(&mut refused(&filter, &program)).success();
    assert_eq!(found, "b'hello'\nb'some' 0\nb'some' 0\n");
    assert!(server.counter("call.accept4") > 0 && server.counter("call.mkdir") > 0);
}

#[test]
fn it_is_told() {
    let server = Server::start();
    let filter = c_program("h_refuse", server.directory());
    let rump = artifact("rump");
    let told = |args: &[&str], refuse: bool| {
        let mut command = native(&rump);
        command.args(args);
        if refuse { run(&mut refused(&filter, &command)) } else { run(&mut command) }
    };
    let check = ["check", "/bin/true"];
    assert!(told(&check, false).success().contains("has the dispatch trap"));
    assert!(told(&check, true).success().contains("refused here"));
    let verbose = ["run", "-v", "--", "/bin/true"];
    assert!(!told(&verbose, false).stderr.contains("only rewritten"));
    assert!(told(&verbose, true).stderr.contains("only rewritten calls are caught"));
}
