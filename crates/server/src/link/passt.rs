//! `type=passt`: the outside, by Debian's passt(1), which is started here and ends with the server.

use crate::link::backend::{Backend, Deliver, Sent};
use crate::link::kinds::{Kind, Opened, Opening, Plan};
use crate::link::netspec::MTU_DEFAULT;
use crate::link::stream::Stream;
use crate::signals_unsafe;
use crate::spec::Fields;
use rustix::event::epoll::EventFlags;
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use std::ffi::OsString;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use tcpip::Offload;

/// The row of the table.
pub(crate) const KIND: Kind = Kind {
    name: "passt",
    about: "the host's networks through passt(1), which runs as long as the server",
    ethernet: true,
    keys: &[("program", "FILE", "passt itself, by default the one in PATH")],
    parse,
};

/// Where the netspec says nothing, the kernel has these, as a guest of slirp does.
const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 15);
const LENGTH: u8 = 24;
const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 2);
const NAMES: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 3);

/// After passt has ended it is started again so much later, and each time twice as much.
const AGAIN_FIRST_NS: u64 = 100_000_000;
const AGAIN_MOST_NS: u64 = 5_000_000_000;

#[derive(Debug)]
struct PasstPlan {
    program: OsString,
}

fn parse(fields: &mut Fields) -> Result<Box<dyn Plan>, String> {
    let program = fields.take("program").unwrap_or_else(|| "passt".to_owned());
    Ok(Box::new(PasstPlan { program: program.into() }))
}

impl Plan for PasstPlan {
    fn open(&self, mut opening: Opening) -> Result<Opened, String> {
        let (mut addrs, mut gateways, mut name_servers) = (Vec::new(), Vec::new(), Vec::new());
        if opening.addrs.is_empty() && opening.gateways.is_empty() {
            addrs.push((ADDRESS.into(), LENGTH));
            gateways.push(GATEWAY.into());
            name_servers.push(NAMES.into());
            (opening.addrs, opening.gateways) = (addrs.clone(), gateways.clone());
        }
        let mut passt = Passt {
            program: self.program.clone(),
            args: args(&opening),
            stream: Stream::new(opening.watch),
            child: None,
            now_ns: crate::clock::mono_ns(),
            again_at_ns: None,
            again_after_ns: AGAIN_FIRST_NS,
        };
        passt.start().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => format!(
                "{}: not found; install it (Debian: apt-get install passt), or say program=FILE",
                self.program.display()
            ),
            _ => format!("{}: {error}", self.program.display()),
        })?;
        Ok(Opened { addrs, gateways, name_servers, ..Opened::plain(passt) })
    }
}

/// passt gives its guest the addresses that the kernel has.
fn args(opening: &Opening) -> Vec<OsString> {
    let mut args: Vec<OsString> = ["--foreground", "--quiet", "--stderr", "--fd", "0"].map(Into::into).into();
    let mut push = |name: &str, value: String| args.extend([name.into(), value.into()]);
    push("--mtu", opening.mtu.unwrap_or(MTU_DEFAULT).to_string());
    for (ip, len) in &opening.addrs {
        push("--address", ip.to_string());
        if ip.is_ipv4() {
            push("--netmask", len.to_string());
        }
    }
    push("--dns-forward", NAMES.to_string());
    for gateway in &opening.gateways {
        push("--gateway", gateway.to_string());
    }
    let has = |family: fn(&IpAddr) -> bool| opening.addrs.iter().any(|(ip, _)| family(ip));
    match (has(IpAddr::is_ipv4), has(IpAddr::is_ipv6)) {
        (true, false) => args.push("--ipv4-only".into()),
        (false, true) => args.push("--ipv6-only".into()),
        _ => {}
    }
    args
}

struct Passt {
    program: OsString,
    args: Vec<OsString>,
    stream: Stream,
    child: Option<Child>,
    now_ns: u64,
    again_at_ns: Option<u64>,
    again_after_ns: u64,
}

impl Passt {
    /// Starts passt with one end of a socket pair. It ends when the other end is closed, however that comes about.
    fn start(&mut self) -> io::Result<()> {
        let (ours, its) = pair()?;
        let mut command = Command::new(&self.program);
        command.args(&self.args).stdin(Stdio::from(its)).stdout(Stdio::null());
        signals_unsafe::unblock_in(&mut command);
        self.child = Some(command.spawn()?);
        self.stream.attach(ours)?;
        self.again_at_ns = None;
        Ok(())
    }

    fn start_again_later(&mut self) {
        self.end();
        self.again_at_ns = Some(self.now_ns.saturating_add(self.again_after_ns));
        self.again_after_ns = (self.again_after_ns * 2).min(AGAIN_MOST_NS);
    }

    fn end(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(rustix::net::socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?)
}

impl Drop for Passt {
    fn drop(&mut self) {
        self.end();
    }
}

impl Backend for Passt {
    fn event(&mut self, number: u32, flags: EventFlags) {
        self.stream.event(number, flags);
    }

    fn receive(&mut self, most: usize, deliver: &mut Deliver<'_>) -> bool {
        let mut any = false;
        let more = self.stream.receive(most, &mut |frame, offload| {
            any = true;
            deliver(frame, offload);
        });
        if any {
            self.again_after_ns = AGAIN_FIRST_NS;
        }
        if !self.stream.has_carrier() && self.child.is_some() {
            tracing::warn!("passt has ended; it is started again");
            self.start_again_later();
        }
        more
    }

    fn send(&mut self, frame: &[u8], offload: Offload) -> Sent {
        self.stream.send(frame, offload)
    }

    fn flush(&mut self) {
        self.stream.flush();
    }

    fn advance(&mut self, now_ns: u64) {
        self.now_ns = now_ns;
        if self.again_at_ns.is_some_and(|at_ns| at_ns <= now_ns) && self.start().is_err() {
            self.start_again_later();
        }
    }

    fn next_deadline(&self) -> Option<u64> {
        self.again_at_ns
    }

    fn has_carrier(&self) -> bool {
        self.stream.has_carrier()
    }

    fn remark(&self) -> String {
        match &self.child {
            Some(child) => format!("passt is process {}", child.id()),
            None => "passt is not running".to_owned(),
        }
    }
}
