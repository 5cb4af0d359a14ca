//! `type=bus`: an Ethernet segment in shared memory, which any number of servers of one host join without privileges.
//!
//! The segment's file is its name: who may write it may join. Beside it, in `FILE.d`, each member has a socket. Who joins
//! connects to all that are there; with a connection go both members' rings (`ring`), in memory that only its owner can change
//! and nobody can shrink, so a member can break nothing but its own frames. The connection then carries the wake-ups of those who sleep, and
//! its end tells that the member has gone, however it went.

mod ring;
mod segment;

use crate::link::backend::{Backend, Deliver, Sent, Watch};
use crate::link::kinds::{Kind, Opened, Opening, Plan};
use crate::shared_unsafe::{OwnMemory, PeerMemory};
use crate::spec::Fields;
use ring::{Found, Reader, Takes, Writer};
use rustix::event::epoll::EventFlags;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};
use segment::{Place, hello};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::atomic::{Ordering, fence};
use tcpip::{Mac, Offload, Offloads};

/// The row of the table.
pub(crate) const KIND: Kind = Kind {
    name: "bus",
    about: "a shared-memory Ethernet segment for any number of servers of this host",
    ethernet: true,
    keys: &[("path", "FILE", "the segment; made if it is not there")],
    parse,
};

const LISTENER: u32 = 0;
/// Members have the numbers from here on.
const FIRST: u32 = 1;
const MEMBERS_MAX: usize = 1024;

#[derive(Debug)]
struct BusPlan {
    path: PathBuf,
}

fn parse(fields: &mut Fields) -> Result<Box<dyn Plan>, String> {
    Ok(Box::new(BusPlan { path: fields.required_path("path")? }))
}

impl Plan for BusPlan {
    fn open(&self, opening: Opening) -> Result<Opened, String> {
        let path = opening.directory.join(&self.path);
        let failed = |errno: Errno| format!("bus {}: {errno}", path.display());
        let memory = OwnMemory::new("rump bus", ring::WORDS).map_err(failed)?;
        let writer = Writer::new(memory.words());
        let takes = opening.mac.map_or(Takes::ALL, Takes::address);
        writer.take(memory.words(), takes);
        let (place, others) = Place::join(&path)?;
        opening.watch.add(&place.listener, LISTENER, EventFlags::IN).map_err(failed)?;
        let mut bus = Bus {
            watch: opening.watch,
            place,
            memory,
            writer,
            takes,
            members: Vec::new(),
            missed: 0,
            buffer: Vec::new(),
            next: 0,
        };
        for connection in others {
            bus.enter(connection, true);
        }
        Ok(Opened::plain(bus))
    }
}

/// A place in a segment.
struct Bus {
    watch: Watch,
    place: Place,
    memory: OwnMemory,
    writer: Writer,
    takes: Takes,
    /// By their numbers less [`FIRST`].
    members: Vec<Option<Member>>,
    /// Frames lost to members that have gone.
    missed: u64,
    buffer: Vec<u8>,
    /// Whose frames are looked at first, so that all have their turn.
    next: usize,
}

/// Another member.
struct Member {
    connection: OwnedFd,
    /// Its ring, once it has introduced itself.
    ring: Option<(PeerMemory, Reader)>,
    /// We have sent it our ring.
    introduced: bool,
    /// There is something for it.
    meant: bool,
    /// Which of its sleeps we have ended.
    woken: u64,
}

impl Bus {
    /// Enters a connection to another member, which we or it have made.
    fn enter(&mut self, connection: OwnedFd, ours: bool) {
        let place = self.members.iter().position(Option::is_none).unwrap_or(self.members.len());
        if place >= MEMBERS_MAX {
            tracing::warn!("bus: more than {MEMBERS_MAX} members; one is not heard");
            return;
        }
        let number = FIRST + u32::try_from(place).unwrap_or(0);
        if self.watch.add(&connection, number, EventFlags::IN).is_err() {
            return;
        }
        let mut member = Member { connection, ring: None, introduced: false, meant: false, woken: 0 };
        if ours && !member.introduce(&self.memory, self.writer.head()) {
            return;
        }
        if place == self.members.len() {
            self.members.push(None);
        }
        self.members[place] = Some(member);
    }

    fn accept(&mut self) {
        while let Ok(connection) = self.place.accept() {
            self.enter(connection, false);
        }
    }

    fn leave(&mut self, place: usize) {
        if let Some(Member { ring: Some((_, reader)), .. }) =
            self.members.get_mut(place).and_then(Option::take)
        {
            self.missed += reader.lost;
        }
    }

    fn rings(&self) -> impl Iterator<Item = (&PeerMemory, &Reader)> {
        self.members
            .iter()
            .flatten()
            .filter_map(|member| member.ring.as_ref())
            .map(|(memory, reader)| (memory, reader))
    }
}

impl Member {
    /// Sends our ring, once; whether that went well.
    fn introduce(&mut self, memory: &OwnMemory, head: u64) -> bool {
        self.introduced || {
            self.introduced = hello::send(&self.connection, memory, head).is_ok();
            self.introduced
        }
    }

    /// Takes what it has sent: its ring, then wake-ups. Whether it is there still.
    fn hear(&mut self, memory: &OwnMemory, head: u64) -> bool {
        if self.ring.is_none() {
            return match hello::receive(&self.connection) {
                Ok(Some(ring)) => {
                    self.ring = Some(ring);
                    self.introduce(memory, head)
                }
                Ok(None) => true,
                Err(errno) => {
                    tracing::info!("bus: a member that does not introduce itself properly: {errno}");
                    false
                }
            };
        }
        // It has one wake-up for each of our sleeps; whoever sends more waits for the next turn.
        let mut byte = [0; 1];
        match rustix::net::recv(&self.connection, &mut byte, RecvFlags::DONTWAIT) {
            Ok((_, len)) => len > 0,
            Err(errno) => errno == Errno::AGAIN || errno == Errno::INTR,
        }
    }

    /// Wakes it if it sleeps and there is something for it.
    fn rouse(&mut self) {
        let Some((memory, _)) = self.ring.as_ref().filter(|_| std::mem::take(&mut self.meant)) else {
            return;
        };
        if let Some(sleep) = ring::sleeping(memory.words()).filter(|sleep| *sleep != self.woken) {
            self.woken = sleep;
            // No room: more wake-ups are there than it can have slept. Gone: its event tells.
            let _ = rustix::net::send(&self.connection, &[0], SendFlags::DONTWAIT | SendFlags::NOSIGNAL);
        }
    }
}

impl Backend for Bus {
    fn event(&mut self, number: u32, flags: EventFlags) {
        if number == LISTENER {
            return self.accept();
        }
        let place = (number - FIRST) as usize;
        let Some(Some(member)) = self.members.get_mut(place) else { return };
        let gone = flags.intersects(EventFlags::HUP | EventFlags::ERR);
        // What it sent before it went is read all the same.
        if !member.hear(&self.memory, self.writer.head())
            || (gone && member.ring.as_ref().is_none_or(|(memory, reader)| !reader.is_behind(memory.words())))
        {
            self.leave(place);
        }
    }

    fn receive(&mut self, most: usize, deliver: &mut Deliver<'_>) -> bool {
        let (mut taken, count) = (0, self.members.len());
        for turn in 0..count {
            let place = (self.next + turn) % count;
            let Some(Some(Member { ring: Some((memory, reader)), .. })) = self.members.get_mut(place) else {
                continue;
            };
            let mut looked_at = 0;
            while taken < most && looked_at < LOOKS {
                looked_at += 1;
                match reader.next(memory.words(), self.takes, &mut self.buffer) {
                    Found::Nothing => break,
                    Found::Frame(offload) => {
                        taken += 1;
                        deliver(&self.buffer, offload);
                    }
                    Found::Passed | Found::Lost => {}
                }
            }
        }
        self.next = self.next.wrapping_add(1);
        self.has_input()
    }

    fn send(&mut self, frame: &[u8], offload: Offload) -> Sent {
        let Some(tell_all) = self.writer.push(self.memory.words(), frame, offload) else {
            return Sent::Dropped;
        };
        let destination = ring::destination(frame);
        for member in self.members.iter_mut().flatten() {
            let Some((memory, _)) = &member.ring else { continue };
            if ring::takes(memory.words()).takes(destination) {
                member.meant = true;
            }
        }
        if tell_all {
            self.members.iter_mut().flatten().for_each(|member| member.meant = true);
        }
        Sent::Done
    }

    fn takes_offloads(&self) -> Offloads {
        Offloads::TcpAndUdp
    }

    fn flush(&mut self) {
        // Heads are published before it is looked who sleeps (`Writer::sleep`).
        fence(Ordering::SeqCst);
        self.members.iter_mut().flatten().for_each(Member::rouse);
    }

    fn has_input(&self) -> bool {
        self.rings().any(|(memory, reader)| reader.is_behind(memory.words()))
    }

    fn sleep(&mut self) -> bool {
        self.writer.sleep(self.memory.words());
        !self.has_input()
    }

    fn wake(&mut self) {
        self.writer.wake(self.memory.words());
    }

    fn take_only(&mut self, mac: Option<Mac>) {
        self.takes = mac.map_or(Takes::ALL, Takes::address);
        self.writer.take(self.memory.words(), self.takes);
    }

    fn missed(&self) -> u64 {
        self.missed + self.rings().map(|(_, reader)| reader.lost).sum::<u64>()
    }

    fn remark(&self) -> String {
        match self.rings().count() {
            1 => "1 other member".to_owned(),
            others => format!("{others} other members"),
        }
    }
}

/// Frames of one member looked at in a turn, those for others among them.
const LOOKS: usize = 1024;
