//! `/proc/self/exe` of a program that **loader** has loaded. The host's kernel takes the library for the program; programs
//! find their files by that link (Go), or run it again (busybox).

use super::{Answer, Call, Verdict, argument, with};
use crate::Hijack;
use crate::config::decimal;
use crate::world::World;
use abi::nr;

/// The longest of the link's names, with a number of ten digits.
const NAME_MAX: usize = 32;

/// Where the path of a call is that follows links or reads them.
fn path_argument(number: u32) -> Option<u8> {
    Some(match number {
        nr::OPEN | nr::STAT | nr::ACCESS | nr::EXECVE | nr::READLINK => 0,
        nr::OPENAT | nr::NEWFSTATAT | nr::STATX | nr::FACCESSAT | nr::FACCESSAT2 => 1,
        nr::EXECVEAT | nr::READLINKAT => 1,
        _ => return None,
    })
}

/// Whether this call may name the link.
pub(crate) fn concerns(number: u32) -> bool {
    path_argument(number).is_some()
}

/// What becomes of a call that names the link; `None`: it does not.
pub(super) fn by_name<W: World>(h: &Hijack<W>, call: &Call) -> Option<Verdict> {
    let exe = h.exe?;
    let at = path_argument(call.nr)?;
    let mut name = [0; NAME_MAX];
    let length = h.world.read_str(argument(&call.args, at), &mut name).ok()?;
    if !is_link(h, name.get(..length)?) {
        return None;
    }
    if matches!(call.nr, nr::READLINK | nr::READLINKAT) {
        return Some(read_link(
            h,
            exe.to_bytes(),
            argument(&call.args, at + 1),
            argument(&call.args, at + 2),
        ));
    }
    let call = Call { args: with(call.args, at, exe.as_ptr() as u64), ..*call };
    Some(match h.routed(&call) {
        Ok(Answer::Host) => h.world.host(call.nr, call.args).map(Answer::Value),
        verdict => verdict,
    })
}

fn is_link<W: World>(h: &Hijack<W>, name: &[u8]) -> bool {
    let Some(whose) = name.strip_prefix(b"/proc/").and_then(|rest| rest.strip_suffix(b"/exe")) else {
        return false;
    };
    let own = |pid| h.world.host(nr::GETPID, [0; 6]) == Ok(u64::from(pid));
    matches!(whose, b"self" | b"thread-self") || decimal(whose).is_some_and(own)
}

fn read_link<W: World>(h: &Hijack<W>, exe: &[u8], buffer: u64, room: u64) -> Verdict {
    if room as i32 <= 0 {
        return Err(abi::Errno::EINVAL);
    }
    let fits = usize::try_from(room).map_or(exe.len(), |room| room.min(exe.len()));
    h.world.write(buffer, exe.get(..fits).unwrap_or(exe))?;
    Ok(Answer::Value(fits as u64))
}
