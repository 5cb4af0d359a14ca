//! The prefix under which a program sees a rump kernel's tree (rumphijack(3), `path=`). The library asks it of the paths
//! that calls name, the kernel of those inside socket addresses.

/// How the rump kernel is told a path. It is always the end of what the program wrote, so nothing is copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RumpPath {
    /// From this byte on.
    From(usize),
    /// `/`: the program wrote the prefix and nothing else.
    Root,
}

/// What a path is in the rump kernel if it lies under this prefix: a literal comparison of bytes, up to a slash or the end.
#[must_use]
pub fn under(prefix: &[u8], path: &[u8]) -> Option<RumpPath> {
    let rest = path.strip_prefix(prefix)?;
    if prefix.ends_with(b"/") {
        // Slashes alone: the last one stays, it begins the path in the rump kernel.
        return Some(RumpPath::From(prefix.len() - 1));
    }
    match rest.first() {
        None => Some(RumpPath::Root),
        Some(b'/') => Some(RumpPath::From(prefix.len())),
        Some(_) => None,
    }
}
