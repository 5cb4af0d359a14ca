//! What runs hijacked leaves nothing of its own on the host.

use e2e::{Server, native, run};

#[test]
fn programs_of_tests_are_an_ordinary_users() {
    let server = Server::start();
    for mut command in [native("id"), server.hijacked("id")] {
        let user = run(command.arg("-u")).success();
        assert_ne!(user, "0\n");
        let again = run(native("python3").args(["-c", "import os; os.setuid(0)"]));
        assert_ne!(again.status, 0, "an ordinary user has no way back to root");
    }
}

/// A home directory that the program means to lie in the rump kernel's tree: neither the library nor the server makes it
/// on the host. (Only root could make /rump there, and these are root's files if it is.)
#[test]
fn a_home_in_the_rump_kernel_is_not_made_on_the_host() {
    e2e::invoking_user();
    let before = on_the_host();
    let server = Server::start();
    let script = "mkdir -p /rump/d; HOME=/rump/d sh -c 'echo x > ~/f; cat ~/f; ls -A ~'";
    let ran = run(server.hijacked("sh").args(["-c", script]).env("HOME", "/rump/d"));
    assert_eq!(ran.success(), "x\nf\n");
    assert_eq!(on_the_host(), before, "the host has got a /rump, or something in it");
}

/// When the host's /rump was changed, if there is one.
fn on_the_host() -> Option<std::time::SystemTime> {
    std::fs::symlink_metadata("/rump").and_then(|rump| rump.modified()).ok()
}
