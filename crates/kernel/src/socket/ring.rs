//! The receive ring of a packet socket (packet(7), `PACKET_RX_RING`; `TPACKET_V2` of linux/if_packet.h): frames are written to memory
//! that the program maps, and the program hands the places back by a word in them. Nothing that it writes is believed but whether
//! that word is 0.

use abi::Errno;
use tcpip::Captured;
use vfs::{SharedBytes, SharedMemory};
use zerocopy::IntoBytes;

use super::packet;

/// `TPACKET_V2`.
pub(super) const VERSION: u32 = 1;
/// `TPACKET2_HDRLEN`: a `struct tpacket2_hdr` and a `struct sockaddr_ll`.
const HEADER: usize = 52;
/// `sizeof (struct tpacket2_hdr)`, which getsockopt(2) tells for `PACKET_HDRLEN`.
pub(super) const TPACKET2_HDR: u32 = 32;
/// `TPACKET_ALIGNMENT`.
const ALIGNMENT: usize = 16;
const PAGE: u32 = 4096;
const ETHERNET_HEADER: usize = 14;
const RING_MAX: u64 = 64 << 20;
/// `TP_STATUS_KERNEL`, `TP_STATUS_USER`.
const STATUS_KERNEL: u32 = 0;
const STATUS_USER: u32 = 1;

/// A `struct tpacket_req`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request {
    pub(super) block_size: u32,
    pub(super) block_nr: u32,
    pub(super) frame_size: u32,
    pub(super) frame_nr: u32,
}

/// One ring.
pub(crate) struct Ring {
    memory: Box<dyn SharedBytes>,
    request: Request,
    /// The next place.
    head: u32,
    /// Where the bytes behind the header of the link begin.
    network: usize,
    /// Frames have that header.
    raw: bool,
}

impl Ring {
    /// A ring with all places free. `reserve`: `PACKET_RESERVE`.
    ///
    /// # Errors
    /// `EINVAL`: sizes that do not fit together. `ENOMEM`.
    pub(super) fn new(
        maker: &mut dyn SharedMemory,
        request: Request,
        raw: bool,
        reserve: usize,
    ) -> Result<Self, Errno> {
        let Request { block_size, block_nr, frame_size, frame_nr } = request;
        let network = (HEADER + ALIGNMENT).next_multiple_of(ALIGNMENT) + reserve;
        let too_small = usize::try_from(frame_size).is_ok_and(|size| size <= network);
        if block_size == 0 || !block_size.is_multiple_of(PAGE) || !frame_size.is_multiple_of(16) || too_small
        {
            return Err(Errno::EINVAL);
        }
        let per_block = block_size / frame_size;
        if per_block == 0 || per_block.checked_mul(block_nr) != Some(frame_nr) || frame_nr == 0 {
            return Err(Errno::EINVAL);
        }
        let len = u64::from(block_size) * u64::from(block_nr);
        if len > RING_MAX {
            return Err(Errno::ENOMEM);
        }
        let mut memory = maker.create()?;
        memory.set_len(len)?;
        Ok(Self { memory, request, head: 0, network, raw })
    }

    /// What the server knows its memory by.
    pub(crate) fn id(&self) -> u64 {
        self.memory.id()
    }

    /// Whether the next place is free.
    pub(crate) fn has_room(&self) -> bool {
        self.status(self.head) == STATUS_KERNEL
    }

    /// Whether the program has not yet taken the last frame (net/packet/af_packet.c, packet_poll).
    pub(crate) fn is_readable(&self) -> bool {
        let last = self.head.checked_sub(1).unwrap_or(self.request.frame_nr - 1);
        self.status(last) != STATUS_KERNEL
    }

    /// Writes a frame to the next place; its status last. `real_ns`: when it came.
    ///
    /// # Errors
    /// `ENOSPC`, `EIO`: there is no memory.
    pub(crate) fn put(&mut self, frame: &Captured, real_ns: u64) -> Result<(), Errno> {
        const NS: u64 = 1_000_000_000;
        let mac = if self.raw { self.network - ETHERNET_HEADER } else { self.network };
        let room = usize::try_from(self.request.frame_size).unwrap_or(0) - mac;
        let kept = frame.data.len().min(room);
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let offset = |n: usize| u16::try_from(n).unwrap_or(u16::MAX);
        let seconds = u32::try_from(real_ns / NS).unwrap_or(u32::MAX);
        let nanoseconds = u32::try_from(real_ns % NS).unwrap_or(0);
        let mut bytes = [STATUS_KERNEL, number(frame.full_len), number(kept)].as_bytes().to_vec();
        bytes.extend_from_slice([offset(mac), offset(self.network)].as_bytes());
        bytes.extend_from_slice([seconds, nanoseconds].as_bytes());
        bytes.resize(TPACKET2_HDR as usize, 0);
        bytes.extend_from_slice(&packet::emit(&frame.from));
        bytes.resize(mac, 0);
        bytes.extend_from_slice(&frame.data[..kept]);
        let at = self.place(self.head);
        self.memory.write_at(at, &bytes)?;
        self.memory.write_at(at, &STATUS_USER.to_ne_bytes())?;
        self.head = (self.head + 1) % self.request.frame_nr;
        Ok(())
    }

    /// Where a place begins.
    fn place(&self, frame: u32) -> u64 {
        let per_block = self.request.block_size / self.request.frame_size;
        let (block, within) = (frame / per_block, frame % per_block);
        u64::from(block) * u64::from(self.request.block_size)
            + u64::from(within) * u64::from(self.request.frame_size)
    }

    fn status(&self, frame: u32) -> u32 {
        let mut word = [0; 4];
        match self.memory.read_at(self.place(frame), &mut word) {
            Ok(4) => u32::from_ne_bytes(word),
            _ => STATUS_USER,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::rc::Rc;
    use tcpip::{FrameKind, LinkAddr};

    #[derive(Default, Clone)]
    struct Memory(Rc<RefCell<Vec<u8>>>);

    impl SharedMemory for Memory {
        fn create(&mut self) -> Result<Box<dyn SharedBytes>, Errno> {
            Ok(Box::new(self.clone()))
        }
    }

    impl SharedBytes for Memory {
        fn id(&self) -> u64 {
            7
        }

        fn len(&self) -> u64 {
            self.0.borrow().len() as u64
        }

        fn set_len(&mut self, len: u64) -> Result<(), Errno> {
            self.0.borrow_mut().resize(usize::try_from(len).expect("small"), 0);
            Ok(())
        }

        fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<usize, Errno> {
            let at = usize::try_from(offset).expect("small");
            into.copy_from_slice(&self.0.borrow()[at..at + into.len()]);
            Ok(into.len())
        }

        fn punch(&mut self, _: u64, _: u64) -> Result<(), Errno> {
            Ok(())
        }

        fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), Errno> {
            let at = usize::try_from(offset).expect("small");
            self.0.borrow_mut()[at..at + bytes.len()].copy_from_slice(bytes);
            Ok(())
        }
    }

    fn request(block_size: u32, block_nr: u32, frame_size: u32, frame_nr: u32) -> Request {
        Request { block_size, block_nr, frame_size, frame_nr }
    }

    #[test]
    fn places_are_filled_and_handed_back() {
        let mut memory = Memory::default();
        let mut ring = Ring::new(&mut memory, request(4096, 1, 2048, 2), true, 0).expect("a ring");
        let from = LinkAddr { link: None, protocol: 0x800, hatype: 1, kind: FrameKind::Outgoing, mac: None };
        let frame = Captured { from, data: vec![9; 3000], full_len: 3000, at_ns: 0 };
        assert!(ring.has_room() && !ring.is_readable());
        ring.put(&frame, 1_500_000_000).expect("room");
        ring.put(&frame, 2_000_000_000).expect("room");
        assert!(!ring.has_room() && ring.is_readable());
        let word = |at: usize| u32::from_ne_bytes(memory.0.borrow()[at..at + 4].try_into().expect("four"));
        // Status, length, what is there of it, both offsets, seconds, nanoseconds.
        let head: Vec<_> = (0..6).map(|n| word(n * 4)).collect();
        assert_eq!(head, [1, 3000, 2048 - 66, 66 | 80 << 16, 1, 500_000_000]);
        assert_eq!(memory.0.borrow()[32..34], 17_u16.to_ne_bytes(), "AF_PACKET");
        assert_eq!(memory.0.borrow()[65..67], [0, 9]);
        assert_eq!(word(2048), 1);
        memory.write_at(0, &[0; 4]).expect("written");
        assert!(ring.has_room(), "the program has taken the first");
        assert!(ring.is_readable(), "and not the last");
        ring.put(&frame, 0).expect("room");
        assert!(!ring.has_room());
    }

    #[test]
    fn sizes_that_do_not_fit() {
        for request in [
            request(0, 1, 2048, 2),
            request(4095, 1, 2048, 1),
            request(4096, 1, 2047, 2),
            request(4096, 1, 64, 64),
            request(4096, 1, 8192, 1),
            request(4096, 2, 2048, 3),
            request(4096, u32::MAX, 2048, u32::MAX),
        ] {
            assert_eq!(
                Ring::new(&mut Memory::default(), request, true, 0).err(),
                Some(Errno::EINVAL),
                "{request:?}"
            );
        }
        let large = request(1 << 20, 65, 4096, 65 << 8);
        assert_eq!(Ring::new(&mut Memory::default(), large, true, 0).err(), Some(Errno::ENOMEM));
    }
}
