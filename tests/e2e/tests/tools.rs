//! The tools that look into networks, over two routers of rump kernels and over two of the host's kernel.

use e2e::{Hops, native, run};

/// Both print the same once `plain` has taken out of each line what is never the same.
#[track_caller]
fn same(daemon: &str, script: &str, plain: impl Fn(&str) -> String) -> String {
    let (found, expected) = Hops::both(daemon, script);
    let [found, expected] = [Some(found), expected].map(|text| {
        text.map(|text| text.lines().map(&plain).filter(|line| !line.is_empty()).collect::<Vec<_>>())
    });
    let found = found.unwrap_or_default();
    if let Some(expected) = expected {
        assert_eq!(found, expected, "hijacked (left) differs from native (right):\n{script}");
    }
    found.join("\n")
}

/// A line without decimal numbers (times) and hardware addresses.
fn timeless(line: &str) -> String {
    let is_unit = |word: &str| matches!(word, "usec" | "msec");
    let is_time = |word: &str| {
        word.starts_with("time=") || is_unit(word) || word.contains('.') && word.parse::<f64>().is_ok()
    };
    let is_mac = |word: &str| word.len() == 17 && word.matches(':').count() == 5;
    let words = line.split_whitespace().filter(|word| !is_time(word) && !is_mac(word));
    words.collect::<Vec<_>>().join(" ")
}

const WEB: &str = "python3 -m http.server --bind :: 80";
const WAIT: &str = "until nc -z 10.0.2.9 80 2>/dev/null; do sleep 0.1; done; ";

#[test]
fn traceroute() {
    // How long the later probes are waited for does not depend on how fast the first was.
    let script = format!(
        "{WAIT} for to in 10.0.2.9 fd00:2::9; do for way in '' -I '-T -p 80 -f 3'; do traceroute -n -w 3,0,0 $way $to; done; done"
    );
    let printed = same(WEB, &script, timeless);
    assert!(printed.contains("1 10.0.1.1 ms ms ms\n2 10.0.12.2 ms ms ms\n3 10.0.2.9 ms ms ms"), "{printed}");
}

/// Its helper is copied, since file capabilities would have ld.so drop the library.
#[test]
fn mtr() {
    let script = "cp $(command -v mtr-packet) .; export MTR_PACKET=$PWD/mtr-packet
         for to in 10.0.2.9 fd00:2::9; do mtr -n -r -c 1 $to | tail -n +3 | cut -c1-30; done";
    let printed = same("sleep 60", script, timeless);
    assert!(printed.contains("1.|-- 10.0.1.1\n2.|-- 10.0.12.2\n3.|-- 10.0.2.9"), "{printed}");
}

/// Sizes up to and beyond the MTU, and what may not be fragmented.
#[test]
fn ping_sizes() {
    let script = "for to in 10.0.2.9 fd00:2::9; do for how in '' '-s 8000' '-s 30000' '-M do -s 1452' '-M do -s 1473' '-M want -s 4000' '-t 1' '-t 2'
         do $PING -n -c 1 -W 3 $how $to 2>&1 | grep -v -e ^rtt -e ^$ | sed 's/time.*//; s#^.*/ping:#ping:#'; done; done";
    let printed = same("sleep 60", script, timeless);
    assert!(printed.contains("30008 bytes from 10.0.2.9: icmp_seq=1 ttl=62"), "{printed}");
    assert!(printed.contains("From 10.0.1.1 icmp_seq=1 Time to live exceeded"), "{printed}");
}

/// What is recorded on the way there and back.
#[test]
fn ping_records() {
    let script = r"for how in -R '-T tsonly' '-T tsandaddr' '-T tsprespec 10.0.1.1 10.0.2.9'; do
         $PING -n -c 1 -W 3 $how 10.0.2.9 2>&1 | grep -v -e ^rtt -e ^$ | sed 's/time.*//; s#^.*/ping:#ping:#; s/-*[0-9]* absolute/T/; s/	-*[0-9]*$/	T/'; done";
    let printed = same("sleep 60", script, timeless);
    assert!(printed.contains("RR:") && printed.contains("10.0.12.1"), "{printed}");
    assert!(printed.contains("TS:"), "{printed}");
}

/// Port scans by every kind of segment, and of UDP.
#[test]
fn nmap_scans() {
    let script = format!(
        "{WAIT} export NMAP_PRIVILEGED=1; nmap() {{ command nmap -n -Pn -T5 --max-retries 2 $* 10.0.2.9 | sed -n '/^PORT/,/^$/p'; }}
         for how in -sT -sS -sA -sW -sF -sN -sX; do echo $how; nmap $how -p 79-81; done; echo -sU; nmap -sU -p 53,80 --max-rtt-timeout 500ms
         command nmap -n -sn -PR 10.0.1.1-2 | grep report; command nmap -6 -n -Pn -sS -p 79,80 fd00:2::9 | grep tcp"
    );
    let printed = same(WEB, &script, timeless);
    assert!(printed.contains("-sS\nPORT STATE SERVICE\n79/tcp closed finger\n80/tcp open http"), "{printed}");
    assert!(
        printed.contains("-sX\nPORT STATE SERVICE\n79/tcp closed finger\n80/tcp open|filtered http"),
        "{printed}"
    );
}

/// Who has an address; a name server of the rump network's.
#[test]
fn arping_and_dig() {
    let names = "dnsmasq -k -C /dev/null -p 53 -R -h --user= --group= -8 - --pid-file= --address=/example.test/10.9.8.7 --address=/example.test/fd00::7 --txt-record=text.test,hello";
    let script = "until dig +short +time=1 +tries=1 @10.0.2.9 example.test >/dev/null; do sleep 0.1; done
         cp $(command -v arping) .; ./arping -c 2 -I eth0 10.0.1.1 | grep -e ^42 -e transmitted; ./arping -c 1 -W 0.3 -I eth0 10.0.1.200 | grep transmitted
         for how in '' +tcp -6; do at=10.0.2.9; [ \"$how\" = -6 ] && at=fd00:2::9; dig +short $how @$at example.test A example.test AAAA text.test TXT; done
         dig +noall +comments @10.0.2.9 nowhere.test | grep status | sed 's/id:.*//'";
    let printed = same(names, script, timeless);
    assert!(
        printed.contains("10.9.8.7\nfd00::7\n\"hello\"") && printed.contains("2 packets received"),
        "{printed}"
    );
}

/// socat(1) and nc(1) there and back, over TCP and UDP of both families.
#[test]
fn socat_and_nc() {
    let daemon = "socat TCP6-LISTEN:7,fork,reuseaddr PIPE & socat UDP6-RECVFROM:7,fork PIPE & wait";
    let script = "for to in 10.0.2.9 '[fd00:2::9]'; do
         for how in TCP UDP; do until echo hello | socat -t 0.5 - $how:$to:7 2>/dev/null | grep hello; do sleep 0.1; done; done
         head -c 300000 /dev/zero | tr '\\0' x | socat -t 3 - TCP:$to:7 | wc -c; done
         echo one | nc -N -w 3 10.0.2.9 7; nc -z -v -n 10.0.2.9 7-8; nc -u -w 1 10.0.2.9 7 </dev/null; echo $?";
    let printed = same(daemon, script, timeless);
    assert!(printed.contains("hello\nhello\n300000"), "{printed}");
}

/// A scanner's idea of the TCP behind the routers: what it answers to segments that no TCP sends, and how it ends.
#[test]
fn nmap_fingerprint() {
    // Windows and options differ from host to host; T1 to T7 and IE are about the rules.
    let script = format!(
        "{WAIT} export NMAP_PRIVILEGED=1; nmap -n -Pn -vv -O --max-os-tries 1 -p 79,80 10.0.2.9 | sed -n 's/^OS://p' | tr -d '\\n' \
         | grep -o -e 'T[1-7]([^)]*)' -e 'IE([^)]*)' -e 'U1([^)]*)'"
    );
    let printed = same(WEB, &script, timeless);
    assert!(printed.contains("T2(R=N)\nT3(R=N)\nT4(R=Y%DF=Y%T="), "{printed}");
}

/// What tcpdump(8) writes while all kinds of packets pass, tshark(1) finds nothing malformed in.
#[test]
fn tcpdump_writes() {
    let script = format!(
        "{WAIT} tcpdump -U -i eth0 -w dump 2>log & dump=$!; until grep -q listening log; do sleep 0.1; done
         for to in 10.0.2.9 '[fd00:2::9]'; do curl -sg http://$to/ >/dev/null; done; nc -z 10.0.2.9 1; echo x | nc -u -w 1 10.0.2.9 9
         for to in 10.0.2.9 fd00:2::9; do $PING -c 1 -s 3000 $to >/dev/null; $PING -c 1 -t 1 $to >/dev/null; done
         sleep 0.3; kill $dump; wait $dump"
    );
    let hops = Hops::new();
    hops.run(WEB, &script);
    let dump = hops.left.directory().join("dump");
    let rows = |filter: &str| {
        let mut tshark = native("tshark");
        tshark.args(["-n", "-T", "fields", "-e", "frame.number", "-Y", filter, "-r"]).arg(&dump);
        run(&mut tshark).success().lines().count()
    };
    assert_eq!(rows("_ws.malformed"), 0);
    for what in ["tcp", "udp", "icmp.type == 11", "icmpv6.type == 3", "ipv6.fraghdr", "ip.flags.mf == 1"] {
        assert!(rows(what) > 0, "nothing is {what}");
    }
}
