//! fsconfig(2): parameters of a file system, and what is to be done with them.

use super::mount::{file_system, is_written};
use crate::call::{Answer, Stop};
use crate::cx::Cx;
use crate::file::fscontext::{Context, Phase};
use abi::Errno;
use abi::raw::general::{AT_FDCWD, fsconfig_command as command};
use std::cell::RefCell;

const SET_FLAG: u32 = command::FSCONFIG_SET_FLAG as u32;
const SET_STRING: u32 = command::FSCONFIG_SET_STRING as u32;
const SET_BINARY: u32 = command::FSCONFIG_SET_BINARY as u32;
const SET_PATH: u32 = command::FSCONFIG_SET_PATH as u32;
const SET_PATH_EMPTY: u32 = command::FSCONFIG_SET_PATH_EMPTY as u32;
const SET_FD: u32 = command::FSCONFIG_SET_FD as u32;
const CREATE: u32 = command::FSCONFIG_CMD_CREATE as u32;
const RECONFIGURE: u32 = command::FSCONFIG_CMD_RECONFIGURE as u32;
/// Every file system here is a new one.
const CREATE_EXCL: u32 = command::FSCONFIG_CMD_CREATE_EXCL as u32;
/// Longest key and value (fs/fsopen.c).
const STRING_MAX: usize = 255;
/// Most bytes of a binary value (fs/fsopen.c).
const BINARY_MAX: i32 = 1 << 20;

pub(crate) fn fsconfig(cx: &mut Cx<'_>) -> Answer {
    let (cmd, key, value, aux) = (cx.uint(1), cx.arg(2), cx.arg(3), cx.int(4));
    let well_formed = match cmd {
        SET_FLAG => key != 0 && value == 0 && aux == 0,
        SET_STRING => key != 0 && value != 0 && aux == 0,
        CREATE | RECONFIGURE | CREATE_EXCL => key == 0 && value == 0 && aux == 0,
        SET_BINARY => key != 0 && value != 0 && (1..=BINARY_MAX).contains(&aux),
        SET_PATH | SET_PATH_EMPTY => key != 0 && value != 0 && (aux == AT_FDCWD || aux >= 0),
        SET_FD => key != 0 && value == 0 && aux >= 0,
        _ => return Err(Errno::EOPNOTSUPP.into()),
    };
    if !well_formed {
        return Err(Errno::EINVAL.into());
    }
    if matches!(cmd, SET_BINARY | SET_PATH | SET_PATH_EMPTY | SET_FD) {
        // They are parameters of no file system here.
        return Err(Errno::EOPNOTSUPP.into());
    }
    let file = cx.file(0)?;
    let context = file.ops.fs_context().ok_or(Errno::EINVAL)?;
    match cmd {
        SET_FLAG => parameter(context, &bounded(cx, 2)?, None),
        SET_STRING => parameter(context, &bounded(cx, 2)?, Some(&bounded(cx, 3)?)),
        RECONFIGURE => reconfigure(cx, context),
        _ => create(cx, context),
    }
}

fn bounded(cx: &Cx<'_>, at: usize) -> Result<Vec<u8>, Stop> {
    let text = cx.string(at)?;
    if text.len() > STRING_MAX { Err(Errno::EINVAL.into()) } else { Ok(text) }
}

fn parameter(context: &RefCell<Context>, key: &[u8], value: Option<&[u8]>) -> Answer {
    let mut context = context.borrow_mut();
    match context.phase {
        Phase::Parameters | Phase::Mounted(_) => {}
        Phase::Created(_) | Phase::Failed => return Err(Errno::EBUSY.into()),
    }
    context.parameter(key, value)?;
    Ok(0)
}

fn create(cx: &mut Cx<'_>, context: &RefCell<Context>) -> Answer {
    let mut context = context.borrow_mut();
    if !matches!(context.phase, Phase::Parameters) {
        return Err(Errno::EBUSY.into());
    }
    cx.check_rules()?;
    let (source, kind, options) = (context.source.clone(), context.kind.clone(), context.options.clone());
    match file_system(cx, (&source, &kind, &options), context.read_only == Some(true)) {
        Ok(fs) => {
            context.phase = Phase::Created(fs);
            Ok(0)
        }
        // It runs again when the disk has answered.
        Err(Stop::Errno(vfs::remote::WAITS)) => Err(Stop::Errno(vfs::remote::WAITS)),
        Err(stop) => {
            context.phase = Phase::Failed;
            context.refused("it cannot be opened: the source, or an option");
            Err(stop)
        }
    }
}

fn reconfigure(cx: &mut Cx<'_>, context: &RefCell<Context>) -> Answer {
    let mut context = context.borrow_mut();
    let Phase::Mounted(at) = context.phase else { return Err(Errno::EBUSY.into()) };
    cx.check_rules()?;
    if context.read_only == Some(true) && is_written(cx, at, false) {
        return Err(Errno::EBUSY.into());
    }
    let (options, read_only) = (context.options.clone(), context.read_only);
    cx.kernel.fs.vfs.reconfigure(at, &options, read_only)?;
    (context.options, context.read_only) = (Vec::new(), None);
    Ok(0)
}
