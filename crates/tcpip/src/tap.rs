//! Whoever listens to the frames of links (`rump capture`), as a file of pcapng.

use std::collections::VecDeque;

use crate::{
    Stack,
    pcapng::{self, Packet},
    types::{LinkId, Medium},
};

/// Bytes kept for a listener who does not come for them; frames beyond are dropped and counted.
const KEPT_MAX: usize = 8 << 20;
const APPLICATION: &str = concat!("rump capture ", env!("CARGO_PKG_VERSION"));

/// A listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TapId(u64);

/// What a listener wants.
#[derive(Debug, Clone, Copy)]
pub struct TapConfig {
    /// The link; none: all.
    pub link: Option<LinkId>,
    /// Bytes of a frame that are kept.
    pub snaplen: u32,
    /// Nanoseconds since 1970 when the stack's time was 0.
    pub epoch_real_ns: u64,
}

/// All listeners.
#[derive(Debug, Default)]
pub(crate) struct Taps {
    taps: Vec<Tap>,
    last: u64,
}

#[derive(Debug)]
struct Tap {
    id: TapId,
    config: TapConfig,
    /// Links that the file has described, in its order.
    interfaces: Vec<LinkId>,
    blocks: VecDeque<Vec<u8>>,
    kept: usize,
    /// Frames dropped since the last one that was not.
    dropped: u64,
    dropped_ever: u64,
    /// There is something that nobody was told of.
    news: bool,
}

impl Taps {
    pub(crate) fn is_empty(&self) -> bool {
        self.taps.is_empty()
    }
}

/// A frame on its way.
struct Passing<'a> {
    link: LinkId,
    inbound: bool,
    bytes: &'a [u8],
    now_ns: u64,
}

impl Stack {
    /// Listens from now on.
    pub fn add_tap(&mut self, config: TapConfig) -> TapId {
        self.taps.last += 1;
        let id = TapId(self.taps.last);
        let head = pcapng::section(APPLICATION);
        let (kept, blocks) = (head.len(), VecDeque::from([head]));
        let interfaces = Vec::new();
        self.taps.taps.push(Tap {
            id,
            config,
            interfaces,
            blocks,
            kept,
            dropped: 0,
            dropped_ever: 0,
            news: true,
        });
        id
    }

    /// Listens no longer.
    pub fn remove_tap(&mut self, id: TapId) {
        self.taps.taps.retain(|tap| tap.id != id);
    }

    /// Whole blocks of the file, at most `len` bytes, from where it was left. `None` if the next one is longer than that.
    pub fn tapped(&mut self, id: TapId, len: usize) -> Option<Vec<u8>> {
        let tap = self.taps.taps.iter_mut().find(|tap| tap.id == id)?;
        let mut bytes = Vec::new();
        while let Some(block) = tap.blocks.front().filter(|block| bytes.len() + block.len() <= len) {
            bytes.extend_from_slice(block);
            tap.kept -= block.len();
            tap.blocks.pop_front();
        }
        if bytes.is_empty() && !tap.blocks.is_empty() { None } else { Some(bytes) }
    }

    /// Frames that a listener has not got because it was slow.
    #[must_use]
    pub fn tap_dropped(&self, id: TapId) -> u64 {
        self.taps.taps.iter().find(|tap| tap.id == id).map_or(0, |tap| tap.dropped_ever)
    }

    /// A listener for whom there is something since it was last named here.
    pub fn next_tap(&mut self) -> Option<TapId> {
        let tap = self.taps.taps.iter_mut().find(|tap| tap.news)?;
        tap.news = false;
        Some(tap.id)
    }

    /// Shows a frame to whoever listens; those of lo when they are sent, not again when they come in.
    pub(crate) fn show_to_taps(&mut self, link: LinkId, inbound: bool, bytes: &[u8]) {
        let again = inbound && link == LinkId::LO;
        if !self.taps.taps.is_empty() && !again {
            self.show_to_all(&Passing { link, inbound, bytes, now_ns: self.now_ns });
        }
    }

    #[cold]
    fn show_to_all(&mut self, passing: &Passing<'_>) {
        let Self { taps, links, .. } = self;
        let Some(link) = links.get(passing.link) else { return };
        let link_type = if link.medium == Medium::Ip { pcapng::RAW } else { pcapng::ETHERNET };
        for tap in &mut taps.taps {
            if tap.config.link.is_none_or(|wanted| wanted == passing.link) {
                tap.enter(passing, &link.name, link_type);
            }
        }
    }
}

impl Tap {
    fn enter(&mut self, passing: &Passing<'_>, name: &str, link_type: u16) {
        if self.kept >= KEPT_MAX {
            self.dropped += 1;
            self.dropped_ever += 1;
            return;
        }
        let known = self.interfaces.iter().position(|link| *link == passing.link);
        let interface = known.unwrap_or_else(|| {
            self.interfaces.push(passing.link);
            self.push(pcapng::interface(name, link_type, self.config.snaplen));
            self.interfaces.len() - 1
        });
        let keep = passing.bytes.len().min(self.config.snaplen as usize);
        let packet = Packet {
            interface: u32::try_from(interface).unwrap_or(u32::MAX),
            real_ns: self.config.epoch_real_ns.saturating_add(passing.now_ns),
            inbound: passing.inbound,
            bytes: &passing.bytes[..keep],
            len: passing.bytes.len(),
            dropped: std::mem::take(&mut self.dropped),
        };
        self.push(pcapng::packet(&packet));
    }

    fn push(&mut self, block: Vec<u8>) {
        self.kept += block.len();
        self.blocks.push_back(block);
        self.news = true;
    }
}
