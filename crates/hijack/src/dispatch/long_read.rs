//! read(2) of a regular file moves all that there is, where one call of the rump kernel moves [`READ_MAX`] bytes at most.

use super::with;
use crate::Hijack;
use crate::fds::RumpFd;
use crate::world::{Args, World};
use abi::private::READ_MAX;
use abi::table::Row;
use abi::{Errno, nr};
use alloc::vec;
use alloc::vec::Vec;

/// `UIO_MAXIOV` of linux/uio.h.
const IOV_MAX: u64 = 1024;

/// A `struct iovec`: its address and its length.
type Part = [u64; 2];

impl<W: World> Hijack<W> {
    /// Goes on with a read of which the first call has moved `first` bytes; answers how many it were in the end.
    pub(super) fn read_on(&self, row: &'static Row, args: Args, file: (u32, RumpFd), first: u64) -> u64 {
        let (mut done, mut last) = (first, first);
        while last == READ_MAX {
            let mut parts = Vec::new();
            let Ok(Some(rest)) = self.rest(row.nr, args, done, &mut parts) else { break };
            last = self.rump_on(row, rest, file).unwrap_or(0);
            done += last;
        }
        done
    }

    /// The arguments for what is left behind `done` bytes, if that is something. They may point to `parts`.
    fn rest(&self, number: u32, args: Args, done: u64, parts: &mut Vec<Part>) -> Result<Option<Args>, Errno> {
        let args = match number {
            nr::READ | nr::PREAD64 if args[2] <= done => return Ok(None),
            nr::READ | nr::PREAD64 => with(with(args, 1, args[1].wrapping_add(done)), 2, args[2] - done),
            nr::READV | nr::PREADV | nr::PREADV2 => {
                *parts = self.parts_behind(args[1], args[2], done)?;
                if parts.is_empty() {
                    return Ok(None);
                }
                with(with(args, 1, parts.as_ptr() as u64), 2, parts.len() as u64)
            }
            _ => return Ok(None),
        };
        let at_position = number == nr::PREADV2 && args[3] == u64::MAX;
        let moves = matches!(number, nr::PREAD64 | nr::PREADV | nr::PREADV2) && !at_position;
        Ok(Some(if moves { with(args, 3, args[3].wrapping_add(done)) } else { args }))
    }

    fn parts_behind(&self, address: u64, count: u64, done: u64) -> Result<Vec<Part>, Errno> {
        let count = usize::try_from(count.min(IOV_MAX)).map_err(|_| Errno::EINVAL)?;
        let mut bytes = vec![0; count * size_of::<Part>()];
        self.world.read(address, &mut bytes)?;
        let word = |bytes: &[u8]| bytes.first_chunk().map_or(0, |word| u64::from_ne_bytes(*word));
        let mut skip = done;
        let mut left = Vec::new();
        for part in bytes.chunks_exact(size_of::<Part>()) {
            let (base, len) = (word(part), word(&part[8..]));
            let skipped = skip.min(len);
            skip -= skipped;
            if len > skipped {
                left.push([base.wrapping_add(skipped), len - skipped]);
            }
        }
        Ok(left)
    }
}
