//! The host's side of network links: what carries the frames between this kernel and others.
//!
//! A type of link is one file here and one row in `kinds`. All that they have in common is in this file and in `line`: the way of a
//! frame to and from the kernel, faults, and that no link keeps the others or the clients from their turn.

mod backend;
mod bus;
mod control;
mod dgram;
mod faults;
mod fds_unsafe;
mod framing;
pub mod kinds;
mod line;
mod netspec;
mod passt;
mod stream;
mod tap;
mod tap_unsafe;
mod user;
mod values;
mod vnet_header;
mod wg;

pub(crate) use control::Refused;
pub use netspec::NetSpec;

use backend::Watch;
use kernel::Kernel;
use kinds::{Opened, Opening};
use line::Line;
use rustix::event::epoll::EventFlags;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::rc::Rc;
use tcpip::{Address, LinkConfig, LinkId, Mac, Resolving, Route, RouteUpdate};

/// Marks what epoll tells of links.
pub(crate) const LINK: u64 = 1 << 63;

/// All links besides `lo`.
pub(crate) struct Links {
    epoll: Rc<OwnedFd>,
    lines: BTreeMap<LinkId, Line>,
    /// [`tcpip::Stack::link_changes`] when the lines were last told.
    known_changes: u64,
}

impl Links {
    pub(crate) fn new(epoll: Rc<OwnedFd>) -> Self {
        Self { epoll, lines: BTreeMap::new(), known_changes: 0 }
    }

    /// Makes a link and joins the kernel to it. Relative paths start at `directory`.
    ///
    /// # Errors
    /// What cannot be done, as one line.
    pub(crate) fn add(
        &mut self,
        kernel: &mut Kernel,
        spec: &NetSpec,
        directory: &Path,
    ) -> Result<(), String> {
        let failed = |what: String| format!("link {}: {what}", spec.name);
        let mac = match spec.mac {
            _ if !spec.kind.ethernet => None,
            None => Some(random_mac().map_err(|errno| failed(errno.to_string()))?),
            said => said,
        };
        let mtu = spec.mtu.unwrap_or(netspec::MTU_DEFAULT);
        let config = LinkConfig {
            addrs: spec.addrs.clone(),
            mtu,
            // Brought up once there is something to send on.
            up: false,
            ..mac.map_or_else(|| LinkConfig::ip(&spec.name), |mac| LinkConfig::ethernet(&spec.name, mac))
        };
        let id = kernel.add_link(config).map_err(|errno| failed(why_not(errno)))?;
        let opening = Opening {
            mac,
            mtu: spec.mtu,
            addrs: spec.addrs.clone(),
            gateways: spec.gateways.clone(),
            dhcp: spec.dhcp,
            directory: directory.to_owned(),
            watch: Watch::new(self.epoll.clone(), id.index()),
        };
        let joined = spec.plan.open(opening).and_then(|opened| {
            configure(kernel, id, spec, &opened)?;
            if spec.dhcp {
                kernel.change_network(|stack| stack.set_dhcp(id, true)).map_err(why_not)?;
            }
            let line = Line::new(spec, opened);
            let up = if spec.up { bring_up(kernel, id, &line) } else { Ok(()) };
            self.lines.insert(id, line);
            up
        });
        joined.map_err(|why| {
            self.lines.remove(&id);
            let _ = kernel.remove_link(id);
            failed(why)
        })
    }

    /// Takes note of an event of epoll's.
    pub(crate) fn event(&mut self, token: u64, flags: EventFlags) {
        let (index, number) = backend::parse_token(token);
        if let Some(line) = self.lines.get_mut(&LinkId::from_index(index)) {
            line.event(number, flags);
        }
    }

    /// Whether frames have come in, or may have.
    pub(crate) fn has_input(&self) -> bool {
        self.lines.values().any(Line::has_input)
    }

    /// Takes frames that have come in to the kernel, some of each link.
    pub(crate) fn receive(&mut self, kernel: &mut Kernel) {
        for (id, line) in &mut self.lines {
            line.receive(*id, kernel);
        }
    }

    /// Sends what the kernel has to send and what has become due.
    pub(crate) fn send(&mut self, kernel: &mut Kernel, now_ns: u64) {
        while let Some((id, frame)) = kernel.next_frame_with() {
            if let Some(line) = self.lines.get_mut(&id) {
                line.send(now_ns, frame);
            }
        }
        for (id, line) in &mut self.lines {
            line.finish(*id, kernel, now_ns);
        }
        if kernel.network().link_changes() != self.known_changes {
            self.tell_changes(kernel);
        }
    }

    /// Programs change and remove links, too (ip-link(8)).
    fn tell_changes(&mut self, kernel: &Kernel) {
        self.known_changes = kernel.network().link_changes();
        self.lines.retain(|id, line| kernel.network().link(*id).is_ok_and(|info| line.take_over(info)));
    }

    /// When there is something to do at the latest.
    pub(crate) fn next_deadline(&self) -> Option<u64> {
        self.lines.values().filter_map(Line::next_deadline).min()
    }

    /// The server goes to sleep. Answers whether it may.
    pub(crate) fn sleep(&mut self) -> bool {
        !self.has_input() && self.lines.values_mut().all(Line::sleep)
    }

    /// The server is awake.
    pub(crate) fn wake(&mut self) {
        self.lines.values_mut().for_each(Line::wake);
    }
}

/// Gives an interface what its type says about it.
fn configure(kernel: &mut Kernel, id: LinkId, spec: &NetSpec, opened: &Opened) -> Result<(), String> {
    kernel.change_network(|stack| {
        stack.set_offloads(id, opened.backend.takes_offloads()).map_err(why_not)?;
        if let (None, Some(mtu)) = (spec.mtu, opened.mtu) {
            stack.set_mtu(id, mtu).map_err(|errno| format!("mtu {mtu}: {errno}"))?;
        }
        let servers = if spec.name_servers.is_empty() { &opened.name_servers } else { &spec.name_servers };
        let domains = if spec.domains.is_empty() { &opened.domains } else { &spec.domains };
        let resolving = Resolving { servers: servers.clone(), domains: domains.clone() };
        stack.set_own_resolving(id, resolving).map_err(why_not)?;
        opened.addrs.iter().try_for_each(|(ip, len)| match stack.add_address(id, Address::new(*ip, *len)) {
            Ok(()) | Err(abi::Errno::EEXIST) => Ok(()),
            Err(errno) => Err(format!("address {ip}/{len}: {errno}")),
        })
    })
}

/// Brings a link up, with the routes that its netspec and its type name.
fn bring_up(kernel: &mut Kernel, id: LinkId, line: &Line) -> Result<(), String> {
    kernel.change_network(|stack| {
        stack.set_up(id, true).map_err(why_not)?;
        line.routes.iter().try_for_each(|(ip, len, gateway)| {
            let protocol = gateway.map_or(Route::PROTOCOL_BOOT, |_| Route::PROTOCOL_STATIC);
            let route = Route { protocol, ..Route::new(*ip, *len, *gateway, Some(id)) };
            stack
                .add_route(route, RouteUpdate::Replace)
                .map_err(|errno| no_route(&format!("route {ip}/{len}"), *gateway, errno))
        })?;
        line.gateways.iter().try_for_each(|gateway| {
            let route = Route { protocol: Route::PROTOCOL_STATIC, ..Route::default_via(*gateway, Some(id)) };
            stack
                .add_route(route, RouteUpdate::Replace)
                .map_err(|errno| no_route("gw", Some(*gateway), errno))
        })
    })
}

fn no_route(what: &str, gateway: Option<IpAddr>, errno: abi::Errno) -> String {
    match (gateway, errno) {
        (Some(gateway), abi::Errno::ENETUNREACH | abi::Errno::EHOSTUNREACH) => {
            format!(
                "{what}: {gateway} is in none of its networks: say addr=ADDRESS/LENGTH with {gateway} in it"
            )
        }
        (Some(gateway), errno) => format!("{what} {gateway}: {errno}"),
        (None, errno) => format!("{what}: {errno}"),
    }
}

fn why_not(errno: abi::Errno) -> String {
    match errno {
        abi::Errno::EEXIST => "there is one of this name already".to_owned(),
        errno => errno.to_string(),
    }
}

/// A station's address that nobody administers (IEEE 802, local bit set, group bit clear).
fn random_mac() -> Result<Mac, rustix::io::Errno> {
    let mut mac = [0; 6];
    let got = rustix::rand::getrandom(&mut mac, rustix::rand::GetRandomFlags::empty())?;
    mac[0] = mac[0] & !1 | 2;
    if got == mac.len() { Ok(Mac(mac)) } else { Err(rustix::io::Errno::IO) }
}
