//! tcpdump(8): packet sockets with a ring in shared memory, and a filter that the rump kernel runs.

use e2e::{Server, run};

#[test]
fn frames_that_a_filter_wants() {
    let server = Server::start();
    // On the host only root may capture, so there is nothing to compare with: the frames are those that are sent here.
    let script = "tcpdump -n -l -i lo -c 2 'icmp[icmptype] == icmp-echo and greater 300' 2>err & dump=$!
        for i in $(seq 200); do grep -q 'listening on lo' err && break; sleep 0.02; done
        $PING -n -c 1 127.0.0.1 >/dev/null; $PING -n -c 2 -i 0.2 -s 400 127.0.0.1 >/dev/null; wait $dump; grep -i fail err";
    let ping = server.ping_program();
    let ran =
        run(server.hijacked("sh").args(["-c", script]).env("PING", ping).current_dir(server.directory()));
    let lines: Vec<&str> = ran.stdout.lines().collect();
    let wanted = |line: &&str| {
        line.contains("127.0.0.1 > 127.0.0.1: ICMP echo request") && line.ends_with("length 408")
    };
    assert_eq!(lines.iter().filter(|line| wanted(line)).count(), 2, "{ran:?}");
    assert_eq!(lines.len(), 2, "nothing but what the filter wants, and the filter was taken: {ran:?}");
}
