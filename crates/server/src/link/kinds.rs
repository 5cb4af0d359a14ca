//! The table of link types: one row and one file each.

use crate::link::backend::{Backend, Watch};
use crate::link::{bus, dgram, faults, netspec, passt, stream, tap, user, wg};
use crate::spec::Fields;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::PathBuf;
use tcpip::Mac;

/// A type of link.
pub struct Kind {
    /// The value of `type=`.
    pub name: &'static str,
    /// What it is, in a line.
    pub about: &'static str,
    /// Whether its frames are Ethernet's; else they are bare IP packets.
    pub ethernet: bool,
    /// Its own keys: name, what its value is, what it means.
    pub keys: &'static [(&'static str, &'static str, &'static str)],
    /// Takes its own keys out of a netspec.
    pub(crate) parse: fn(&mut Fields) -> Result<Box<dyn Plan>, String>,
}

impl std::fmt::Debug for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// All of them.
pub const KINDS: &[&Kind] =
    &[&bus::KIND, &stream::KIND, &dgram::KIND, &passt::KIND, &tap::KIND, &user::KIND, &wg::KIND];

/// What a netspec says about its link's type, checked as far as text can be.
pub(crate) trait Plan: std::fmt::Debug + Send + Sync {
    /// Opens the link on the host.
    ///
    /// # Errors
    /// What cannot be done, to what, and what would help, as one line.
    fn open(&self, opening: Opening) -> Result<Opened, String>;
}

/// A link that is open, and what it says about its interface itself.
pub(crate) struct Opened {
    pub(crate) backend: Box<dyn Backend>,
    /// Addresses besides the netspec's.
    pub(crate) addrs: Vec<(IpAddr, u8)>,
    /// Default gateways besides the netspec's.
    pub(crate) gateways: Vec<IpAddr>,
    /// Networks that are behind it.
    pub(crate) routes: Vec<(IpAddr, u8)>,
    /// Name servers besides the netspec's.
    pub(crate) name_servers: Vec<IpAddr>,
    /// Domains in which names are looked up besides the netspec's.
    pub(crate) domains: Vec<String>,
    /// Its largest IP packet, unless the netspec says it.
    pub(crate) mtu: Option<usize>,
}

impl Opened {
    /// A link that says nothing itself.
    pub(crate) fn plain(backend: impl Backend + 'static) -> Self {
        let (addrs, gateways, routes) = (Vec::new(), Vec::new(), Vec::new());
        let (name_servers, domains) = (Vec::new(), Vec::new());
        Self { backend: Box::new(backend), addrs, gateways, routes, name_servers, domains, mtu: None }
    }
}

/// What the opening of a link starts from.
pub(crate) struct Opening {
    /// Its Ethernet address; none: its frames are bare IP packets.
    pub(crate) mac: Option<Mac>,
    /// The largest IP packet, if the netspec says it.
    pub(crate) mtu: Option<usize>,
    /// Its addresses.
    pub(crate) addrs: Vec<(IpAddr, u8)>,
    /// Its gateways.
    pub(crate) gateways: Vec<IpAddr>,
    /// DHCP will say its IPv4 address and gateway.
    pub(crate) dhcp: bool,
    /// Relative paths start here.
    pub(crate) directory: PathBuf,
    /// Where its descriptors are watched.
    pub(crate) watch: Watch,
}

/// The type of this name.
pub(crate) fn find(name: &str) -> Option<&'static Kind> {
    KINDS.iter().copied().find(|kind| kind.name == name)
}

/// The names of all types.
pub(crate) fn names() -> String {
    KINDS.iter().map(|kind| kind.name).collect::<Vec<_>>().join(", ")
}

/// The keys that links of all types have, besides their name.
pub fn common_keys() -> impl Iterator<Item = &'static str> {
    netspec::KEYS.iter().map(|(name, ..)| *name).filter(|name| *name != "ifname").chain(fault_names())
}

/// The keys of faults.
pub fn fault_names() -> impl Iterator<Item = &'static str> {
    faults::KEYS.iter().map(|key| key.name)
}

/// What `rump_server --help` says about -n.
#[must_use]
pub fn help() -> String {
    let mut text =
        "A network link: name=NAME,type=TYPE[,KEY=VALUE...]; may be repeated\n\nTypes, and their own keys:\n"
            .to_owned();
    for kind in KINDS {
        let _ = writeln!(text, "  {:<8}{}", kind.name, kind.about);
        for (name, value, about) in kind.keys {
            let _ = writeln!(text, "    {:<20}{about}", format!("{name}={value}"));
        }
    }
    text.push_str("\nKeys of all types:\n");
    for (name, value, about) in netspec::KEYS {
        let _ = writeln!(text, "    {:<20}{about}", format!("{name}={value}"));
    }
    text.push_str("\nFaults of the line, in the direction away from this kernel (as tc-netem(8)):\n");
    for key in faults::KEYS {
        let _ = writeln!(text, "    {:<20}{}", format!("{}={}", key.name, key.value), key.about);
    }
    text.truncate(text.trim_end().len());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The page that people write by hand has all that --help has.
    #[test]
    fn rump_server_1_has_every_type_and_key() {
        const PAGE: &str = include_str!("../../../../man/rump_server.1");
        let own = KINDS.iter().flat_map(|kind| kind.keys.iter().map(|(name, ..)| *name));
        let names = own
            .chain(netspec::KEYS.iter().map(|(name, ..)| *name))
            .chain(faults::KEYS.iter().map(|key| key.name))
            .chain(KINDS.iter().map(|kind| kind.name));
        for name in names {
            let word = |line: &str| line.split([' ', '=', ',']).any(|word| word == name);
            let named = PAGE.lines().any(|line| line.starts_with('.') && word(line));
            assert!(named, "man/rump_server.1 does not tell of {name}");
        }
    }
}
