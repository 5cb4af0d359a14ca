//! Where the server listens.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::PathBuf;

/// A parsed RUMP_SERVER URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Url {
    /// `unix://PATH`, made absolute.
    Unix(PathBuf),
    /// `tcp://A.B.C.D:PORT/`; `*` and `0` stand for any address.
    Tcp(SocketAddrV4),
}

/// Bytes of `sun_path` less its NUL, unix(7).
const PATH_MAX: usize = 107;

impl Url {
    /// Parses a URL.
    ///
    /// # Errors
    /// One line that quotes it and says what is expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        let refused = |why: &str| format!("'{text}': {why}; expected unix://PATH or tcp://A.B.C.D:PORT/");
        if let Some(path) = text.strip_prefix("unix://") {
            if path.is_empty() {
                return Err(refused("the path is empty"));
            }
            let path = std::path::absolute(path).map_err(|error| refused(&error.to_string()))?;
            if path.as_os_str().len() > PATH_MAX {
                return Err(refused("the path is longer than the 107 bytes of a socket's name"));
            }
            return Ok(Self::Unix(path));
        }
        if text.starts_with("tcp6://") {
            return Err(refused("tcp6 is not implemented"));
        }
        let rest = text.strip_prefix("tcp://").ok_or_else(|| refused("unknown scheme"))?;
        let (address, port) = rest.split_once(':').ok_or_else(|| refused("the port is missing"))?;
        let address = match address {
            "*" | "0" => Ipv4Addr::UNSPECIFIED,
            address => address.parse().map_err(|_| refused("the address is no dotted quad"))?,
        };
        let port = port.split('/').next().unwrap_or(port);
        let port = port.parse().map_err(|_| refused("the port is no number from 1 to 65535"))?;
        if port == 0 {
            return Err(refused("the port is no number from 1 to 65535"));
        }
        Ok(Self::Tcp(SocketAddrV4::new(address, port)))
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
        let long = format!("unix:///{}", "a".repeat(PATH_MAX));
        for bad in [
            "",
            "unix://",
            "/tmp/s",
            "tcp://localhost:1",
            "tcp://1.2.3.4",
            "tcp://1.2.3.4:0",
            "tcp6://[::1]:1",
            &long,
        ] {
            let refusal = Url::parse(bad).unwrap_err();
            assert!(refusal.contains(&format!("'{bad}'")) && refusal.contains("expected"), "{refusal}");
        }
    }
}
