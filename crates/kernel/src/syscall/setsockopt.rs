//! setsockopt(2).

use crate::call::Answer;
use crate::cx::Cx;
use crate::socket::{option, transfer};
use abi::Errno;
use abi::raw::net::{SO_ATTACH_FILTER, SOL_SOCKET};
use tcpip::{Instruction, Program, SocketId};

/// Longer values than this no option has; what is behind is not looked at.
const VALUE_MAX: u32 = 4096;

pub(crate) fn setsockopt(cx: &mut Cx<'_>) -> Answer {
    let file = cx.file(0)?;
    let socket = transfer::of(&file)?;
    let len = u32::try_from(cx.int(4)).map_err(|_| Errno::EINVAL)?.min(VALUE_MAX);
    let value = cx.call.mem.read(cx.arg(3), u64::from(len))?.to_vec();
    let which = (cx.uint(1), cx.uint(2));
    if which == (SOL_SOCKET, SO_ATTACH_FILTER) {
        return attach_filter(cx, socket.inet(), &value);
    }
    option::set(cx.kernel, &file, socket, which, &value)?;
    Ok(0)
}

/// `SO_ATTACH_FILTER`: a `struct sock_fprog`, which points to its instructions.
fn attach_filter(cx: &mut Cx<'_>, socket: Option<SocketId>, value: &[u8]) -> Answer {
    /// `sizeof (struct sock_filter)`.
    const INSTRUCTION: u64 = 8;
    let &[l0, l1, _, _, _, _, _, _, ref addr @ ..] = value else { return Err(Errno::EINVAL.into()) };
    let addr = addr.first_chunk::<8>().map(|bytes| u64::from_ne_bytes(*bytes)).ok_or(Errno::EINVAL)?;
    let len = u64::from(u16::from_ne_bytes([l0, l1]));
    let bytes = cx.call.mem.read(addr, len * INSTRUCTION)?;
    let instruction = |&[c0, c1, jt, jf, k0, k1, k2, k3]: &[u8; 8]| Instruction {
        code: u16::from_ne_bytes([c0, c1]),
        jt,
        jf,
        k: u32::from_ne_bytes([k0, k1, k2, k3]),
    };
    let program = Program::new(&bytes.as_chunks::<8>().0.iter().map(instruction).collect::<Vec<_>>())?;
    // Sockets of the kernel alone have nothing to filter.
    let id = socket.ok_or(Errno::ENOPROTOOPT)?;
    cx.kernel.net.stack.set_filter(id, Some(program))?;
    Ok(0)
}
