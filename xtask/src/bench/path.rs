//! TCP over a line that loses frames: between two rump kernels, and between two network namespaces of the host. The line is the
//! same for both, a rump kernel that routes and whose links have the faults, so that what differs is the ends. Both ends' congestion
//! control is CUBIC (RFC 9438): BBR, which some hosts have as their default, does not mind loss.

use super::ends::{self, Node};
use super::{Row, median};
use crate::run::{Outcome, is_root, run};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// Percent of the frames, each way.
const LOSSES: &[(&str, &str)] = &[
    ("iperf3 over a router, 10 ms", "0"),
    ("… 0.1 % of the frames lost", "0.1"),
    ("… 1 % lost", "1"),
    ("… 3 % lost", "3"),
];
const NAMESPACES: [&str; 2] = ["rumpbench0", "rumpbench1"];

/// The rows; those of the host only for root, who alone may make namespaces.
pub(super) fn figures(release: &Path, runs: usize) -> Outcome<Vec<Row>> {
    let host = is_root() && Path::new("/dev/net/tun").exists();
    let mut rows = Vec::new();
    for (what, loss) in LOSSES {
        eprintln!("{what} ...");
        let (mut native, mut hijacked) = (Vec::new(), Vec::new());
        for _ in 0..runs {
            if host {
                native.push(Host::new(release, loss)?.megabytes()?);
            }
            hijacked.push(Rump::new(release, loss)?.megabytes()?);
        }
        let native = if native.is_empty() { None } else { Some(median(native)) };
        rows.push(Row { what, unit: "MB/s", native, hijacked: median(hijacked), target: "≥ 0.7" });
    }
    Ok(rows)
}

/// The router: its links to the two ends, `links` being their types with keys.
fn router(release: &Path, dir: &Path, loss: &str, links: [String; 2]) -> Outcome<Node> {
    let link = |at: usize, kind: &str| {
        format!(
            "name=eth{at},{kind},addr=10.219.25{at}.1/24,loss={loss}%,delay=5ms,limit=100000,seed={}",
            at + 1
        )
    };
    let router = Node::start(release, dir, "router", &[link(0, &links[0]), link(1, &links[1])])?;
    let mut sysctl = router.program(release, "sysctl");
    sysctl.args(["-q", "-w", "net.ipv4.ip_forward=1"]).env("RUMPHIJACK", "sysctl=yes,socket=all");
    run(&mut sysctl)?;
    Ok(router)
}

/// Two rump kernels with a third between them.
struct Rump {
    release: PathBuf,
    ends: [Node; 2],
    _router: Node,
    _dir: TempDir,
}

impl Rump {
    fn new(release: &Path, loss: &str) -> Outcome<Self> {
        let dir = tempfile::tempdir().map_err(|error| format!("no temporary directory: {error}"))?;
        let bus = |at: usize| format!("type=bus,path={}", dir.path().join(format!("bus{at}")).display());
        let router = router(release, dir.path(), loss, [bus(0), bus(1)])?;
        let end = |at: usize| {
            let link = format!("name=eth0,{},addr=10.219.25{at}.2/24,gw=10.219.25{at}.1", bus(at));
            Node::start(release, dir.path(), &format!("end{at}"), &[link])
        };
        let ends = [end(0)?, end(1)?];
        Ok(Self { release: release.to_owned(), ends, _router: router, _dir: dir })
    }

    fn megabytes(&self) -> Outcome<f64> {
        ends::iperf3(|at| self.ends[at].program(&self.release, "iperf3"))
    }
}

/// Two network namespaces, each with a tap to the router.
struct Host {
    _router: Node,
    _dir: TempDir,
}

impl Host {
    fn new(release: &Path, loss: &str) -> Outcome<Self> {
        let dir = tempfile::tempdir().map_err(|error| format!("no temporary directory: {error}"))?;
        let tap = |at: usize| format!("type=tap,dev={}", NAMESPACES[at]);
        let host = Self { _router: router(release, dir.path(), loss, [tap(0), tap(1)])?, _dir: dir };
        for (at, name) in NAMESPACES.iter().enumerate() {
            let (address, gateway) = (format!("10.219.25{at}.2/24"), format!("10.219.25{at}.1"));
            for args in [
                ["netns", "add", name].as_slice(),
                &["link", "set", name, "netns", name],
                &["-n", name, "addr", "add", &address, "dev", name],
                &["-n", name, "link", "set", name, "up"],
                &["-n", name, "route", "add", "default", "via", &gateway],
            ] {
                run(Command::new("ip").args(args))?;
            }
        }
        Ok(host)
    }

    fn megabytes(&self) -> Outcome<f64> {
        ends::iperf3(|at| {
            let mut command = Command::new("ip");
            command.args(["netns", "exec", NAMESPACES[at], "iperf3"]);
            if at == 0 {
                command.args(["-C", "cubic"]);
            }
            command
        })
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        for name in NAMESPACES {
            let _ = Command::new("ip").args(["netns", "del", name]).stderr(Stdio::null()).status();
        }
    }
}
