//! Bad addresses in every pointer argument of every routed call, generated from the table: where the host's kernel answers
//! EFAULT, the hijacked program is answered that too; it does not end, nor does its session.

use abi::table::{self, Arg, Len, Route, Row};
use e2e::{Server, c_program, native, run};
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

const MODES: [&str; 6] = ["null", "unmapped", "readonly", "half", "kernel", "noncanonical"];

/// Of readlinkat(2)'s two errors (the buffer is empty as well) either may come first. copy_file_range(2) that finds nothing writes the
/// offset all the same. The rump kernel does not know SIOCETHTOOL, SIOCOUTQNSD and locks of sockets (F_GETLK).
const DIFFERENT: [&str; 6] = [
    "readlinkat/1",
    "copy_file_range/1",
    "fcntl(conn,0x5)",
    "fcntl(conn,0x24)",
    "ioctl(conn,0x8946)",
    "ioctl(conn,0x894b)",
];

/// Calls with code of their own (`Special`) or by family, as `h_efault` is to make them: each of their pointers is bad in turn.
const SPECIAL: [(&str, &[&str]); 29] = [
    // An ordinary user may not, whatever the groups are.
    ("setgroups", &["1", "buf"]),
    // There is no such context.
    ("io_submit", &["0", "1", "buf"]),
    ("uname", &["buf"]),
    ("sethostname", &["buf", "4"]),
    ("setdomainname", &["buf", "4"]),
    ("inotify_add_watch", &["fd", "name", "2"]),
    ("poll", &["poll", "1", "0"]),
    ("rt_sigaction", &["10", "buf", "buf", "8"]),
    ("rt_sigprocmask", &["0", "mask", "mask", "8"]),
    ("select", &["nfds", "set", "set", "set", "time"]),
    ("sendfile", &["conn", "fd", "zero", "4"]),
    ("socketpair", &["1", "1", "0", "buf"]),
    ("execve", &["exec", "buf", "buf"]),
    ("getcwd", &["buf", "128"]),
    ("chdir", &["name"]),
    // PR_GET_NAME
    ("prctl", &["16", "buf", "0", "0", "0"]),
    // ARCH_GET_FS
    ("arch_prctl", &["0x1003", "buf"]),
    ("epoll_ctl", &["epoll", "1", "conn", "event"]),
    ("inotify_add_watch", &["inotify", "name", "2"]),
    ("pselect6", &["nfds", "set", "set", "set", "time", "buf"]),
    ("ppoll", &["poll", "1", "time", "mask", "8"]),
    ("vmsplice", &["pipe", "iov", "1", "0"]),
    ("open_by_handle_at", &["dir", "buf", "0"]),
    ("execveat", &["dir", "exec", "buf", "buf", "0"]),
    ("copy_file_range", &["fd", "zero", "fd", "zero", "4", "0"]),
    // RLIMIT_RTTIME, which holds for real-time threads alone.
    ("setrlimit", &["15", "buf"]),
    ("prlimit64", &["0", "15", "buf", "buf"]),
    ("fsopen", &["name", "0"]),
    ("listmount", &["buf", "buf", "4", "0"]),
];

/// Of these no pointer is answered with EFAULT, or (splice, statmount) the call is not one of the rump kernel's. clone3's structure is
/// its first argument, and says all the rest.
const EXEMPT: [&str; 5] = ["clone", "clone3", "mmap", "splice", "statmount"];

/// A line for `h_efault`: this call with a bad address in argument `bad`, everything else good.
fn line(row: &Row, bad: usize) -> String {
    let words = (0..6).map(|at| row.args().get(at).map_or("0", |&arg| word(row, at, arg, bad)));
    format!("{}/{bad} {} {}\n", row.name(), row.nr, words.collect::<Vec<_>>().join(" "))
}

fn word(row: &Row, at: usize, arg: Arg, bad: usize) -> &'static str {
    match arg {
        _ if at == bad => "bad",
        Arg::Fd if is_socket_call(row) => {
            if row.name().starts_with("accept") {
                "sock"
            } else {
                "conn"
            }
        }
        Arg::Fd => "fd",
        Arg::DirFd => "dir",
        Arg::Path | Arg::Str => "name",
        Arg::Buf(_, Len::Fixed(4)) if is_socket_call(row) => "size",
        Arg::Iovec(..) => "iov",
        Arg::Msghdr(_) => "msg",
        Arg::Mmsghdr(..) => "mmsg",
        Arg::Buf(..) => "buf",
        Arg::Size => "16",
        _ if row.args().iter().any(|other| counted_by(*other) == Some(at)) => "1",
        _ => "0",
    }
}

/// Which argument counts the elements of this one.
fn counted_by(arg: Arg) -> Option<usize> {
    match arg {
        Arg::Iovec(_, at) | Arg::Mmsghdr(_, at) => Some(at.into()),
        _ => None,
    }
}

/// Lines in which a structure is good and an address in it bad.
fn nested(row: &Row) -> String {
    let words: Vec<&str> =
        (0..6).map(|at| row.args().get(at).map_or("0", |&arg| word(row, at, arg, 6))).collect();
    let parts = |word: &str| match word {
        "iov" => &[".base"][..],
        "msg" | "mmsg" => &[".iov", ".base", ".name", ".control"],
        _ => &[],
    };
    let mut lines = String::new();
    for (at, word) in words.iter().enumerate() {
        for part in parts(word) {
            let good = [&words[..at], &words[at + 1..]];
            let (front, behind) = (good[0].join(" "), good[1].join(" "));
            let _ = writeln!(lines, "{}/{at}{part} {} {front} {word}{part} {behind}", row.name(), row.nr);
        }
    }
    lines
}

fn is_socket_call(row: &Row) -> bool {
    const CALLS: [&str; 12] = [
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
        "sendmmsg",
    ];
    CALLS.contains(&row.name())
}

fn is_pointer(arg: Arg) -> bool {
    matches!(arg, Arg::Path | Arg::Str | Arg::Buf(..) | Arg::Iovec(..) | Arg::Msghdr(_) | Arg::Mmsghdr(..))
}

fn is_routed(row: &&Row) -> bool {
    matches!(row.route, Route::ByFd(_) | Route::ByPath(_) | Route::At { .. } | Route::TwoPaths { .. })
        && row.support == table::Support::Full
}

fn is_special(row: &&Row) -> bool {
    matches!(row.route, Route::Special | Route::ByFamily(_))
}

/// A line for each pointer of a call with code of its own.
fn special(row: &'static Row) -> String {
    let pointers = row.args().iter().enumerate().filter(|(_, arg)| is_pointer(**arg) || **arg == Arg::Addr);
    let pointers: Vec<usize> = pointers.map(|(at, _)| at).collect();
    if pointers.is_empty() || EXEMPT.contains(&row.name()) {
        return String::new();
    }
    let known = SPECIAL.iter().find(|(name, _)| *name == row.name());
    let (_, good) = known.unwrap_or_else(|| panic!("{}: how is it called?", row.name()));
    let mut lines = String::new();
    for bad in pointers.into_iter().filter(|at| !matches!(good[*at], "0")) {
        let word = |at: usize| if at == bad { "bad" } else { good.get(at).copied().unwrap_or("0") };
        let words: Vec<&str> = (0..6).map(word).collect();
        let _ = writeln!(lines, "{}/{bad} {} {}", row.name(), row.nr, words.join(" "));
    }
    lines
}

/// A line for each command of fcntl(2) and ioctl(2) whose argument is a pointer, for a file and for a socket.
fn commands() -> String {
    let commands = (0..2048).map(|cmd| (abi::nr::FCNTL, cmd));
    let commands = commands.chain((0x5400..0x5480).chain(0x8900..0x8980).map(|cmd| (abi::nr::IOCTL, cmd)));
    let mut lines = String::new();
    for (nr, cmd) in commands.filter(|&(nr, cmd)| is_pointer(table::command(nr, cmd))) {
        let name = table::lookup(nr).map_or("", |row| row.name());
        for descriptor in ["fd", "conn"] {
            let _ = writeln!(lines, "{name}({descriptor},{cmd:#x}) {nr} {descriptor} {cmd} bad 0 0 0");
        }
    }
    lines
}

fn lines() -> String {
    let pointers = |row: &'static Row| {
        row.args().iter().enumerate().filter(|(_, arg)| is_pointer(**arg)).map(move |(at, _)| line(row, at))
    };
    let routed = table::all().filter(is_routed).flat_map(pointers);
    let structures = table::all().filter(is_routed).map(nested);
    routed.chain(structures).chain(table::all().filter(is_special).map(special)).chain([commands()]).collect()
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
    assert!(lines.lines().count() > 200, "{lines}");
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
        let fault = |(expected, found): &(&str, &str)| {
            mode != "half"
                && (expected.ends_with(" EFAULT") || expected.ends_with(" ok") && found.ends_with(" EFAULT"))
        };
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
