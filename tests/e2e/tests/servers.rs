//! Other servers and runtimes of Debian: each speaks to itself or to another program over the rump kernel's TCP.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use e2e::{Background, Server, native, run};
use std::process::Command;

/// Runs a command natively and hijacked: both print the same, and the hijacked run has accepted connections of the rump
/// kernel's.
fn same(server: &Server, arrange: impl Fn(&mut Command), program: &str) {
    let [expected, found] = [native(program), server.hijacked(program)].map(|mut command| {
        arrange(&mut command);
        run(&mut command)
    });
    assert_eq!(expected.status, 0, "natively: {expected:?}");
    assert_eq!(found, expected);
    assert!(server.counter("call.accept") + server.counter("call.accept4") > 0);
}

const NODE: &str = "
const http = require('http'), cp = require('child_process'), { Worker } = require('worker_threads');
const get = (url, done) => http.get(url, r => { let b = ''; r.on('data', d => b += d); r.on('end', () => done(b)); });
const server = http.createServer((q, r) => r.end('hello ' + q.url)).listen(0, '127.0.0.1', () => {
  const base = 'http://127.0.0.1:' + server.address().port;
  let left = 200;
  for (let i = 0; i < 200; i++) get(base + '/' + i, body => {
    if (body !== 'hello /' + i) throw body;
    if (--left) return;
    const source = `const http = require('http'); http.get('${base}/worker', r => r.on('data', d =>
      require('worker_threads').parentPort.postMessage(String(d))));`;
    new Worker(source, { eval: true }).on('message', message => {
      console.log(message);
      cp.execFile('curl', ['-s', base + '/child'], (error, out) => { console.log(error, out); process.exit(0); });
    });
  });
});
";

#[test]
fn node() {
    let server = Server::start();
    let script = |command: &mut Command| {
        command.args(["-e", NODE]);
    };
    same(&server, script, "node");
}

#[test]
fn memcached() {
    let server = Server::start();
    let mut command = server.hijacked("memcached");
    command.args(["-u", "nobody", "-l", "127.0.0.1", "-p", "11211", "-t", "4"]);
    let mut memcached = Background::start(&mut command, &server.directory().join("log"));
    memcached.wait_until(|| server.listens(11211));
    let talk = "printf 'set a 0 0 5\\r\\nhello\\r\\nget a\\r\\nquit\\r\\n' | nc.openbsd 127.0.0.1 11211";
    let said = run(server.hijacked("sh").args(["-c", talk])).success();
    assert_eq!(said, "STORED\r\nVALUE a 0 5\r\nhello\r\nEND\r\n");
}

#[test]
fn haproxy() {
    let server = Server::start();
    let dir = server.directory();
    let config = "global\n maxconn 100\ndefaults\n mode http\n timeout connect 5s\n timeout client 5s\n timeout server 5s\n\
        frontend f\n bind 127.0.0.1:8000\n default_backend b\nbackend b\n server one 127.0.0.1:8001\n";
    std::fs::write(dir.join("config"), config).unwrap();
    std::fs::create_dir(dir.join("site")).unwrap();
    std::fs::write(dir.join("site/page"), "a page\n").unwrap();
    let mut web = server.hijacked("python3");
    web.args(["-m", "http.server", "--bind", "127.0.0.1", "8001", "--directory"]).arg(dir.join("site"));
    let mut web = Background::start(&mut web, &dir.join("web-log"));
    web.wait_until(|| server.listens(8001));
    let mut proxy = server.hijacked("haproxy");
    let mut proxy = Background::start(proxy.arg("-db").arg("-f").arg(dir.join("config")), &dir.join("log"));
    proxy.wait_until(|| server.listens(8000));
    let got = run(server.hijacked("curl").args(["-sS", "http://127.0.0.1:8000/page"]));
    assert_eq!(got.success(), "a page\n");
}

/// Each stressor checks what it gets (--verify).
#[test]
fn stress_ng() {
    let server = Server::start();
    for stressor in ["--sock", "--udp", "--epoll", "--sockpair", "--sockfd", "--poll"] {
        let mut command = server.hijacked("stress-ng");
        command.args([stressor, "1", "--timeout", "1s", "--verify", "--temp-path"]).arg(server.directory());
        let ran = run(&mut command);
        assert_eq!(ran.status, 0, "{stressor}: {ran:?}");
    }
    assert!(server.counter("call.connect") > 0 && server.counter("call.sendto") > 0);
}

const JAVA: &str = r#"
import com.sun.net.httpserver.HttpServer;
import java.net.*;
import java.net.http.*;
import java.util.*;
import java.util.concurrent.*;

class Web {
	public static void main(String[] arguments) throws Exception {
		HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
		server.createContext("/", exchange -> {
			byte[] path = exchange.getRequestURI().getPath().getBytes();
			exchange.sendResponseHeaders(200, path.length);
			exchange.getResponseBody().write(path);
			exchange.close();
		});
		server.setExecutor(Executors.newFixedThreadPool(8));
		server.start();
		String base = "http://127.0.0.1:" + server.getAddress().getPort() + "/";
		HttpClient client = HttpClient.newHttpClient();
		List<CompletableFuture<String>> all = new ArrayList<>();
		for (int i = 0; i < 100; i++)
			all.add(client.sendAsync(HttpRequest.newBuilder(URI.create(base + i)).build(),
				HttpResponse.BodyHandlers.ofString()).thenApply(HttpResponse::body));
		int right = 0;
		for (int i = 0; i < 100; i++)
			if (all.get(i).get().equals("/" + i))
				right++;
		System.out.println("right " + right);
		System.out.println(new ProcessBuilder("sh", "-c", "exit 3").start().waitFor());
		System.exit(0);
	}
}
"#;

/// Debian package openjdk-17-jdk-headless.
#[test]
fn java() {
    let server = Server::start();
    let source = server.directory().join("Web.java");
    std::fs::write(&source, JAVA).unwrap();
    let ran = run(server.hijacked("java").arg(&source));
    assert_eq!((ran.stdout.as_str(), ran.status), ("right 100\n3\n", 0), "{}", ran.stderr);
    assert!(server.counter("call.accept4") + server.counter("call.accept") > 0);
}
