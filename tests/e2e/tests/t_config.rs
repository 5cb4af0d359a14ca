//! NetBSD's tests/lib/librumphijack/t_config, and each line of the contract on bad configurations.

use e2e::{Ran, Server, artifact, c_program, native, run};

#[test]
fn fdoff() {
    let server = Server::start();
    let mut command = server.hijacked(c_program("h_client", server.directory()));
    let _ = run(command.env("RUMPHIJACK", "path=/rump,fdoff=8").arg("fdoff8")).success();
}

/// `echo` with these variables: it must not come to run.
fn refused(variables: &[(&str, &str)]) -> String {
    let mut command = native("/bin/echo");
    command.arg("main ran").env("LD_PRELOAD", artifact("librumphijack.so")).envs(variables.iter().copied());
    let Ran { status, stdout, stderr } = run(&mut command);
    assert_eq!((status, stdout.as_str()), (1, ""), "{variables:?}: {stderr}");
    assert_eq!(stderr.matches('\n').count(), 1, "{variables:?}: one line: {stderr}");
    stderr
}

const SERVER: (&str, &str) = ("RUMP_SERVER", "unix:///nonexistent/rump");

#[test]
fn a_bad_specifier_is_quoted() {
    for (value, tuple) in [
        ("path=rump", "path=rump"),
        ("path=/", "path=/"),
        ("path=/rump/", "path=/rump/"),
        ("path=/rump,blanket=/dev/", "blanket=/dev/"),
        ("socket=inet:all", "socket=inet:all"),
        ("path=/rump,socket=inett,fdoff=8", "socket=inett"),
        ("vfs=everything", "vfs=everything"),
        ("sysctl=maybe", "sysctl=maybe"),
        ("fdoff=2", "fdoff=2"),
        ("fdoff=1073741824", "fdoff=1073741824"),
        ("fdoff=+8", "fdoff=+8"),
        ("nosuch=1", "nosuch=1"),
    ] {
        let message = refused(&[SERVER, ("RUMPHIJACK", value)]);
        assert!(message.contains(&format!("\"{tuple}\"")), "{value}: {message}");
        assert!(message.contains("expected"), "{value}: {message}");
    }
}

#[test]
fn a_bad_retry_is_quoted() {
    for value in ["", "-1", "forever", "5s"] {
        let message = refused(&[SERVER, ("RUMPHIJACK_RETRYCONNECT", value)]);
        assert!(message.contains(&format!("\"{value}\"")) && message.contains("expected"), "{message}");
    }
}

#[test]
fn a_server_is_needed() {
    let message = refused(&[]);
    assert!(message.contains("RUMP_SERVER"), "{message}");
    for url in ["", "/tmp/socket", "unix://", "http://127.0.0.1/", "tcp://localhost:1"] {
        let message = refused(&[("RUMP_SERVER", url)]);
        assert!(message.contains(&format!("\"{url}\"")) && message.contains("expected"), "{message}");
    }
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let message = refused(&[SERVER]);
    assert!(message.contains("unix:///nonexistent/rump"), "{message}");
}

#[test]
fn nothing_hijacked_needs_no_server() {
    let mut command = native("/bin/echo");
    command.arg("ran").env("LD_PRELOAD", artifact("librumphijack.so")).env("RUMPHIJACK", "");
    assert_eq!(run(&mut command).success(), "ran\n");
}
