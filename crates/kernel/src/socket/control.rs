//! Control messages (cmsg(3)): read from a sender, laid out for a receiver.

use crate::FileId;
use crate::call::Stop;
use crate::cx::Cx;
use crate::effect::{NewFile, Pass};
use crate::file::FileKind;
use crate::process::Descriptors;
use abi::Errno;
use abi::layout::{Cmsghdr, Ucred};
use abi::raw::net::{
    MSG_CMSG_CLOEXEC, MSG_CTRUNC, SCM_CREDENTIALS, SCM_RIGHTS, SO_MARK, SO_TIMESTAMPING_NEW,
    SO_TIMESTAMPING_OLD, SOL_SOCKET,
};
use zerocopy::{FromBytes, IntoBytes};

use super::message::Header;
use super::{Ancillary, Control, Other, Right};

/// `SCM_MAX_FD`.
const RIGHTS_MAX: usize = 253;

/// The most that sendmsg(2) takes (`sysctl net.core.optmem_max`).
const CONTROL_MAX: u64 = 131_072;

const HEADER: usize = size_of::<Cmsghdr>();

/// What the control messages of a message to be sent say.
///
/// # Errors
/// `EINVAL`: malformed. `EBADF`, `EPERM`, `ENOBUFS`, `EFAULT`.
pub(crate) fn read(cx: &mut Cx<'_>, header: &Header) -> Result<Ancillary, Stop> {
    let (addr, len) = (header.raw.msg_control, header.raw.msg_controllen);
    if len > CONTROL_MAX {
        return Err(Errno::ENOBUFS.into());
    }
    let bytes = cx.call.mem.read(addr, len)?.to_vec();
    let mut found = Ancillary::default();
    let mut rest = bytes.as_slice();
    while let Ok((head, _)) = Cmsghdr::read_from_prefix(rest) {
        let len = usize::try_from(head.cmsg_len).ok().filter(|len| (HEADER..=rest.len()).contains(len));
        let len = len.ok_or(Errno::EINVAL)?;
        read_one(cx, head, &rest[HEADER..len], &mut found)?;
        rest = rest.get(len.next_multiple_of(8)..).unwrap_or_default();
    }
    Ok(found)
}

fn read_one(cx: &mut Cx<'_>, head: Cmsghdr, data: &[u8], found: &mut Ancillary) -> Result<(), Stop> {
    if head.cmsg_level != SOL_SOCKET.cast_signed() {
        let (level, kind) = (head.cmsg_level.cast_unsigned(), head.cmsg_type.cast_unsigned());
        found.others.push(Other { level, kind, data: data.to_vec() });
        return Ok(());
    }
    match head.cmsg_type.cast_unsigned() {
        SCM_RIGHTS => {
            let fds: Vec<u32> = data.chunks_exact(4).filter_map(|fd| u32::read_from_bytes(fd).ok()).collect();
            let rights = rights(cx, &fds)?;
            found.rights.extend(rights);
            if found.rights.len() > RIGHTS_MAX {
                return Err(Errno::EINVAL.into());
            }
        }
        SCM_CREDENTIALS => {
            let claimed = Ucred::read_from_bytes(data).map_err(|_| Errno::EINVAL)?;
            let own = cx.kernel.caller_credentials();
            let same = (claimed.pid, claimed.uid, claimed.gid) == (own.pid, own.uid, own.gid);
            if !same && own.uid != 0 {
                return Err(Errno::EPERM.into());
            }
            found.credentials = Some(claimed);
        }
        kind @ (SO_MARK | SO_TIMESTAMPING_OLD | SO_TIMESTAMPING_NEW) => {
            found.others.push(Other { level: SOL_SOCKET, kind, data: data.to_vec() });
        }
        _ => return Err(Errno::EINVAL.into()),
    }
    Ok(())
}

/// What the descriptors of an `SCM_RIGHTS` stand for. Where host descriptors keep files open, those came along
/// with the call, one for each number.
fn rights(cx: &mut Cx<'_>, fds: &[u32]) -> Result<Vec<Right>, Stop> {
    let process = cx.kernel.processes.get(cx.call.pid)?;
    if process.descriptors == Descriptors::Strong {
        let files: Result<Vec<FileId>, Errno> = fds.iter().map(|fd| process.fds.get(*fd)).collect();
        return Ok(files?.into_iter().map(Right::File).collect());
    }
    if cx.call.passed.len() < fds.len() {
        return Err(Errno::EBADF.into());
    }
    Ok(cx.call.passed[..fds.len()].iter().copied().map(Right::Passed).collect())
}

/// Writes control messages to the caller's memory; answers how many bytes of `msg_control` they take and
/// `MSG_CTRUNC` if something did not fit.
///
/// # Errors
/// `EMFILE` never: descriptors that cannot be entered are dropped with `MSG_CTRUNC`, as Linux does.
pub(crate) fn put(cx: &mut Cx<'_>, header: &Header, messages: Vec<Control>, flags: u32) -> (u64, u32) {
    let room = usize::try_from(header.raw.msg_controllen).unwrap_or(usize::MAX);
    let mut out = Writer { addr: header.raw.msg_control, room, used: 0, truncated: 0 };
    if out.addr == 0 {
        out.room = 0;
    }
    for message in messages {
        match message {
            Control::Bytes { level, kind, data } => out.put(cx, level, kind, &data),
            Control::Rights { rights, shown } => {
                let how = Entering { cloexec: flags & MSG_CMSG_CLOEXEC != 0, shown };
                out.put_rights(cx, rights, how);
            }
        }
    }
    (out.used as u64, out.truncated)
}

struct Writer {
    addr: u64,
    room: usize,
    used: usize,
    truncated: u32,
}

impl Writer {
    fn put(&mut self, cx: &mut Cx<'_>, level: u32, kind: u32, data: &[u8]) {
        let left = self.room - self.used;
        if left < HEADER {
            self.truncated = MSG_CTRUNC;
            return;
        }
        let whole = HEADER + data.len();
        let len = whole.min(left);
        if len < whole {
            self.truncated = MSG_CTRUNC;
        }
        let head =
            Cmsghdr { cmsg_len: len as u64, cmsg_level: level.cast_signed(), cmsg_type: kind.cast_signed() };
        let mut bytes = head.as_bytes().to_vec();
        bytes.extend_from_slice(&data[..len - HEADER]);
        cx.call.mem.write(self.addr.wrapping_add(self.used as u64), bytes);
        self.used = self.room.min(self.used + len.next_multiple_of(8));
    }

    fn put_rights(&mut self, cx: &mut Cx<'_>, rights: Vec<Right>, how: Entering) {
        let fit = (self.room - self.used).saturating_sub(HEADER) / 4;
        let first = self.addr.wrapping_add((self.used + HEADER) as u64);
        let mut numbers = Vec::new();
        for right in rights {
            let put_at = first.wrapping_add(numbers.len() as u64);
            let number = if numbers.len() / 4 < fit { enter(cx, right, how, put_at) } else { None };
            match number {
                Some(number) => numbers.extend_from_slice(number.as_bytes()),
                None => {
                    self.truncated = MSG_CTRUNC;
                    if !how.shown {
                        cx.kernel.drop_right(right);
                    }
                }
            }
        }
        if !numbers.is_empty() {
            self.put(cx, SOL_SOCKET, SCM_RIGHTS, &numbers);
        }
    }
}

/// How descriptors come into a process.
#[derive(Debug, Clone, Copy)]
struct Entering {
    /// `MSG_CMSG_CLOEXEC`.
    cloexec: bool,
    /// They stay where they are too.
    shown: bool,
}

/// Gives the caller a descriptor that came through a socket. A host descriptor gets its number from the host: the
/// client writes it to `put_at`. One kind cannot go to a process of the other (`None`).
fn enter(cx: &mut Cx<'_>, right: Right, how: Entering, put_at: u64) -> Option<u32> {
    let Entering { cloexec, shown } = how;
    let process = cx.process().ok()?;
    match (right, process.descriptors) {
        (Right::File(file), Descriptors::Strong) => {
            let number = process.fds.insert(file, cloexec, 0).ok()?;
            if shown {
                cx.kernel.keep_right(right);
            }
            Some(number)
        }
        (Right::Passed(passed), Descriptors::Weak) => {
            let pass = if shown { Pass::Shown(passed) } else { Pass::Passed(passed) };
            // What it is a descriptor of, and whether of this kernel, only the host knows.
            let (file, kfd, kind) = (FileId(0), u32::MAX, FileKind::Socket);
            cx.call.files.push(NewFile { file, kfd, kind, cloexec, put_at, pass });
            Some(u32::MAX)
        }
        _ => None,
    }
}
