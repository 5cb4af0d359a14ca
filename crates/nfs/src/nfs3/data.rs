//! READ, WRITE, COMMIT.

use super::{Object, Result, Status, TRANSFER_MAX, handle_arg};
use crate::server::Request;
use crate::xdr::{Garbage, Reader, Writer};
use abi::raw::general::IN_MODIFY;

/// `stable_how`
const UNSTABLE: u32 = 0;
const FILE_SYNC: u32 = 2;

pub(super) fn read(
    request: &mut Request<'_>,
    args: &mut Reader<'_>,
    results: &mut Writer,
) -> Result<(), Garbage> {
    let (handle, offset, count) = (handle_arg(args)?, args.u64()?, args.u32()?);
    let object = request.object(handle);
    let outcome =
        object.as_ref().map_err(|status| *status).and_then(|object| request.read(object, offset, count));
    results.u32(Status::of(&outcome).number());
    request.put_attr_of(results, &object);
    if let Ok((bytes, end)) = outcome {
        results.u32(u32::try_from(bytes.len()).unwrap_or(0)).bool(end).opaque(&bytes);
    }
    Ok(())
}

pub(super) fn write(
    request: &mut Request<'_>,
    args: &mut Reader<'_>,
    results: &mut Writer,
) -> Result<(), Garbage> {
    let (handle, offset, count, stable) = (handle_arg(args)?, args.u64()?, args.u32()?, args.u32()?);
    let bytes = args.opaque(TRANSFER_MAX as usize)?;
    if stable > FILE_SYNC || bytes.len() < count as usize {
        return Err(Garbage);
    }
    let bytes = &bytes[..count as usize];
    let object = request.object(handle);
    let before = request.attr(&object);
    let outcome = object
        .as_ref()
        .map_err(|status| *status)
        .and_then(|object| request.write(object, offset, bytes, stable));
    results.u32(Status::of(&outcome).number());
    request.put_change(results, before.as_ref(), &object);
    if let Ok((written, committed)) = outcome {
        results.u32(written).u32(committed).fixed(&request.verifier);
    }
    Ok(())
}

pub(super) fn commit(
    request: &mut Request<'_>,
    args: &mut Reader<'_>,
    results: &mut Writer,
) -> Result<(), Garbage> {
    let (handle, _offset, _count) = (handle_arg(args)?, args.u64()?, args.u32()?);
    let object = request.object(handle);
    let before = request.attr(&object);
    let outcome = object.as_ref().map_err(|status| *status).and_then(|object| {
        object.writable()?;
        Ok(request.vfs.sync(object.at)?)
    });
    results.u32(Status::of(&outcome).number());
    request.put_change(results, before.as_ref(), &object);
    if outcome.is_ok() {
        results.fixed(&request.verifier);
    }
    Ok(())
}

impl Request<'_> {
    /// The bytes, and whether the file ends behind them.
    fn read(&mut self, object: &Object, offset: u64, count: u32) -> Result<(Vec<u8>, bool)> {
        let size = self.may_read(object)?.size;
        let left = size.saturating_sub(offset);
        let count =
            usize::try_from(left.min(count.min(self.transfer_max()).into())).map_err(|_| Status::INVAL)?;
        let mut bytes = vec![0; count];
        let mut done = 0;
        while done < count {
            match self.vfs.read(object.at, offset + done as u64, &mut bytes[done..], Some(self.now))? {
                0 => break,
                read => done += read,
            }
        }
        bytes.truncate(done);
        Ok((bytes, offset.saturating_add(done as u64) >= size))
    }

    /// How many bytes were written, and how safe they are (`stable_how`).
    fn write(&mut self, object: &Object, offset: u64, bytes: &[u8], stable: u32) -> Result<(u32, u32)> {
        self.may_write(object)?;
        let end = offset.checked_add(bytes.len() as u64).filter(|end| i64::try_from(*end).is_ok());
        end.ok_or(Status::FBIG)?;
        let who = object.user.who();
        let mut done = 0;
        while done < bytes.len() {
            match self.vfs.write(&who, object.at, offset + done as u64, &bytes[done..], self.now) {
                Ok(written) if written > 0 => done += written,
                // What is written is written.
                _ if done > 0 => break,
                Ok(_) => return Err(Status::IO),
                Err(errno) => return Err(errno.into()),
            }
        }
        self.vfs.tell(object.at, None, IN_MODIFY);
        if stable != UNSTABLE && !object.options.unsynchronized {
            self.vfs.sync(object.at)?;
        }
        let committed = if stable == UNSTABLE { UNSTABLE } else { FILE_SYNC };
        Ok((u32::try_from(done).unwrap_or(0), committed))
    }
}
