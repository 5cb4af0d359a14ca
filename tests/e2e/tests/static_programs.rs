//! Statically linked programs: no ld.so brings the library into them, so the library loads them.

use e2e::{Server, artifact, c_source, native, run};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Debian packages gcc and musl-tools.
const LINKED: [&[&str]; 3] = [&["cc", "-static"], &["cc", "-static-pie"], &["musl-gcc", "-static"]];

fn compile(how: &[&str], directory: &Path) -> PathBuf {
    let program = directory.join("program");
    let mut command = native(how[0]);
    command.args(&how[1..]).args(["-O1", "-pthread", "-w", "-x", "c", "-", "-o"]).arg(&program);
    run(command.stdin(c_source("h_static"))).success();
    program
}

/// The same output and status, natively and hijacked.
fn same(server: &Server, native: &mut Command, hijacked: &mut Command) {
    let before = server.counter("calls");
    let hijacked = run(hijacked);
    assert_eq!(hijacked, run(native));
    assert!(hijacked.status < 128, "{hijacked:?}");
    assert!(server.counter("calls") > before, "nothing went through the rump kernel");
}

#[test]
fn what_a_c_program_needs() {
    let server = Server::start();
    let directory = server.directory();
    run(server.hijacked("mkdir").arg("/rump/d")).success();
    for how in LINKED {
        let program = compile(how, directory);
        let start = format!("exec {} \"$0\"", program.display());
        let command = |mut command: Command, place: &Path| {
            command.args(["-c", &start]).arg(place);
            command
        };
        let sockets = server.counter("call.accept") + server.counter("call.accept4");
        same(
            &server,
            &mut command(native("sh"), directory),
            &mut command(server.hijacked("sh"), Path::new("/rump/d")),
        );
        let now = server.counter("call.accept") + server.counter("call.accept4");
        // An accept that an alarm ends is made again.
        assert!(now - sockets >= 20, "{how:?}");
    }
    let left = run(server.hijacked("cat").arg("/rump/d/file")).success();
    assert_eq!(left, "what was written");
}

/// All 0, and of the flags interrupts alone, as execve(2) leaves them.
#[test]
fn registers_at_the_start() {
    const SOURCE: &str = r#"__asm__(".globl _start\n_start: pushfq\n"
        ".irp r, rbx,rcx,rdx,rsi,rdi,rbp,r8,r9,r10,r11,r12,r13,r14,r15\nor %\\r, %rax\n.endr\n"
        "pop %rbx\nxor $0x202, %rbx\nor %rbx, %rax\nxor %edi, %edi\ntest %rax, %rax\nsetne %dil\nmov $60, %eax\nsyscall");"#;
    let server = Server::start();
    let program = server.directory().join("program");
    let mut compiler = native("cc");
    compiler.args(["-nostdlib", "-static", "-x", "c", "-o"]).arg(&program);
    let source = server.directory().join("source");
    std::fs::write(&source, SOURCE).unwrap();
    run(compiler.arg(&source)).success();
    let start = format!("exec {}", program.display());
    assert_eq!(run(native("sh").args(["-c", &start])).status, 0);
    let found = run(server.hijacked("sh").args(["-c", &start]));
    assert_eq!((found.status, found.stderr.as_str()), (0, ""));
}

/// Debian package busybox-static. Its applets run /proc/self/exe.
#[test]
fn busybox() {
    let server = Server::start();
    let script = "mkdir -p $D/a/b && cd $D/a && echo one > b/file && cp b/file other && ls -R && cat b/file other | \
        sort | uniq -c && find . -type f -exec busybox wc -c {} + && tar c b | tar t && (exit 4); echo $?; sed s/o/0/ b/file; \
        busybox sh -c 'cat b/file'; /bin/cat b/file; test -e /proc/self/exe; echo $?; trap 'echo trapped' TERM; kill $$; vi -h 2>/dev/null; pwd | sed s:$D::";
    let host = server.directory().join("d");
    let shell = |mut command: Command, place: &Path| {
        command.args(["busybox", "sh", "-c", script]).env("D", place);
        command
    };
    let hijacked = &mut shell(server.hijacked("env"), Path::new("/rump/d"));
    same(&server, &mut shell(native("env"), &host), hijacked);
}

/// `rump run` of what no ld.so runs.
#[test]
fn the_first_program() {
    let server = Server::start();
    let script = server.directory().join("script");
    std::fs::write(&script, "#!/usr/bin/busybox sh\necho $0 $1 >/rump/said; cat /rump/said; exit 5\n")
        .unwrap();
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    run(server.hijacked("cp").args(["/bin/busybox", "/rump/busybox"])).success();
    let rump =
        |args: &[&str]| run(native(artifact("rump")).arg("run").args(args).env("RUMP_SERVER", server.url()));
    let said = rump(&[script.to_str().unwrap(), "one"]);
    assert_eq!((said.status, said.stdout), (5, format!("{} one\n", script.display())), "{}", said.stderr);
    assert!(rump(&["busybox", "cat", "/rump/said"]).success().contains("one"));
    assert!(
        rump(&["/rump/busybox", "ls", "/rump"]).success().contains("said"),
        "a program of the rump kernel"
    );
    let missing = rump(&["/rump/none"]);
    assert_eq!((missing.status, missing.stderr.as_str()), (127, "rump: /rump/none: ENOENT\n"));
    assert_eq!(rump(&["/rump"]).status, 126);
}
