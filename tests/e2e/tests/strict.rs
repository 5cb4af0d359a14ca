//! `rump run --strict`: what slips by is refused, what cannot be hijacked is not run.

use e2e::{Ran, Server, artifact, c_program, native, run};

fn strict(server: &Server, args: &[&str]) -> Ran {
    run(native(artifact("rump")).args(["run", "--strict", "--"]).args(args).env("RUMP_SERVER", server.url()))
}

#[test]
fn a_miss_is_refused() {
    let server = Server::start();
    let program = c_program("h_strict", server.directory());
    let program = program.to_str().unwrap();
    // The filter stands in every further image, whatever environment it is given.
    for arguments in [&[program][..], &["sh", "-c", "exec env -i \"$0\"", program]] {
        let ran = strict(&server, arguments);
        assert_eq!(ran.stdout, "1\noff 0\ninet 1\ninet6 1\nunix 1\nio_uring 1\n", "{}", ran.stderr);
        let told = ran.stderr.lines().filter(|line| line.contains("strict: socket at 0x")).count();
        assert_eq!((told, ran.status), (2, 0), "{}", ran.stderr);
    }
    let without = run(&mut server.hijacked(program));
    assert!(without.stdout.contains("off 0\ninet 0\n"), "the dispatch is off: {}", without.stdout);
}

#[test]
fn programs_run_as_ever() {
    let server = Server::start();
    let script = "echo one > /rump/one; cat /rump/one; busybox cat /rump/one; python3 -c 'import socket, subprocess
l = socket.create_server((\"127.0.0.1\", 0)); c = socket.create_connection(l.getsockname()); l.accept()[0].sendall(b\"two\")
print(c.recv(9), subprocess.run([\"sh\", \"-c\", \"exit 3\"], env={}).returncode, socket.socket(socket.AF_UNIX).family)'";
    let ran = strict(&server, &["sh", "-c", script]);
    assert_eq!(ran.stdout, "one\none\nb'two' 3 1\n", "{}", ran.stderr);
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
}

#[test]
fn what_is_not_hijacked_is_not_run() {
    let server = Server::start();
    for program in ["/bin/su", "/etc/passwd", "/dev/null"] {
        let ran = strict(&server, &[program]);
        assert_eq!((ran.status, ran.stdout.as_str()), (126, ""));
        assert!(ran.stderr.starts_with(&format!("rump: strict: {program} ")), "{}", ran.stderr);
    }
    // A program for 32-bit machines, by its header, and one that can be run but not read, started by a hijacked program.
    let script = "cd $0; printf '\\177ELF\\1\\1\\1' >other; chmod 755 other; ./other; cp /bin/true closed; chmod 311 closed; ./closed";
    let ran = strict(&server, &["sh", "-c", script, server.directory().to_str().unwrap()]);
    assert_eq!(ran.status, 126, "{}", ran.stderr);
    for what in ["strict: ./other: for another kind of machine", "strict: ./closed: cannot be read"] {
        assert!(ran.stderr.contains(what), "{}", ran.stderr);
    }
}
