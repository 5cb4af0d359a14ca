//! Packets in the making, and the memory they are made in.

use std::collections::VecDeque;

use std::num::NonZeroUsize;

use smoltcp::{
    phy::{self, Checksum, ChecksumCapabilities, Device, DeviceCapabilities, Medium},
    time::Instant,
};

use crate::offload::Offload;

/// Spare frames kept: a burst of window-filling segments on `lo` has about this many.
const SPARE_FRAMES: usize = 32;

/// An IP packet. The memory behind it is never shortened, so that reuse need not clear it.
#[derive(Debug, Default)]
pub(crate) struct Frame {
    memory: Vec<u8>,
    len: usize,
    /// What is left to be done for it.
    pub(crate) offload: Offload,
}

impl Frame {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.memory[..self.len]
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.memory[..self.len]
    }
}

/// Frames that were made and not yet sent on, and spare ones.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    pub(crate) made: VecDeque<Frame>,
    spare: Vec<Frame>,
}

impl Frames {
    /// A frame of `len` bytes with unspecified contents.
    pub(crate) fn take(&mut self, len: usize) -> Frame {
        let mut frame = self.spare.pop().unwrap_or_default();
        if frame.memory.len() < len {
            frame.memory.resize(len, 0);
        }
        (frame.len, frame.offload) = (len, Offload::NONE);
        frame
    }

    /// Takes a frame's memory back.
    pub(crate) fn give_back(&mut self, frame: Frame) {
        if self.spare.len() < SPARE_FRAMES {
            self.spare.push(frame);
        }
    }
}

/// What a link can carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Carrier {
    pub(crate) mtu: usize,
    /// Bytes cannot be changed on the way: checksums are neither made nor looked at, as on Linux's `lo`.
    pub(crate) loopback: bool,
    /// It cuts TCP segments and fills in checksums, or need not.
    pub(crate) offloads: bool,
}

/// The longest packet that a segment is put into before it is cut: as IPv4 can say it.
const UNCUT_MAX: NonZeroUsize = NonZeroUsize::new(65535).unwrap();

impl Carrier {
    /// Checksums of what we send. What comes in has been verified before smoltcp sees it.
    pub(crate) fn checksums(self) -> ChecksumCapabilities {
        let mut caps = ChecksumCapabilities::ignored();
        if !self.loopback {
            caps.ipv4 = Checksum::Tx;
            caps.tcp = Checksum::Tx;
            caps.udp = Checksum::Tx;
            caps.icmpv4 = Checksum::Tx;
            caps.icmpv6 = Checksum::Tx;
        }
        caps
    }
}

/// A network device of smoltcp that holds at most one packet on the way in.
pub(crate) struct Port<'a> {
    pub(crate) carrier: Carrier,
    pub(crate) rx: Option<&'a [u8]>,
    pub(crate) tx: &'a mut Frames,
}

impl Device for Port<'_> {
    type RxToken<'b>
        = RxToken<'b>
    where
        Self: 'b;
    type TxToken<'b>
        = TxToken<'b>
    where
        Self: 'b;

    fn receive(&mut self, _: Instant) -> Option<(RxToken<'_>, TxToken<'_>)> {
        let packet = self.rx.take()?;
        Some((RxToken(packet), TxToken(self.tx)))
    }

    fn transmit(&mut self, _: Instant) -> Option<TxToken<'_>> {
        Some(TxToken(self.tx))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut caps = DeviceCapabilities::default();
        caps.medium = Medium::Ip;
        caps.max_transmission_unit = self.carrier.mtu;
        caps.checksum = self.carrier.checksums();
        // Segments are amended before they go out.
        caps.checksum.tcp = Checksum::None;
        if self.carrier.offloads {
            // smoltcp 0.14 would drop a segment of IPv6 that is longer than the link's MTU.
            caps.max_transmission_unit = UNCUT_MAX.get();
            caps.segmentation.tcpv4 = Some(UNCUT_MAX);
            caps.segmentation.tcpv6 = Some(UNCUT_MAX);
        }
        caps
    }
}

pub(crate) struct RxToken<'a>(&'a [u8]);

impl phy::RxToken for RxToken<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(self.0)
    }
}

pub(crate) struct TxToken<'a>(&'a mut Frames);

impl phy::TxToken for TxToken<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut frame = self.0.take(len);
        let result = f(frame.bytes_mut());
        self.0.made.push_back(frame);
        result
    }
}
