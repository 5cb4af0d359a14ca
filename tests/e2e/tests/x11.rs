//! X clients with the default RUMPHIJACK: they reach their display by a local socket, which stays the host's.

use e2e::{Background, Display, Server, native, run};

#[test]
fn xclock_under_xvfb() {
    let server = Server::start();
    let display = Display::start(&server, 100, "320x200");
    let mut clock = server.hijacked("xclock");
    clock.env("DISPLAY", display.name());
    let mut clock = Background::start(&mut clock, &server.directory().join("xclock-log"));
    clock.wait_until(|| {
        let tree = run(native("xwininfo").args(["-root", "-tree", "-display", display.name()]));
        tree.stdout.contains("\"xclock\"")
    });
}

/// The shell has a terminal of the host's, job control on it, and the rump kernel's files and sockets.
#[test]
fn a_shell_in_xterm() {
    let server = Server::start();
    let display = Display::start(&server, 20_200, "320x200");
    let out = server.directory().join("out");
    let script = format!(
        "{{
            test -t 0 && echo terminal
            stty size
            echo one > /rump/file; read line < /rump/file; echo $line
            (sleep 0.01; exit 3) & wait $!; echo $?
            exec 3<> /dev/tcp/127.0.0.1/1 || echo refused
        }} > {} 2> /dev/null",
        out.display()
    );
    let mut xterm = server.hijacked("xterm");
    xterm.env("DISPLAY", display.name()).args(["-geometry", "80x24", "-e", "bash", "-mc", &script]);
    let ran = run(&mut xterm);
    assert_eq!(ran.status, 0, "{ran:?}");
    let said = std::fs::read_to_string(&out).expect("the shell's output");
    assert_eq!(said.lines().collect::<Vec<_>>(), ["terminal", "24 80", "one", "3", "refused"]);
    assert!(server.counter("call.connect") > 0);
}
