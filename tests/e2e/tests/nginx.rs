//! nginx with two workers.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use e2e::{Background, Server, run};

const CONFIGURATION: &str = "
worker_processes 2; daemon off; pid PIDFILE; error_log stderr;
events { worker_connections 64; }
http {
    access_log off; client_body_temp_path DIR/b; proxy_temp_path DIR/p; fastcgi_temp_path DIR/f; uwsgi_temp_path DIR/u;
    scgi_temp_path DIR/s; sendfile on;
    server { listen 127.0.0.1:80; listen [::1]:80; root DIR/site; }
}
";

#[test]
fn two_workers() {
    let server = Server::start();
    let dir = server.directory();
    std::fs::create_dir(dir.join("site")).unwrap();
    let big: String = (0..200_000).map(|n| format!("{n}\n")).collect();
    std::fs::write(dir.join("site/big"), &big).unwrap();
    let text = CONFIGURATION
        .replace("DIR", &dir.to_string_lossy())
        .replace("PIDFILE", &dir.join("pid").to_string_lossy());
    std::fs::write(dir.join("nginx.conf"), text).unwrap();
    let mut command = server.hijacked("/usr/sbin/nginx");
    command.arg("-e").arg("stderr").arg("-c").arg(dir.join("nginx.conf")).arg("-p").arg(dir);
    let mut nginx = Background::start(&mut command, &dir.join("nginx-log"));
    nginx.wait_until(|| server.listens(80));
    for host in ["127.0.0.1", "[::1]"] {
        let got = run(server.hijacked("curl").args(["-sS", "-g", &format!("http://{host}/big")])).success();
        assert!(got == big, "{host}: {} bytes", got.len());
    }
    let mut many = server.hijacked("curl");
    many.args(["-sS", "--parallel", "--parallel-max", "16", "-w", "%{http_code} "]);
    for _ in 0..32 {
        many.args(["http://127.0.0.1/big", "-o", "/dev/null"]);
    }
    let codes = run(&mut many).success();
    assert_eq!(codes.matches("200").count(), 32, "{codes}");
}
