//! Where the server listens.

use std::ffi::OsStr;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// A parsed RUMP_SERVER URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Url {
    /// `unix://PATH`, made absolute.
    Unix(PathBuf),
    /// `tcp://A.B.C.D:PORT/`; `*` and `0` stand for any address.
    Tcp(SocketAddrV4),
}

impl Url {
    /// Parses a URL; a relative path starts at the working directory.
    ///
    /// # Errors
    /// One line that quotes it and says what is expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        let cwd = std::env::current_dir().unwrap_or_default();
        match wire::url::Url::parse(text.as_bytes(), cwd.as_os_str().as_bytes()) {
            Ok(wire::url::Url::Unix(path)) => Ok(Self::Unix(OsStr::from_bytes(&path).into())),
            Ok(wire::url::Url::Tcp(address, port)) => {
                Ok(Self::Tcp(SocketAddrV4::new(Ipv4Addr::from(address), port)))
            }
            Err(refused) => Err(format!("'{text}': {refused}")),
        }
    }

    /// Whether only this machine can connect.
    #[must_use]
    pub fn is_local(&self) -> bool {
        match self {
            Self::Unix(_) => true,
            Self::Tcp(address) => address.ip().is_loopback(),
        }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp(address) => write!(f, "tcp://{address}/"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        assert_eq!(Url::parse("unix:///tmp/s"), Ok(Url::Unix("/tmp/s".into())));
        assert!(matches!(Url::parse("unix://s"), Ok(Url::Unix(path)) if path.is_absolute()));
        assert_eq!(Url::parse("tcp://127.0.0.1:7000/x").map(|url| url.is_local()), Ok(true));
        assert_eq!(Url::parse("tcp://*:7000").map(|url| url.is_local()), Ok(false));
        let refusal = Url::parse("ftp://x").unwrap_err();
        assert!(refusal.contains("'ftp://x'") && refusal.contains("expected"), "{refusal}");
    }
}
