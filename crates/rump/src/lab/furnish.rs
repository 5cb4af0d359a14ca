//! What a host is given inside its kernel: a name, sysctls, and the names of the others.

use crate::lab::plan::{Host, Plan};
use crate::lab::topology::same_network;
use crate::session::{Error, Session};
use abi::Errno;
use abi::nr;
use std::fmt::Write as _;
use std::net::IpAddr;

/// Any address will do: this program has no memory that a call is about.
const TEXT: u64 = 0x1000;
const O_WRONLY: u64 = 1;
const O_CREAT: u64 = 0o100;
const O_TRUNC: u64 = 0o1000;

/// Sets a sysctl node.
///
/// # Errors
/// There is none, or it does not take this value.
pub(crate) fn sysctl(session: &mut Session, node: &str, value: &str) -> Result<(), Error> {
    let path = format!("/proc/sys/{}", node.replace('.', "/"));
    match write(session, &path, O_WRONLY, value)? {
        Ok(()) => Ok(()),
        Err(Errno::ENOENT) => Err(Error::Why(format!("the rump kernel has no sysctl '{node}'"))),
        Err(Errno::EINVAL) => Err(Error::Why(format!("sysctl '{node}' does not take '{value}'"))),
        Err(errno) => Err(Error::Why(format!("sysctl '{node}': {errno}"))),
    }
}

/// Gives a kernel its name, and /etc/hosts with all hosts of the lab.
///
/// # Errors
/// The server does not do it.
pub(crate) fn names(session: &mut Session, plan: &Plan, host: &Host) -> Result<(), Error> {
    sysctl(session, "kernel.hostname", &host.name)?;
    let made = session.call_strings(nr::MKDIR, ["/etc".into(), 0o755.into()])?.result;
    if let Err(errno) = made
        && errno != Errno::EEXIST
    {
        return Err(session.refused(errno));
    }
    write(session, "/etc/hosts", O_WRONLY | O_CREAT | O_TRUNC, &hosts(plan, host))?
        .map_err(|errno| session.refused(errno))
}

/// hosts(5) as one host sees the lab. Programs try a name's addresses in this order: its neighbours' are told first.
fn hosts(plan: &Plan, host: &Host) -> String {
    let mut text = format!(
        "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.1.1\t{}\n",
        host.name
    );
    let own: Vec<(IpAddr, u8)> = host.links.iter().flat_map(|link| link.spec.addrs.iter().copied()).collect();
    let near = |ip: &IpAddr| own.iter().any(|(other, len)| same_network(*ip, *other, *len));
    for other in plan.hosts.iter().filter(|other| other.name != host.name) {
        let mut addresses: Vec<IpAddr> = other.addresses().collect();
        addresses.sort_by_key(|ip| !near(ip));
        for ip in addresses {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{ip}\t{}", other.name);
        }
    }
    text
}

/// Writes a file of the rump kernel.
fn write(session: &mut Session, path: &str, flags: u64, text: &str) -> Result<Result<(), Errno>, Error> {
    let fd = match session.call_strings(nr::OPEN, [path.into(), flags.into(), 0o644.into()])?.result {
        Ok(fd) => fd,
        Err(errno) => return Ok(Err(errno)),
    };
    let written = match text.is_empty() {
        true => Ok(0),
        false => session.call_with(nr::WRITE, &[fd, TEXT, text.len() as u64], TEXT, text.as_bytes())?.result,
    };
    let _ = session.call(nr::CLOSE, &[fd])?;
    Ok(written.map(drop))
}
