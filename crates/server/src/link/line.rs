//! One link: the way of its frames between the kernel and what carries them.

use crate::link::NetSpec;
use crate::link::backend::{Backend, Sent};
use crate::link::kinds::{Kind, Opened};
use kernel::Kernel;
use rustix::event::epoll::EventFlags;
use std::collections::VecDeque;
use std::net::IpAddr;
use tcpip::fault::Faults;
use tcpip::{LinkId, LinkInfo, Medium, Outgoing};

/// Frames taken from one link before the others and the clients have their turn.
const TURN: usize = 64;
/// Frames that wait for a link that has no room, as Linux's `txqueuelen`.
const QUEUE: usize = 1000;

pub(crate) struct Line {
    pub(super) name: String,
    pub(super) kind: &'static Kind,
    /// Default routes that come when it is brought up.
    pub(super) gateways: Vec<IpAddr>,
    /// Networks behind it, likewise: the length of the prefix, and the gateway if there is one.
    pub(super) routes: Vec<(IpAddr, u8, Option<IpAddr>)>,
    pub(super) backend: Box<dyn Backend>,
    /// The line is cut: no frame passes, and neither end sees it.
    pub(super) partitioned: bool,
    pub(super) faults: Faults,
    /// Frames for which there was no room.
    queue: VecDeque<Outgoing>,
    /// There may be frames to take.
    told: bool,
    /// Something was sent since the last flush.
    sent: bool,
    /// What the kernel knows of [`Backend::has_carrier`].
    running: bool,
    /// Frames that were not sent.
    pub(super) dropped: u64,
}

impl Line {
    pub(super) fn new(spec: &NetSpec, opened: Opened) -> Self {
        let said = spec.routes.iter().map(|(ip, len, gateway)| (*ip, *len, Some(*gateway)));
        let faults = Faults::new(spec.faults);
        let own = opened.routes.iter().map(|(ip, len)| (*ip, *len, None));
        Self {
            name: spec.name.clone(),
            kind: spec.kind,
            gateways: [spec.gateways.clone(), opened.gateways].concat(),
            routes: own.chain(said).collect(),
            backend: opened.backend,
            partitioned: false,
            faults: if spec.kind.ethernet { faults.over_ethernet() } else { faults },
            queue: VecDeque::new(),
            told: true,
            sent: false,
            running: true,
            dropped: 0,
        }
    }

    pub(super) fn event(&mut self, number: u32, flags: EventFlags) {
        self.backend.event(number, flags);
        self.told = true;
    }

    pub(super) fn has_input(&self) -> bool {
        self.told || self.backend.has_input()
    }

    pub(super) fn receive(&mut self, id: LinkId, kernel: &mut Kernel) {
        if !self.has_input() {
            return;
        }
        let partitioned = self.partitioned;
        self.told = self.backend.receive(TURN, &mut |frame, offload| {
            if !partitioned {
                kernel.frame_in_with(id, frame, offload);
            }
        });
    }

    pub(super) fn send(&mut self, now_ns: u64, frame: Outgoing) {
        if self.partitioned {
            self.dropped += 1;
        } else if self.faults.is_idle() {
            self.put(frame);
        } else {
            self.faults.push(now_ns, frame);
        }
    }

    /// Sends what waited for room or for its time, and tells the kernel whether there is somebody at the other end.
    pub(super) fn finish(&mut self, id: LinkId, kernel: &mut Kernel, now_ns: u64) {
        self.backend.advance(now_ns);
        while let Some(frame) = self.queue.pop_front() {
            if let Some(back) = self.put_now(frame) {
                self.queue.push_front(back);
                break;
            }
        }
        while let Some(frame) = self.faults.pop(now_ns) {
            if self.partitioned {
                self.dropped += 1;
            } else {
                self.put(frame.into());
            }
        }
        if std::mem::take(&mut self.sent) {
            self.backend.flush();
        }
        let running = self.backend.has_carrier();
        if std::mem::replace(&mut self.running, running) != running {
            // ENODEV: a program has removed it, which is seen next.
            let _ = kernel.change_network(|stack| stack.set_running(id, running));
        }
    }

    /// Gives a frame to the backend, behind those that wait for it.
    fn put(&mut self, frame: Outgoing) {
        let left = if self.queue.is_empty() { self.put_now(frame) } else { Some(frame) };
        match left {
            Some(frame) if self.queue.len() < QUEUE => self.queue.push_back(frame),
            Some(_) => self.dropped += 1,
            None => {}
        }
    }

    /// Answers the frame if there is no room.
    fn put_now(&mut self, frame: Outgoing) -> Option<Outgoing> {
        match self.backend.send(&frame.bytes, frame.offload) {
            Sent::Done => self.sent = true,
            Sent::Full => return Some(frame),
            Sent::Dropped => self.dropped += 1,
        }
        None
    }

    /// Takes over what is new about the interface; whether it is still this one.
    pub(super) fn take_over(&mut self, info: LinkInfo) -> bool {
        let mac = match info.medium {
            Medium::Ethernet { mac } if !info.promiscuous => Some(mac),
            _ => None,
        };
        self.backend.take_only(mac);
        self.name = info.name;
        true
    }

    pub(super) fn next_deadline(&self) -> Option<u64> {
        self.faults.next_deadline().into_iter().chain(self.backend.next_deadline()).min()
    }

    pub(super) fn sleep(&mut self) -> bool {
        self.backend.sleep()
    }

    pub(super) fn wake(&mut self) {
        self.backend.wake();
    }
}
