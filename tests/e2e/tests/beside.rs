//! What looks at a program from outside, or is loaded into it beside the library. Debian packages gdb, strace, musl-tools,
//! libjemalloc2.

use e2e::{Server, artifact, c_program, c_source, native, run};
use std::path::Path;
use std::process::Command;

/// What is printed, with numbers that differ from run to run left out.
fn debugged(mut gdb: Command, hijack: &[String], program: &Path) -> String {
    const COMMANDS: &str = "set startup-with-shell off|set width 0|handle SIGSYS nostop noprint pass|\
        handle SIGUSR1 nostop noprint pass|break served|run|bt|next|next|next|print number + sent + got|stepi|finish|\
        continue|bt|delete|tbreak __libc_send|continue|finish|info threads|continue";
    gdb.args(["-nx", "-q", "-batch"]);
    hijack.iter().for_each(|set| {
        gdb.args(["-ex", &format!("set environment {set}")]);
    });
    COMMANDS.split('|').for_each(|command| {
        gdb.args(["-ex", command]);
    });
    let ran = run(gdb.arg(program));
    let wanted = |line: &&str| {
        let start = ["#", "$", "1", "Value", "answer", "[Inferior", "<signal"];
        start.iter().any(|start| line.starts_with(start)) && !line.starts_with("16\t")
    };
    // "#4  0x00007ffff7e5ff4f in f (): the library moves those that ld.so maps behind it.
    let plain = |line: &str| match (line.find("0x"), line.find(" in ")) {
        (Some(from), Some(to)) if from < to => line[..from].to_owned() + &line[to..],
        _ => line.split("(process").next().unwrap_or_default().to_owned(),
    };
    ran.stdout.lines().filter(wanted).map(plain).collect::<Vec<_>>().join("\n")
}

#[test]
fn gdb() {
    let server = Server::start();
    let program = c_program("h_debugged", server.directory());
    let expected = debugged(native("gdb"), &[], &program);
    let preload = format!("LD_PRELOAD {}", artifact("librumphijack.so").display());
    let found = debugged(native("gdb"), &[preload, format!("RUMP_SERVER {}", server.url())], &program);
    assert_eq!(found, expected, "hijacked (left) differs from native (right)");
    for part in ["in outer", "<signal handler called>", "in main", "answer 12, child 3"] {
        assert!(expected.contains(part), "{part}: {expected}");
    }
    assert!(server.counter("call.accept") > 0);
}

#[test]
fn strace() {
    let server = Server::start();
    let program = c_program("h_debugged", server.directory());
    let log = server.directory().join("log");
    let mut strace = native("strace");
    strace.arg("-f").arg("-o").arg(&log).args(["-E", &format!("RUMP_SERVER={}", server.url())]);
    strace.args(["-E", &format!("LD_PRELOAD={}", artifact("librumphijack.so").display())]);
    let ran = run(strace.arg(program));
    assert_eq!((ran.status, ran.stdout.as_str()), (4, "answer 12, child 3\n"), "{}", ran.stderr);
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.contains("exited with 3") && log.contains("exited with 4"));
    assert!(server.counter("call.accept") > 0);
}

#[test]
fn musl() {
    let server = Server::start();
    let program = server.directory().join("program");
    let mut compiler = native("musl-gcc");
    compiler.args(["-O1", "-pthread", "-w", "-x", "c", "-", "-o"]).arg(&program);
    run(compiler.stdin(c_source("h_static"))).success();
    let expected = run(native(&program).arg(server.directory()));
    assert_eq!(expected.status, 3, "{expected:?}");
    assert_eq!(run(server.hijacked(&program).arg("/rump/tmp")), expected);
    assert!(server.counter("call.accept") >= 20);
}

const ALLOCATING: &str = "
import socket, threading
listener = socket.create_server(('127.0.0.1', 0)); client = socket.create_connection(listener.getsockname())
server = listener.accept()[0]; server.sendall(b'x' * 100000); print(len(client.recv(100000, socket.MSG_WAITALL)))
threads = [threading.Thread(target=lambda: [bytearray(100000) for _ in range(200)]) for _ in range(8)]
[thread.start() for thread in threads]; [thread.join() for thread in threads]
print('jemalloc' in open('/proc/self/maps').read(), open('/rump/tmp/f', 'w').write('four'))";

#[test]
fn jemalloc() {
    let server = Server::start();
    let library = artifact("librumphijack.so").display().to_string();
    for preload in [format!("{library}:libjemalloc.so.2"), format!("libjemalloc.so.2:{library}")] {
        let mut python = server.hijacked("python3");
        let printed = run(python.args(["-c", ALLOCATING]).env("LD_PRELOAD", preload)).success();
        assert_eq!(printed, "100000\nTrue 4\n");
    }
}
