//! How calls are caught: what `rump trace --summary` says of programs that are no Go.

use e2e::{Server, artifact, native, run};

/// The table's rows and the share of trapped calls in per cent.
fn summary(server: &Server, args: &[&str]) -> (String, f64) {
    let mut rump = native(artifact("rump"));
    rump.args(["trace", "--summary", "--"]).args(args).env("RUMP_SERVER", server.url());
    let ran = run(&mut rump);
    assert_eq!(ran.status, 0, "{args:?}: {}", ran.stderr);
    let last = ran.stderr.lines().last().unwrap_or_default();
    let share = last.split(['(', ' ']).rev().nth(1).and_then(|share| share.parse().ok());
    (ran.stderr.clone(), share.unwrap_or_else(|| panic!("no share: {last}")))
}

const PYTHON: &str = "
import socket, subprocess
l = socket.create_server(('127.0.0.1', 0)); c = socket.create_connection(l.getsockname())
l.accept()[0].sendall(b'x'); c.recv(1); subprocess.run(['sh', '-c', 'ls /rump | sort'])";

#[test]
fn below_one_per_cent() {
    let server = Server::start();
    let static_shell = "i=0; while [ $i -lt 50 ]; do echo $i >/rump/tmp/f; read x </rump/tmp/f; i=$((i+1)); done; \
        busybox ls -lR /rump >/dev/null; busybox find /usr/share/doc | busybox wc -l >/dev/null";
    let programs: [&[&str]; 6] = [
        &["python3", "-c", PYTHON],
        &[
            "bash",
            "-c",
            "for i in 1 2 3; do echo $i | cat >/rump/tmp/$i; done; (trap 'echo' USR1; kill -USR1 $BASHPID)",
        ],
        &["git", "init", "-q", "/rump/tmp/repository"],
        &["curl", "-s", "--max-time", "1", "file:///etc/passwd", "-o", "/dev/null"],
        &["perl", "-e", "fork // die; wait; print `ls /rump`"],
        &["busybox", "sh", "-c", static_shell],
    ];
    for program in programs {
        let (table, share) = summary(&server, program);
        assert!(share < 1.0, "{program:?}\n{table}");
        let calls = table.lines().last().and_then(|line| line.split(' ').next()?.parse::<u64>().ok());
        assert!(calls.is_some_and(|calls| calls > 30), "{program:?} makes calls:\n{table}");
    }
}

/// Served calls, their errors and trapped ones are told apart.
#[test]
fn the_table() {
    let server = Server::start();
    let (table, _) = summary(&server, &["sh", "-c", "cat /rump/none 2>/dev/null; echo >/rump/tmp/x"]);
    let row = table.lines().find(|line| line.starts_with("openat ")).expect("openat is there");
    let counts: Vec<u64> = row.split_whitespace().skip(1).map(|count| count.parse().unwrap()).collect();
    let [made, rump, errors, rewritten, trapped] = counts[..] else { panic!("{row}") };
    assert!(made == rewritten + trapped && made > rump, "{row}");
    assert_eq!((rump, errors), (2, 1), "{row}");
    let mut trapped = native(artifact("rump"));
    trapped.args(["trace", "--summary", "true"]).env("RUMP_SERVER", server.url());
    let ran = run(trapped.env("RUMPHIJACK__NOPATCH", "1"));
    assert!(ran.stderr.ends_with("(100.00 %)\n"), "{}", ran.stderr);
}
