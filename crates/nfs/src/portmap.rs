//! Where programs are served: PORTMAP version 2 and RPCBIND versions 3 and 4 (RFC 1833).

use crate::rpc::{Call, Refused};
use crate::server::Request;
use crate::xdr::{Reader, Writer};
use crate::{MOUNT_PORT, NFS_PORT, PORTMAP_PORT, mount, nfs3};
use std::net::IpAddr;

pub(crate) const PROGRAM: u32 = 100_000;
const IPPROTO_TCP: u32 = 6;
const IPPROTO_UDP: u32 = 17;
/// Network identifiers and owners are names.
const NAME_MAX: usize = 255;

/// Program, version, port.
const PROGRAMS: &[(u32, u32, u16)] = &[
    (PROGRAM, 2, PORTMAP_PORT),
    (PROGRAM, 3, PORTMAP_PORT),
    (PROGRAM, 4, PORTMAP_PORT),
    (nfs3::PROGRAM, nfs3::VERSION, NFS_PORT),
    (mount::PROGRAM, mount::VERSION, MOUNT_PORT),
];

pub(crate) fn serve(request: &mut Request<'_>, call: &Call<'_>) -> Result<Writer, Refused> {
    let mut results = Writer::default();
    let args = &mut call.args.clone();
    match (call.version, call.procedure) {
        (2..=4, 0) => {}
        // PMAPPROC_SET, PMAPPROC_UNSET: nobody else is served here.
        (2..=4, 1 | 2) => {
            results.bool(false);
        }
        (2, 3) => {
            results.u32(getport(args)?.into());
        }
        (2, 4) => dump_mappings(&mut results),
        // RPCBPROC_GETADDR, and GETVERSADDR of version 4
        (3 | 4, 3) | (4, 9) => {
            results.opaque(getaddr(args, request.peer.local)?.as_bytes());
        }
        (3 | 4, 4) => dump_addresses(&mut results, request.peer.local),
        (2..=4, _) => return Err(Refused::NoProcedure),
        _ => return Err(Refused::Versions(2, 4)),
    }
    Ok(results)
}

/// The port of a program; 0: not here. Of a version that there is none of, any: the program itself says which there are.
fn port(program: u32, version: u32) -> u16 {
    let known = PROGRAMS.iter().filter(|(known, ..)| *known == program);
    let exact = known.clone().find(|(_, of, _)| *of == version);
    exact.or(known.clone().next()).map_or(0, |(_, _, port)| *port)
}

fn getport(args: &mut Reader<'_>) -> Result<u16, Refused> {
    let (program, version, protocol, _) = (args.u32()?, args.u32()?, args.u32()?, args.u32()?);
    Ok(if matches!(protocol, IPPROTO_TCP | IPPROTO_UDP) { port(program, version) } else { 0 })
}

fn dump_mappings(results: &mut Writer) {
    for (program, version, port) in PROGRAMS {
        for protocol in [IPPROTO_TCP, IPPROTO_UDP] {
            results.bool(true).u32(*program).u32(*version).u32(protocol).u32((*port).into());
        }
    }
    results.bool(false);
}

fn getaddr(args: &mut Reader<'_>, local: IpAddr) -> Result<String, Refused> {
    let (program, version, netid) = (args.u32()?, args.u32()?, args.opaque(NAME_MAX)?);
    let _ = (args.opaque(NAME_MAX)?, args.opaque(NAME_MAX)?);
    let served = [b"tcp".as_slice(), b"udp", b"tcp6", b"udp6"].contains(&netid);
    Ok(match port(program, version) {
        0 => String::new(),
        _ if !served => String::new(),
        port => universal(local, port),
    })
}

/// A universal address (RFC 5665, section 5.2.3).
fn universal(address: IpAddr, port: u16) -> String {
    let [high, low] = port.to_be_bytes();
    format!("{address}.{high}.{low}")
}

fn dump_addresses(results: &mut Writer, local: IpAddr) {
    let netids: [&[u8]; 2] = if local.is_ipv4() { [b"tcp", b"udp"] } else { [b"tcp6", b"udp6"] };
    for (program, version, port) in PROGRAMS {
        for netid in netids {
            results.bool(true).u32(*program).u32(*version).opaque(netid);
            results.opaque(universal(local, *port).as_bytes()).opaque(b"superuser");
        }
    }
    results.bool(false);
}
