//! `rump capture`: tshark reads what it writes, and finds nothing malformed.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use e2e::{Background, Segments, Server, artifact, native, run};
use std::path::Path;

/// `rump capture` of a server, into a file.
fn capture(server: &Server, args: &[&str], file: &Path) -> Background {
    let mut command = native(artifact("rump"));
    command.arg("capture").args(args).arg("-w").arg(file).env("RUMP_SERVER", server.url());
    let mut running = Background::start(&mut command, &server.directory().join("capture-log"));
    // The head of the file comes once it listens.
    running.wait_until(|| std::fs::metadata(file).is_ok_and(|found| found.len() > 0));
    running
}

/// What tshark makes of a file: a line for each frame that `filter` lets pass.
fn tshark(file: &Path, filter: &str, fields: &[&str]) -> Vec<String> {
    let mut command = native("tshark");
    command.args(["-n", "-r"]).arg(file).args(["-Y", filter, "-T", "fields"]);
    fields.iter().for_each(|field| {
        command.args(["-e", field]);
    });
    run(&mut command).success().lines().map(str::to_owned).collect()
}

fn web(server: &Server) -> Background {
    let site = server.directory().join("site");
    std::fs::create_dir(&site).unwrap();
    std::fs::write(site.join("page"), "x".repeat(1_000_000)).unwrap();
    let mut command = server.hijacked("python3");
    command.args(["-m", "http.server", "--bind", "::", "80", "--directory"]).arg(&site);
    let mut python = Background::start(&mut command, &server.directory().join("log"));
    python.wait_until(|| server.listens(80));
    python
}

#[test]
fn curl_over_a_bus_with_loss() {
    let segments = Segments::new();
    let (left, right) = (segments.host(1, ",loss=1%,seed=3"), segments.host(2, ",loss=1%,seed=4"));
    let _web = web(&left);
    let file = right.directory().join("eth0.pcapng");
    let capturing = capture(&right, &["-i", "eth0"], &file);
    for host in ["10.0.0.1", "[fd00::1]"] {
        let got = run(right.hijacked("curl").args(["-sSg", &format!("http://{host}/page")])).success();
        assert_eq!(got.len(), 1_000_000);
    }
    right.ping("10.0.0.1", 1);
    std::thread::sleep(std::time::Duration::from_millis(200));
    drop(capturing);
    let malformed = "_ws.malformed || tcp.checksum.status == 0 || ip.checksum.status == 0 || udp.checksum.status == 0 \
        || _ws.expert.group == 0x07000000";
    let bad = tshark(&file, malformed, &["frame.number", "_ws.col.info"]);
    assert!(bad.is_empty(), "{bad:?}");
    let frames = tshark(&file, "tcp", &["ip.version"]);
    assert!(frames.len() > 1400, "2 MB are 1400 segments: {}", frames.len());
    for filter in [
        "arp",
        "icmpv6.type == 135",
        "icmp.type == 8",
        "http.request",
        "tcp.analysis.retransmission || tcp.analysis.lost_segment || tcp.analysis.duplicate_ack",
    ] {
        assert!(!tshark(&file, filter, &["frame.number"]).is_empty(), "nothing is {filter}");
    }
}

#[test]
fn lo_any_a_count_a_length_and_a_pipe() {
    let segments = Segments::new();
    let server = segments.host(1, "");
    let _web = web(&server);
    let file = server.directory().join("lo.pcapng");
    let any = server.directory().join("any.pcapng");
    let all = capture(&server, &["-i", "any"], &any);
    let lo = capture(&server, &["-i", "lo", "-s", "60", "-c", "10"], &file);
    run(server.hijacked("curl").args(["-sS", "http://127.0.0.1/page", "-o", "/dev/null"])).success();
    let pid = lo.id();
    let end = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z ")) {
        assert!(std::time::Instant::now() < end, "it does not end after ten frames");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let frames = tshark(&file, "frame", &["frame.cap_len", "frame.len", "frame.interface_name"]);
    assert_eq!(frames.len(), 10);
    assert!(frames.iter().all(|frame| frame.ends_with("lo")), "{frames:?}");
    assert!(frames.iter().any(|frame| frame.starts_with("60\t")), "long ones are cut: {frames:?}");
    drop(all);
    assert!(tshark(&any, "tcp", &["frame.interface_name"]).len() > 30);

    let script = format!("'{}' capture -i lo -c 4 -w - | tshark -n -r - | wc -l", artifact("rump").display());
    let mut pipe = native("sh");
    pipe.args(["-c", &script]).env("RUMP_SERVER", server.url());
    let pinging = std::thread::scope(|scope| {
        let counted = scope.spawn(move || run(&mut pipe));
        while !counted.is_finished() {
            server.ping("127.0.0.1", 2);
        }
        counted.join().unwrap()
    });
    assert_eq!(pinging.success().trim(), "4");
    let refused = server.rump(&["capture", "-i", "eth7", "-w", "/dev/null"]);
    assert!(refused.status == 1 && refused.stderr.contains("'eth7'"), "{refused:?}");
}
