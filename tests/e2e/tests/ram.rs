//! `rump_server -r`: how much the file tree holds.

use e2e::{Server, run};

#[test]
fn a_full_tree_is_enospc() {
    let server = Server::start_with(&["-r", "8m"]);
    let script = "df --output=size -B1M /rump | tail -1; dd if=/dev/zero of=/rump/f bs=1M count=20 2>&1 | head -1; \
        rm /rump/f; dd if=/dev/zero of=/rump/f bs=1M count=4 2>/dev/null && echo fits";
    let printed = run(server.hijacked("sh").args(["-c", script])).success();
    assert!(printed.contains("No space left on device") && printed.ends_with("fits\n"), "{printed}");
    // Up to the last page, and a hole takes nothing.
    let script = "rm /rump/*; dd if=/dev/zero of=/rump/f bs=1M count=20 2>/dev/null; df --output=avail -B4k /rump | tail -1; \
        truncate -s 4M /rump/f; truncate -s 20M /rump/f; stat -c '%s %b' /rump/f; \
        dd if=/dev/zero of=/rump/f bs=1M seek=10 conv=notrunc 2>/dev/null; df --output=avail -B4k /rump | tail -1";
    let printed = run(server.hijacked("sh").args(["-c", script])).success();
    let words: Vec<&str> = printed.split_whitespace().collect();
    assert_eq!(words, ["0", "20971520", "8192", "0"]);
}
