//! uname(2).

use crate::call::{Answer, Stop};
use crate::cx::Cx;
use crate::sysctl::UTS_NAME_MAX;
use crate::{OSRELEASE, VERSION};

/// A field of `struct utsname`, with its NUL.
const FIELD: usize = UTS_NAME_MAX + 1;

pub(crate) fn uname(cx: &mut Cx<'_>) -> Answer {
    let names = &cx.kernel.tunables;
    let fields = ["Linux", &names.hostname, OSRELEASE, VERSION, "x86_64", &names.domainname];
    let mut bytes = Vec::with_capacity(FIELD * fields.len());
    for field in fields {
        let start = bytes.len();
        bytes.extend(field.bytes().take(UTS_NAME_MAX));
        bytes.resize(start + FIELD, 0);
    }
    cx.call.mem.write(cx.arg(0), bytes);
    Ok(0)
}

/// The name that sethostname(2) and setdomainname(2) are given.
///
/// # Errors
/// `EPERM`: not who rules the kernel. `EINVAL`: too long. `EFAULT`.
pub(super) fn given_name(cx: &mut Cx<'_>) -> Result<String, Stop> {
    cx.check_rules()?;
    let length = cx.int(1);
    if usize::try_from(length).is_err() || length.unsigned_abs() as usize > UTS_NAME_MAX {
        return Err(abi::Errno::EINVAL.into());
    }
    let name: Vec<u8> = cx.get_array(cx.arg(0), u64::from(length.unsigned_abs()))?;
    let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
    Ok(String::from_utf8_lossy(name).into_owned())
}
