//! `rump_server -r`: how much the file tree holds.

use e2e::{Server, run};

#[test]
fn a_full_tree_is_enospc() {
    let server = Server::start_with(&["-r", "8m"]);
    let script = "df --output=size -B1M /rump | tail -1; dd if=/dev/zero of=/rump/f bs=1M count=20 2>&1 | head -1; \
        rm /rump/f; dd if=/dev/zero of=/rump/f bs=1M count=4 2>/dev/null && echo fits";
    let printed = run(server.hijacked("sh").args(["-c", script])).success();
    assert!(printed.contains("No space left on device") && printed.ends_with("fits\n"), "{printed}");
}
