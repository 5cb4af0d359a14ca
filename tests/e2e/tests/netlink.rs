//! Netlink sockets that outlive their kernel.

use e2e::Server;
use std::process::Stdio;

/// A monitor as browsers have one: it waits for a pipe of the host's and for news of links.
const MONITOR: &str = r"
import os, select, socket, subprocess, sys, time
RTMGRP_LINK = 1
links = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE); links.bind((0, RTMGRP_LINK))
links.setblocking(False)
wake, _ = os.pipe()
waiting = select.poll(); waiting.register(links, select.POLLIN); waiting.register(wake, select.POLLIN)
assert waiting.poll(100) == []
print('waits', flush=True)
end, turns, lost = time.monotonic() + 20, 0, []
while not lost and time.monotonic() < end:
    turns += len(waiting.poll(1000))
    try: links.recv(65536)
    except BlockingIOError: pass
    except OSError as error:
        # While the connection is being made again it may be anything.
        if error.errno == 105: lost.append(error.errno)
print('lost', lost, 'few turns' if turns < 10 else turns, flush=True)
begun = time.monotonic(); quiet = waiting.poll(500)
print('quiet', quiet, time.monotonic() - begun > 0.4, links.getsockname()[1])
subprocess.run(['ip', 'link', 'set', 'lo', 'mtu', '9000'], check=True)
ready = waiting.poll(5000)
print('news', len(ready), int.from_bytes(links.recv(65536)[4:6], 'little'))
";

#[test]
fn a_monitor_goes_on_with_the_next_kernel() {
    let mut server = Server::start();
    let mut python = server.hijacked("/usr/bin/python3");
    python.args(["-c", MONITOR]).env("RUMPHIJACK_RETRYCONNECT", "inftime");
    let mut child = python.stdout(Stdio::piped()).spawn().expect("python3 runs");
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().expect("a pipe")));
    let mut line = || lines.next().and_then(Result::ok).unwrap_or_default();
    assert_eq!(line(), "waits");
    server.restart();
    assert_eq!(line(), "lost [105] few turns");
    assert_eq!(line(), "quiet [] True 1");
    assert_eq!(line(), "news 1 16");
    assert!(child.wait().expect("our own child").success());
}
