//! redis-server, redis-cli and redis-benchmark, all on the rump kernel's TCP.

use e2e::{Background, Server, run};

fn redis(server: &Server) -> Background {
    let mut command = server.hijacked("redis-server");
    command.args(["--port", "6379", "--bind", "127.0.0.1", "--save", "", "--daemonize", "no"]);
    command.current_dir(server.directory());
    let mut redis = Background::start(&mut command, &server.directory().join("redis-log"));
    redis.wait_until(|| server.listens(6379));
    redis
}

#[test]
fn cli() {
    let server = Server::start();
    let _redis = redis(&server);
    let cli = |words: &[&str]| run(server.hijacked("redis-cli").args(words)).success();
    assert_eq!(cli(&["set", "key", "value"]), "OK\n");
    assert_eq!(cli(&["get", "key"]), "value\n");
    assert_eq!(
        cli(&["eval", "for i=1,1000 do redis.call('rpush','l',i) end return redis.call('llen','l')", "0"]),
        "1000\n"
    );
    assert_eq!(cli(&["lrange", "l", "0", "-1"]).lines().count(), 1000);
}

#[test]
fn benchmark() {
    let server = Server::start();
    let _redis = redis(&server);
    let ran = run(server.hijacked("redis-benchmark").args([
        "-q",
        "-n",
        "5000",
        "-c",
        "20",
        "-t",
        "set,get,lpush",
        "--csv",
    ]));
    let printed = ran.success();
    assert_eq!(
        printed.lines().filter(|line| line.starts_with('"') && !line.contains("test")).count(),
        3,
        "{printed}"
    );
    assert!(server.counter("call.accept4") + server.counter("call.accept") >= 20);
}
