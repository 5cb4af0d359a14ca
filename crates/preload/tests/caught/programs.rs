//! Real programs: what they do natively they do with every call caught.

use crate::common::{Layer, command, library, run, same_as_native};
use std::fs;

#[test]
fn coreutils() {
    same_as_native("/bin/true", &[]);
    same_as_native("/bin/false", &[]);
    same_as_native("/bin/ls", &["-lR", "/etc/apt"]);
    same_as_native("/bin/cat", &["/etc/passwd"]);
    same_as_native("/bin/cat", &["/nonexistent"]);
    same_as_native("/usr/bin/timeout", &["0.1", "sleep", "5"]);
    same_as_native("/usr/bin/sort", &["--parallel=2", "-u", "/etc/services"]);
}

#[test]
fn shells() {
    let script = "for i in 1 2 3; do echo $i; done | sort -r | tr 1 x; (exit 3); echo $?; \
        x=$(echo sub | cat); echo $x; trap 'echo trapped' USR1; kill -USR1 $$; sleep 0.1 & wait $!; echo end";
    same_as_native("/bin/sh", &["-c", script]);
    same_as_native("/bin/bash", &["-c", script]);
    same_as_native("/bin/bash", &["-c", "exec 7<>/dev/null; cat <(echo a) <(echo b); ulimit -n; kill -9 $$"]);
}

#[test]
fn python() {
    let script = "
import asyncio, concurrent.futures, signal, socket, subprocess, threading, os, select
print(subprocess.run(['sh', '-c', 'echo x; exit 4'], capture_output=True))
pid = os.fork()
if pid == 0: os._exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
hits = []
threads = [threading.Thread(target=lambda: hits.append(1)) for _ in range(20)]
[t.start() for t in threads]; [t.join() for t in threads]
print(len(hits))
async def main():
    async def echo(r, w):
        w.write(await r.readline()); await w.drain(); w.close()
    server = await asyncio.start_server(echo, '127.0.0.1', 0)
    r, w = await asyncio.open_connection(*server.sockets[0].getsockname())
    w.write(b'hello\\n'); print(await r.readline())
    p = await asyncio.create_subprocess_exec('echo', 'sub', stdout=subprocess.PIPE)
    print(await p.communicate())
    w.close(); server.close()
asyncio.run(main())
signal.signal(signal.SIGALRM, lambda *a: print('alarm'))
signal.setitimer(signal.ITIMER_REAL, 0.05)
select.select([], [], [], 0.2)
with concurrent.futures.ProcessPoolExecutor(2) as pool: print(list(pool.map(abs, range(-5, 0))))
print(signal.getsignal(signal.SIGSYS), signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 64)))
print(subprocess.run(['echo', 'blocked'], capture_output=True))
";
    same_as_native("/usr/bin/python3", &["-c", script]);
}

#[test]
fn others() {
    same_as_native("/usr/bin/git", &["--version"]);
    same_as_native(
        "/usr/bin/perl",
        &[
            "-e",
            "print `echo hi`; $SIG{ALRM}=sub{print qq(a\\n)}; alarm 1; sleep 3; fork // die; wait; print qq(end\\n)",
        ],
    );
    same_as_native("/usr/bin/env", &["-i", "PATH=/bin", "sh", "-c", "echo $PATH"]);
}

#[test]
fn nothing_is_trapped_after_rewriting() {
    let counters = tempfile::NamedTempFile::new().unwrap();
    for arguments in [
        &["-c", "ls / | cat; (echo sub); cat /etc/passwd"][..],
        &["-c", "python3 -c 'import subprocess; subprocess.run([\"ls\"])'"],
    ] {
        fs::write(counters.path(), [0; 16]).unwrap();
        let output = run(command(Layer::Rewritten, "/bin/sh")
            .args(arguments)
            .env("RUMPHIJACK__TRAPS", counters.path()));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let words = fs::read(counters.path()).unwrap();
        let word = |at: usize| u64::from_ne_bytes(words[at..at + 8].try_into().unwrap());
        assert_eq!(word(0), 0, "last at {:#x}", word(8));
    }
    fs::write(counters.path(), [0; 16]).unwrap();
    run(command(Layer::Trapped, "/bin/true").env("RUMPHIJACK__TRAPS", counters.path()));
    assert_ne!(fs::read(counters.path()).unwrap()[..8], [0; 8], "the counter counts");
}

#[test]
fn nothing_is_imported_and_nothing_exported_by_accident() {
    let symbols = run(std::process::Command::new("nm").args(["-D", "--undefined-only"]).arg(library()));
    assert_eq!(String::from_utf8_lossy(&symbols.stdout), "");
    let symbols = run(std::process::Command::new("nm").args(["-D", "--defined-only", "-j"]).arg(library()));
    let names = String::from_utf8_lossy(&symbols.stdout).into_owned();
    // Those of NetBSD's C library that rumphijack(3) speaks of.
    let expected = "__sysctl fhopen fhstat fhstatvfs1 getfh getmntinfo getvfsstat sysctl sysctlbyname";
    assert_eq!(names.lines().collect::<Vec<_>>(), expected.split(' ').collect::<Vec<_>>());
}

#[test]
fn no_vector_code_beyond_sse2() {
    let listing =
        run(std::process::Command::new("objdump").args(["-d", "--no-show-raw-insn"]).arg(library()));
    let text = String::from_utf8_lossy(&listing.stdout);
    let wide =
        text.lines().filter(|line| line.contains("%ymm") || line.contains("%zmm") || line.contains("%fs:"));
    assert_eq!(wide.collect::<Vec<_>>(), [""; 0]);
}
