//! Access control lists as ext4 keeps them: shorter than the extended attributes that stand for them (fs/ext4/acl.h).

use abi::Errno;
use vfs::Acl;

const ON_DISK: u32 = 1;
const AS_ATTRIBUTE: u32 = 2;
/// `ACL_USER`, `ACL_GROUP`: entries with an id.
const NAMED: [u16; 2] = [2, 8];

/// The list of an attribute's value on the disk.
///
/// # Errors
/// `EUCLEAN`: it is none.
pub(super) fn decode(value: &[u8]) -> Result<Option<Acl>, Errno> {
    let (version, mut rest) = value.split_first_chunk::<4>().ok_or(Errno::EUCLEAN)?;
    if u32::from_le_bytes(*version) != ON_DISK {
        return Err(Errno::EUCLEAN);
    }
    let mut long = AS_ATTRIBUTE.to_le_bytes().to_vec();
    while let Some((head, after)) = rest.split_first_chunk::<4>() {
        let tag = u16::from_le_bytes([head[0], head[1]]);
        long.extend_from_slice(head);
        rest = after;
        if NAMED.contains(&tag) {
            let (id, after) = rest.split_first_chunk::<4>().ok_or(Errno::EUCLEAN)?;
            long.extend_from_slice(id);
            rest = after;
        } else {
            long.extend_from_slice(&u32::MAX.to_le_bytes());
        }
    }
    if rest.is_empty() { Acl::parse(&long).map_err(|_| Errno::EUCLEAN) } else { Err(Errno::EUCLEAN) }
}

/// The value that stands for a list on the disk.
pub(super) fn encode(acl: &Acl) -> Vec<u8> {
    let long = acl.emit();
    let mut short = ON_DISK.to_le_bytes().to_vec();
    let (entries, _) = long[4..].as_chunks::<8>();
    for entry in entries {
        let named = NAMED.contains(&u16::from_le_bytes([entry[0], entry[1]]));
        short.extend_from_slice(if named { &entry[..] } else { &entry[..4] });
    }
    short
}
