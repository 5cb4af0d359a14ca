//! Who holds the host socket that a datagram is addressed to by name: nothing but /proc says it.

use crate::Hijack;
use crate::config::decimal;
use crate::dirent::entries;
use crate::world::World;
use abi::nr;
use abi::raw::general::{O_CLOEXEC, O_DIRECTORY, O_RDONLY};
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

const AT_FDCWD: u64 = -100_i64 as u64;

/// `struct sockaddr_un`, the family left out.
const PATH_AT: usize = 2;

impl<W: World> Hijack<W> {
    /// The processes that hold the AF_UNIX socket with this address, as far as the caller may know (proc_pid_fd(5)).
    pub(super) fn holders(&self, address: &[u8]) -> Vec<u32> {
        let inode = self.file("/proc/net/unix\0").ok().and_then(|table| inode_of(&table, &shown(address)?));
        let Some(inode) = inode else { return Vec::new() };
        let link = format!("socket:[{inode}]");
        let holds = |pid: &u32| {
            self.numbers(&format!("/proc/{pid}/fd\0")).iter().any(|fd| self.leads(*pid, *fd, &link))
        };
        self.numbers("/proc\0").into_iter().filter(holds).collect()
    }

    /// The names in a directory of the host's that are numbers.
    fn numbers(&self, directory: &str) -> Vec<u32> {
        let flags = u64::from(O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        let args = [AT_FDCWD, directory.as_ptr() as u64, flags, 0, 0, 0];
        let Ok(fd) = self.world.host(nr::OPENAT, args) else { return Vec::new() };
        let mut numbers = Vec::new();
        let mut buffer = vec![0; 32 << 10];
        loop {
            let args = [fd, buffer.as_mut_ptr() as u64, buffer.len() as u64, 0, 0, 0];
            let length = self.world.host(nr::GETDENTS64, args).unwrap_or(0) as usize;
            let Some(some) = buffer.get(..length).filter(|some| !some.is_empty()) else { break };
            numbers.extend(entries(some).filter_map(|entry| entry.number()));
        }
        self.close_quietly(fd as u32);
        numbers
    }

    fn leads(&self, pid: u32, fd: u32, link: &str) -> bool {
        let (name, mut target) = (format!("/proc/{pid}/fd/{fd}\0"), [0_u8; 64]);
        let args = [name.as_ptr() as u64, target.as_mut_ptr() as u64, target.len() as u64, 0, 0, 0];
        let length = self.world.host(nr::READLINK, args).unwrap_or(0) as usize;
        target.get(..length) == Some(link.as_bytes())
    }
}

/// An address as /proc/net/unix shows it: NUL bytes of an abstract name as `@`.
fn shown(address: &[u8]) -> Option<Vec<u8>> {
    let path = address.get(PATH_AT..).filter(|path| !path.is_empty())?;
    if path.starts_with(b"\0") {
        return Some(path.iter().map(|byte| if *byte == 0 { b'@' } else { *byte }).collect());
    }
    path.split(|byte| *byte == 0).next().map(<[u8]>::to_vec)
}

/// The inode in the row of this name (proc_net(5)): `Num RefCount Protocol Flags Type St Inode Path`.
fn inode_of(table: &[u8], name: &[u8]) -> Option<u32> {
    let row = |line| {
        let (_, from_inode) = (0..6).try_fold((b"".as_slice(), line), |(_, rest), _| next_field(rest))?;
        let (inode, path) = next_field(from_inode)?;
        (path == name).then(|| decimal(inode)).flatten()
    };
    table.split(|byte| *byte == b'\n').find_map(row)
}

/// The first field of a row, and what begins one space behind it: a path may begin with spaces.
fn next_field(row: &[u8]) -> Option<(&[u8], &[u8])> {
    let row = row.trim_ascii_start();
    let (field, rest) = row.split_at_checked(row.iter().position(|byte| *byte == b' ')?)?;
    Some((field, rest.get(1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TABLE: &[u8] = b"Num       RefCount Protocol Flags    Type St Inode Path\n\
        0000000000000000: 00000002 00000000 00000000 0002 01   1234 @name@@\n\
        0000000000000000: 00000003 00000000 00000000 0001 03 77\n\
        0000000000000000: 00000002 00000000 00000000 0002 01 99 /tmp/a b\n";

    #[test]
    fn rows_are_found_by_name() {
        let find = |address: &[u8]| inode_of(TABLE, &shown(address)?);
        assert_eq!(find(b"\x01\0\0name\0\0"), Some(1234));
        assert_eq!(find(b"\x01\0/tmp/a b\0rest"), Some(99));
        assert_eq!(find(b"\x01\0/tmp/a"), None);
        assert_eq!(find(b"\x01\0"), None);
    }

    proptest! {
        #[test]
        fn any_table_is_survived(table in proptest::collection::vec(any::<u8>(), 0..200), name in "[a-z@]{0,3}") {
            let _ = inode_of(&table, name.as_bytes());
        }
    }
}
