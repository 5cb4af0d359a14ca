//! Shared libraries that lie in the rump kernel. ld.so(8) maps what it is told to before this library is there, so it finds them only
//! where it is run by **loader**.

use super::resolve::is_rumps;
use super::strings;
use crate::Hijack;
use crate::world::World;

/// ld.so(8): where libraries are looked for.
const PATH: &[u8] = b"LD_LIBRARY_PATH=";
/// ld.so(8): what is loaded first.
const PRELOAD: &[u8] = b"LD_PRELOAD=";

/// Whether an environment leads ld.so(8) into the rump kernel.
pub(super) fn are_in_rump<W: World>(h: &Hijack<W>, envp: u64) -> bool {
    let addresses = strings::addresses(h, envp).unwrap_or_default();
    addresses.iter().any(|address| leads_there(h, *address))
}

fn leads_there<W: World>(h: &Hijack<W>, address: u64) -> bool {
    let mut start = [0; PATH.len()];
    let length = h.world.read_str(address, &mut start).unwrap_or_default();
    let start = start.get(..length).unwrap_or_default();
    if !start.starts_with(PATH) && !start.starts_with(PRELOAD) {
        return false;
    }
    let entry = strings::string(h, address).unwrap_or_default();
    if let Some(list) = entry.strip_prefix(PATH) {
        // An empty element is the working directory, an empty list none.
        return !list.is_empty() && list.split(|byte| b":;".contains(byte)).any(|path| is_rumps(h, path));
    }
    // A name without a slash is looked for like other libraries.
    let list = entry.strip_prefix(PRELOAD).unwrap_or_default();
    list.split(|byte| b": ".contains(byte)).any(|path| path.contains(&b'/') && is_rumps(h, path))
}
