//! The frames that one member of a segment has sent, as the others see them.
//!
//! A member writes its own ring and nobody else does; all others read it, each at its own place, which only itself knows. So
//! there is no lock that a member could die with, and the writer waits for nobody: who does not keep up finds that its place
//! was written over, and has lost frames.
//!
//! The writer raises RESERVE over the words that it is going to write, writes them, and then raises HEAD. A reader copies a frame
//! and looks at RESERVE afterwards: if that has come round to the frame, the copy is worth nothing (a seqlock). Both count words
//! from the beginning of time. A reader believes none of it: the copy is what is checked and used.

use std::num::NonZeroU16;
use std::sync::atomic::{AtomicU64, Ordering, fence};
use tcpip::{Mac, Offload};
use wire::words;

/// Words of all of a member's memory: the head and the ring.
pub(super) const WORDS: usize = RING + RING_WORDS as usize;
/// 8 MiB: more than a TCP connection has under way (`net.ipv4.tcp_rmem`, 6 MiB).
const RING_WORDS: u64 = 1 << 20;
/// The largest frame: an IP packet with Ethernet's header and a VLAN tag.
const FRAME_MAX: usize = 65535 + 14 + 4;

// Where what is. Words that change at different times lie on cache lines of their own.
const MAGIC: usize = 0;
/// Odd while the member sleeps.
const SLEEP: usize = 8;
/// Which frames the member takes: its Ethernet address, or [`ALL`].
const TAKES: usize = 16;
const RESERVE: usize = 24;
const HEAD: usize = 32;
const RING: usize = 64;

/// "rumpbus" and the version of this layout.
const VERSION: u64 = u64::from_be_bytes(*b"rumpbus\x02");
/// The member takes every frame.
const ALL: u64 = u64::MAX;

/// Ethernet's group bit: the frame is for many (IEEE 802.3, section 3.2.3).
const GROUP: u64 = 1;
const ADDRESS: u64 = 0xffff_ffff_ffff;

/// Words in front of a frame: its number and length, and its [`Offload`].
const FRAME_HEADER: u64 = 2;
/// Of the second: the checksum is not filled in. The lower 16 bits are the segments' size, or 0.
const UNSUMMED: u64 = 1 << 16;

fn word_of(offload: Offload) -> u64 {
    let size = offload.segment_size.map_or(0, |size| u64::from(size.get()));
    size | if offload.unsummed { UNSUMMED } else { 0 }
}

fn offload_of(word: u64) -> Offload {
    Offload { unsummed: word & UNSUMMED != 0, segment_size: NonZeroU16::new((word & 0xffff) as u16) }
}

/// Which frames a member takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Takes(u64);

impl Takes {
    pub(super) const ALL: Self = Self(ALL);

    /// Those for this Ethernet address, and those for many.
    pub(super) fn address(mac: Mac) -> Self {
        Self(destination(&mac.0))
    }

    /// Whether a frame to `destination` is among them.
    pub(super) const fn takes(self, destination: u64) -> bool {
        self.0 == ALL || destination & GROUP != 0 || self.0 == destination
    }
}

/// Where an Ethernet frame goes, as a number.
pub(super) fn destination(frame: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    let len = frame.len().min(6);
    bytes[..len].copy_from_slice(&frame[..len]);
    u64::from_le_bytes(bytes)
}

/// The writing end.
#[derive(Debug)]
pub(super) struct Writer {
    head: u64,
    number: u32,
    sleep: u64,
}

impl Writer {
    /// Makes `words` a ring without frames.
    pub(super) fn new(words: &[AtomicU64]) -> Self {
        words[TAKES].store(ALL, Ordering::Relaxed);
        words[MAGIC].store(VERSION, Ordering::Release);
        Self { head: 0, number: 0, sleep: 0 }
    }

    /// The place behind all that was sent.
    pub(super) const fn head(&self) -> u64 {
        self.head
    }

    /// Says which frames the member takes.
    pub(super) fn take(&self, words: &[AtomicU64], takes: Takes) {
        words[TAKES].store(takes.0, Ordering::Relaxed);
    }

    /// Sends a frame. Answers whether so much was sent since the others were last told that those who sleep and were not
    /// meant must have a look, lest they lose their place; none if it is too large for any link.
    pub(super) fn push(&mut self, words: &[AtomicU64], frame: &[u8], offload: Offload) -> Option<bool> {
        const TELL_ALL: u64 = RING_WORDS / 4;
        let len = u32::try_from(frame.len()).ok().filter(|_| frame.len() <= FRAME_MAX)?;
        let next = self.head + FRAME_HEADER + words_of(frame.len());
        words[RESERVE].store(next, Ordering::Relaxed);
        fence(Ordering::Release);
        self.number = self.number.wrapping_add(1);
        words[index(self.head)].store(u64::from(self.number) << 32 | u64::from(len), Ordering::Relaxed);
        words[index(self.head + 1)].store(word_of(offload), Ordering::Relaxed);
        let (front, back) = spans(words, self.head + FRAME_HEADER, words_of(frame.len()));
        words::put(front.iter().chain(back), frame);
        let tell_all = self.head / TELL_ALL != next / TELL_ALL;
        self.head = next;
        words[HEAD].store(next, Ordering::Release);
        Some(tell_all)
    }

    /// The member sleeps from now on, unless it finds something in others' rings after this.
    pub(super) fn sleep(&mut self, words: &[AtomicU64]) {
        self.sleep |= 1;
        words[SLEEP].store(self.sleep, Ordering::Relaxed);
        // Before the others' heads are read; they publish a head before they look here.
        fence(Ordering::SeqCst);
    }

    /// The member is awake.
    pub(super) fn wake(&mut self, words: &[AtomicU64]) {
        if self.sleep & 1 == 1 {
            self.sleep += 1;
            words[SLEEP].store(self.sleep, Ordering::Relaxed);
        }
    }
}

/// A reading end.
#[derive(Debug)]
pub(super) struct Reader {
    at: u64,
    number: u32,
    /// Frames that were written over before they were read, as far as the writer can be believed.
    pub(super) lost: u64,
}

/// What a reader finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing new.
    Nothing,
    /// A frame, in the buffer.
    Frame(Offload),
    /// A frame for others.
    Passed,
    /// What was there is lost, or makes no sense.
    Lost,
}

impl Reader {
    /// A reader of what was and is sent from the place `at` on; none if this is no ring of ours.
    pub(super) fn new(words: &[AtomicU64], at: u64) -> Option<Self> {
        let known = words.len() == WORDS && words[MAGIC].load(Ordering::Acquire) == VERSION;
        known.then_some(Self { at, number: 0, lost: 0 })
    }

    /// Whether there is something.
    pub(super) fn is_behind(&self, words: &[AtomicU64]) -> bool {
        words[HEAD].load(Ordering::Relaxed) != self.at
    }

    /// The next frame, into `buffer` if it is one of those that are wanted.
    pub(super) fn next(&mut self, words: &[AtomicU64], wanted: Takes, buffer: &mut Vec<u8>) -> Found {
        let head = words[HEAD].load(Ordering::Acquire);
        let ahead = head.wrapping_sub(self.at);
        if ahead == 0 {
            return Found::Nothing;
        }
        let header = words[index(self.at)].load(Ordering::Relaxed);
        let (number, len) = ((header >> 32) as u32, (header & 0xffff_ffff) as usize);
        let takes_words = words_of(len);
        if len > FRAME_MAX || takes_words + FRAME_HEADER > ahead || ahead > RING_WORDS {
            return self.give_up(head);
        }
        let offload = offload_of(words[index(self.at.wrapping_add(1))].load(Ordering::Relaxed));
        let to = words[index(self.at.wrapping_add(FRAME_HEADER))].load(Ordering::Relaxed) & ADDRESS;
        let is_wanted = wanted.takes(to);
        if is_wanted {
            copy(words, self.at.wrapping_add(FRAME_HEADER), len, buffer);
        }
        // What was read above is read before RESERVE.
        fence(Ordering::Acquire);
        if words[RESERVE].load(Ordering::Relaxed).wrapping_sub(self.at) > RING_WORDS {
            return self.give_up(head);
        }
        if self.number != 0 {
            self.lost += u64::from(number.wrapping_sub(self.number.wrapping_add(1)));
        }
        self.number = number;
        self.at = self.at.wrapping_add(FRAME_HEADER + takes_words);
        if is_wanted { Found::Frame(offload) } else { Found::Passed }
    }

    /// Goes on at the only place that is a frame's beginning for certain.
    fn give_up(&mut self, head: u64) -> Found {
        self.at = head;
        Found::Lost
    }
}

/// Whether the member sleeps, and since which time that it fell asleep: it is to be woken once for each. To be asked after a
/// [`fence`] behind what it is to find.
pub(super) fn sleeping(words: &[AtomicU64]) -> Option<u64> {
    let sleep = words[SLEEP].load(Ordering::Relaxed);
    (sleep & 1 == 1).then_some(sleep)
}

/// Which frames the member takes.
pub(super) fn takes(words: &[AtomicU64]) -> Takes {
    Takes(words[TAKES].load(Ordering::Relaxed))
}

fn copy(words: &[AtomicU64], at: u64, len: usize, buffer: &mut Vec<u8>) {
    let (front, back) = spans(words, at, words_of(len));
    words::get(front.iter().chain(back), len, buffer);
}

/// `count` words of the ring from `at`, which may go round its end.
fn spans(words: &[AtomicU64], at: u64, count: u64) -> (&[AtomicU64], &[AtomicU64]) {
    let (start, count) = (index(at), count as usize);
    let front = count.min(WORDS - start);
    (&words[start..start + front], &words[RING..RING + count - front])
}

const fn index(at: u64) -> usize {
    RING + (at % RING_WORDS) as usize
}

const fn words_of(len: usize) -> u64 {
    words::count(len) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn memory() -> Vec<AtomicU64> {
        (0..WORDS).map(|_| AtomicU64::new(0)).collect()
    }

    fn drain(reader: &mut Reader, words: &[AtomicU64], wanted: Takes) -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        let mut buffer = Vec::new();
        loop {
            match reader.next(words, wanted, &mut buffer) {
                Found::Nothing => return frames,
                Found::Frame(_) => frames.push(buffer.clone()),
                Found::Passed | Found::Lost => {}
            }
        }
    }

    #[test]
    fn frames_come_out_as_they_went_in_round_and_round() {
        let words = memory();
        let mut writer = Writer::new(&words);
        let mut reader = Reader::new(&words, 0).unwrap();
        let mut told = 0;
        for round in 0..400_usize {
            let sent: Vec<Vec<u8>> =
                (0..5).map(|n| vec![(round + n) as u8; 14 + (round * 97 + n * 1009) % 60_000]).collect();
            told +=
                sent.iter().filter(|frame| writer.push(&words, frame, Offload::NONE) == Some(true)).count();
            assert_eq!(drain(&mut reader, &words, Takes::ALL), sent);
        }
        assert!(writer.head > 4 * RING_WORDS && told as u64 == writer.head / (RING_WORDS / 4));
        assert_eq!(reader.lost, 0);
        assert_eq!(writer.push(&words, &vec![0; FRAME_MAX + 1], Offload::NONE), None);
    }

    #[test]
    fn a_reader_takes_its_own_and_what_is_for_many() {
        let words = memory();
        let mut writer = Writer::new(&words);
        let mut reader = Reader::new(&words, 0).unwrap();
        let frame = |to: [u8; 6]| [to.as_slice(), &[7; 8]].concat();
        let (own, other) = (frame([2, 0, 0, 0, 0, 1]), frame([2, 0, 0, 0, 0, 2]));
        let (all, group) = (frame([0xff; 6]), frame([0x33, 0x33, 0, 0, 0, 1]));
        for frame in [&own, &other, &all, &group] {
            writer.push(&words, frame, Offload::NONE);
        }
        let takes = Takes::address(Mac([2, 0, 0, 0, 0, 1]));
        assert_eq!(drain(&mut reader, &words, takes), [own, all, group]);
        assert_eq!(reader.lost, 0);
    }

    #[test]
    fn who_is_slow_loses_and_goes_on() {
        let words = memory();
        let mut writer = Writer::new(&words);
        let mut reader = Reader::new(&words, 0).unwrap();
        writer.push(&words, &[1; 100], Offload::NONE);
        assert_eq!(drain(&mut reader, &words, Takes::ALL).len(), 1);
        for _ in 0..300 {
            writer.push(&words, &[2; 60_000], Offload::NONE);
        }
        assert_eq!(drain(&mut reader, &words, Takes::ALL).len(), 0);
        writer.push(&words, &[3; 100], Offload::NONE);
        assert_eq!(drain(&mut reader, &words, Takes::ALL), [vec![3; 100]]);
        assert_eq!(reader.lost, 300);
    }

    #[test]
    fn sleep_is_told_once_each_time() {
        let words = memory();
        let mut writer = Writer::new(&words);
        assert_eq!(sleeping(&words), None);
        writer.sleep(&words);
        let first = sleeping(&words);
        assert!(first.is_some());
        writer.wake(&words);
        assert_eq!(sleeping(&words), None);
        writer.sleep(&words);
        assert!(sleeping(&words).is_some() && sleeping(&words) != first);
    }

    /// A writer that runs beside the reader never makes it see a frame that was not sent.
    #[test]
    fn torn_frames_are_noticed() {
        let words = memory();
        let mut writer = Writer::new(&words);
        let mut reader = Reader::new(&words, 0).unwrap();
        let over = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for n in 0..3000_u32 {
                    let frame = vec![(n % 251) as u8; 1000 + (n as usize * 37) % 50_000];
                    writer.push(&words, &frame, Offload::NONE);
                }
                over.store(true, Ordering::Release);
            });
            let mut buffer = Vec::new();
            while !over.load(Ordering::Acquire) || reader.is_behind(&words) {
                if matches!(reader.next(&words, Takes::ALL, &mut buffer), Found::Frame(_)) {
                    assert!(buffer.iter().all(|byte| *byte == buffer[0]), "torn");
                }
            }
        });
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Whatever another member writes into its memory: no panic, no frame that is too large, an end.
        #[test]
        fn any_memory_will_do(
            heads in prop::collection::vec(prop_oneof![any::<u64>(), 0..4 * RING_WORDS], 1..8),
            reserve in prop_oneof![any::<u64>(), 0..4 * RING_WORDS],
            garbage in prop::collection::vec(prop_oneof![any::<u64>(), 0..70_000_u64], 1..64),
        ) {
            let words = memory();
            for (at, word) in words.iter().enumerate().skip(RING) {
                word.store(garbage[at % garbage.len()], Ordering::Relaxed);
            }
            words[MAGIC].store(VERSION, Ordering::Relaxed);
            words[RESERVE].store(reserve, Ordering::Relaxed);
            let mut reader = Reader::new(&words, 0).unwrap();
            let mut buffer = Vec::new();
            for head in heads {
                words[HEAD].store(head, Ordering::Relaxed);
                for _ in 0..1000 {
                    match reader.next(&words, Takes::ALL, &mut buffer) {
                        Found::Nothing => break,
                        _ => prop_assert!(buffer.len() <= FRAME_MAX),
                    }
                }
            }
        }
    }
}
