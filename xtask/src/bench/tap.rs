//! TCP between a rump kernel and the host's over a tap, each way; for the host, a network namespace in the rump kernel's place.

use super::bus::{SENDER, Veth};
use super::ends::{self, Node, RECEIVER};
use super::{Row, median};
use crate::run::{Outcome, is_root, run};
use std::path::Path;
use std::process::{Command, Stdio};

const DEVICE: &str = "rumptap0";

/// The rows; none for others than root, who alone may make a tap.
pub(super) fn figures(release: &Path, runs: usize) -> Outcome<Vec<Row>> {
    const TO: &str = "iperf3 over a tap to the host (host: a veth pair)";
    const FROM: &str = "iperf3 over a tap from the host (host: a veth pair)";
    if !is_root() || !Path::new("/dev/net/tun").exists() {
        eprintln!("iperf3 over a tap: skipped, it needs root and /dev/net/tun");
        return Ok(Vec::new());
    }
    [(TO, 0), (FROM, 1)].into_iter().map(|(what, end)| row(release, runs, what, end)).collect()
}

/// `end`: the rump kernel's; 0 sends, 1 receives.
fn row(release: &Path, runs: usize, what: &'static str, end: usize) -> Outcome<Row> {
    eprintln!("{what} ...");
    let (mut native, mut hijacked) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        native.push(Veth::new()?.megabytes()?);
        hijacked.push(Tap::new(release, end)?.megabytes(release)?);
    }
    let (native, hijacked) = (Some(median(native)), median(hijacked));
    Ok(Row { what, unit: "MB/s", native, hijacked, target: "" })
}

/// A tap of the host's, with the rump kernel at its other end.
struct Tap {
    node: Node,
    end: usize,
    _dir: tempfile::TempDir,
}

impl Tap {
    fn new(release: &Path, end: usize) -> Outcome<Self> {
        let dir = tempfile::tempdir().map_err(|error| format!("no temporary directory: {error}"))?;
        let [rump, host] = if end == 0 { [SENDER, RECEIVER] } else { [RECEIVER, SENDER] };
        run(Command::new("ip").args(["tuntap", "add", "dev", DEVICE, "mode", "tap"]))?;
        let link = format!("name=eth0,type=tap,dev={DEVICE},addr={rump}/24");
        let node = Node::start(release, dir.path(), "tap", &[link])?;
        run(Command::new("ip").args(["addr", "add", &format!("{host}/24"), "dev", DEVICE]))?;
        run(Command::new("ip").args(["link", "set", DEVICE, "up"]))?;
        Ok(Self { node, end, _dir: dir })
    }

    fn megabytes(&self, release: &Path) -> Outcome<f64> {
        ends::iperf3(|at| match at == self.end {
            true => self.node.program(release, "iperf3"),
            false => Command::new("iperf3"),
        })
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["link", "del", DEVICE]).stderr(Stdio::null()).status();
    }
}
