//! rtnetlink(7): what is asked of links, addresses, routes, neighbours, rules and namespaces. A kind of object is one file and its rows here.

pub(super) mod address;
pub(super) mod link;
mod namespace;
pub(super) mod neighbour;
#[expect(clippy::module_inception, reason = "a route is what rtnetlink is named for")]
pub(super) mod route;
pub(super) mod rule;

use super::wire::{Attributes, Refusal, Request};
use crate::Kernel;
use abi::Errno;
use abi::raw::net::{AF_INET, AF_INET6, AF_UNSPEC};
use std::net::IpAddr;
use tcpip::{LinkId, Stack};

/// An answer is not longer than this: programs read into buffers of one page (netlink(7)).
const ANSWER_MAX: usize = 4096;

/// What a type of request is answered by.
enum Serve {
    /// `RTM_GET…`: `reply` with the body of each that the request asks for, or of one.
    Get { reply: u16, all: All, one: Option<One> },
    /// `RTM_NEW…`, `RTM_DEL…`: a change, which only those who rule the kernel may ask for. It is told when it was made; the time is
    /// the stack's.
    Set(fn(&mut Stack, u64, Request<'_>) -> Result<(), Refusal>),
}

/// Makes the bodies of all objects that a request asks for.
type All = fn(&Kernel, Request<'_>) -> Result<Listed, Refusal>;

/// A list, and whether something was left out as the request said.
struct Listed {
    bodies: Vec<Vec<u8>>,
    filtered: bool,
}

impl From<Vec<Vec<u8>>> for Listed {
    fn from(bodies: Vec<Vec<u8>>) -> Self {
        Self { bodies, filtered: false }
    }
}

/// Makes the body for the one object that a request names.
type One = fn(&Kernel, Request<'_>) -> Result<Vec<u8>, Refusal>;

/// One type of request.
struct Row(u16, Serve);

const ROWS: &[&[Row]] =
    &[link::ROWS, address::ROWS, route::ROWS, neighbour::ROWS, rule::ROWS, namespace::ROWS, NEXT_HOPS];

/// `RTM_GETNEXTHOP`: there are no next hops apart from routes.
const NEXT_HOPS: &[Row] =
    &[Row(106, Serve::Get { reply: 104, all: |_, _| Ok(Vec::new().into()), one: None })];

/// The datagrams that answer a request.
pub(super) fn answer(k: &mut Kernel, request: Request<'_>, port: u32) -> Vec<Vec<u8>> {
    /// Of the four types of an object (new, del, get, set) who may be asked by everybody.
    const GET: u16 = 2;
    let row = ROWS.iter().flat_map(|rows| rows.iter()).find(|Row(kind, _)| *kind == request.kind);
    if request.kind % 4 != GET && !k.is_ruled_by_caller() {
        return vec![request.error(port, Errno::EPERM)];
    }
    let outcome = match row {
        None => Err(Errno::EOPNOTSUPP.into()),
        Some(Row(_, Serve::Set(set))) => {
            let now_ns = k.now.mono_ns;
            set(&mut k.net.stack, now_ns, request).map(|()| Vec::new())
        }
        Some(Row(_, Serve::Get { reply, all, .. })) if request.is_dump() => {
            return match all(k, request) {
                Ok(listed) => list(request, *reply, port, &listed),
                Err(refusal) => vec![request.broken_off(port, refusal)],
            };
        }
        Some(Row(_, Serve::Get { one: None, .. })) => Err(Errno::EOPNOTSUPP.into()),
        Some(Row(_, Serve::Get { reply, one: Some(one), .. })) => {
            one(k, request).map(|body| request.reply(*reply, port, &body))
        }
    };
    match outcome {
        Err(refusal) => vec![request.error(port, refusal)],
        Ok(mut bytes) => {
            if request.wants_ack() {
                bytes.extend_from_slice(&request.acknowledgement(port));
            }
            if bytes.is_empty() { Vec::new() } else { vec![bytes] }
        }
    }
}

fn list(request: Request<'_>, reply: u16, port: u32, listed: &Listed) -> Vec<Vec<u8>> {
    let message = |body: &Vec<u8>| match listed.filtered {
        true => request.filtered(reply, port, body),
        false => request.reply(reply, port, body),
    };
    let mut answers = gathered(listed.bodies.iter().map(message).collect());
    answers.push(request.done(port));
    answers
}

/// As many messages in each datagram as fit.
pub(super) fn gathered(messages: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let mut datagrams: Vec<Vec<u8>> = Vec::new();
    for message in messages {
        match datagrams.last_mut() {
            Some(last) if last.len() + message.len() <= ANSWER_MAX => last.extend_from_slice(&message),
            _ => datagrams.push(message),
        }
    }
    datagrams
}

/// `AF_INET` or `AF_INET6`.
fn family_of(ip: IpAddr) -> u8 {
    let family = if ip.is_ipv4() { AF_INET } else { AF_INET6 };
    family.to_le_bytes()[0]
}

/// Whether a request for objects of this family means those of `ip`.
fn wants(family: u8, ip: IpAddr) -> bool {
    u32::from(family) == AF_UNSPEC || family == family_of(ip)
}

fn octets(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

/// An address attribute; which family it is of says the message's header.
///
/// # Errors
/// `EINVAL`: not as long as an address. `EAFNOSUPPORT`: of neither family.
fn ip(attributes: &Attributes<'_>, kind: u16, family: u8) -> Result<Option<IpAddr>, Errno> {
    let Some(bytes) = attributes.get(kind) else { return Ok(None) };
    let ip = match u32::from(family) {
        AF_INET => bytes.first_chunk::<4>().map(|bytes| IpAddr::from(*bytes)),
        AF_INET6 => bytes.first_chunk::<16>().map(|bytes| IpAddr::from(*bytes)),
        _ => return Err(Errno::EAFNOSUPPORT),
    };
    ip.map(Some).ok_or(Errno::EINVAL)
}

/// The link with an index that a program named.
///
/// # Errors
/// `ENODEV`.
fn link_of(stack: &Stack, index: u32) -> Result<LinkId, Errno> {
    stack.link(LinkId::from_index(index)).map(|link| link.id)
}

/// A span of the stack's clock in the hundredths of seconds that rtnetlink tells (`USER_HZ`).
fn ticks(span_ns: u64) -> u32 {
    u32::try_from(span_ns / 10_000_000).unwrap_or(u32::MAX)
}
