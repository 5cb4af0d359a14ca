//! IPv6 extension headers (RFC 8200, section 4), as far as a host looks at them.

use smoltcp::wire::{IpProtocol, Ipv6FragmentHeader};

use crate::packet::Fragment;

/// A longer chain is nobody's but an attacker's.
const HEADERS_MAX: usize = 8;

const PAD1: u8 = 0;
/// RFC 2711.
const ROUTER_ALERT: u8 = 5;

/// What the chain of headers ends in.
pub(crate) struct Chain<'a> {
    pub(crate) protocol: IpProtocol,
    pub(crate) fragment: Option<Fragment>,
    pub(crate) payload: &'a [u8],
}

/// Walks the headers from the first one on. `None`: malformed, or the packet says that it is to be dropped.
pub(crate) fn walk(first: IpProtocol, bytes: &[u8]) -> Option<Chain<'_>> {
    let (mut protocol, mut rest, mut fragment) = (first, bytes, None);
    for _ in 0..HEADERS_MAX {
        match protocol {
            IpProtocol::HopByHop | IpProtocol::Ipv6Opts | IpProtocol::Ipv6Route => {
                let &[next, len, ref body @ ..] = rest else { return None };
                let size = (usize::from(len) + 1) * 8;
                let body = body.get(..size - 2)?;
                let taken = match protocol {
                    // A way that is prescribed must be at its end (RFC 5095, RFC 8200, section 4.4).
                    IpProtocol::Ipv6Route => body.get(1) == Some(&0),
                    _ => options_are_taken(body),
                };
                if !taken {
                    return None;
                }
                (protocol, rest) = (next.into(), rest.get(size..)?);
            }
            IpProtocol::Ipv6Frag if fragment.is_none() => {
                let next = *rest.first()?;
                let header = Ipv6FragmentHeader::new_checked(rest.get(2..8)?).ok()?;
                let offset = usize::from(header.frag_offset()) * 8;
                fragment = Some(Fragment { id: header.ident(), offset, more: header.more_frags() });
                (protocol, rest) = (next.into(), rest.get(8..)?);
                // What follows is the whole's, not the fragment's.
                return Some(Chain { protocol, fragment, payload: rest });
            }
            _ => return Some(Chain { protocol, fragment, payload: rest }),
        }
    }
    None
}

/// RFC 8200, section 4.2: the upper bits of an option's type say what is to be done by who does not know it.
fn options_are_taken(mut options: &[u8]) -> bool {
    while let [kind, rest @ ..] = options {
        if *kind == PAD1 {
            options = rest;
            continue;
        }
        let skipped = *kind & 0xc0 == 0 || *kind == ROUTER_ALERT;
        let Some(next) = rest.first().and_then(|len| rest.get(1 + usize::from(*len)..)) else { return false };
        if !skipped {
            return false;
        }
        options = next;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chains() {
        let found =
            |first, bytes: &[u8]| walk(first, bytes).map(|c| (c.protocol, c.fragment, c.payload.to_vec()));
        assert_eq!(found(IpProtocol::Udp, b"x"), Some((IpProtocol::Udp, None, b"x".to_vec())));
        let hop = [17, 0, 5, 2, 0, 0, 1, 0, b'x'];
        assert_eq!(found(IpProtocol::HopByHop, &hop), Some((IpProtocol::Udp, None, b"x".to_vec())));
        let unknown = [17, 0, 0x85, 2, 0, 0, 1, 0, b'x'];
        assert_eq!(found(IpProtocol::HopByHop, &unknown), None);
        let fragment = [17, 0, 0, 9, 0, 0, 0, 7, b'x'];
        let expected = Fragment { id: 7, offset: 8, more: true };
        assert_eq!(
            found(IpProtocol::Ipv6Frag, &fragment),
            Some((IpProtocol::Udp, Some(expected), b"x".to_vec()))
        );
        assert_eq!(found(IpProtocol::HopByHop, &hop[..7]), None);
        let endless = [[0, 0, 1, 4, 0, 0, 0, 0]; 20].concat();
        assert_eq!(found(IpProtocol::HopByHop, &endless), None);
    }
}
