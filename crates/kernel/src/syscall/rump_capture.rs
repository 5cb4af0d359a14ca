//! `rump_capture(link, snaplen, flags, buf, size)`: frames of links as a file of pcapng.

use crate::call::{Answer, Stop, Wait};
use crate::cx::Cx;
use abi::Errno;

/// The most of a frame: Linux's `MAXIMUM_SNAPLEN` (libpcap).
const SNAPLEN_MAX: u32 = 262_144;
/// Names of interfaces (netdevice(7)), with the NUL.
const NAME_MAX: usize = 16;
const PROMISCUOUS: u64 = 1;

/// With a `size` of 0 it begins to listen, to a link or to "any"; later calls wait for what there is.
pub(crate) fn rump_capture(cx: &mut Cx<'_>) -> Answer {
    cx.check_rules()?;
    let (pid, buf, size) = (cx.call.pid, cx.arg(3), cx.arg(4));
    if size == 0 {
        return begin(cx);
    }
    let capture = cx.kernel.capture_of(pid).ok_or(Errno::EINVAL)?;
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    match cx.kernel.net.stack.tapped(capture.tap, size) {
        None => Err(Errno::EMSGSIZE.into()),
        Some(bytes) if bytes.is_empty() => {
            Err(Stop::Wait(Wait { on: vec![capture.object], until: None, restartable: false }))
        }
        Some(bytes) => {
            let moved = bytes.len() as u64;
            cx.call.mem.write(buf, bytes);
            Ok(moved)
        }
    }
}

fn begin(cx: &mut Cx<'_>) -> Answer {
    let (name, snaplen, flags) = (cx.string(0)?, cx.arg(1), cx.arg(2));
    let name = std::str::from_utf8(&name).ok().filter(|name| name.len() < NAME_MAX).ok_or(Errno::ENODEV)?;
    let link = match name {
        "any" => None,
        name => Some(cx.kernel.net.stack.link_named(name).ok_or(Errno::ENODEV)?),
    };
    let snaplen = u32::try_from(snaplen).ok().filter(|len| (1..=SNAPLEN_MAX).contains(len));
    let snaplen = snaplen.ok_or(Errno::EINVAL)?;
    cx.kernel.begin_capture(cx.call.pid, link, snaplen, flags & PROMISCUOUS != 0);
    Ok(0)
}
