//! The instructions of a text section and where branches lead.

use iced_x86::{Code, Decoder, DecoderOptions, FlowControl, Instruction, OpKind};
use std::collections::BTreeSet;

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
}

/// A section, decoded.
pub(crate) struct Section<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) address: u32,
    pub(crate) instructions: Vec<Swept>,
    /// Indices of the `syscall` instructions.
    pub(crate) calls: Vec<usize>,
    /// Addresses that direct branches lead to.
    pub(crate) targets: BTreeSet<u32>,
}

/// Decodes a section from its start to its end.
pub(crate) fn sweep(bytes: &[u8], address: u32) -> Section<'_> {
    let mut section =
        Section { bytes, address, instructions: Vec::new(), calls: Vec::new(), targets: BTreeSet::new() };
    if !bytes.windows(2).any(|pair| pair == [0x0f, 0x05]) {
        return section;
    }
    let mut decoder = Decoder::with_ip(64, bytes, u64::from(address), DecoderOptions::NONE);
    let mut instruction = Instruction::default();
    while decoder.can_decode() {
        decoder.decode_out(&mut instruction);
        let role = role(&instruction);
        if role == Role::Call {
            section.calls.push(section.instructions.len());
        }
        if is_near_branch(&instruction) {
            section.targets.extend(u32::try_from(instruction.near_branch_target()));
        }
        let offsets = decoder.get_constant_offsets(&instruction);
        let relative = instruction.is_ip_rel_memory_operand() && offsets.displacement_size() == 4;
        section.instructions.push(Swept {
            address: u32::try_from(instruction.ip()).unwrap_or(u32::MAX),
            len: u8::try_from(instruction.len()).unwrap_or(0),
            role,
            rip_displacement: relative.then(|| u8::try_from(offsets.displacement_offset()).unwrap_or(0)),
        });
    }
    section
}

fn role(instruction: &Instruction) -> Role {
    if instruction.code() == Code::Syscall {
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
