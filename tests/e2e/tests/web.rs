//! curl, wget, nc and python3 on the rump kernel's TCP, against a hijacked python3 http.server.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use e2e::{Background, Server, native, run};
use std::path::Path;

/// Files that the web server serves, and the server on port 80 of the rump kernel.
fn web(server: &Server) -> Background {
    let site = server.directory().join("site");
    std::fs::create_dir(&site).unwrap();
    std::fs::write(site.join("hello"), "hello\n").unwrap();
    let big: Vec<u8> = (0..3_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    std::fs::write(site.join("big"), big).unwrap();
    let mut command = server.hijacked("python3");
    command.args(["-m", "http.server", "--bind", "127.0.0.1", "80", "--directory"]).arg(&site);
    let mut python = Background::start(&mut command, &server.directory().join("log"));
    python.wait_until(|| server.listens(80));
    python
}

fn assert_same(left: &Path, right: &Path) {
    assert!(std::fs::read(left).unwrap() == std::fs::read(right).unwrap(), "{left:?} differs from {right:?}");
}

#[test]
fn curl_and_the_host_knows_nothing() {
    let server = Server::start();
    let _web = web(&server);
    let got = run(server.hijacked("curl").args(["-sS", "http://127.0.0.1/hello"]));
    assert_eq!(got.success(), "hello\n");
    let refused = run(native("curl").args(["-sS", "--max-time", "5", "http://127.0.0.1/hello"]));
    assert_eq!(refused.status, 7, "the host must refuse: {refused:?}");
    assert!(server.counter("call.connect") >= 1 && server.counter("call.listen") == 1);
}

#[test]
fn curl_large_and_parallel() {
    let server = Server::start();
    let _web = web(&server);
    let dir = server.directory();
    let out = dir.join("out");
    run(server.hijacked("curl").args(["-sS", "http://127.0.0.1/big", "-o"]).arg(&out)).success();
    assert_same(&out, &dir.join("site/big"));
    let mut many = server.hijacked("curl");
    many.args(["-sS", "--parallel", "--parallel-max", "8"]).current_dir(dir);
    for number in 0..8 {
        many.args(["http://127.0.0.1/big", "-o", &format!("part{number}")]);
    }
    run(&mut many).success();
    for number in 0..8 {
        assert_same(&dir.join(format!("part{number}")), &dir.join("site/big"));
    }
}

#[test]
fn curl_writes_into_the_tree() {
    let server = Server::start();
    let _web = web(&server);
    run(server.hijacked("curl").args(["-sS", "http://127.0.0.1/big", "-o", "/rump/big"])).success();
    let same = run(server.hijacked("cmp").arg("/rump/big").arg(server.directory().join("site/big")));
    assert_eq!(same.status, 0, "{same:?}");
}

#[test]
fn wget_to_a_file() {
    let server = Server::start();
    let _web = web(&server);
    let out = server.directory().join("wget-out");
    let got = run(server.hijacked("wget").args(["-nv", "http://127.0.0.1/big", "-O"]).arg(&out));
    assert_eq!(got.status, 0, "{got:?}");
    assert_same(&out, &server.directory().join("site/big"));
}

#[test]
fn nc_speaks_http() {
    let server = Server::start();
    let _web = web(&server);
    let script = "printf 'GET /hello HTTP/1.0\\r\\n\\r\\n' | nc.openbsd -N 127.0.0.1 80";
    let got = run(server.hijacked("sh").args(["-c", script])).success();
    assert!(got.contains("200 OK") && got.ends_with("hello\n"), "{got}");
}

#[test]
fn nc_to_nc() {
    let server = Server::start();
    let mut command = server.hijacked("sh");
    command.args(["-c", "nc.openbsd -l -N 127.0.0.1 5000 < /dev/null"]);
    let mut listener = Background::start(&mut command, &server.directory().join("nc-log"));
    listener.wait_until(|| server.counter("call.listen") == 1);
    run(server.hijacked("sh").args(["-c", "seq 20000 | nc.openbsd -N 127.0.0.1 5000"])).success();
    listener.wait_until(|| listener_got(&server));
    let expected: String = (1..=20000).map(|n| format!("{n}\n")).collect();
    assert_eq!(listener.printed(), expected);
}

fn listener_got(server: &Server) -> bool {
    std::fs::metadata(server.directory().join("nc-log")).is_ok_and(|data| data.len() == 108_894)
}

#[test]
fn urllib() {
    let server = Server::start();
    let _web = web(&server);
    let script = "import urllib.request; print(urllib.request.urlopen('http://127.0.0.1/hello').read())";
    let got = run(server.hijacked("python3").args(["-c", script])).success();
    assert_eq!(got, "b'hello\\n'\n");
}
