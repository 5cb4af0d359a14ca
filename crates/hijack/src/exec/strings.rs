//! Arrays of strings (argv, envp) read from the program and laid out for the next image.

use crate::Hijack;
use crate::world::World;
use abi::Errno;
use alloc::vec::Vec;

/// execve(2): "the maximum length of a single string is 32 pages" (MAX_ARG_STRLEN).
const STRING_MAX: usize = 32 * 4096;

/// More strings than fit into the largest stack that execve(2) allows (6 MiB of pointers).
const COUNT_MAX: usize = 768 << 10;

/// One string of an array to be laid out.
pub(super) enum Item {
    /// The program's, at this address.
    Theirs(u64),
    /// This one, without its NUL.
    Ours(Vec<u8>),
}

/// The addresses in a null-terminated array; a null array has none, as Linux takes it.
pub(super) fn addresses<W: World>(h: &Hijack<W>, array: u64) -> Result<Vec<u64>, Errno> {
    let mut found = Vec::new();
    if array == 0 {
        return Ok(found);
    }
    while found.len() < COUNT_MAX {
        let mut address = [0; 8];
        h.world.read(array.wrapping_add(found.len() as u64 * 8), &mut address)?;
        match u64::from_ne_bytes(address) {
            0 => return Ok(found),
            address => found.push(address),
        }
    }
    Err(Errno::E2BIG)
}

/// A whole string of the program's.
pub(super) fn string<W: World>(h: &Hijack<W>, address: u64) -> Result<Vec<u8>, Errno> {
    let mut text = Vec::new();
    for room in [256, STRING_MAX] {
        text.resize(room, 0);
        let length = h.world.read_str(address, &mut text)?;
        if length < room {
            text.truncate(length);
            return Ok(text);
        }
    }
    Err(Errno::E2BIG)
}

/// Lays the strings out as a null-terminated array in memory of [`super::scratch`]; answers its address.
pub(super) fn lay_out<W: World>(h: &Hijack<W>, items: &[Item]) -> Result<u64, Errno> {
    let pointers = (items.len() as u64 + 1) * 8;
    let ours = items.iter().map(|item| match item {
        Item::Theirs(_) => 0,
        Item::Ours(text) => text.len() as u64 + 1,
    });
    let array = h.scratch.take(&h.world, pointers + ours.sum::<u64>())?;
    let (mut addresses, mut texts) = (Vec::with_capacity(pointers as usize), Vec::new());
    for item in items {
        let address = match item {
            Item::Theirs(address) => *address,
            Item::Ours(text) => {
                let address = array + pointers + texts.len() as u64;
                texts.extend_from_slice(text);
                texts.push(0);
                address
            }
        };
        addresses.extend_from_slice(&address.to_ne_bytes());
    }
    addresses.extend_from_slice(&[0; 8]);
    // At once: each write asks the kernel whether it may be.
    addresses.append(&mut texts);
    h.world.write(array, &addresses)?;
    Ok(array)
}

/// Keeps two strings in memory of [`super::scratch`]; answers their addresses.
pub(super) fn keep_two<W: World>(h: &Hijack<W>, one: Vec<u8>, other: Vec<u8>) -> Result<(u64, u64), Errno> {
    let array = lay_out(h, &[Item::Ours(one), Item::Ours(other)])?;
    let mut addresses = [[0; 8]; 2];
    for (at, address) in (array..).step_by(8).zip(&mut addresses) {
        h.world.read(at, address)?;
    }
    let [one, other] = addresses.map(u64::from_ne_bytes);
    Ok((one, other))
}
