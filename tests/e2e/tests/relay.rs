//! Hijacked programs on a server that is reached over TCP: a relay holds their descriptors.

use e2e::{Background, artifact, native, ordinary_user, run};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;

/// A server on a port of its own.
struct Far {
    directory: tempfile::TempDir,
    port: u16,
    server: Option<Background>,
}

impl Far {
    fn start() -> Self {
        ordinary_user();
        let port =
            TcpListener::bind("127.0.0.1:0").and_then(|held| held.local_addr()).expect("a port").port();
        let directory = tempfile::Builder::new().prefix("rump").tempdir().expect("a directory");
        let mut far = Self { directory, port, server: None };
        far.serve();
        far
    }

    fn serve(&mut self) {
        let mut command = native(artifact("rump_server"));
        let mut server = Background::start(command.args(["-s", &self.url()]), &self.log("server"));
        server.wait_until(|| TcpStream::connect(("127.0.0.1", self.port)).is_ok());
        self.server = Some(server);
    }

    fn restart(&mut self) {
        self.server = None;
        self.serve();
    }

    fn url(&self) -> String {
        format!("tcp://127.0.0.1:{}/", self.port)
    }

    fn log(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join(name)
    }

    fn hijacked(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = native(program);
        command.env("LD_PRELOAD", artifact("librumphijack.so")).env("RUMP_SERVER", self.url());
        command
    }

    fn python(&self, script: &str) {
        let ran = run(self.hijacked("python3").args(["-c", script]));
        assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "{}", ran.stdout);
    }

    /// Processes of the rump kernel, by `rump ps`.
    fn processes(&self) -> String {
        run(native(artifact("rump")).arg("ps").env("RUMP_SERVER", self.url())).success()
    }

    fn listens(&self, port: u16) -> bool {
        run(self.hijacked("bash").args(["-c", &format!("exec 3<> /dev/tcp/127.0.0.1/{port}")])).status == 0
    }
}

#[test]
fn curl_fetches_from_a_python_server() {
    let far = Far::start();
    let pages = far.log("pages");
    std::fs::create_dir(&pages).expect("a directory");
    let page = "a page\n".repeat(100_000);
    std::fs::write(pages.join("page"), &page).expect("a page");
    let mut server = far.hijacked("python3");
    server.args(["-m", "http.server", "--bind", "127.0.0.1", "80"]).current_dir(&pages);
    let mut server = Background::start(&mut server, &far.log("python"));
    server.wait_until(|| far.listens(80));
    let fetched = run(far.hijacked("curl").args(["-sS", "http://127.0.0.1/page"])).success();
    assert!(fetched == page, "{} bytes of {}", fetched.len(), page.len());
    assert!(far.processes().contains("python3"), "nothing went through the rump kernel");
    assert!(TcpStream::connect("127.0.0.1:80").is_err(), "the host knows nothing of it");
}

#[test]
fn shells_and_files() {
    let far = Far::start();
    let script = "mkdir /rump/d; cd /rump/d; echo one > f; cat < f | tr o 0 >> f; cat f; ls -l f | cut -c1-10; (exec 3< f; read a <&3; read b <&3; echo $b)";
    let ran = run(far.hijacked("sh").args(["-euc", script])).success();
    assert_eq!(ran, "one\n0ne\n-rw-r--r--\n0ne\n");
}

/// What the host's poll, select and epoll say of rump descriptors.
#[test]
fn readiness() {
    Far::start().python(
        r#"
import os, select, socket, threading, time
listener = socket.create_server(("127.0.0.1", 80))
client = socket.create_connection(("127.0.0.1", 80))
server, _ = listener.accept()
pipe, other = os.pipe()

def ready(timeout=0.1):
    return select.select([server, pipe], [], [], timeout)[0]

assert ready() == []
client.send(b"hello")
assert ready(5) == [server] and server.recv(3) == b"hel" and ready(5) == [server] and server.recv(3) == b"lo"
assert ready() == []
os.write(other, b"x")
assert ready(5) == [pipe] and os.read(pipe, 1) == b"x"
edges = select.epoll()
edges.register(server, select.EPOLLIN | select.EPOLLET)
assert edges.poll(0.1) == []
for turn in range(100):
    client.send(b"x")
    assert edges.poll(5) == [(server.fileno(), select.EPOLLIN)], turn
    assert edges.poll(0) == []
    assert server.recv(1) == b"x"
client.setblocking(False)
sent = 0
while True:
    try:
        sent += client.send(b"y" * 65536)
    except BlockingIOError:
        break
assert select.select([], [client], [], 0.1)[1] == []
server.setblocking(True)
while sent:
    sent -= len(server.recv(1 << 20))
assert select.select([], [client], [], 5)[1] == [client]
threading.Timer(0.1, client.close).start()
poll = select.poll()
poll.register(server, select.POLLIN | select.POLLRDHUP)
[(fd, events)] = poll.poll(5000)
assert events & select.POLLRDHUP and server.recv(1) == b""
"#,
    );
}

/// fork, exec and SCM_RIGHTS: the last close anywhere closes the file, and not before.
#[test]
fn descriptors_in_other_processes() {
    Far::start().python(
        r#"
import array, os, socket, subprocess, sys, time
listener = socket.create_server(("127.0.0.1", 80))
client = socket.create_connection(("127.0.0.1", 80))
server, _ = listener.accept()
pid = os.fork()
if pid == 0:
    listener.close()
    server.send(b"from the child")
    os._exit(0)
os.waitpid(pid, 0)
assert client.recv(100) == b"from the child"
script = "import socket; s = socket.socket(fileno=%d); s.send(b'from another program')" % server.fileno()
subprocess.run([sys.executable, "-c", script], pass_fds=[server.fileno()], check=True)
assert client.recv(100) == b"from another program"
near, far = socket.socketpair(socket.AF_UNIX)
pid = os.fork()
if pid == 0:
    fd = socket.recv_fds(far, 1, 1)[1][0]
    socket.socket(fileno=fd).send(b"from who got it")
    os._exit(0)
socket.send_fds(near, [b"x"], [server.fileno()])
server.close()
assert client.recv(100) == b"from who got it"
os.waitpid(pid, 0)
client.settimeout(5)
assert client.recv(100) == b""
"#,
    );
}

/// Its socket, and the process that has the lock beside it.
#[test]
fn the_relay_is_one_and_ends_when_idle() {
    let far = Far::start();
    let uid = run(native("id").arg("-u")).success();
    let socket = format!("/tmp/rumphijack-{}/127.0.0.1-{}", uid.trim(), far.port);
    let ran: Vec<_> = (0..4)
        .map(|_| far.hijacked("ls").arg("/rump").stdout(std::process::Stdio::null()).spawn().expect("ls"))
        .collect();
    ran.into_iter().for_each(|mut ls| assert!(ls.wait().expect("our own child").success()));
    assert!(Path::new(&socket).exists());
    assert_eq!(far.processes().matches("relay").count(), 1);
    let end = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while Path::new(&socket).exists() {
        assert!(std::time::Instant::now() < end, "the relay stays");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
}

#[test]
fn a_server_that_is_restarted() {
    let mut far = Far::start();
    let go = far.log("go");
    let script = format!(
        r#"
import os, socket, sys, time
client = socket.socket()
print("ready", flush=True)
while not os.path.exists("{go}"):
    time.sleep(0.01)
try:
    client.getsockname()
except OSError as error:
    print(error.errno, flush=True)
client = socket.create_server(("127.0.0.1", 80))
print("again", flush=True)
"#,
        go = go.display()
    );
    let log = far.log("log");
    let mut command = far.hijacked("python3");
    command.args(["-c", &script]).env("RUMPHIJACK_RETRYCONNECT", "20");
    let mut program = Background::start(&mut command, &log);
    program.wait_until(|| program_said(&log, "ready"));
    far.restart();
    std::fs::write(&go, "").expect("our own file");
    let end = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while !program_said(&log, "again") {
        assert!(std::time::Instant::now() < end, "{}", program.printed());
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

fn program_said(log: &Path, line: &str) -> bool {
    std::fs::read_to_string(log).is_ok_and(|text| text.lines().any(|found| found == line))
}

/// A relay that a strict program starts inherits its filter, and makes sockets all the same; the program's own stay refused.
#[test]
fn strict() {
    let far = Far::start();
    let script = format!(
        r#"
import os, signal, socket, time
socket.create_server(("127.0.0.1", 80))
wanted = b"--relay\0{url}\0"
relays = [int(pid) for pid in os.listdir("/proc") if pid.isdigit() and wanted in open(f"/proc/{{pid}}/cmdline", "rb").read()]
assert len(relays) == 1, relays
with open(f"/proc/{{os.getpid()}}/status") as status:
    assert "Seccomp:\t2\n" in status.read()
os.kill(relays[0], signal.SIGKILL)
for _ in range(1000):
    try:
        listener = socket.create_server(("127.0.0.1", 80))
        break
    except OSError:
        time.sleep(0.01)
with socket.create_connection(("127.0.0.1", 80)) as client, listener.accept()[0] as server:
    client.send(b"again")
    assert server.recv(9) == b"again"
"#,
        url = far.url()
    );
    let mut command = native(artifact("rump"));
    command.args(["run", "--strict", "--", "python3", "-c", &script]);
    let ran = run(command.env("RUMP_SERVER", far.url()).env("RUMPHIJACK_RETRYCONNECT", "20"));
    assert_eq!((ran.status, ran.stdout.as_str()), (0, ""), "{}", ran.stderr);
    assert!(!ran.stderr.contains("strict:"), "{}", ran.stderr);
}

#[test]
fn no_server() {
    let mut far = Far::start();
    far.server = None;
    let ran = run(&mut far.hijacked("true"));
    assert_eq!((ran.status, ran.stdout.as_str()), (1, ""));
    assert!(ran.stderr.contains(&format!("cannot connect to \"{}\"", far.url())), "{}", ran.stderr);
    assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
}
