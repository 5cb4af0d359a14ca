//! FSSTAT, FSINFO, PATHCONF.

use super::{Result, Status, handle_arg};
use crate::server::Request;
use crate::xdr::{Garbage, Reader, Writer};

/// Sizes that clients are to prefer: a page, and what divides every size.
const BLOCK: u32 = 4096;
const LINKS_MAX: u32 = 32000;
const NAME_MAX: u32 = 255;
/// `FSF3_LINK | FSF3_SYMLINK | FSF3_HOMOGENEOUS | FSF3_CANSETTIME`
const PROPERTIES: u32 = 0x1b;

pub(super) fn fsstat(
    request: &mut Request<'_>,
    args: &mut Reader<'_>,
    results: &mut Writer,
) -> Result<(), Garbage> {
    let handle = handle_arg(args)?;
    let object = request.object(handle);
    let outcome =
        object.as_ref().map_err(|status| *status).and_then(|object| Ok(request.vfs.statfs(object.at)?));
    results.u32(Status::of(&outcome).number());
    request.put_attr_of(results, &object);
    if let Ok(statfs) = outcome {
        let unit = if statfs.f_frsize > 0 { statfs.f_frsize } else { statfs.f_bsize }.cast_unsigned();
        for blocks in [statfs.f_blocks, statfs.f_bfree, statfs.f_bavail] {
            results.u64(blocks.saturating_mul(unit));
        }
        // All free inodes are everybody's; it may change at any time.
        results.u64(statfs.f_files).u64(statfs.f_ffree).u64(statfs.f_ffree).u32(0);
    }
    Ok(())
}

pub(super) fn fsinfo(
    request: &mut Request<'_>,
    args: &mut Reader<'_>,
    results: &mut Writer,
) -> Result<(), Garbage> {
    let most = request.transfer_max();
    tell(request, args, results, |results| {
        results.u32(most).u32(most).u32(BLOCK).u32(most).u32(most).u32(BLOCK).u32(most.min(BLOCK * 16));
        // Times count nanoseconds.
        results.u64(i64::MAX.cast_unsigned()).u32(0).u32(1).u32(PROPERTIES);
    })
}

pub(super) fn pathconf(
    request: &mut Request<'_>,
    args: &mut Reader<'_>,
    results: &mut Writer,
) -> Result<(), Garbage> {
    tell(request, args, results, |results| {
        // No name is cut, none but root gives files away, and spelling matters.
        results.u32(LINKS_MAX).u32(NAME_MAX).bool(true).bool(true).bool(false).bool(true);
    })
}

/// Answers with what is the same for all objects, if the handle leads to one.
fn tell(
    request: &Request<'_>,
    args: &mut Reader<'_>,
    results: &mut Writer,
    put: impl FnOnce(&mut Writer),
) -> Result<(), Garbage> {
    let object = request.object(handle_arg(args)?);
    results.u32(Status::of(&object).number());
    request.put_attr_of(results, &object);
    if object.is_ok() {
        put(results);
    }
    Ok(())
}
