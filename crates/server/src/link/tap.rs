//! `type=tap`: an interface of the host's kernel (linux/Documentation/networking/tuntap.rst), by its permission.

use crate::link::backend::{Backend, Deliver, Sent, Watch};
use crate::link::framing::FRAME_MAX;
use crate::link::kinds::{Kind, Opened, Opening, Plan};
use crate::link::{tap_unsafe, vnet_header};
use crate::spec::Fields;
use rustix::event::epoll::EventFlags;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::io::IoSlice;
use std::os::fd::OwnedFd;
use tcpip::{Offload, Offloads};

/// The row of the table.
pub(crate) const KIND: Kind = Kind {
    name: "tap",
    about: "a tap interface of the host; needs its permission",
    ethernet: true,
    keys: &[("dev", "NAME", "the host's interface; made if it is not there")],
    parse,
};

const DEVICE: &str = "/dev/net/tun";
const TAP: u32 = 0;
/// `IFNAMSIZ` less the NUL (netdevice(7)).
const NAME_MAX: usize = 15;

#[derive(Debug)]
struct TapPlan {
    dev: String,
}

fn parse(fields: &mut Fields) -> Result<Box<dyn Plan>, String> {
    let dev = fields.required("dev")?;
    if dev.is_empty() || dev.len() > NAME_MAX || dev.contains(['/', '%', '\0']) {
        return Err(format!("dev '{}' is no interface's name of 1 to {NAME_MAX} bytes", dev.escape_debug()));
    }
    Ok(Box::new(TapPlan { dev }))
}

impl Plan for TapPlan {
    fn open(&self, opening: Opening) -> Result<Opened, String> {
        let fd = open(&self.dev)?;
        let watched = opening.watch.add(&fd, TAP, EventFlags::IN);
        watched.map_err(|errno| format!("tap {}: {errno}", self.dev))?;
        let offloads = tap_unsafe::take_offloads(&fd).is_ok();
        let buffer = vec![0; vnet_header::LEN + FRAME_MAX];
        Ok(Opened::plain(Tap { fd, watch: opening.watch, waits_for_room: false, offloads, buffer }))
    }
}

fn open(dev: &str) -> Result<OwnedFd, String> {
    let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let fd = rustix::fs::open(DEVICE, flags, Mode::empty()).map_err(|errno| match errno {
        Errno::NOENT | Errno::NODEV | Errno::NXIO => {
            format!("tap {dev}: {DEVICE} is missing: {errno}; as root: modprobe tun")
        }
        errno => format!("tap {dev}: {DEVICE}: {errno}; {}", advice(dev)),
    })?;
    tap_unsafe::set_interface(&fd, dev).map_err(|errno| match errno {
        Errno::PERM => format!("tap {dev}: the host does not permit it ({errno}); {}", advice(dev)),
        Errno::BUSY => format!("tap {dev}: another program has it ({errno})"),
        Errno::INVAL => format!("tap {dev}: the host's interface of this name is no tap ({errno})"),
        errno => format!("tap {dev}: {errno}"),
    })?;
    Ok(fd)
}

/// How to get the permission.
fn advice(dev: &str) -> String {
    let uid = rustix::process::geteuid().as_raw();
    format!(
        "as root: ip tuntap add dev {dev} mode tap user {uid} && ip link set {dev} up; or use type=bus or type=passt"
    )
}

struct Tap {
    fd: OwnedFd,
    watch: Watch,
    /// Whether epoll was asked to tell of room.
    waits_for_room: bool,
    /// The host takes TCP segments uncut, and sends them so.
    offloads: bool,
    buffer: Vec<u8>,
}

impl Tap {
    fn wait_for_room(&mut self, wanted: bool) {
        let flags = if wanted { EventFlags::IN | EventFlags::OUT } else { EventFlags::IN };
        if wanted != self.waits_for_room && self.watch.modify(&self.fd, TAP, flags).is_ok() {
            self.waits_for_room = wanted;
        }
    }
}

impl Backend for Tap {
    fn event(&mut self, _number: u32, flags: EventFlags) {
        if flags.contains(EventFlags::OUT) {
            self.wait_for_room(false);
        }
    }

    fn receive(&mut self, most: usize, deliver: &mut Deliver<'_>) -> bool {
        for _ in 0..most {
            match rustix::io::read(&self.fd, &mut self.buffer[..]) {
                Ok(len) => {
                    let Some((header, frame)) = self.buffer[..len].split_first_chunk_mut() else { continue };
                    let offload = vnet_header::parse(header, frame);
                    deliver(frame, offload);
                }
                Err(_) => return false,
            }
        }
        true
    }

    fn send(&mut self, frame: &[u8], offload: Offload) -> Sent {
        let (header, sum) = vnet_header::emit(frame, offload);
        let written = match &sum {
            Some((at, sum)) => {
                let parts = [&header, &frame[..*at], sum, &frame[*at + sum.len()..]].map(IoSlice::new);
                rustix::io::writev(&self.fd, &parts)
            }
            None => rustix::io::writev(&self.fd, &[&header, frame].map(IoSlice::new)),
        };
        match written {
            Ok(_) => Sent::Done,
            Err(Errno::AGAIN | Errno::NOBUFS) => {
                self.wait_for_room(true);
                Sent::Full
            }
            // EIO: the host's interface is down.
            Err(_) => Sent::Dropped,
        }
    }

    fn takes_offloads(&self) -> Offloads {
        if self.offloads { Offloads::Tcp } else { Offloads::None }
    }
}
