//! What sendmsg(2) and recvmsg(2) name: a `struct msghdr`, its vector of buffers, its address.

use crate::call::Stop;
use crate::cx::Cx;
use crate::mem::UserMem;
use abi::Errno;
use abi::layout::{Iovec, Msghdr};
use std::borrow::Cow;

use super::address::ADDRESS_MAX;

/// `UIO_MAXIOV`.
const IOV_MAX: u64 = 1024;

/// `MAX_RW_COUNT`: what one call moves at most.
const RW_MAX: u64 = 0x7fff_f000;

/// Buffers in the caller's memory, one behind the other.
#[derive(Debug, Clone)]
pub(crate) struct Buffers(Vec<Iovec>);

impl Buffers {
    /// One buffer.
    pub(crate) fn one(addr: u64, len: u64) -> Self {
        Self(vec![Iovec { iov_base: addr, iov_len: len.min(RW_MAX) }])
    }

    /// A vector of buffers.
    ///
    /// # Errors
    /// `EMSGSIZE`: too many. `EINVAL`: a length that is negative as `ssize_t`. `EFAULT`.
    pub(crate) fn vector(cx: &Cx<'_>, addr: u64, count: u64) -> Result<Self, Stop> {
        if count > IOV_MAX {
            return Err(Errno::EMSGSIZE.into());
        }
        let mut left = RW_MAX;
        let mut buffers = Vec::new();
        for mut iov in cx.get_array::<Iovec>(addr, count)? {
            if i64::try_from(iov.iov_len).is_err() {
                return Err(Errno::EINVAL.into());
            }
            iov.iov_len = iov.iov_len.min(left);
            left -= iov.iov_len;
            buffers.push(iov);
        }
        Ok(Self(buffers))
    }

    /// A vector of buffers as readv(2) and writev(2) take it.
    ///
    /// # Errors
    /// `EINVAL`: too many, or a length that is negative as `ssize_t`. `EFAULT`.
    pub(crate) fn of_readv(cx: &Cx<'_>, addr: u64, count: u64) -> Result<Self, Stop> {
        if count > IOV_MAX {
            return Err(Errno::EINVAL.into());
        }
        Self::vector(cx, addr, count)
    }

    /// How many bytes they hold together.
    pub(crate) fn len(&self) -> u64 {
        self.0.iter().map(|iov| iov.iov_len).sum()
    }

    /// Where byte `skip` is, and how many follow it in the same buffer.
    pub(crate) fn locate(&self, mut skip: u64) -> (u64, u64) {
        for iov in &self.0 {
            if skip < iov.iov_len {
                return (iov.iov_base.wrapping_add(skip), iov.iov_len - skip);
            }
            skip -= iov.iov_len;
        }
        (0, 0)
    }

    /// Bytes from `skip` on that are sent together: those of one buffer, or of several that are small, as one segment holds them.
    ///
    /// # Errors
    /// `EFAULT`, or a stop until they are here.
    pub(crate) fn piece<'m>(&self, mem: &'m UserMem, skip: u64) -> Result<Cow<'m, [u8]>, Stop> {
        const SMALL: u64 = 1 << 16;
        let (addr, len) = self.locate(skip);
        let whole = self.len().min(skip.saturating_add(SMALL));
        if skip + len >= whole {
            return Ok(mem.read_some(addr, len)?.into());
        }
        let mut bytes = mem.read(addr, len)?.to_vec();
        while skip + (bytes.len() as u64) < whole {
            let at = skip + bytes.len() as u64;
            let (addr, len) = self.locate(at);
            match mem.read(addr, len.min(whole - at)) {
                Ok(more) => bytes.extend_from_slice(more),
                Err(Stop::Errno(_)) => break,
                Err(stop) => return Err(stop),
            }
        }
        Ok(bytes.into())
    }

    /// All bytes, of which there must be few.
    ///
    /// # Errors
    /// `EFAULT`, or a stop until they are here.
    pub(crate) fn gather(&self, cx: &Cx<'_>) -> Result<Vec<u8>, Stop> {
        let mut bytes = Vec::new();
        for iov in &self.0 {
            bytes.extend_from_slice(cx.call.mem.read(iov.iov_base, iov.iov_len)?);
        }
        Ok(bytes)
    }

    /// Writes `data` from byte `skip` on.
    pub(crate) fn scatter(&self, cx: &mut Cx<'_>, mut skip: u64, data: Vec<u8>) {
        let (addr, room) = self.locate(skip);
        if data.len() as u64 <= room {
            return cx.call.mem.write(addr, data);
        }
        let mut data = data.as_slice();
        while !data.is_empty() {
            let (addr, room) = self.locate(skip);
            let len = data.len().min(usize::try_from(room).unwrap_or(usize::MAX));
            if len == 0 {
                return;
            }
            cx.call.mem.write(addr, data[..len].to_vec());
            data = &data[len..];
            skip += len as u64;
        }
    }
}

/// An address of `len` bytes in the caller's memory.
///
/// # Errors
/// `EINVAL`: longer than any address. `EFAULT`.
pub(crate) fn get_address(cx: &Cx<'_>, addr: u64, len: u32) -> Result<Vec<u8>, Stop> {
    if len as usize > ADDRESS_MAX {
        return Err(Errno::EINVAL.into());
    }
    Ok(cx.call.mem.read(addr, u64::from(len))?.to_vec())
}

/// Room for an address in the caller's memory, with the `socklen_t` that says how much there is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AddressRoom {
    addr: u64,
    len_addr: u64,
    room: usize,
}

impl AddressRoom {
    /// Reads how much room there is.
    ///
    /// # Errors
    /// `EINVAL`: negative. `EFAULT`.
    pub(crate) fn read(cx: &Cx<'_>, addr: u64, len_addr: u64) -> Result<Self, Stop> {
        let len: i32 = cx.get(len_addr)?;
        let room = usize::try_from(len).map_err(|_| Errno::EINVAL)?;
        if addr == 0 && room > 0 {
            return Err(Errno::EFAULT.into());
        }
        Ok(Self { addr, len_addr, room })
    }

    /// The same for a call that may not want the address: a null pointer.
    ///
    /// # Errors
    /// As [`AddressRoom::read`].
    pub(crate) fn read_if_wanted(cx: &Cx<'_>, addr: u64, len_addr: u64) -> Result<Option<Self>, Stop> {
        if addr == 0 { Ok(None) } else { Self::read(cx, addr, len_addr).map(Some) }
    }

    /// Writes what fits of the address, and its whole length.
    pub(crate) fn put(self, cx: &mut Cx<'_>, address: &[u8]) {
        let len = address.len().min(self.room);
        cx.call.mem.write(self.addr, address[..len].to_vec());
        cx.put(self.len_addr, &u32::try_from(address.len()).unwrap_or(u32::MAX));
    }
}

/// A `struct msghdr` in the caller's memory.
#[derive(Debug, Clone)]
pub(crate) struct Header {
    addr: u64,
    pub(crate) raw: Msghdr,
    pub(crate) buffers: Buffers,
}

impl Header {
    /// Reads it and its vector of buffers.
    ///
    /// # Errors
    /// `EINVAL`: a negative address length. `EMSGSIZE`, `EFAULT`.
    pub(crate) fn read(cx: &Cx<'_>, addr: u64) -> Result<Self, Stop> {
        let mut raw: Msghdr = cx.get(addr)?;
        if i32::try_from(raw.msg_namelen).is_err() {
            return Err(Errno::EINVAL.into());
        }
        if raw.msg_name == 0 {
            raw.msg_namelen = 0;
        }
        // A longer one is cut, not refused (net/socket.c, __copy_msghdr).
        raw.msg_namelen = raw.msg_namelen.min(ADDRESS_MAX as u32);
        let buffers = Buffers::vector(cx, raw.msg_iov, raw.msg_iovlen)?;
        Ok(Self { addr, raw, buffers })
    }

    /// Writes back what recvmsg(2) found.
    pub(crate) fn put_found(&self, cx: &mut Cx<'_>, from: &[u8], controllen: u64, flags: u32) {
        if self.raw.msg_name != 0 {
            let len = from.len().min(self.raw.msg_namelen as usize);
            cx.call.mem.write(self.raw.msg_name, from[..len].to_vec());
            let namelen = u32::try_from(from.len()).unwrap_or(u32::MAX);
            cx.put(self.at(std::mem::offset_of!(Msghdr, msg_namelen)), &namelen);
        }
        cx.put(self.at(std::mem::offset_of!(Msghdr, msg_controllen)), &controllen);
        cx.put(self.at(std::mem::offset_of!(Msghdr, msg_flags)), &flags);
    }

    fn at(&self, offset: usize) -> u64 {
        self.addr.wrapping_add(offset as u64)
    }
}
