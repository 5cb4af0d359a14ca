//! Starting, being alone, ending.

use crate::client::Client;
use crate::server::{PROGRAM, STARTING, Server, run, spawn, wait_for};
use rustix::process::{Pid, Signal};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output};

fn start(path: &Path) -> Output {
    run(Command::new(PROGRAM).arg(format!("unix://{}", path.display())))
}

/// Ends the server behind a connection.
fn end(client: &Client, signal: Signal) {
    let pid: Pid = rustix::net::sockopt::socket_peercred(&client.stream).unwrap().pid;
    rustix::process::kill_process(pid, signal).unwrap();
}

#[test]
fn in_the_background_it_serves_as_soon_as_the_command_returns() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    let output = start(&path);
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let mut client = Client::connect(&path);
    client.guest("daemon");
    end(&client, Signal::TERM);
    assert_eq!(client.receive(), None, "clients see the end");
    wait_for("its names to go", || std::fs::read_dir(dir.path()).unwrap().count() == 0);
}

#[test]
fn a_second_server_is_refused_and_says_why() {
    let server = Server::start();
    let output = start(&server.path());
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("another server serves this URL") && said.lines().count() == 1, "{said}");
    server.guest();
}

#[test]
fn of_many_that_start_at_once_one_serves() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    let starters: Vec<_> = (0..8)
        .map(|_| {
            let path = path.clone();
            std::thread::spawn(move || start(&path).status.success())
        })
        .collect();
    let served = starters.into_iter().map(|starter| starter.join().unwrap()).filter(|served| *served).count();
    assert_eq!(served, 1);
    end(&Client::connect(&path), Signal::TERM);
    wait_for("its names to go", || std::fs::read_dir(dir.path()).unwrap().count() == 0);
}

#[test]
fn a_dead_socket_is_taken_over_and_other_files_are_not() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    drop(UnixListener::bind(&path).unwrap());
    assert!(start(&path).status.success());
    end(&Client::connect(&path), Signal::INT);
    wait_for("its names to go", || std::fs::read_dir(dir.path()).unwrap().count() == 0);

    std::fs::write(&path, "precious").unwrap();
    let output = start(&path);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no socket"));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");

    std::fs::remove_file(&path).unwrap();
    let foreign = UnixListener::bind(&path).unwrap();
    assert_eq!(start(&path).status.code(), Some(1), "somebody else's live socket");
    drop(foreign);
}

#[test]
fn killed_it_leaves_names_that_the_next_one_takes() {
    let mut server = Server::start();
    server.signal(Signal::KILL);
    assert!(!server.wait());
    assert!(server.path().exists());
    assert!(start(&server.path()).status.success());
    end(&server.connect(), Signal::TERM);
    wait_for("its names to go", || !server.path().exists());
}

#[test]
fn halt_answers_and_ends() {
    let mut server = Server::start();
    let mut client = server.guest();
    assert_eq!(client.call(abi::private::HALT, &[], &[]).value, 0);
    assert_eq!(client.receive(), None);
    assert!(server.wait());
    assert_eq!(std::fs::read_dir(server.dir.path()).unwrap().count(), 0);
}

#[test]
fn a_private_server_ends_with_its_process() {
    let outer = tempfile::tempdir().unwrap();
    let dir = outer.path().join("private");
    std::fs::create_dir(&dir).unwrap();
    let path = dir.join("s");
    let mut owner = spawn(Command::new("sleep").arg("60"));
    let url = format!("unix://{}", path.display());
    let pid = owner.id().to_string();
    assert!(run(Command::new(PROGRAM).args(["--until-exit", &pid, &url])).status.success());
    let mut client = Client::connect(&path);
    client.guest("private");
    owner.kill().unwrap();
    owner.wait().unwrap();
    assert_eq!(client.receive(), None);
    wait_for("its directory to go", || !dir.exists());
}

#[test]
fn its_socket_is_for_its_user_alone() {
    let server = Server::start();
    let mode = std::fs::metadata(server.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

/// As root: a server of an ordinary user, with a client who is another.
#[test]
fn an_ordinary_user() {
    const NOBODY: u32 = 65534;
    let dir = tempfile::tempdir().unwrap();
    if std::fs::metadata(dir.path()).unwrap().uid() != 0 {
        return;
    }
    let program = dir.path().join("rump_server");
    // Not while another test starts a program: that one's copy of the open file would make it busy (ETXTBSY).
    let alone = STARTING.write();
    std::fs::copy(PROGRAM, &program).unwrap();
    drop(alone);
    std::os::unix::fs::chown(dir.path(), Some(NOBODY), Some(NOBODY)).unwrap();
    let path = dir.path().join("s");
    let mut command = Command::new(program);
    command.arg(format!("unix://{}", path.display())).uid(NOBODY).gid(NOBODY).current_dir("/");
    assert!(run(&mut command).status.success());
    assert!(UnixStream::connect(&path).is_ok());
    let mut client = Client::connect(&path);
    client.guest("root");
    client.options(3);
    assert!(client.counter("calls") > 0);
    end(&client, Signal::TERM);
    wait_for("its socket to go", || !path.exists());
}
