//! What `rump link` asks: `rump_link(op, text, len, buf, size)`.

use crate::link::line::Line;
use crate::link::{Links, NetSpec, bring_up, faults, why_not};
use abi::Errno;
use abi::private::LinkOp;
use kernel::Kernel;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use tcpip::{LinkId, LinkInfo, Medium};

/// Why something cannot be done: for programs, and for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) errno: Errno,
    pub(crate) why: String,
}

impl Refused {
    /// Only who may use this host's files and programs may make links.
    pub(crate) fn over_tcp() -> Self {
        let why = "over tcp:// no link can be made: give it to rump_server by -n".to_owned();
        Self { errno: Errno::EPERM, why }
    }
}

impl From<String> for Refused {
    fn from(why: String) -> Self {
        Self { errno: Errno::EINVAL, why }
    }
}

impl Links {
    /// Does what is asked; answers what is to be told.
    ///
    /// # Errors
    /// Why it cannot be done.
    pub(crate) fn control(
        &mut self,
        kernel: &mut Kernel,
        op: LinkOp,
        text: &[u8],
    ) -> Result<String, Refused> {
        match op {
            LinkOp::List => Ok(self.list(kernel)),
            LinkOp::Add => {
                let (directory, spec) = split(text)?;
                let spec = NetSpec::parse(spec)?;
                self.add(kernel, &spec, Path::new(OsStr::from_bytes(directory)))?;
                Ok(String::new())
            }
            LinkOp::Del => {
                let id = self.find(kernel, utf8(text)?)?;
                self.lines.remove(&id);
                kernel.remove_link(id).map_err(why_not)?;
                Ok(String::new())
            }
            LinkOp::Set => {
                let (name, changes) = split(text)?;
                let id = self.find(kernel, utf8(name)?)?;
                self.set(kernel, id, changes)?;
                Ok(String::new())
            }
        }
    }

    fn find(&self, kernel: &Kernel, name: &str) -> Result<LinkId, Refused> {
        let id = kernel.network().link_named(name);
        match id.filter(|id| self.lines.contains_key(id)) {
            Some(id) => Ok(id),
            None if name == "lo" => Err("lo is not a link to the outside".to_owned().into()),
            None => {
                let names: Vec<&str> = self.lines.values().map(|line| line.name.as_str()).collect();
                let why = match names.is_empty() {
                    true => format!("no link '{name}': there is none besides lo"),
                    false => format!("no link '{name}': there are {}", names.join(", ")),
                };
                Err(Refused { errno: Errno::ENODEV, why })
            }
        }
    }

    /// All changes or none.
    fn set(&mut self, kernel: &mut Kernel, id: LinkId, changes: &str) -> Result<(), Refused> {
        let Some(line) = self.lines.get_mut(&id) else { return Ok(()) };
        let mut spec = *line.faults.spec();
        let (mut up, mut partitioned) = (None, line.partitioned);
        for part in changes.split(',') {
            match part.split_once('=') {
                None if part == "up" => (up, partitioned) = (Some(true), false),
                None if part == "down" => up = Some(false),
                None if part == "partition" => partitioned = true,
                Some((name, value)) if let Some(set) = faults::set(&mut spec, name, value) => set?,
                _ => {
                    let known = faults::names();
                    return Err(format!(
                        "'{part}' is none of up, down, partition, KEY=VALUE with one of {known}"
                    )
                    .into());
                }
            }
        }
        faults::check(&spec)?;
        line.faults.change(spec);
        line.partitioned = partitioned;
        match up {
            Some(true) => bring_up(kernel, id, line)?,
            Some(false) => kernel.change_network(|stack| stack.set_up(id, false)).map_err(why_not)?,
            None => {}
        }
        Ok(())
    }

    /// One row for each interface: name, type, state, MTU, Ethernet address, addresses, packets and bytes in, packets and bytes
    /// out, dropped, faults, remark.
    fn list(&self, kernel: &Kernel) -> String {
        let mut text = String::new();
        for info in kernel.network().links() {
            let _ = writeln!(text, "{}", row(&info, self.lines.get(&info.id)));
        }
        text
    }
}

fn row(info: &LinkInfo, line: Option<&Line>) -> String {
    let mac = match info.medium {
        Medium::Ethernet { mac } => mac.to_string(),
        Medium::Ip => String::new(),
    };
    let state = match line {
        _ if !info.up => "down",
        Some(line) if line.partitioned => "partition",
        _ if !info.running => "no-carrier",
        _ => "up",
    };
    let addrs: Vec<String> = info.addrs.iter().map(|(ip, len)| format!("{ip}/{len}")).collect();
    let counters = info.counters;
    let lost = line.map_or(0, |line| line.faults.counters().lost + line.faults.counters().overlimit);
    let fields = [
        info.name.clone(),
        line.map_or("loopback", |line| line.kind.name).to_owned(),
        state.to_owned(),
        info.mtu.to_string(),
        mac,
        addrs.join(","),
        counters.rx_packets.to_string(),
        counters.rx_bytes.to_string(),
        counters.tx_packets.to_string(),
        counters.tx_bytes.to_string(),
        (counters.rx_dropped + line.map_or(0, |line| line.backend.missed())).to_string(),
        (counters.tx_dropped + line.map_or(0, |line| line.dropped)).to_string(),
        lost.to_string(),
        line.map_or(String::new(), |line| faults::show(line.faults.spec())),
        line.map_or(String::new(), |line| line.backend.remark()),
    ];
    // No field may be empty or break the table.
    fields
        .map(|field| if field.is_empty() { "-".to_owned() } else { field.replace(['\t', '\n'], "?") })
        .join("\t")
}

/// Two texts with a NUL between them; the second is for people.
fn split(text: &[u8]) -> Result<(&[u8], &str), Refused> {
    let at = text.iter().position(|byte| *byte == 0).ok_or_else(|| "a text is missing".to_owned())?;
    Ok((&text[..at], utf8(&text[at + 1..])?))
}

fn utf8(text: &[u8]) -> Result<&str, Refused> {
    std::str::from_utf8(text).map_err(|_| format!("'{}' is no text", text.escape_ascii()).into())
}
