//! The instructions around a section's calls, and where branches lead there.

use iced_x86::{Code, Decoder, DecoderOptions, FlowControl, Instruction, OpKind};
use std::collections::BTreeSet;

/// Instructions so far in front of a call are kept: more than eight of the longest ...
const IN_FRONT: u32 = 128;
/// ... and so far behind it.
const BEHIND: u32 = 64;

/// An instruction, as far as spans need to know it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Swept {
    pub(crate) address: u32,
    pub(crate) len: u8,
    pub(crate) role: Role,
    /// Offset of a 32-bit displacement from `%rip`, if there is one.
    pub(crate) rip_displacement: Option<u8>,
}

impl Swept {
    pub(crate) fn end(&self) -> u32 {
        self.address + u32::from(self.len)
    }
}

/// What matters about an instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// `syscall`.
    Call,
    /// It can be executed elsewhere.
    Movable,
    /// A branch, call or return.
    Fixed,
    /// No instruction: the sweep is not on an instruction's start here.
    Invalid,
    /// What was not kept.
    Gap,
}

/// A section, decoded.
pub(crate) struct Section<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) address: u32,
    /// Those near the calls.
    pub(crate) instructions: Vec<Swept>,
    /// Indices of the `syscall` instructions.
    pub(crate) calls: Vec<usize>,
    /// Addresses that direct branches lead to, near the calls.
    pub(crate) targets: BTreeSet<u32>,
}

/// Decodes a section from its start to its end. `pairs`: where in it, in ascending order, its calls are.
pub(crate) fn sweep<'a>(bytes: &'a [u8], address: u32, pairs: &[usize]) -> Section<'a> {
    let mut section =
        Section { bytes, address, instructions: Vec::new(), calls: Vec::new(), targets: BTreeSet::new() };
    if pairs.is_empty() {
        return section;
    }
    let near = Near(pairs.iter().filter_map(|&at| address.checked_add(u32::try_from(at).ok()?)).collect());
    let mut decoder = Decoder::with_ip(64, bytes, u64::from(address), DecoderOptions::NONE);
    let mut instruction = Instruction::default();
    while decoder.can_decode() {
        decoder.decode_out(&mut instruction);
        if is_near_branch(&instruction) {
            let target = u32::try_from(instruction.near_branch_target()).ok();
            section.targets.extend(target.filter(|target| near.has(*target)));
        }
        let here = u32::try_from(instruction.ip()).unwrap_or(u32::MAX);
        if near.has(here) {
            section.keep(swept(&decoder, &instruction, here), near.is_one(here));
        }
    }
    section
}

/// The addresses of the calls.
struct Near(Vec<u32>);

impl Near {
    fn is_one(&self, address: u32) -> bool {
        self.0.binary_search(&address).is_ok()
    }

    fn has(&self, address: u32) -> bool {
        let next = self.0.partition_point(|&call| call.saturating_add(BEHIND) < address);
        self.0.get(next).is_some_and(|&call| call <= address.saturating_add(IN_FRONT))
    }
}

impl Section<'_> {
    fn keep(&mut self, swept: Swept, is_call: bool) {
        let end = self.instructions.last().map_or(self.address, Swept::end);
        if end != swept.address {
            self.instructions.push(Swept { address: end, len: 0, role: Role::Gap, rip_displacement: None });
        }
        if is_call && swept.role == Role::Call {
            self.calls.push(self.instructions.len());
        }
        self.instructions.push(swept);
    }
}

fn swept(decoder: &Decoder<'_>, instruction: &Instruction, address: u32) -> Swept {
    let offsets = decoder.get_constant_offsets(instruction);
    let relative = instruction.is_ip_rel_memory_operand() && offsets.displacement_size() == 4;
    Swept {
        address,
        len: u8::try_from(instruction.len()).unwrap_or(0),
        role: role(instruction),
        rip_displacement: relative.then(|| u8::try_from(offsets.displacement_offset()).unwrap_or(0)),
    }
}

/// Whether it is a system call.
pub(crate) fn is_syscall(instruction: &Instruction) -> bool {
    instruction.code() == Code::Syscall
}

fn role(instruction: &Instruction) -> Role {
    if is_syscall(instruction) {
        return Role::Call;
    }
    match instruction.flow_control() {
        _ if instruction.is_invalid() => Role::Invalid,
        FlowControl::Next => Role::Movable,
        _ => Role::Fixed,
    }
}

fn is_near_branch(instruction: &Instruction) -> bool {
    let near = [OpKind::NearBranch16, OpKind::NearBranch32, OpKind::NearBranch64];
    instruction.op_count() > 0 && near.contains(&instruction.op0_kind())
}
