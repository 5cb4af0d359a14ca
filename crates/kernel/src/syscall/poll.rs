//! poll(2).

use crate::call::{Answer, Stop, Wait};
use crate::cx::Cx;
use crate::file::ObjectId;
use abi::Errno;
use abi::layout::Pollfd;
use abi::raw::general::{POLLERR, POLLHUP, POLLNVAL};
use zerocopy::IntoBytes;

/// More than this is above every process's RLIMIT_NOFILE.
const FDS_MAX: u32 = 1 << 17;

/// Found whether or not they were asked for.
const ALWAYS: u16 = (POLLERR | POLLHUP | POLLNVAL) as u16;

pub(crate) fn poll(cx: &mut Cx<'_>) -> Answer {
    // A negative time-out is none.
    let limit_ns = u64::try_from(cx.int(2)).ok().map(|ms| ms * 1_000_000);
    poll_for(cx, limit_ns)
}

/// Waits until one of the descriptors is ready or the time is over.
pub(super) fn poll_for(cx: &mut Cx<'_>, limit_ns: Option<u64>) -> Answer {
    let (addr, count) = (cx.arg(0), cx.uint(1));
    if count > FDS_MAX {
        return Err(Errno::EINVAL.into());
    }
    let mut fds = cx.get_array::<Pollfd>(addr, count.into())?;
    let mut on = Vec::new();
    let ready = look(cx, &mut fds, &mut on)?;
    if ready == 0 && limit_ns != Some(0) {
        let until = limit_ns.map(|limit_ns| cx.deadline(limit_ns)).transpose();
        if let Ok(until) = until {
            // signal(7): never restarted.
            return Err(Stop::Wait(Wait { on, until, restartable: false }));
        }
    }
    cx.call.mem.write(addr, fds.as_bytes().to_vec());
    Ok(ready)
}

/// Fills in what is found; answers how many descriptors have something.
fn look(cx: &mut Cx<'_>, fds: &mut [Pollfd], on: &mut Vec<ObjectId>) -> Result<u64, Stop> {
    let mut ready = 0;
    for entry in fds {
        entry.revents = 0;
        let Ok(fd) = u32::try_from(entry.fd) else { continue };
        let file = cx.process()?.fds.get(fd).and_then(|id| cx.kernel.files.get(id));
        entry.revents = match file {
            Ok(file) => {
                on.push(file.object);
                file.ops.poll(cx.kernel) & (entry.events | ALWAYS)
            }
            Err(_) => POLLNVAL as u16,
        };
        ready += u64::from(entry.revents != 0);
    }
    Ok(ready)
}
