//! What is exported, to whom and how, in the words of exports(5).

use std::net::IpAddr;
use vfs::Location;

/// `anonuid` and `anongid` unless said otherwise.
const NOBODY: u32 = 65534;
const DIRECTORIES_MAX: usize = 1024;
const CLIENTS_MAX: usize = 256;

/// Exported directories.
#[derive(Debug, Default)]
pub struct Exports(Vec<Export>);

/// An exported directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// Its path in the kernel's tree.
    pub path: Vec<u8>,
    /// It.
    pub root: Location,
    /// Who may use it, most specific first.
    pub clients: Vec<Client>,
}

/// Some clients and what holds for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// Who: a network; none: all.
    network: Option<(IpAddr, u8)>,
    /// How.
    pub options: Options,
    /// As it was written.
    text: String,
}

/// exports(5), 'General Options' and 'User ID Mapping'.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// `rw`
    pub writable: bool,
    /// `secure`: requests come from ports below 1024.
    pub secure: bool,
    /// `async`: a write is answered before it is on the disk, even where the client asks for it to be.
    pub unsynchronized: bool,
    /// `crossmnt`: what is mounted below is seen.
    pub crosses_mounts: bool,
    /// Whose user ids are not believed.
    pub squash: Squash,
    /// `anonuid`
    pub anonymous_uid: u32,
    /// `anongid`
    pub anonymous_gid: u32,
}

/// Who becomes the anonymous user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Squash {
    /// `no_root_squash`: nobody.
    None,
    /// `root_squash`: root.
    Root,
    /// `all_squash`: all.
    All,
}

impl Default for Options {
    /// exports(5)'s.
    fn default() -> Self {
        Self {
            writable: false,
            secure: true,
            unsynchronized: false,
            crosses_mounts: false,
            squash: Squash::Root,
            anonymous_uid: NOBODY,
            anonymous_gid: NOBODY,
        }
    }
}

impl Options {
    /// Options parted by commas, on top of these.
    ///
    /// # Errors
    /// What is wrong with which.
    pub fn parse(mut self, text: &str) -> Result<Self, String> {
        for option in text.split(',').filter(|option| !option.is_empty()) {
            self.set(option)?;
        }
        Ok(self)
    }

    fn set(&mut self, option: &str) -> Result<(), String> {
        let (name, value) =
            option.split_once('=').map_or((option, None), |(name, value)| (name, Some(value)));
        let number = || {
            let number = value.and_then(|value| value.parse().ok());
            number.ok_or_else(|| format!("'{option}': expected {name}=NUMBER"))
        };
        match name {
            "anonuid" => self.anonymous_uid = number()?,
            "anongid" => self.anonymous_gid = number()?,
            "sec" if value == Some("sys") => {}
            _ if value.is_some() => return Err(format!("'{option}': an unknown option")),
            "ro" => self.writable = false,
            "rw" => self.writable = true,
            "secure" => self.secure = true,
            "insecure" => self.secure = false,
            "sync" => self.unsynchronized = false,
            "async" => self.unsynchronized = true,
            "crossmnt" => self.crosses_mounts = true,
            "root_squash" => self.squash = Squash::Root,
            "no_root_squash" => self.squash = Squash::None,
            "all_squash" => self.squash = Squash::All,
            "no_all_squash" => {
                self.squash = if self.squash == Squash::All { Squash::Root } else { self.squash }
            }
            // What is done anyway, and what there is nothing to do for.
            "no_subtree_check" | "wdelay" | "no_wdelay" | "hide" | "auth_nlm" | "no_acl" => {}
            _ => return Err(format!("'{option}': an unknown option; exports(5) lists them")),
        }
        Ok(())
    }

    /// As exports(5) writes them.
    #[must_use]
    pub fn text(&self) -> String {
        let mut words = vec![
            if self.writable { "rw" } else { "ro" },
            if self.unsynchronized { "async" } else { "sync" },
            if self.secure { "secure" } else { "insecure" },
            match self.squash {
                Squash::None => "no_root_squash",
                Squash::Root => "root_squash",
                Squash::All => "all_squash",
            },
            "no_subtree_check",
        ];
        if self.crosses_mounts {
            words.push("crossmnt");
        }
        let mut text = words.join(",");
        if (self.anonymous_uid, self.anonymous_gid) != (NOBODY, NOBODY) {
            text += &format!(",anonuid={},anongid={}", self.anonymous_uid, self.anonymous_gid);
        }
        text
    }
}

impl Client {
    /// `CLIENT[(OPTIONS)]`, where CLIENT is `*`, an address, or a network (`10.0.0.0/8`, `10.0.0.0/255.0.0.0`, `fd00::/8`). The options
    /// come on top of `defaults`.
    ///
    /// # Errors
    /// What is wrong.
    pub fn parse(text: &str, defaults: Options) -> Result<Self, String> {
        let (name, options) = match text.split_once('(') {
            Some((name, rest)) => {
                let options = rest.strip_suffix(')').ok_or_else(|| format!("'{text}': a ) is missing"))?;
                (name, options)
            }
            None => (text, ""),
        };
        let network = match name {
            "*" | "" => None,
            name => Some(network(name).ok_or_else(|| {
                format!("'{name}': expected *, an address or a network such as 10.0.0.0/8 (names are not looked up)")
            })?),
        };
        let options = defaults.parse(options)?;
        let name = if name.is_empty() { "*" } else { name };
        Ok(Self { network, options, text: name.to_owned() })
    }

    /// Who, as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    fn covers(&self, address: IpAddr) -> bool {
        self.network.is_none_or(|(network, len)| prefix(network, len) == prefix(address, len))
    }

    /// Bits that it names; more are more specific.
    fn bits(&self) -> u8 {
        self.network.map_or(0, |(_, len)| len + 1)
    }
}

/// An address and the length of its prefix.
fn network(text: &str) -> Option<(IpAddr, u8)> {
    let (address, mask) = text.split_once('/').map_or((text, None), |(address, mask)| (address, Some(mask)));
    let address: IpAddr = address.parse().ok()?;
    let whole = if address.is_ipv4() { 32 } else { 128 };
    let len = match mask {
        None => whole,
        Some(mask) if mask.contains('.') => {
            let IpAddr::V4(mask) = mask.parse().ok()? else { return None };
            let ones = mask.to_bits().leading_ones();
            (mask.to_bits().count_ones() == ones && whole == 32).then_some(ones)?
        }
        Some(mask) => mask.parse().ok().filter(|len| *len <= whole)?,
    };
    Some((address, u8::try_from(len).ok()?))
}

/// The first bits of an address, and which family it is of.
fn prefix(address: IpAddr, len: u8) -> (bool, u128) {
    let (bits, whole) = match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()), 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    };
    (whole == 32, bits.checked_shr(whole - u32::from(len)).unwrap_or(0))
}

impl Export {
    /// A directory for some clients.
    #[must_use]
    pub fn new(path: Vec<u8>, root: Location, mut clients: Vec<Client>) -> Self {
        clients.sort_by_key(|client| std::cmp::Reverse(client.bits()));
        Self { path, root, clients }
    }

    /// What holds for a client; none: it is not for it.
    #[must_use]
    pub fn options_for(&self, address: IpAddr) -> Option<Options> {
        self.clients.iter().find(|client| client.covers(address)).map(|client| client.options)
    }

    /// What handles name it by: it stays when the server is started again (FNV-1a).
    pub(crate) fn id(&self) -> u64 {
        self.path.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
        })
    }
}

impl Exports {
    /// Exports a directory, for the clients that were named last.
    ///
    /// # Errors
    /// Why it cannot be.
    ///
    /// Answers what it was exported as before.
    pub fn add(&mut self, export: Export) -> Result<Option<Export>, String> {
        if export.clients.len() > CLIENTS_MAX {
            return Err(format!("more than {CLIENTS_MAX} clients"));
        }
        if let Some(known) = self.0.iter_mut().find(|known| known.path == export.path) {
            return Ok(Some(std::mem::replace(known, export)));
        }
        if self.0.len() >= DIRECTORIES_MAX {
            return Err(format!("more than {DIRECTORIES_MAX} directories"));
        }
        self.0.push(export);
        Ok(None)
    }

    /// Exports a directory no more; answers what it was exported as.
    pub fn remove(&mut self, path: &[u8]) -> Option<Export> {
        let at = self.0.iter().position(|known| known.path == path)?;
        Some(self.0.remove(at))
    }

    /// All, in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = &Export> {
        self.0.iter()
    }

    pub(crate) fn by_id(&self, id: u64) -> Option<&Export> {
        self.0.iter().find(|export| export.id() == id)
    }

    /// The directory that a path lies in, and the rest of the path.
    pub(crate) fn above<'a>(&self, path: &'a [u8]) -> Option<(&Export, &'a [u8])> {
        let below = |export: &Export| -> Option<&'a [u8]> {
            let top = export.path.strip_suffix(b"/").unwrap_or(&export.path);
            let rest = path.strip_prefix(top)?;
            (rest.is_empty() || rest.starts_with(b"/")).then_some(rest)
        };
        let found = self.0.iter().filter_map(|export| Some((export, below(export)?)));
        found.max_by_key(|(export, _)| export.path.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(text: &str) -> Client {
        Client::parse(text, Options::default()).expect(text)
    }

    #[test]
    fn clients_are_addresses_and_networks() {
        for (text, inside, outside) in [
            ("10.1.1.1", "10.1.1.1", "10.1.1.2"),
            ("10.1.0.0/16", "10.1.255.9", "10.2.0.1"),
            ("10.1.1.7/255.255.255.0", "10.1.1.9", "10.1.2.9"),
            ("fd00::/8", "fd12::1", "fe80::1"),
            ("0.0.0.0/0", "1.2.3.4", "::1"),
        ] {
            let client = client(text);
            assert!(client.covers(inside.parse().expect("an address")), "{text} {inside}");
            assert!(!client.covers(outside.parse().expect("an address")), "{text} {outside}");
        }
        assert!(client("*").covers([1, 2, 3, 4].into()));
        for wrong in
            ["host", "10.1.1.0/33", "10.1.1.0/255.0.255.0", "@group", "10.0.0.1(rw", "*(rx)", "*(anonuid=x)"]
        {
            assert!(Client::parse(wrong, Options::default()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn options_are_those_of_the_manual_page() {
        assert_eq!(client("*").options.text(), "ro,sync,secure,root_squash,no_subtree_check");
        let options = client("*(rw,async,insecure,no_root_squash,crossmnt,anonuid=7,anongid=8)").options;
        let again = Options::default().parse(&options.text()).expect("its own words");
        assert_eq!(again, options);
        assert!(
            client("*(rw,ro)").options.writable == client("*(ro)").options.writable,
            "the last one holds"
        );
    }
}
