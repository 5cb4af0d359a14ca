//! An X client with the default RUMPHIJACK: it reaches its display by a local socket, which stays the host's.

use e2e::{Background, Server, native, run};

#[test]
fn xclock_under_xvfb() {
    let server = Server::start();
    let display = format!(":{}", 100 + std::process::id() % 20_000);
    let mut command = native("Xvfb");
    command.args([&display, "-screen", "0", "320x200x24", "-nolisten", "tcp"]);
    let mut xvfb = Background::start(&mut command, &server.directory().join("xvfb-log"));
    let socket = format!("/tmp/.X11-unix/X{}", &display[1..]);
    xvfb.wait_until(|| std::os::unix::net::UnixStream::connect(&socket).is_ok());
    let mut clock = server.hijacked("xclock");
    clock.env("DISPLAY", &display);
    let mut clock = Background::start(&mut clock, &server.directory().join("xclock-log"));
    clock.wait_until(|| {
        let tree = run(native("xwininfo").args(["-root", "-tree", "-display", &display]));
        tree.stdout.contains("\"xclock\"")
    });
}
