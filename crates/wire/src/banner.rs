//! The line that a server sends first: `RUMPSP-0.5-Linux-0.1.0/x86_64\n`.

use core::fmt::{self, Display};

/// The longest banner that clients read, its newline included.
pub const LENGTH_MAX: usize = 95;

/// A banner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Banner<'a> {
    /// Major version of the protocol; another one is another protocol.
    pub major: u32,
    /// Minor version: 5 or more has our extensions.
    pub minor: u32,
    /// Whose system calls these are: `NetBSD`, `Linux`.
    pub ostype: &'a str,
    /// Which release.
    pub osrelease: &'a str,
    /// Which machine's word sizes and byte order.
    pub machine: &'a str,
}

impl<'a> Banner<'a> {
    /// Reads a line, with or without its newline; none if it is no banner.
    #[must_use]
    pub fn parse(line: &'a [u8]) -> Option<Self> {
        let line = core::str::from_utf8(line.strip_suffix(b"\n").unwrap_or(line)).ok()?;
        let (version, rest) = line.strip_prefix("RUMPSP-")?.split_once('-')?;
        let (major, minor) = version.split_once('.')?;
        let (ostype, rest) = rest.split_once('-')?;
        let (osrelease, machine) = rest.rsplit_once('/')?;
        Some(Self { major: major.parse().ok()?, minor: minor.parse().ok()?, ostype, osrelease, machine })
    }

    /// Whether the server takes our extension frames.
    #[must_use]
    pub const fn has_extensions(&self) -> bool {
        self.major == 0 && self.minor >= 5
    }
}

impl Display for Banner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { major, minor, ostype, osrelease, machine } = self;
        writeln!(f, "RUMPSP-{major}.{minor}-{ostype}-{osrelease}/{machine}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn original_and_ours() {
        let text = "RUMPSP-0.4-NetBSD-7.99.34/amd64\n";
        let banner = Banner::parse(text.as_bytes()).unwrap();
        assert_eq!((banner.minor, banner.ostype, banner.machine), (4, "NetBSD", "amd64"));
        assert!(!banner.has_extensions());
        assert_eq!(banner.to_string(), text);
        assert!(Banner::parse(b"RUMPSP-0.5-Linux-0.1.0-rc1/x86_64").unwrap().has_extensions());
        for bad in ["", "SSH-2.0-x", "RUMPSP-0-Linux-1/x", "RUMPSP-0.4-Linux"] {
            assert_eq!(Banner::parse(bad.as_bytes()), None, "{bad}");
        }
    }
}
