//! The classic packet filter (`SO_ATTACH_FILTER`; bpf(4) of BSD, linux/filter.h): a program is checked once, and then runs for
//! each packet in bounded time.

use abi::Errno;

/// `BPF_MAXINSNS`.
const LENGTH_MAX: usize = 4096;
/// `BPF_MEMWORDS`.
const MEMORY: usize = 16;

/// `SKF_AD_OFF`, `SKF_NET_OFF`, `SKF_LL_OFF`: loads from here on are about more than the bytes.
const AD_OFF: u32 = 0u32.wrapping_sub(0x1000);
const NET_OFF: u32 = 0u32.wrapping_sub(0x10_0000);
const LL_OFF: u32 = 0u32.wrapping_sub(0x20_0000);

/// One instruction (`struct sock_filter`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instruction {
    /// Class, size, mode, operation.
    pub code: u16,
    /// How far to jump if true.
    pub jt: u8,
    /// How far to jump if false.
    pub jf: u8,
    /// A constant.
    pub k: u32,
}

/// A program that ends whatever it reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program(Box<[Instruction]>);

/// What is known of a packet beside its bytes (`SKF_AD_*`).
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct About {
    /// Ethertype.
    pub(crate) protocol: u16,
    pub(crate) packet_type: u8,
    pub(crate) ifindex: u32,
    pub(crate) hatype: u16,
    /// Where the IP header begins.
    pub(crate) network: usize,
}

impl Program {
    /// Checks a program (bpf_check_classic): it only jumps ahead, stays inside, knows its instructions and ends in a return.
    ///
    /// # Errors
    /// `EINVAL`.
    pub fn new(code: &[Instruction]) -> Result<Self, Errno> {
        let ends = code.last().is_some_and(|last| last.code & 7 == RET);
        let sound = code.iter().enumerate().all(|(at, i)| is_sound(*i, code.len() - at - 1));
        let fits = (1..=LENGTH_MAX).contains(&code.len());
        if ends && sound && fits { Ok(Self(code.into())) } else { Err(Errno::EINVAL) }
    }

    /// How many bytes of the packet it lets through; 0: none.
    pub(crate) fn run(&self, packet: &[u8], about: &About) -> usize {
        usize::try_from(self.execute(packet, about).unwrap_or(0)).unwrap_or(usize::MAX)
    }

    /// `None`: it read beyond the packet, or divided by 0.
    fn execute(&self, packet: &[u8], about: &About) -> Option<u32> {
        let (mut a, mut x, mut memory) = (0u32, 0u32, [0u32; MEMORY]);
        let mut at = 0;
        loop {
            let Instruction { code, jt, jf, k } = *self.0.get(at)?;
            at += 1;
            match code & 7 {
                LD => {
                    a = match code & 0xe0 {
                        IMM => k,
                        ABS => load(packet, about, k, code & SIZE, true)?,
                        IND => load(packet, about, x.wrapping_add(k), code & SIZE, false)?,
                        LEN => u32::try_from(packet.len()).ok()?,
                        _ => *memory.get(k as usize)?,
                    }
                }
                LDX => {
                    x = match code & 0xe0 {
                        IMM => k,
                        LEN => u32::try_from(packet.len()).ok()?,
                        MSH => u32::from(*packet.get(k as usize)? & 0xf) * 4,
                        _ => *memory.get(k as usize)?,
                    }
                }
                ST => *memory.get_mut(k as usize)? = a,
                STX => *memory.get_mut(k as usize)? = x,
                ALU => a = compute(code, a, if code & X == 0 { k } else { x })?,
                JMP if code & 0xf0 == JA => at += k as usize,
                JMP => {
                    let operand = if code & X == 0 { k } else { x };
                    let holds = match code & 0xf0 {
                        JEQ => a == operand,
                        JGT => a > operand,
                        JGE => a >= operand,
                        _ => a & operand != 0,
                    };
                    at += usize::from(if holds { jt } else { jf });
                }
                RET => return Some(if code & 0x18 == RET_A { a } else { k }),
                _ => {
                    if code & 0xf8 == TXA {
                        a = x
                    } else {
                        x = a
                    }
                }
            }
        }
    }
}

const LD: u16 = 0;
const LDX: u16 = 1;
const ST: u16 = 2;
const STX: u16 = 3;
const ALU: u16 = 4;
const JMP: u16 = 5;
const RET: u16 = 6;
const MISC: u16 = 7;
const SIZE: u16 = 0x18;
const HALF: u16 = 0x08;
const BYTE: u16 = 0x10;
const IMM: u16 = 0;
const ABS: u16 = 0x20;
const IND: u16 = 0x40;
const MEM: u16 = 0x60;
const LEN: u16 = 0x80;
const MSH: u16 = 0xa0;
const X: u16 = 8;
const JA: u16 = 0;
const JEQ: u16 = 0x10;
const JGT: u16 = 0x20;
const JGE: u16 = 0x30;
const JSET: u16 = 0x40;
const RET_A: u16 = 0x10;
const TXA: u16 = 0x80;
const DIV: u16 = 0x30;
const LSH: u16 = 0x60;
const RSH: u16 = 0x70;
const NEG: u16 = 0x80;
const MOD: u16 = 0x90;
const XOR: u16 = 0xa0;

/// Whether an instruction with `behind` others behind it is one.
fn is_sound(Instruction { code, jt, jf, k }: Instruction, behind: usize) -> bool {
    let memory = (k as usize) < MEMORY;
    let size = matches!(code & SIZE, 0 | HALF | BYTE);
    match code & 7 {
        _ if code > 0xff => false,
        LD => match code & 0xe0 {
            IMM | LEN => code & SIZE == 0,
            MEM => code & SIZE == 0 && memory,
            ABS | IND => size,
            _ => false,
        },
        LDX => match code & 0xe0 {
            IMM | LEN => code & SIZE == 0,
            MEM => code & SIZE == 0 && memory,
            MSH => code & SIZE == BYTE,
            _ => false,
        },
        ST | STX => code & 0xf8 == 0 && memory,
        ALU => match code & 0xf0 {
            NEG => code & X == 0,
            DIV | MOD => code & X != 0 || k != 0,
            LSH | RSH => code & X != 0 || k < 32,
            operation => operation <= XOR,
        },
        JMP if code & 0xf0 == JA => code & X == 0 && (k as usize) < behind,
        JMP => code & 0xf0 <= JSET && usize::from(jt.max(jf)) < behind,
        RET => matches!(code & 0xf8, 0 | RET_A),
        _ => code & 7 == MISC && matches!(code & 0xf8, 0 | TXA),
    }
}

fn compute(code: u16, a: u32, operand: u32) -> Option<u32> {
    Some(match code & 0xf0 {
        0 => a.wrapping_add(operand),
        0x10 => a.wrapping_sub(operand),
        0x20 => a.wrapping_mul(operand),
        DIV => a.checked_div(operand)?,
        0x40 => a | operand,
        0x50 => a & operand,
        LSH => a.wrapping_shl(operand),
        RSH => a.wrapping_shr(operand),
        NEG => a.wrapping_neg(),
        MOD => a.checked_rem(operand)?,
        _ => a ^ operand,
    })
}

fn load(packet: &[u8], about: &About, at: u32, size: u16, absolute: bool) -> Option<u32> {
    if at >= AD_OFF && absolute {
        return ancillary(about, at - AD_OFF);
    }
    let at = match at {
        at if at >= NET_OFF => usize::try_from(at - NET_OFF).ok()?.checked_add(about.network)?,
        at if at >= LL_OFF => usize::try_from(at - LL_OFF).ok()?,
        at => usize::try_from(at).ok()?,
    };
    let bytes = packet.get(at..)?;
    match size {
        BYTE => bytes.first().map(|byte| u32::from(*byte)),
        HALF => bytes.first_chunk::<2>().map(|half| u32::from(u16::from_be_bytes(*half))),
        _ => bytes.first_chunk::<4>().map(|word| u32::from_be_bytes(*word)),
    }
}

/// `SKF_AD_*`. There are no VLANs and one processor.
fn ancillary(about: &About, what: u32) -> Option<u32> {
    match what {
        0 => Some(about.protocol.into()),
        4 => Some(about.packet_type.into()),
        8 => Some(about.ifindex),
        28 => Some(about.hatype.into()),
        20 | 24 | 32 | 36 | 44 | 48 | 60 => Some(0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const fn i(code: u16, jt: u8, jf: u8, k: u32) -> Instruction {
        Instruction { code, jt, jf, k }
    }

    #[test]
    fn what_tcpdump_makes_of_icmp() {
        // tcpdump -d icmp
        let code = [
            i(0x28, 0, 0, 12),
            i(0x15, 0, 3, 0x800),
            i(0x30, 0, 0, 23),
            i(0x15, 0, 1, 1),
            i(6, 0, 0, 262_144),
            i(6, 0, 0, 0),
        ];
        let program = Program::new(&code).expect("a program");
        let mut packet = vec![0; 40];
        packet[12] = 8;
        packet[23] = 1;
        assert_eq!(program.run(&packet, &About::default()), 262_144);
        packet[23] = 17;
        assert_eq!(program.run(&packet, &About::default()), 0);
        assert_eq!(program.run(&packet[..13], &About::default()), 0, "too short");
    }

    #[test]
    fn ancillary_loads() {
        let code = [i(0x20, 0, 0, AD_OFF + 4), i(0x15, 1, 0, 4), i(6, 0, 0, 9), i(6, 0, 0, 0)];
        let program = Program::new(&code).expect("a program");
        assert_eq!(program.run(&[], &About { packet_type: 4, ..About::default() }), 0);
        assert_eq!(program.run(&[], &About::default()), 9);
    }

    #[test]
    fn programs_that_are_none() {
        for code in [
            &[][..],
            &[i(0, 0, 0, 0)],
            &[i(5, 0, 0, 1), i(6, 0, 0, 0)],
            &[i(0x15, 1, 0, 0), i(6, 0, 0, 0)],
            &[i(2, 0, 0, 16), i(6, 0, 0, 0)],
            &[i(0x34, 0, 0, 0), i(6, 0, 0, 0)],
            &[i(0xffff, 0, 0, 0), i(6, 0, 0, 0)],
        ] {
            assert_eq!(Program::new(code), Err(Errno::EINVAL), "{code:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_passes_the_check_ends(
            code in proptest::collection::vec((0..256u16, 0..9u8, 0..9u8, prop_oneof![0..40u32, any::<u32>()]), 1..40),
            packet in proptest::collection::vec(any::<u8>(), 0..80),
        ) {
            let mut code: Vec<_> = code.into_iter().map(|(code, jt, jf, k)| i(code, jt, jf, k)).collect();
            code.push(i(0x16, 0, 0, 0));
            let length = code.len();
            // So that many pass: what is not sound becomes a load.
            for (at, one) in code.iter_mut().enumerate() {
                if !is_sound(*one, length - at - 1) {
                    *one = i(0x30, 0, 0, one.k % 80);
                }
            }
            let program = Program::new(&code).expect("sound");
            program.run(&packet, &About::default());
        }
    }
}
