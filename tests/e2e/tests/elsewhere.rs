//! Descriptors of another process: their names in /proc, and pidfd_getfd(2).

use e2e::{Background, Server, native, run, same_program};
use std::path::Path;
use std::process::Command;

#[test]
fn names_and_copies() {
    let told = same_program("h_elsewhere", "rump_take");
    assert!(told.contains("lone: file 7 ") && told.contains("taken: 3456"), "{told}");
}

/// A program with a lone file, one that is shared, a directory, a fifo and a TCP socket.
const HOLDER: &str = r"
import os, socket, sys, time
base = os.environ['D']
f = os.open(base + '/lone', os.O_RDWR | os.O_CREAT); os.write(f, b'0123456789')
g = os.open(base + '/shared', os.O_RDONLY | os.O_CREAT); h = os.dup(g)
d = os.open(base, os.O_RDONLY | os.O_DIRECTORY)
os.mkfifo(base + '/fifo'); p = os.open(base + '/fifo', os.O_RDWR)
s = socket.create_server(('127.0.0.1', 4321))
print(os.getpid(), f, g, h, d, p, s.fileno(), flush=True)
time.sleep(1000)
";

/// What ls(1), cat(1), find(1), lsof(8), fuser(1) and ss(8) tell of it. The first argument is its number, then follow descriptors.
const LOOKER: &str = r#"
pid=$1; shift
for fd; do readlink /proc/$pid/fd/$fd; done | sed "s,^$D,DIR,; s/[0-9]\{2,\}/N/"
cd /proc/$pid/fd; for fd; do stat -L -c '%F' $fd; ls -l $fd | cut -c1-10; done; cd /
cat /proc/$pid/fd/$1; echo; grep pos: /proc/$pid/fdinfo/$1
find /proc/$pid/fd -lname "$D*" | wc -l
lsof -a -p $pid -d $1,$2,$4,$5 -Fatn | sed "s,$D,DIR,; s/^p.*//"
fuser $D/lone 2>/dev/null | wc -w
ss -tlnpH sport = :4321 | sed 's/.*users/users/; s/pid=.*//'
"#;

fn holder(mut command: Command, dir: &str, log: &Path) -> (Background, Vec<String>) {
    let mut holder = Background::start(command.args(["-c", HOLDER]).env("D", dir), log);
    let read = || std::fs::read_to_string(log).unwrap_or_default();
    holder.wait_until(|| read().ends_with('\n'));
    (holder, read().split_whitespace().map(str::to_owned).collect())
}

fn looked(mut command: Command, dir: &str, numbers: &[String]) -> String {
    run(command.args(["-c", LOOKER, "sh"]).args(numbers).env("D", dir)).success()
}

#[test]
fn by_the_programs_that_look() {
    let server = Server::start();
    let host = server.directory().join("d");
    std::fs::create_dir(&host).expect("a directory");
    let host = host.to_str().expect("UTF-8");
    let _ = run(server.hijacked("mkdir").arg("/rump/d")).success();
    let (_native, numbers) = holder(native("python3"), host, &server.directory().join("native"));
    let expected = looked(native("sh"), host, &numbers);
    let (_hijacked, numbers) = holder(server.hijacked("python3"), "/rump/d", &server.directory().join("log"));
    let found = looked(server.hijacked("sh"), "/rump/d", &numbers);
    assert_eq!(found, expected, "hijacked (left) differs from native (right)");
    assert!(server.counter("call.rump_find") > 10, "{found}");
}

/// Lone files have numbers, and those of two kernels are never the same.
#[test]
fn of_another_kernel_they_are_the_hosts() {
    let (server, other) = (Server::start(), Server::start());
    for server in [&server, &other] {
        let _ = run(server.hijacked("mkdir").arg("/rump/d")).success();
    }
    let (_here, here) = holder(server.hijacked("python3"), "/rump/d", &server.directory().join("log"));
    let (_there, there) = holder(other.hijacked("python3"), "/rump/d", &other.directory().join("log"));
    let lone = |holder: &[String]| {
        let name = format!("/proc/{}/fd/{}", holder[0], holder[1]);
        run(server.hijacked("readlink").arg(name)).success()
    };
    assert_eq!(lone(&here), "/rump/d/lone\n");
    assert_eq!(lone(&there), "/memfd:rump-lone (deleted)\n");
}
