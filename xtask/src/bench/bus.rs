//! TCP between two neighbours: rump kernels on a bus, and network namespaces of the host with a veth pair between them.

use super::ends::{self, Node, RECEIVER};
use super::{Row, median};
use crate::run::{Outcome, is_root, run};
use std::path::Path;
use std::process::{Command, Stdio};

pub(super) const SENDER: &str = "10.219.251.1";
const NAMESPACES: [&str; 2] = ["rumpbus0", "rumpbus1"];

/// The row; the host's figure only for root, who alone may make namespaces.
pub(super) fn figures(release: &Path, runs: usize) -> Outcome<Vec<Row>> {
    const WHAT: &str = "iperf3 over a bus (host: a veth pair)";
    eprintln!("{WHAT} ...");
    let (mut native, mut hijacked) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        if is_root() {
            native.push(Veth::new()?.megabytes()?);
        }
        hijacked.push(rump(release)?);
    }
    let native = if native.is_empty() { None } else { Some(median(native)) };
    Ok(vec![Row { what: WHAT, unit: "MB/s", native, hijacked: median(hijacked), target: "1,000 MB/s" }])
}

fn rump(release: &Path) -> Outcome<f64> {
    let dir = tempfile::tempdir().map_err(|error| format!("no temporary directory: {error}"))?;
    let path = dir.path().join("bus");
    let end = |name: &str, address: &str| {
        let link = format!("name=eth0,type=bus,path={},addr={address}/24", path.display());
        Node::start(release, dir.path(), name, &[link])
    };
    let nodes = [end("end0", SENDER)?, end("end1", RECEIVER)?];
    ends::iperf3(|at| nodes[at].program(release, "iperf3"))
}

/// Two network namespaces.
pub(super) struct Veth;

impl Veth {
    pub(super) fn new() -> Outcome<Self> {
        let host = Self;
        for name in NAMESPACES {
            run(Command::new("ip").args(["netns", "add", name]))?;
        }
        let pair = ["type", "veth", "peer", "name", "eth0", "netns", NAMESPACES[1]];
        run(Command::new("ip").args(["-n", NAMESPACES[0], "link", "add", "eth0"]).args(pair))?;
        for (name, address) in NAMESPACES.into_iter().zip([SENDER, RECEIVER]) {
            run(Command::new("ip").args([
                "-n",
                name,
                "addr",
                "add",
                &format!("{address}/24"),
                "dev",
                "eth0",
            ]))?;
            run(Command::new("ip").args(["-n", name, "link", "set", "eth0", "up"]))?;
        }
        Ok(host)
    }

    pub(super) fn megabytes(&self) -> Outcome<f64> {
        ends::iperf3(|at| {
            let mut command = Command::new("ip");
            command.args(["netns", "exec", NAMESPACES[at], "iperf3"]);
            command
        })
    }
}

impl Drop for Veth {
    fn drop(&mut self) {
        for name in NAMESPACES {
            let _ = Command::new("ip").args(["netns", "del", name]).stderr(Stdio::null()).status();
        }
    }
}
