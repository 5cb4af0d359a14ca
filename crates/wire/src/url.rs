//! Where a server is: `unix://PATH` or `tcp://A.B.C.D:PORT/`.

use alloc::vec::Vec;
use core::fmt;

/// Bytes of `sun_path` less its NUL, unix(7).
pub const PATH_MAX: usize = 107;

/// linux/socket.h
const AF_UNIX: u16 = 1;

/// A parsed URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Url {
    /// A socket's absolute path.
    Unix(Vec<u8>),
    /// An IPv4 address and a port. `0.0.0.0`, written `*` or `0`, is any address: for a server only.
    Tcp([u8; 4], u16),
}

/// Why a URL is refused. Its text says what is expected; the caller quotes the URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Another scheme, or none.
    Scheme,
    /// `tcp6://`.
    Tcp6,
    /// No path.
    EmptyPath,
    /// The path, made absolute, does not fit a socket's name (`ENAMETOOLONG`).
    LongPath,
    /// No dotted quad.
    Address,
    /// No port from 1 to 65535.
    Port,
    /// A client cannot connect to any address.
    AnyAddress,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "expected unix://PATH or tcp://A.B.C.D:PORT/",
            Self::Tcp6 => "tcp6 is not yet implemented; expected unix://PATH or tcp://A.B.C.D:PORT/",
            Self::EmptyPath => "the path is missing; expected unix://PATH",
            Self::LongPath => "the path is longer than the 107 bytes of a socket's name",
            Self::Address => "the address is no dotted quad; expected tcp://A.B.C.D:PORT/",
            Self::Port => "the port is no number from 1 to 65535; expected tcp://A.B.C.D:PORT/",
            Self::AnyAddress => "only a server can have any address; expected tcp://A.B.C.D:PORT/",
        })
    }
}

impl Url {
    /// Parses a URL. A relative path starts at `cwd`.
    ///
    /// # Errors
    /// See [`Refused`].
    pub fn parse(text: &[u8], cwd: &[u8]) -> Result<Self, Refused> {
        if let Some(path) = text.strip_prefix(b"unix://") {
            return unix(path, cwd);
        }
        if text.starts_with(b"tcp6://") {
            return Err(Refused::Tcp6);
        }
        let rest = text.strip_prefix(b"tcp://").ok_or(Refused::Scheme)?;
        let rest = core::str::from_utf8(rest).map_err(|_| Refused::Address)?;
        let (address, rest) = rest.split_once(':').ok_or(Refused::Port)?;
        let port = rest.split('/').next().unwrap_or(rest);
        let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        let port = port.parse().ok().filter(|port| digits && *port != 0).ok_or(Refused::Port)?;
        let address = match address {
            "*" | "0" => [0; 4],
            quad => quad.parse::<core::net::Ipv4Addr>().map_err(|_| Refused::Address)?.octets(),
        };
        Ok(Self::Tcp(address, port))
    }

    /// The same, refused if a client cannot connect there.
    ///
    /// # Errors
    /// [`Refused::AnyAddress`].
    pub fn for_client(self) -> Result<Self, Refused> {
        match self {
            Self::Tcp([0, 0, 0, 0], _) => Err(Refused::AnyAddress),
            other => Ok(other),
        }
    }

    /// The `struct sockaddr` to connect to, and its family.
    #[must_use]
    pub fn sockaddr(&self) -> (u16, Vec<u8>) {
        const AF_INET: u16 = 2;
        let mut bytes = Vec::new();
        match self {
            Self::Unix(path) => {
                bytes.extend_from_slice(&AF_UNIX.to_ne_bytes());
                bytes.extend_from_slice(path);
                bytes.push(0);
                (AF_UNIX, bytes)
            }
            Self::Tcp(address, port) => {
                bytes.extend_from_slice(&AF_INET.to_ne_bytes());
                bytes.extend_from_slice(&port.to_be_bytes());
                bytes.extend_from_slice(address);
                bytes.extend_from_slice(&[0; 8]);
                (AF_INET, bytes)
            }
        }
    }
}

/// The name in the abstract namespace (unix(7)) under which the server at this path takes the children of those who have become another
/// user; `None`: the path leaves no room for one.
#[must_use]
pub fn heirs(path: &[u8]) -> Option<Vec<u8>> {
    let name = [b"rump_server:", path].concat();
    (name.len() <= PATH_MAX).then_some(name)
}

impl Url {
    /// The `struct sockaddr` of that name.
    #[must_use]
    pub fn heirs_sockaddr(&self) -> Option<(u16, Vec<u8>)> {
        let Self::Unix(path) = self else { return None };
        Some((AF_UNIX, [&AF_UNIX.to_ne_bytes()[..], b"\0", &heirs(path)?].concat()))
    }
}

fn unix(path: &[u8], cwd: &[u8]) -> Result<Url, Refused> {
    if path.is_empty() {
        return Err(Refused::EmptyPath);
    }
    let mut absolute = Vec::new();
    if !path.starts_with(b"/") {
        absolute.extend_from_slice(cwd.strip_suffix(b"/").unwrap_or(cwd));
        absolute.push(b'/');
    }
    absolute.extend_from_slice(path);
    if absolute.len() > PATH_MAX { Err(Refused::LongPath) } else { Ok(Url::Unix(absolute)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn good() {
        assert_eq!(Url::parse(b"unix:///a/s", b"/x"), Ok(Url::Unix(b"/a/s".to_vec())));
        assert_eq!(Url::parse(b"unix://s", b"/x"), Ok(Url::Unix(b"/x/s".to_vec())));
        assert_eq!(Url::parse(b"unix://s", b"/"), Ok(Url::Unix(b"/s".to_vec())));
        assert_eq!(Url::parse(b"tcp://1.2.3.4:80/x", b"/"), Ok(Url::Tcp([1, 2, 3, 4], 80)));
        assert_eq!(Url::parse(b"tcp://*:80", b"/"), Ok(Url::Tcp([0; 4], 80)));
        assert_eq!(Url::parse(b"tcp://0:80/", b"/").unwrap().for_client(), Err(Refused::AnyAddress));
    }

    #[test]
    fn refused() {
        let long = [b"unix:///".as_slice(), &[b'a'; 107]].concat();
        for (text, why) in [
            (b"".as_slice(), Refused::Scheme),
            (b"/tmp/s", Refused::Scheme),
            (b"unix:/tmp/s", Refused::Scheme),
            (b"unix://", Refused::EmptyPath),
            (&long, Refused::LongPath),
            (b"tcp6://[::1]:1", Refused::Tcp6),
            (b"tcp://localhost:1", Refused::Address),
            (b"tcp://1.2.3:1", Refused::Address),
            (b"tcp://1.2.3.4", Refused::Port),
            (b"tcp://1.2.3.4:", Refused::Port),
            (b"tcp://1.2.3.4:0", Refused::Port),
            (b"tcp://1.2.3.4:+1", Refused::Port),
            (b"tcp://1.2.3.4:65536", Refused::Port),
        ] {
            assert_eq!(Url::parse(text, b"/"), Err(why), "{}", text.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn any_bytes(bytes: Vec<u8>, cwd: Vec<u8>) {
            if let Ok(url) = Url::parse(&bytes, &cwd) {
                let _ = url.sockaddr();
            }
        }
    }
}
