//! A configuration file of wg-quick(8).

use crate::link::values;
use std::net::IpAddr;

/// A key, a secret one or a public one.
pub(super) type Key = [u8; 32];

/// What the file says.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Conf {
    pub(super) private_key: Key,
    /// None: any port.
    pub(super) listen_port: Option<u16>,
    pub(super) addresses: Vec<(IpAddr, u8)>,
    pub(super) dns: Vec<IpAddr>,
    /// Domains to search in.
    pub(super) domains: Vec<String>,
    pub(super) mtu: Option<usize>,
    pub(super) peers: Vec<Peer>,
}

/// A `[Peer]` section.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Peer {
    pub(super) public_key: Key,
    pub(super) preshared_key: Option<Key>,
    /// The networks behind it.
    pub(super) allowed: Vec<(IpAddr, u8)>,
    /// HOST:PORT.
    pub(super) endpoint: Option<String>,
    /// Seconds.
    pub(super) keepalive: Option<u16>,
}

/// What is wrong in which line; 0: with the file as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) line: usize,
    pub(super) why: String,
}

/// Keys that say what wg-quick(8) is to do with the host's kernel, which has no part in this.
const OF_THE_HOST: &[&str] = &["fwmark", "saveconfig"];
/// Keys that would change what the tunnel does, and cannot be obeyed.
const REFUSED: &[&str] = &["preup", "postup", "predown", "postdown", "table"];

enum Section {
    None,
    Interface,
    Peer,
}

/// Parses a file.
///
/// # Errors
/// The first line that is wrong.
pub(super) fn parse(text: &str) -> Result<Conf, Wrong> {
    let mut reader = Reader { private_key: None, conf: empty(), peers: Vec::new(), section: Section::None };
    for (at, line) in text.lines().enumerate() {
        reader.line(line, at + 1).map_err(|why| Wrong { line: at + 1, why })?;
    }
    reader.finish()
}

fn empty() -> Conf {
    Conf {
        private_key: [0; 32],
        listen_port: None,
        addresses: Vec::new(),
        dns: Vec::new(),
        domains: Vec::new(),
        mtu: None,
        peers: Vec::new(),
    }
}

struct Reader {
    private_key: Option<Key>,
    conf: Conf,
    /// With the lines in which they begin.
    peers: Vec<(usize, PeerSoFar)>,
    section: Section,
}

#[derive(Default)]
struct PeerSoFar {
    public_key: Option<Key>,
    preshared_key: Option<Key>,
    allowed: Vec<(IpAddr, u8)>,
    endpoint: Option<String>,
    keepalive: Option<u16>,
}

impl Reader {
    fn line(&mut self, line: &str, number: usize) -> Result<(), String> {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            return Ok(());
        }
        if line.starts_with('[') {
            return self.begin(line, number);
        }
        let (name, value) =
            line.split_once('=').ok_or_else(|| format!("'{line}' is neither [Section] nor Key = Value"))?;
        let (name, value) = (name.trim(), value.trim());
        let key = name.to_ascii_lowercase();
        if value.is_empty() {
            return Err(format!("{name} has no value"));
        }
        match self.section {
            Section::None => return Err(format!("'{name}' is in front of [Interface] and [Peer]")),
            Section::Interface => self.interface(&key, name, value),
            Section::Peer => self.peer(&key, name, value),
        }
        .map_err(|why| format!("{name}: {why}"))
    }

    fn begin(&mut self, line: &str, number: usize) -> Result<(), String> {
        self.section = match line.to_ascii_lowercase().as_str() {
            "[interface]" => Section::Interface,
            "[peer]" => {
                self.peers.push((number, PeerSoFar::default()));
                Section::Peer
            }
            _ => return Err(format!("'{line}' is neither [Interface] nor [Peer]")),
        };
        Ok(())
    }

    fn interface(&mut self, key: &str, name: &str, value: &str) -> Result<(), String> {
        let conf = &mut self.conf;
        match key {
            "privatekey" => self.private_key = Some(parse_key(value)?),
            "listenport" => {
                conf.listen_port = Some(value.parse().map_err(|_| format!("'{value}' is no port"))?)
            }
            "address" => conf.addresses.extend(list(value, address)?),
            // What is no address is a domain to search in (wg-quick(8)).
            "dns" => value.split(',').map(str::trim).filter(|part| !part.is_empty()).for_each(|part| {
                match part.parse() {
                    Ok(ip) => conf.dns.push(ip),
                    Err(_) => conf.domains.push(part.to_owned()),
                }
            }),
            "mtu" => conf.mtu = Some(mtu(value)?),
            key if OF_THE_HOST.contains(&key) => {}
            key if REFUSED.contains(&key) => return Err("not supported here; remove the line".to_owned()),
            _ => return Err(format!("'{name}' is no key of [Interface]")),
        }
        Ok(())
    }

    fn peer(&mut self, key: &str, name: &str, value: &str) -> Result<(), String> {
        let Some((_, peer)) = self.peers.last_mut() else { return Ok(()) };
        match key {
            "publickey" => peer.public_key = Some(parse_key(value)?),
            "presharedkey" => peer.preshared_key = Some(parse_key(value)?),
            "allowedips" => peer.allowed.extend(list(value, network)?),
            "endpoint" => peer.endpoint = Some(endpoint(value)?),
            "persistentkeepalive" => peer.keepalive = keepalive(value)?,
            _ => return Err(format!("'{name}' is no key of [Peer]")),
        }
        Ok(())
    }

    fn finish(self) -> Result<Conf, Wrong> {
        let missing = |line, what: &str| Wrong { line, why: format!("{what} is missing") };
        let private_key = self.private_key.ok_or_else(|| missing(0, "[Interface] with PrivateKey"))?;
        let peers = self.peers.into_iter().map(|(line, peer)| {
            Ok(Peer {
                public_key: peer.public_key.ok_or_else(|| missing(line, "PublicKey of this [Peer]"))?,
                preshared_key: peer.preshared_key,
                allowed: peer.allowed,
                endpoint: peer.endpoint,
                keepalive: peer.keepalive,
            })
        });
        Ok(Conf { private_key, peers: peers.collect::<Result<_, _>>()?, ..self.conf })
    }
}

fn list<T>(value: &str, parse: fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    value.split(',').map(|part| parse(part.trim())).collect()
}

/// An address of the interface; without a length it is alone.
fn address(text: &str) -> Result<(IpAddr, u8), String> {
    match text.parse::<IpAddr>() {
        Ok(ip) => values::prefix(&format!("{text}/{}", bits(ip))),
        Err(_) => values::prefix(text),
    }
}

/// A network; bits behind its length are of no importance (wg(8)).
fn network(text: &str) -> Result<(IpAddr, u8), String> {
    let bad = || format!("'{text}' is no network: expected ADDRESS/LENGTH, as in 10.0.0.0/24 or ::/0");
    let (ip, len) = text.split_once('/').map_or((text, None), |(ip, len)| (ip, Some(len)));
    let ip: IpAddr = ip.parse().map_err(|_| bad())?;
    let len = match len {
        None => bits(ip),
        Some(len) => len.parse().ok().filter(|len| *len <= bits(ip)).ok_or_else(bad)?,
    };
    Ok((ip, len))
}

fn bits(ip: IpAddr) -> u8 {
    if ip.is_ipv4() { 32 } else { 128 }
}

fn endpoint(text: &str) -> Result<String, String> {
    let port = text
        .rsplit_once(':')
        .filter(|(host, _)| !host.is_empty())
        .and_then(|(_, port)| port.parse::<u16>().ok());
    port.filter(|port| *port > 0).ok_or_else(|| format!("'{text}' is not HOST:PORT"))?;
    Ok(text.to_owned())
}

fn keepalive(text: &str) -> Result<Option<u16>, String> {
    match text {
        "off" => Ok(None),
        _ => match text.parse() {
            Ok(0) => Ok(None),
            Ok(seconds) => Ok(Some(seconds)),
            Err(_) => Err(format!("'{text}' is neither off nor 0 to 65535 seconds")),
        },
    }
}

fn mtu(text: &str) -> Result<usize, String> {
    let mtu = text.parse().ok().filter(|mtu| (576..=65535).contains(mtu));
    mtu.ok_or_else(|| format!("'{text}' is not between 576 and 65535"))
}

/// 32 bytes in base64 (RFC 4648, section 4).
fn parse_key(text: &str) -> Result<Key, String> {
    const DIGITS: usize = 43;
    let bad = || "not a key: expected 44 characters of base64, as wg genkey writes them".to_owned();
    let digits = text.strip_suffix('=').filter(|digits| digits.len() == DIGITS).ok_or_else(bad)?;
    let (mut key, mut filled) = ([0; 32], 0);
    let (mut bits, mut count) = (0_u32, 0);
    for digit in digits.bytes() {
        bits = bits << 6 | u32::from(base64(digit).ok_or_else(bad)?);
        count += 6;
        if count >= 8 {
            count -= 8;
            key[filled] = (bits >> count & 0xff) as u8;
            filled += 1;
        }
    }
    // Two bits are left over, which must be 0.
    if bits & ((1 << count) - 1) == 0 { Ok(key) } else { Err(bad()) }
}

fn base64(digit: u8) -> Option<u8> {
    match digit {
        b'A'..=b'Z' => Some(digit - b'A'),
        b'a'..=b'z' => Some(digit - b'a' + 26),
        b'0'..=b'9' => Some(digit - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEY: &str = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=";

    fn good() -> String {
        format!(
            "# A comment\n[Interface]\nPrivateKey = {KEY}\nAddress = 10.9.0.2/24, fd09::2\nDNS = 10.9.0.1, example.org\n\
             MTU=1400\nListenPort = 51820 # here\n\n[peer]\npublickey={KEY}\nPresharedKey = {KEY}\n\
             AllowedIPs = 0.0.0.0/0, ::/0\nEndpoint = vpn.example.org:51820\nPersistentKeepalive = 25\n"
        )
    }

    #[test]
    fn a_full_one() {
        let conf = parse(&good()).ok().unwrap();
        assert_eq!(conf.private_key[..4], [0xc8, 0x09, 0xf3, 0xe5]);
        assert_eq!(conf.addresses.len(), 2);
        assert_eq!(conf.addresses[1].1, 128);
        assert_eq!(conf.domains, ["example.org"]);
        assert_eq!((conf.dns.len(), conf.mtu, conf.listen_port), (1, Some(1400), Some(51820)));
        let peer = &conf.peers[0];
        assert_eq!((peer.allowed.len(), peer.keepalive), (2, Some(25)));
        assert_eq!(peer.endpoint, Some("vpn.example.org:51820".to_owned()));
    }

    #[test]
    fn what_is_wrong_and_where() {
        let wrong = |from: &str, to: &str| parse(&good().replacen(from, to, 1)).err().map(|wrong| wrong.line);
        assert_eq!(wrong("PrivateKey = ", "PrivateKey = x"), Some(3));
        assert_eq!(wrong("10.9.0.2/24", "10.9.0.2/33"), Some(4));
        assert_eq!(wrong("MTU=1400", "MTU=14"), Some(6));
        assert_eq!(wrong("MTU=1400", "PostUp = iptables -F"), Some(6));
        assert_eq!(wrong("MTU=1400", "Colour = red"), Some(6));
        assert_eq!(wrong("MTU=1400", "nonsense"), Some(6));
        assert_eq!(wrong("[peer]", "[pear]"), Some(9));
        assert_eq!(wrong(&format!("publickey={KEY}"), ""), Some(9));
        assert_eq!(wrong(":51820", ""), Some(13));
        assert_eq!(wrong("PersistentKeepalive = 25", "PersistentKeepalive = never"), Some(14));
        assert_eq!(wrong("[Interface]", ""), Some(3));
        assert_eq!(wrong(&format!("PrivateKey = {KEY}"), ""), Some(0));
    }

    proptest! {
        #[test]
        fn any_text_will_do(text in "(?s).{0,300}") {
            let _ = parse(&text);
        }

        #[test]
        fn any_lines_will_do(lines in prop::collection::vec("(\\[Interface\\]|\\[Peer\\]|[A-Za-z]{1,12} ?= ?[0-9a-z./:,]{0,20})", 0..20)) {
            let _ = parse(&lines.join("\n"));
        }
    }
}
