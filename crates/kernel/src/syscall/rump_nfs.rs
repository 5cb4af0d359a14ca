//! `rump_nfs(op, text, len, buf, size)`: lists, makes or removes exports of the NFS server.

use crate::call::Answer;
use crate::cx::Cx;
use abi::Errno;
use abi::private::NfsOp;

pub(crate) fn rump_nfs(cx: &mut Cx<'_>) -> Answer {
    cx.check_rules()?;
    let op = NfsOp::from_number(cx.arg(0)).ok_or(Errno::EINVAL)?;
    let text = cx.call.mem.read(cx.arg(1), cx.arg(2))?.to_vec();
    let (told, result) = match cx.kernel.control_nfs(op, &text) {
        Ok(told) => (told, None),
        Err(refused) => (refused.why, Some(refused.errno)),
    };
    let (buf, size) = (cx.arg(3), usize::try_from(cx.arg(4)).unwrap_or(usize::MAX));
    let (whole, bytes) = (told.len() as u64, told.into_bytes());
    cx.call.mem.write(buf, bytes[..bytes.len().min(size)].to_vec());
    match result {
        Some(errno) => Err(errno.into()),
        None => Ok(whole),
    }
}
