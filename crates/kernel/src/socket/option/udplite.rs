//! `IPPROTO_UDPLITE` (udplite(7)).

use super::{Row, Target, int_bytes, own};
use abi::Errno;
use abi::raw::net::IPPROTO_UDPLITE;
use tcpip::Opt;

pub(super) const LEVEL: u32 = IPPROTO_UDPLITE as u32;

/// linux/udp.h
const UDPLITE_SEND_CSCOV: u32 = 10;
/// linux/udp.h
const UDPLITE_RECV_CSCOV: u32 = 11;

pub(super) const ROWS: &[Row] = &[
    own(UDPLITE_SEND_CSCOV, Some(|t| get(t, UDPLITE_SEND_CSCOV)), Some(|t, v| set(t, v, Opt::SendCoverage))),
    own(UDPLITE_RECV_CSCOV, Some(|t| get(t, UDPLITE_RECV_CSCOV)), Some(|t, v| set(t, v, Opt::RecvCoverage))),
];

fn get(target: &mut Target<'_>, name: u32) -> Result<Vec<u8>, Errno> {
    let id = target.socket.inet().ok_or(Errno::ENOPROTOOPT)?;
    let options = target.k.net.stack.options(id)?;
    let covered =
        if name == UDPLITE_SEND_CSCOV { options.send_coverage } else { options.recv_coverage.unwrap_or(0) };
    Ok(int_bytes(covered.into()))
}

/// The header is covered in any case, and there are no more bytes than fit a packet (net/ipv4/udp.c, udp_lib_setsockopt).
fn set(target: &mut Target<'_>, value: &[u8], opt: fn(u16) -> Opt) -> Result<(), Errno> {
    let asked = super::number((LEVEL, 0), value)?;
    let covered = match asked {
        0 => 0,
        ..8 => 8,
        more => u16::try_from(more).unwrap_or(u16::MAX),
    };
    super::apply(target, Some(opt(covered)))
}
