//! Netlink messages as bytes (netlink(7)): headers, and attributes behind them, all aligned to 4 bytes.

use abi::Errno;

/// `sizeof (struct nlmsghdr)`.
const HEADER: usize = 16;
/// `NLMSG_ERROR`: also the acknowledgement, with error 0.
const NLMSG_ERROR: u16 = 2;
/// `NLMSG_DONE`.
const NLMSG_DONE: u16 = 3;
/// `NLM_F_MULTI`.
const NLM_F_MULTI: u16 = 2;
/// `NLM_F_DUMP_FILTERED`: not all objects are in the list.
const NLM_F_DUMP_FILTERED: u16 = 0x20;
/// `NLM_F_CAPPED`: the request is not quoted as a whole.
const NLM_F_CAPPED: u16 = 0x100;
/// `NLM_F_ACK_TLVS`: attributes follow.
const NLM_F_ACK_TLVS: u16 = 0x200;
/// `NLMSGERR_ATTR_MSG`.
const NLMSGERR_ATTR_MSG: u16 = 1;
/// `NLM_F_REQUEST`.
const NLM_F_REQUEST: u16 = 1;
/// `NLM_F_ACK`.
const NLM_F_ACK: u16 = 4;
/// `NLM_F_DUMP`, of requests for something.
const NLM_F_DUMP: u16 = 0x300;
/// `NLM_F_REPLACE`, `NLM_F_EXCL`, `NLM_F_CREATE`: of requests for a change.
const NLM_F_REPLACE: u16 = 0x100;
const NLM_F_EXCL: u16 = 0x200;
const NLM_F_CREATE: u16 = 0x400;
/// The bits of an attribute's type that are no type: `NLA_F_NESTED`, `NLA_F_NET_BYTEORDER`.
const NLA_FLAGS: u16 = 0xc000;

/// How a socket wants to be answered (netlink(7)).
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Manners {
    /// `NETLINK_CAP_ACK`: requests are not quoted.
    pub(super) cap: bool,
    /// `NETLINK_EXT_ACK`: errors say why.
    pub(super) extended: bool,
    /// `NETLINK_GET_STRICT_CHK`: what a request for a list says about its objects counts.
    pub(super) strict: bool,
}

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) errno: Errno,
    /// In Linux's words.
    text: Option<&'static str>,
}

impl Refusal {
    pub(super) const fn because(errno: Errno, text: &'static str) -> Self {
        Self { errno, text: Some(text) }
    }
}

impl From<Errno> for Refusal {
    fn from(errno: Errno) -> Self {
        Self { errno, text: None }
    }
}

/// One request of a program.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request<'a> {
    /// `nlmsg_type`.
    pub(super) kind: u16,
    flags: u16,
    sequence: u32,
    header: &'a [u8],
    pub(super) manners: Manners,
    /// What follows the header.
    pub(super) body: &'a [u8],
}

impl<'a> Request<'a> {
    /// The attributes behind a header of `header` bytes.
    pub(super) fn attributes(&self, header: usize) -> Attributes<'a> {
        Attributes(self.body.get(header..).unwrap_or_default())
    }
}

impl Request<'_> {
    /// Whether what is not there is to be made.
    pub(super) fn creates(&self) -> bool {
        self.flags & NLM_F_CREATE != 0
    }

    /// Whether what is there is to be replaced.
    pub(super) fn replaces(&self) -> bool {
        self.flags & NLM_F_REPLACE != 0
    }

    /// Whether nothing may be there.
    pub(super) fn is_exclusive(&self) -> bool {
        self.flags & NLM_F_EXCL != 0
    }

    /// Whether all objects are asked for.
    pub(super) fn is_dump(&self) -> bool {
        self.flags & NLM_F_DUMP == NLM_F_DUMP
    }

    /// Whether it wants to hear that it succeeded.
    pub(super) fn wants_ack(&self) -> bool {
        self.flags & NLM_F_ACK != 0
    }

    /// Byte `at` of the body, 0 if it is too short.
    pub(super) fn byte(&self, at: usize) -> u8 {
        self.body.get(at).copied().unwrap_or(0)
    }

    /// The number at byte `at` of the body, 0 if it is too short.
    pub(super) fn number(&self, at: usize) -> u32 {
        let bytes = self.body.get(at..).and_then(|rest| rest.first_chunk::<4>());
        bytes.map_or(0, |bytes| u32::from_ne_bytes(*bytes))
    }

    /// An answer to it.
    pub(super) fn reply(&self, kind: u16, port: u32, body: &[u8]) -> Vec<u8> {
        let flags = if self.is_dump() { NLM_F_MULTI } else { 0 };
        message(kind, flags, self.sequence, port, body)
    }

    /// One object of a list that was filtered.
    pub(super) fn filtered(&self, kind: u16, port: u32, body: &[u8]) -> Vec<u8> {
        message(kind, NLM_F_MULTI | NLM_F_DUMP_FILTERED, self.sequence, port, body)
    }

    /// The end of a list.
    pub(super) fn done(&self, port: u32) -> Vec<u8> {
        message(NLMSG_DONE, NLM_F_MULTI, self.sequence, port, &0_u32.to_ne_bytes())
    }

    /// The end of a list that cannot be made (net/netlink/af_netlink.c, netlink_dump_done).
    pub(super) fn broken_off(&self, port: u32, refusal: Refusal) -> Vec<u8> {
        let mut body = (-refusal.errno.number()).to_ne_bytes().to_vec();
        let flags = self.explain(&mut body, refusal);
        message(NLMSG_DONE, NLM_F_MULTI | flags, self.sequence, port, &body)
    }

    /// That it succeeded.
    pub(super) fn acknowledgement(&self, port: u32) -> Vec<u8> {
        let body = [&0_u32.to_ne_bytes()[..], self.header].concat();
        message(NLMSG_ERROR, NLM_F_CAPPED, self.sequence, port, &body)
    }

    /// That it failed (net/netlink/af_netlink.c, netlink_ack).
    pub(super) fn error(&self, port: u32, refusal: impl Into<Refusal>) -> Vec<u8> {
        let refusal = refusal.into();
        let mut body = [&(-refusal.errno.number()).to_ne_bytes()[..], self.header].concat();
        let mut flags = 0;
        if self.manners.cap {
            flags |= NLM_F_CAPPED;
        } else {
            body.extend_from_slice(self.body);
            body.resize(body.len().next_multiple_of(4), 0);
        }
        flags |= self.explain(&mut body, refusal);
        message(NLMSG_ERROR, flags, self.sequence, port, &body)
    }

    /// Appends the reason where it is wanted; answers what the header has to say of it.
    fn explain(&self, body: &mut Vec<u8>, refusal: Refusal) -> u16 {
        match refusal.text.filter(|_| self.manners.extended) {
            Some(text) => {
                attribute(body, NLMSGERR_ATTR_MSG, &[text.as_bytes(), &[0]].concat());
                NLM_F_ACK_TLVS
            }
            None => 0,
        }
    }
}

/// The attributes of a message. What is malformed ends them, as in the kernel (nla_parse).
#[derive(Debug, Clone, Copy)]
pub(super) struct Attributes<'a>(&'a [u8]);

impl<'a> Attributes<'a> {
    /// The value of an attribute; of several the last counts.
    pub(super) fn get(&self, kind: u16) -> Option<&'a [u8]> {
        let (mut rest, mut found) = (self.0, None);
        while let [a, b, c, d, ..] = *rest {
            let len = usize::from(u16::from_ne_bytes([a, b]));
            let Some(value) = rest.get(4..len) else { break };
            if u16::from_ne_bytes([c, d]) & !NLA_FLAGS == kind {
                found = Some(value);
            }
            rest = rest.get(len.next_multiple_of(4)..).unwrap_or_default();
        }
        found
    }

    /// A number of 32 bits.
    ///
    /// # Errors
    /// `ERANGE`: the attribute is too short for one.
    pub(super) fn number(&self, kind: u16) -> Result<Option<u32>, Errno> {
        let Some(value) = self.get(kind) else { return Ok(None) };
        value.first_chunk().map(|bytes| Some(u32::from_ne_bytes(*bytes))).ok_or(Errno::ERANGE)
    }

    /// A text, which a NUL may end.
    ///
    /// # Errors
    /// `EINVAL`: not a text.
    pub(super) fn text(&self, kind: u16) -> Result<Option<&'a str>, Errno> {
        let Some(value) = self.get(kind) else { return Ok(None) };
        let text = value.split(|byte| *byte == 0).next().unwrap_or_default();
        str::from_utf8(text).map(Some).map_err(|_| Errno::EINVAL)
    }

    /// The attributes inside of one; none where it is missing.
    pub(super) fn nested(&self, kind: u16) -> Self {
        Self(self.get(kind).unwrap_or_default())
    }
}

/// A message that nobody asked for.
pub(super) fn notification(kind: u16, body: &[u8]) -> Vec<u8> {
    message(kind, 0, 0, 0, body)
}

/// The requests in a datagram; what is malformed ends them, as in the kernel (netlink_rcv_skb).
pub(super) fn requests(mut data: &[u8], manners: Manners) -> Vec<Request<'_>> {
    let mut found = Vec::new();
    while let Some(header) = data.get(..HEADER) {
        let Some(len) = header.first_chunk::<4>().map(|bytes| u32::from_ne_bytes(*bytes)) else { break };
        let Some(body) = usize::try_from(len).ok().and_then(|len| data.get(HEADER..len)) else { break };
        let kind = u16::from_ne_bytes([header[4], header[5]]);
        let flags = u16::from_ne_bytes([header[6], header[7]]);
        let sequence = u32::from_ne_bytes([header[8], header[9], header[10], header[11]]);
        // Numbers below 16 are for control; those that no request has are skipped.
        if flags & NLM_F_REQUEST != 0 && kind >= 16 {
            found.push(Request { kind, flags, sequence, header, manners, body });
        }
        data = data.get((HEADER + body.len()).next_multiple_of(4)..).unwrap_or_default();
    }
    found
}

fn message(kind: u16, flags: u16, sequence: u32, port: u32, body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(HEADER + body.len()).unwrap_or(u32::MAX);
    let mut bytes = len.to_ne_bytes().to_vec();
    bytes.extend_from_slice(&kind.to_ne_bytes());
    bytes.extend_from_slice(&flags.to_ne_bytes());
    bytes.extend_from_slice(&sequence.to_ne_bytes());
    bytes.extend_from_slice(&port.to_ne_bytes());
    bytes.extend_from_slice(body);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// Appends an attribute (`struct rtattr`).
pub(super) fn attribute(bytes: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let len = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
    bytes.extend_from_slice(&len.to_ne_bytes());
    bytes.extend_from_slice(&kind.to_ne_bytes());
    bytes.extend_from_slice(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_requests_end_the_list() {
        let good = message(18, NLM_F_REQUEST, 7, 0, &[1, 2, 3, 4]);
        assert_eq!(requests(&good, Manners::default()).len(), 1);
        assert_eq!(requests(&[good.clone(), good.clone()].concat(), Manners::default()).len(), 2);
        for cut in 0..good.len() {
            assert!(requests(&good[..cut], Manners::default()).is_empty(), "{cut} bytes");
        }
        let mut short = good.clone();
        short[0] = 3;
        assert!(requests(&short, Manners::default()).is_empty(), "shorter than its own header");
    }

    #[test]
    fn attributes_are_found_within_their_bounds() {
        let mut bytes = Vec::new();
        attribute(&mut bytes, 3, b"eth0\0");
        attribute(&mut bytes, 4 | NLA_FLAGS, &7_u32.to_ne_bytes());
        attribute(&mut bytes, 5, &[1]);
        let all = Attributes(&bytes);
        assert_eq!(all.text(3), Ok(Some("eth0")));
        assert_eq!(all.number(4), Ok(Some(7)));
        assert_eq!(all.number(5), Err(Errno::ERANGE));
        assert_eq!(all.get(6), None);
        for cut in 0..bytes.len() {
            // Any end will do.
            let _ = Attributes(&bytes[..cut]).get(5);
        }
        assert_eq!(Attributes(&[2, 0, 3, 0, 1, 1]).get(3), None, "shorter than its own header");
    }
}
