//! Bad addresses in every pointer argument of every routed call, generated from the table: where the host's kernel answers
//! EFAULT, the hijacked program is answered that too; it does not end, nor does its session.

use abi::table::{self, Arg, Len, Route, Row};
use e2e::{Server, c_program, native, run};
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

const MODES: [&str; 6] = ["null", "unmapped", "readonly", "half", "kernel", "noncanonical"];

/// recvfrom(2) looks at the buffer's address, if not at its memory, before it finds that nothing has come. Of
/// readlinkat(2)'s two errors (the buffer is empty as well) either may come first.
const DIFFERENT: [&str; 2] = ["recvfrom/1", "readlinkat/1"];

/// A line for `h_efault`: this call with a bad address in argument `bad`, everything else good.
fn line(row: &Row, bad: usize) -> String {
    let mut line = format!("{}/{bad} {}", row.name, row.nr);
    for at in 0..6 {
        let _ = write!(line, " {}", row.args.get(at).map_or("0".to_owned(), |&arg| word(row, at, arg, bad)));
    }
    line + "\n"
}

fn word(row: &Row, at: usize, arg: Arg, bad: usize) -> String {
    let known = match arg {
        _ if at == bad => "bad",
        Arg::Fd if is_socket_call(row) => {
            if row.name.starts_with("accept") {
                "sock"
            } else {
                "conn"
            }
        }
        Arg::Fd => "fd",
        Arg::DirFd => "dir",
        Arg::Path | Arg::Str => "name",
        Arg::Buf(_, Len::Fixed(4)) if is_socket_call(row) => "size",
        Arg::Buf(..) | Arg::Iovec(..) | Arg::Msghdr(_) | Arg::Mmsghdr(..) => "buf",
        Arg::Size => "16",
        _ => "0",
    };
    known.to_owned()
}

fn is_socket_call(row: &Row) -> bool {
    const CALLS: [&str; 11] = [
        "accept",
        "accept4",
        "bind",
        "connect",
        "getpeername",
        "getsockname",
        "recvfrom",
        "recvmsg",
        "sendto",
        "sendmsg",
        "recvmmsg",
    ];
    CALLS.contains(&row.name)
}

fn is_pointer(arg: Arg) -> bool {
    matches!(arg, Arg::Path | Arg::Str | Arg::Buf(..) | Arg::Iovec(..) | Arg::Msghdr(_) | Arg::Mmsghdr(..))
}

fn lines() -> String {
    let routed = |row: &&Row| {
        matches!(row.route, Route::ByFd(_) | Route::ByPath(_) | Route::At { .. } | Route::TwoPaths { .. })
            && row.support == table::Support::Full
    };
    let pointers = |row: &'static Row| {
        row.args.iter().enumerate().filter(|(_, arg)| is_pointer(**arg)).map(move |(at, _)| line(row, at))
    };
    table::all().filter(routed).flat_map(pointers).collect()
}

fn asked(command: &mut Command, directory: &str, mode: &str, input: &Path) -> String {
    let input = std::fs::File::open(input).expect("the lines");
    run(command.arg(directory).arg(mode).stdin(input)).success()
}

#[test]
fn as_the_hosts_kernel_answers() {
    let server = Server::start();
    let program = c_program("h_efault", server.directory());
    let input = server.directory().join("lines");
    let lines = lines();
    assert!(lines.lines().count() > 60, "{lines}");
    std::fs::write(&input, &lines).expect("a host file");
    let mut differences = String::new();
    for mode in MODES {
        let host = server.directory().join(mode);
        std::fs::create_dir(&host).expect("a host directory");
        let expected = asked(&mut native(&program), &host.to_string_lossy(), mode, &input);
        let there = format!("/rump/{mode}");
        let _ = run(server.hijacked("mkdir").arg(&there)).success();
        let found = asked(&mut server.hijacked(&program), &there, mode, &input);
        // The other way round is no difference: of several errors either may come first. Half a structure or buffer the
        // host fills as far as it goes, which changes what the next call finds there.
        let fault = |(expected, _): &(&str, &str)| mode != "half" && expected.ends_with(" EFAULT");
        for (expected, found) in expected.lines().zip(found.lines()).filter(fault) {
            if expected != found && !DIFFERENT.iter().any(|call| found.starts_with(call)) {
                let _ = writeln!(differences, "{mode}: natively {expected}, hijacked {found}");
            }
        }
        assert_eq!(found.lines().count(), expected.lines().count());
    }
    assert_eq!(differences, "");
    assert!(server.counter("call.recvmmsg") > 0);
}

/// The library remembers which pages it could read; what takes memory away makes it forget.
#[test]
fn memory_that_goes_away() {
    let server = Server::start();
    let program = c_program("h_unmap", server.directory());
    let expected = run(&mut native(&program));
    assert_eq!((expected.status, expected.stdout.lines().count()), (0, 7), "{expected:?}");
    assert_eq!(run(&mut server.hijacked(&program)), expected);
}
