//! PostgreSQL: processes that are forked for each connection, shared memory, latches over signals and epoll.

use e2e::{Drive, Server, run};

/// Makes a cluster below $1, asks it over TCP, runs a benchmark's transactions.
const SCRIPT: &str = r#"
set -eu
PATH=$(echo /usr/lib/postgresql/*/bin):$PATH D=$1/cluster
initdb -D $D -U me -A trust --no-sync --no-instructions > $2/log 2>&1 || { cat $2/log; exit 1; }
cat >> $D/postgresql.conf <<END
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
fsync = $3
shared_buffers = 4MB
max_connections = 10
END
pg_ctl -D $D -l $2/log -w -t 30 start > /dev/null || { cat $2/log; exit 1; }
export PGHOST=127.0.0.1 PGUSER=me PGDATABASE=postgres
psql -Atc 'create table t (a int); insert into t select generate_series(1, 1000); select sum(a), inet_server_addr() from t'
pgbench -i -q --unlogged-tables > $2/bench 2>&1 || cat $2/bench
pgbench -c 4 -j 2 -t 10 2>&1 | grep processed
pg_ctl -D $D -w -m fast stop
"#;

fn cluster_in(server: &Server, directory: &str, fsync: &str) {
    let mut script = server.hijacked("bash");
    script.args(["-c", SCRIPT, "bash", directory]).arg(server.directory()).arg(fsync);
    let said = run(&mut script).success();
    let answers = said.lines().filter(|line| line.contains("500500") || line.contains("processed"));
    let expected = ["500500|127.0.0.1", "number of transactions actually processed: 40/40"];
    assert_eq!(answers.collect::<Vec<_>>(), expected, "{said}");
    assert!(server.counter("call.accept") + server.counter("call.accept4") > 5);
}

#[test]
fn a_cluster_on_the_host() {
    let server = Server::start();
    cluster_in(&server, &server.directory().to_string_lossy(), "off");
}

#[test]
fn a_cluster_in_the_rump_kernel() {
    let server = Server::start();
    cluster_in(&server, "/rump/tmp", "off");
    assert!(server.counter("call.pwrite64") + server.counter("call.pwritev") > 100);
}

#[test]
fn a_cluster_on_a_disk() {
    let mut drive = Drive::ext4("256m");
    cluster_in(drive.server(), "/rump/mnt", "on");
    assert!(drive.server().counter("call.fsync") + drive.server().counter("call.fdatasync") > 100);
    drive.unmount();
}
