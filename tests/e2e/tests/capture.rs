//! `rump capture`: tshark reads what it writes, and finds nothing malformed.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use e2e::{Background, Segments, Server, artifact, native, run, web};
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

/// What tshark, which starts slowly, makes of a file: a row for each frame, a column for each field. It verifies all checksums.
fn tshark(file: &Path, fields: &[&str]) -> Vec<Vec<String>> {
    let mut command = native("tshark");
    command.args(["-n", "-r"]).arg(file).args(["-T", "fields"]);
    for protocol in ["tcp", "udp", "ip"] {
        command.args(["-o", &format!("{protocol}.check_checksum:TRUE")]);
    }
    fields.iter().for_each(|field| {
        command.args(["-e", field]);
    });
    let row = |line: &str| line.split('\t').map(str::to_owned).collect();
    run(&mut command).success().lines().map(row).collect()
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
        assert_eq!(got.len(), 500_000);
    }
    right.ping("10.0.0.1", 1);
    std::thread::sleep(std::time::Duration::from_millis(200));
    drop(capturing);
    // Status 0 is a bad checksum.
    let fields = [
        "frame.protocols",
        "_ws.malformed",
        "ip.checksum.status",
        "tcp.checksum.status",
        "tcp.analysis.flags",
    ];
    let frames = tshark(&file, &fields);
    let bad = frames.iter().filter(|row| !row[1].is_empty() || row[2].contains('0') || row[3].contains('0'));
    assert_eq!(bad.collect::<Vec<_>>(), Vec::<&Vec<String>>::new());
    let count = |protocol: &str| frames.iter().filter(|row| row[0].contains(protocol)).count();
    assert!(count("ip:tcp") > 300 && count("ipv6:tcp") > 300, "half a megabyte is 350 segments");
    for protocol in ["eth:ethertype:arp", "icmpv6", "ip:icmp", "tcp:http"] {
        assert!(count(protocol) > 0, "nothing is {protocol}");
    }
    assert!(frames.iter().any(|row| row[4] == "1"), "with 1 % loss something is out of order");
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
    let frames = tshark(&file, &["frame.cap_len", "frame.len", "frame.interface_name"]);
    assert_eq!(frames.len(), 10);
    assert!(frames.iter().all(|row| row[2] == "lo"), "{frames:?}");
    assert!(frames.iter().any(|row| row[0] == "60" && row[1] != "60"), "long ones are cut: {frames:?}");
    drop(all);
    assert!(tshark(&any, &["frame.interface_name"]).len() > 30);

    let mut pipe = native(artifact("rump"));
    pipe.args(["capture", "-i", "lo", "-c", "4", "-w", "-"]).env("RUMP_SERVER", server.url());
    let piped = std::thread::scope(|scope| {
        let piped = scope.spawn(move || pipe.output().unwrap());
        while !piped.is_finished() {
            server.ping("127.0.0.1", 2);
        }
        piped.join().unwrap()
    });
    // A Section Header Block, and that is how it begins.
    assert!(piped.status.success() && piped.stdout.starts_with(&[0x0a, 0x0d, 0x0d, 0x0a]), "{piped:?}");
    let refused = server.rump(&["capture", "-i", "eth7", "-w", "/dev/null"]);
    assert!(refused.status == 1 && refused.stderr.contains("'eth7'"), "{refused:?}");
}
