//! RUMPHIJACK_RETRYCONNECT: what programs see when their kernel goes away, and when it comes back.

use e2e::{Server, run};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// Evaluates one expression a line and prints its value, or the name of the error.
const EVALUATOR: &str = "
import errno, select, socket, sys
def new():
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
def polled(s):
    poll = select.poll(); poll.register(s, select.POLLIN); return len(poll.poll(10000))
old = new()
print('ready', flush=True)
for line in sys.stdin:
    try: print(eval(line), flush=True)
    except OSError as error: print(errno.errorcode[error.errno], flush=True)
";

struct Program {
    child: Child,
    answers: BufReader<ChildStdout>,
}

impl Program {
    fn start(server: &Server, retry: Option<&str>) -> Self {
        let mut command: Command = server.hijacked("python3");
        command.args(["-c", EVALUATOR]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        if let Some(retry) = retry {
            command.env("RUMPHIJACK_RETRYCONNECT", retry);
        }
        let mut child = command.spawn().expect("python3");
        let answers = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut program = Self { child, answers };
        assert_eq!(program.answer(), "ready");
        program
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("a line");
        line.trim_end().to_owned()
    }

    fn ask(&mut self, expression: &str) -> String {
        let stdin = self.child.stdin.as_mut().expect("a pipe");
        writeln!(stdin, "{expression}").expect("it reads");
        self.answer()
    }

    /// Closes standard input; answers the exit status and standard error.
    fn end(mut self) -> (Option<i32>, String) {
        drop(self.child.stdin.take());
        let mut messages = String::new();
        self.child.stderr.take().expect("a pipe").read_to_string(&mut messages).expect("text");
        (self.child.wait().expect("our own child").code(), messages)
    }
}

const LOST: &str = "rump_sp: connection to kernel lost, trying to reconnect ...\n";
const BACK: &str = "rump_sp: reconnected!\n";

#[test]
fn without_retry_every_later_call_fails() {
    for retry in [None, Some("0")] {
        let mut server = Server::start();
        let mut program = Program::start(&server, retry);
        server.restart();
        assert_eq!(program.ask("polled(old)"), "ENOTCONN");
        assert_eq!(program.ask("new()"), "ENOTCONN");
        assert_eq!(program.ask("old.getsockname()"), "ENOTCONN");
        assert_eq!(program.ask("old.close()"), "None");
        assert_eq!(program.ask("len(open('/etc/passwd').read()) > 0"), "True");
        assert_eq!(program.end(), (Some(0), String::new()));
    }
}

#[test]
fn die() {
    let mut server = Server::start();
    let mut program = Program::start(&server, Some("die"));
    server.kill();
    assert_eq!(program.ask("new()"), "");
    assert_eq!(program.end().0, Some(1));
}

#[test]
fn once() {
    let mut server = Server::start();
    let mut program = Program::start(&server, Some("once"));
    server.restart();
    assert_eq!(program.ask("new().getsockname()"), "('0.0.0.0', 0)");
    assert_eq!(program.ask("old.getsockname()"), "EBADF");
    server.kill();
    assert_eq!(program.ask("new()"), "ENOTCONN");
    assert_eq!(program.ask("new()"), "ENOTCONN");
    assert_eq!(program.end(), (Some(0), format!("{LOST}{BACK}{LOST}")));
}

#[test]
fn for_so_many_seconds() {
    let mut server = Server::start();
    let mut program = Program::start(&server, Some("1"));
    server.kill();
    let before = Instant::now();
    assert_eq!(program.ask("new()"), "ENOTCONN");
    let took = before.elapsed();
    assert!(took > Duration::from_millis(900) && took < Duration::from_secs(10), "{took:?}");
    assert_eq!(program.ask("new()"), "ENOTCONN");
    assert_eq!(program.end(), (Some(0), LOST.to_owned()));
}

#[test]
fn inftime_until_the_kernel_is_back() {
    let mut server = Server::start();
    let mut program = Program::start(&server, Some("inftime"));
    server.kill();
    let stdin = program.child.stdin.as_mut().expect("a pipe");
    writeln!(stdin, "new().getsockname()").expect("it reads");
    std::thread::sleep(Duration::from_millis(300));
    server.restart();
    assert_eq!(program.answer(), "('0.0.0.0', 0)");
    assert_eq!(program.ask("polled(old)"), "1");
    assert_eq!(program.ask("old.getsockname()"), "EBADF");
    assert_eq!(program.end(), (Some(0), format!("{LOST}{BACK}")));
}

/// Servers that go on with sockets whose kernel is gone, as those do that know of no networks that vanish, do not take a whole core for it;
/// and what else they wait for is not late.
#[test]
fn who_goes_on_with_what_is_lost_is_slowed_down() {
    let script = "
import os, select, socket, sys, time
def rounds(wait, seconds=1):
    end, count = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        try: wait(); listener.accept()
        except OSError: pass
        count += 1
    return count
listener = socket.create_server(('127.0.0.1', 0)); listener.setblocking(False)
datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
ends = os.pipe()
epoll = select.epoll(); epoll.register(listener, select.EPOLLIN)
alone = select.poll(); alone.register(listener, select.POLLIN)
mixed = select.poll(); mixed.register(listener, select.POLLIN); mixed.register(ends[0], select.POLLIN)
print('ready', flush=True); sys.stdin.readline()
print([rounds(wait) for wait in (epoll.poll, alone.poll, mixed.poll, lambda: select.select([listener, ends[0]], [], []))], flush=True)
# What comes is told of at once.
began = time.monotonic()
for _ in range(20):
    os.write(ends[1], b'x')
    while ends[0] not in [fd for fd, _ in mixed.poll()]: pass
    os.read(ends[0], 1)
print([time.monotonic() - began], flush=True)
";
    for retry in ["0", "once"] {
        let mut server = Server::start();
        let mut command: Command = server.hijacked("python3");
        command.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.env("RUMPHIJACK_RETRYCONNECT", retry).spawn().expect("python3");
        let answers = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut program = Program { child, answers };
        assert_eq!(program.answer(), "ready");
        server.restart();
        writeln!(program.child.stdin.as_mut().expect("a pipe")).expect("it reads");
        let numbers = |line: String| {
            let numbers = line.trim_matches(['[', ']']).split(", ").map(str::parse::<f64>);
            numbers.collect::<Result<Vec<_>, _>>().expect("numbers")
        };
        let rounds = numbers(program.answer());
        assert!(rounds.len() == 4 && rounds.iter().all(|count| *count < 100.0), "{retry}: {rounds:?}");
        let seconds = numbers(program.answer());
        assert!(seconds[0] < 1.0, "{retry}: told of 20 bytes within {seconds:?} s");
        program.end();
    }
}

/// A thread that waits in a call is told as soon as the kernel is gone, and the program with it.
#[test]
fn die_while_a_call_is_under_way() {
    let mut server = Server::start();
    let mut program = Program::start(&server, Some("die"));
    let stdin = program.child.stdin.as_mut().expect("a pipe");
    writeln!(stdin, "(old.bind(('127.0.0.1', 0)), old.recv(1))").expect("it reads");
    std::thread::sleep(Duration::from_millis(300));
    server.kill();
    assert_eq!(program.answer(), "");
    assert_eq!(program.end().0, Some(1));
}

/// Retrying for ever, a program still runs its signals' handlers, in whichever thread.
#[test]
fn signals_while_trying() {
    let script = "
import signal, socket, sys, threading, time
def new(): return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
old = new(); print('ready', flush=True); sys.stdin.readline()
class Alarm(Exception): pass
def alarm(*_): raise Alarm
signal.signal(signal.SIGALRM, alarm)
threading.Thread(target=new, daemon=True).start(); time.sleep(0.2)
for _ in range(3):
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try: new()
    except Alarm: print('alarm', flush=True)
print('done', flush=True)
";
    let mut server = Server::start();
    let mut command: Command = server.hijacked("python3");
    command.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.env("RUMPHIJACK_RETRYCONNECT", "inftime").spawn().expect("python3");
    let answers = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut program = Program { child, answers };
    assert_eq!(program.answer(), "ready");
    server.kill();
    let before = Instant::now();
    writeln!(program.child.stdin.as_mut().expect("a pipe")).expect("it reads");
    for expected in ["alarm", "alarm", "alarm", "done"] {
        assert_eq!(program.answer(), expected);
    }
    assert!(before.elapsed() < Duration::from_secs(10), "{:?}", before.elapsed());
    program.child.kill().expect("our own child");
    let (_, messages) = program.end();
    assert_eq!(messages, LOST, "said once, however often it is tried");
}

/// A server does not wait for ever for who has connected and says nothing; a program is free to do that.
#[test]
fn a_program_that_begins_late() {
    let server = Server::start();
    let script = "import socket, time; time.sleep(11); print(socket.socket().type)";
    let ran = run(server.hijacked("python3").args(["-c", script]));
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("1\n", ""));
}
