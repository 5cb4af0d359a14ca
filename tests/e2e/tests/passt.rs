//! The host's networks through passt(1) (`type=passt`).

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use e2e::{Background, Server, native, run};
use std::time::{Duration, Instant};

/// The process of passt that `rump link` tells of.
fn passt(server: &Server) -> String {
    let table = server.rump(&["link"]).success();
    let (_, rest) = table.split_once("passt is process ").unwrap_or_else(|| panic!("{table}"));
    rest.split_whitespace().next().unwrap().to_owned()
}

fn is_running(pid: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

/// What listens on the host's loopback interface is reached at the gateway's address, by programs of an ordinary user.
#[test]
fn a_server_of_the_host_is_reached_and_passt_ends_with_the_kernel() {
    let mut server = Server::start_with(&["-n", "name=eth0,type=passt"]);
    let site = server.directory().join("site");
    std::fs::create_dir(&site).unwrap();
    std::fs::write(site.join("page"), "x".repeat(2_000_000)).unwrap();
    let script = "
import http.server, functools, sys
handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=sys.argv[1])
server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler)
print(server.server_address[1], flush=True); server.serve_forever()";
    let mut python = native("python3");
    let mut web = Background::start(python.args(["-c", script]).arg(&site), &server.directory().join("log"));
    web.wait_until(|| web_port(&server).is_some());
    let url = format!("http://10.0.2.2:{}/page", web_port(&server).unwrap());
    let got = run(server.hijacked("curl").args(["-sS", "--max-time", "30", &url])).success();
    assert_eq!(got.len(), 2_000_000);
    assert!(server.counter("call.connect") > 0, "it did not go through the rump kernel");

    // It is started again when it ends, and ends when the server is killed.
    let first = passt(&server);
    assert!(run(native("kill").arg(&first)).status == 0);
    let end = Instant::now() + Duration::from_secs(40);
    while server.rump(&["link"]).success().contains(&format!("process {first}"))
        || !server.rump(&["link"]).success().contains("passt is process")
    {
        assert!(Instant::now() < end, "passt is not started again");
        std::thread::sleep(Duration::from_millis(20));
    }
    let got = run(server.hijacked("curl").args(["-sS", "--max-time", "30", &url])).success();
    assert_eq!(got.len(), 2_000_000);
    let second = passt(&server);
    assert!(first != second && is_running(&second));
    server.kill();
    while is_running(&second) {
        assert!(Instant::now() < end, "passt outlives its server");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn web_port(server: &Server) -> Option<u16> {
    let log = std::fs::read_to_string(server.directory().join("log")).ok()?;
    log.lines().next()?.parse().ok()
}

#[test]
fn a_passt_that_is_not_there_is_said_in_one_line() {
    e2e::ordinary_user();
    let directory = tempfile::tempdir().unwrap();
    let url = format!("unix://{}", directory.path().join("server").display());
    let spec = "name=eth0,type=passt,program=/nonexistent/passt";
    let refused = run(native(e2e::artifact("rump_server")).args(["-n", spec, &url]));
    assert_eq!(refused.status, 1);
    assert!(
        refused.stderr.contains("apt-get install passt") && refused.stderr.lines().count() == 1,
        "{refused:?}"
    );
}
