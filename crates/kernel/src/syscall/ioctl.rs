//! ioctl(2).

use crate::call::Answer;
use crate::cx::Cx;
use crate::file::{FileKind, OpenFile};
use abi::Errno;
use abi::raw::general::{FASYNC, O_NONBLOCK};
use abi::raw::ioctl::{FIOASYNC, FIOCLEX, FIONBIO, FIONCLEX};

/// The commands of every file here; the others are the file's own.
pub(crate) fn ioctl(cx: &mut Cx<'_>) -> Answer {
    let file = cx.file(0)?;
    let fd = cx.uint(0);
    match cx.uint(1) {
        FIOCLEX => cx.process()?.fds.set_cloexec(fd, true)?,
        FIONCLEX => cx.process()?.fds.set_cloexec(fd, false)?,
        FIONBIO => {
            let on = cx.get::<i32>(cx.arg(2))? != 0;
            set_flag(&file, O_NONBLOCK, on);
        }
        FIOASYNC => {
            let on = cx.get::<i32>(cx.arg(2))? != 0;
            let kind = file.ops.kind();
            if on && !kind.is_socket() && kind != FileKind::Pipe {
                return Err(Errno::ENOTTY.into());
            }
            set_flag(&file, FASYNC, on);
        }
        cmd => return file.ops.ioctl(cx, &file, cmd),
    }
    Ok(0)
}

fn set_flag(file: &OpenFile, flag: u32, on: bool) {
    let flags = file.flags.get();
    file.flags.set(if on { flags | flag } else { flags & !flag });
}
