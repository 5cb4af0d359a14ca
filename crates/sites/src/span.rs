//! Which bytes around a `syscall` a jump may replace.
//!
//! Backwards if at all possible: a thread that is blocked in the kernel returns to the address behind the `syscall`,
//! which must still be what it was.

use crate::sweep::{Role, Section, Swept};
use sitelist::{CODE_MAX, Fixup, JUMP_SIZE, Site};

/// The best span for the `syscall` at this index, if there is one.
pub(crate) fn choose(section: &Section<'_>, call: usize) -> Option<Site> {
    if invalid_nearby(section, call) {
        return None;
    }
    in_front(section, call).or_else(|| backwards(section, call)).or_else(|| forwards(section, call))
}

/// Only the instruction in front is replaced and the `syscall` stays: one that a branch or a thread arrives at
/// by another way still does what it did.
fn in_front(section: &Section<'_>, call: usize) -> Option<Site> {
    let before = movable(section, call.checked_sub(1)?)?;
    if before.len < JUMP_SIZE {
        return None;
    }
    let at = section.instructions[call];
    site(section, &section.instructions[call - 1..=call], at, before.len)
}

/// The span ends right behind the `syscall`.
fn backwards(section: &Section<'_>, call: usize) -> Option<Site> {
    let at = section.instructions[call];
    let mut first = call;
    while section.instructions[call].end() - section.instructions[first].address < u32::from(JUMP_SIZE) {
        // Nothing may branch to what stands behind the span's first byte.
        if section.targets.contains(&section.instructions[first].address) {
            return None;
        }
        first = first.checked_sub(1)?;
        movable(section, first)?;
    }
    let span = &section.instructions[first..=call];
    site(section, span, at, u8::try_from(at.end() - span[0].address).ok()?)
}

/// The span starts with the `syscall`.
fn forwards(section: &Section<'_>, call: usize) -> Option<Site> {
    let at = section.instructions[call];
    let mut last = call;
    while section.instructions[last].end() - at.address < u32::from(JUMP_SIZE) {
        last += 1;
        let next = movable(section, last)?;
        if section.targets.contains(&next.address) {
            return None;
        }
    }
    let span = &section.instructions[call..=last];
    site(section, span, at, u8::try_from(section.instructions[last].end() - at.address).ok()?)
}

fn movable(section: &Section<'_>, index: usize) -> Option<Swept> {
    section.instructions.get(index).copied().filter(|instruction| instruction.role == Role::Movable)
}

fn site(section: &Section<'_>, span: &[Swept], call: Swept, len: u8) -> Option<Site> {
    let (start, end) = (span.first()?.address, span.last()?.end());
    let offset = (start - section.address) as usize;
    let code = section.bytes.get(offset..offset + (end - start) as usize)?.to_vec();
    let fixups: Vec<Fixup> = span.iter().filter_map(|instruction| fixup(instruction, start)).collect();
    (code.len() <= CODE_MAX && fixups.len() <= 2).then_some(Site {
        call: call.address,
        start,
        len,
        code,
        fixups,
    })
}

fn fixup(instruction: &Swept, start: u32) -> Option<Fixup> {
    let displacement = u32::from(instruction.rip_displacement?);
    Some(Fixup {
        at: u8::try_from(instruction.address - start + displacement).ok()?,
        next: u8::try_from(instruction.end() - start).ok()?,
    })
}

/// Whether the sweep lost its way near this instruction: it may be no instruction at all then.
fn invalid_nearby(section: &Section<'_>, call: usize) -> bool {
    let window = call.saturating_sub(8)..(call + 4).min(section.instructions.len());
    section.instructions[window]
        .iter()
        .any(|instruction| matches!(instruction.role, Role::Invalid | Role::Gap))
}
