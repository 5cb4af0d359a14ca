//! `name=NAME,type=TYPE[,KEY=VALUE...]`: a link as -n and `rump link add` describe it.

use crate::link::kinds::{self, Kind, Plan};
use crate::link::{faults, values};
use crate::spec::Fields;
use std::net::IpAddr;
use std::sync::Arc;
use tcpip::Mac;
use tcpip::fault::FaultSpec;

const FORM: &str = "name=NAME,type=TYPE[,KEY=VALUE...]";
/// `IFNAMSIZ` less the NUL (netdevice(7)).
const NAME_MAX: usize = 15;
/// Of Ethernet.
pub(crate) const MTU_DEFAULT: usize = 1500;
/// `ETH_MIN_MTU`.
const MTU_MIN: usize = 68;
const MTU_MAX: usize = 65535;
/// Keys that may be there several times.
const REPEATED: &[&str] = &["addr", "gw", "route", "dns", "search", "dnsfwd", "hostfwd"];

/// Keys of all types besides the faults': name, what its value is, what it means.
pub(crate) const KEYS: &[(&str, &str, &str)] = &[
    ("ifname", "NAME", "the same as name"),
    ("mac", "ADDRESS", "its Ethernet address; by default a random one"),
    ("mtu", "BYTES", "its largest IP packet, 68 to 65535, by default 1500; IPv6 needs 1280"),
    ("addr", "ADDRESS/LEN", "an address of its own; may be repeated"),
    ("gw", "ADDRESS", "the default gateway; one for IPv4 and one for IPv6"),
    ("dns", "ADDRESS", "a name server for the kernel's /etc/resolv.conf; may be repeated"),
    ("search", "DOMAIN", "a domain in which it looks short names up; may be repeated"),
    ("route", "NET/LEN via ADDRESS", "a route through a gateway; may be repeated"),
    ("dhcp", "yes|no", "whether DHCP finds address, gateway and name servers"),
    ("up", "yes|no", "whether it is up, by default yes"),
];

/// A network link.
#[derive(Debug, Clone)]
pub struct NetSpec {
    /// Its name in the rump kernel.
    pub(crate) name: String,
    /// What carries its packets.
    pub kind: &'static Kind,
    pub(crate) plan: Arc<dyn Plan>,
    /// None: a random one.
    pub mac: Option<Mac>,
    /// None: the type's own.
    pub(crate) mtu: Option<usize>,
    /// None: the type's own.
    pub(crate) name_servers: Vec<IpAddr>,
    pub(crate) domains: Vec<String>,
    /// Its addresses, with the lengths of their prefixes.
    pub addrs: Vec<(IpAddr, u8)>,
    /// Its default gateways.
    pub gateways: Vec<IpAddr>,
    /// Its other routes: network, length of its prefix, gateway.
    pub routes: Vec<(IpAddr, u8, IpAddr)>,
    /// A DHCP server says its address, gateway and name servers.
    pub dhcp: bool,
    pub(crate) up: bool,
    pub(crate) faults: FaultSpec,
}

impl NetSpec {
    /// Parses a netspec.
    ///
    /// # Errors
    /// What is wrong, for whom to mend it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let fields = Fields::parse(text, REPEATED);
        fields.and_then(Self::of).map_err(|why| format!("{why}; expected {FORM}"))
    }

    /// The netspec of these keys and values.
    ///
    /// # Errors
    /// What is wrong, for whom to mend it.
    pub fn from_pairs(pairs: &[(String, String)]) -> Result<Self, String> {
        Self::of(Fields::of(pairs.to_vec(), REPEATED)?)
    }

    fn of(mut fields: Fields) -> Result<Self, String> {
        let name = name(&mut fields)?;
        let kind = fields.required("type")?;
        let kind =
            kinds::find(&kind).ok_or_else(|| format!("type '{kind}' is none of {}", kinds::names()))?;
        let plan = (kind.parse)(&mut fields)?.into();
        let spec = Self {
            name,
            kind,
            plan,
            mac: fields.parsed("mac", values::mac)?,
            mtu: fields.parsed("mtu", mtu)?,
            addrs: fields.all_parsed("addr", values::prefix)?,
            gateways: gateways(fields.all_parsed("gw", values::address)?)?,
            name_servers: fields.all_parsed("dns", values::address)?,
            domains: fields.all_parsed("search", values::domain)?,
            routes: fields.all_parsed("route", values::route)?,
            dhcp: fields.parsed("dhcp", values::yes_no)?.unwrap_or(false),
            up: fields.parsed("up", values::yes_no)?.unwrap_or(true),
            faults: take_faults(&mut fields)?,
        };
        if spec.dhcp && !kind.ethernet {
            return Err(format!("dhcp=yes: a link of type '{}' carries no broadcasts", kind.name));
        }
        fields.finish(&known(kind))?;
        Ok(spec)
    }
}

fn name(fields: &mut Fields) -> Result<String, String> {
    let name = match (fields.take("name"), fields.take("ifname")) {
        (Some(name), None) | (None, Some(name)) => name,
        (Some(name), Some(same)) if name == same => name,
        (Some(name), Some(other)) => {
            return Err(format!("name '{name}' and ifname '{other}' are the same thing"));
        }
        (None, None) => return Err("'name=' is missing".to_owned()),
    };
    check_name(&name)?;
    Ok(name)
}

/// As Linux's `dev_valid_name`.
fn check_name(name: &str) -> Result<(), String> {
    if name.is_empty() || name.len() > NAME_MAX {
        return Err(format!("name '{name}' is not 1 to {NAME_MAX} bytes long"));
    }
    if name == "."
        || name == ".."
        || name.contains(|c: char| c == '/' || c == ':' || c.is_whitespace() || c.is_control())
    {
        return Err(format!(
            "name '{}' is no interface's name: no '/', ':' or white space",
            name.escape_debug()
        ));
    }
    if name == "lo" {
        return Err("name 'lo' is the loopback interface's".to_owned());
    }
    Ok(())
}

fn mtu(text: &str) -> Result<usize, String> {
    let mtu = text.parse().ok().filter(|mtu| (MTU_MIN..=MTU_MAX).contains(mtu));
    mtu.ok_or_else(|| format!("'{text}' is not between {MTU_MIN} and {MTU_MAX}"))
}

fn gateways(gateways: Vec<IpAddr>) -> Result<Vec<IpAddr>, String> {
    for family in [IpAddr::is_ipv4, IpAddr::is_ipv6] {
        if let [_, second, ..] = gateways.iter().filter(|gw| family(gw)).collect::<Vec<_>>()[..] {
            return Err(format!("gw '{second}' is the second one of its family"));
        }
    }
    Ok(gateways)
}

fn take_faults(fields: &mut Fields) -> Result<FaultSpec, String> {
    let mut spec = FaultSpec::default();
    for key in faults::KEYS {
        if let Some(value) = fields.take(key.name) {
            faults::set(&mut spec, key.name, &value).unwrap_or(Ok(()))?;
        }
    }
    faults::check(&spec)?;
    Ok(spec)
}

/// The names of all keys that a type has.
fn known(kind: &Kind) -> String {
    let own = kind.keys.iter().chain(KEYS).map(|(name, ..)| *name);
    let names = ["name", "type"].into_iter().chain(own).collect::<Vec<_>>().join(", ");
    format!("{names}, {}", faults::names())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_one() {
        let text = "name=eth0,type=bus,path=/tmp/bus,mac=02:00:00:00:00:01,mtu=9000,addr=10.0.0.1/24,addr=fd00::1/64,\
            gw=10.0.0.254,gw=fd00::fe,dns=10.0.0.253,search=example.org,route=10.1.0.0/16 via 10.0.0.9,dhcp=no,up=no,loss=2%,delay=10ms";
        let spec = NetSpec::parse(text).unwrap();
        assert_eq!(
            (spec.name.as_str(), spec.kind.name, spec.mtu, spec.up),
            ("eth0", "bus", Some(9000), false)
        );
        assert_eq!((spec.addrs.len(), spec.gateways.len(), spec.name_servers.len()), (2, 2, 1));
        assert_eq!(spec.routes.len(), 1);
        assert_eq!(faults::show(&spec.faults), "loss=2%,delay=10ms");
        let least = NetSpec::parse("type=bus,path=b,ifname=e").unwrap();
        assert_eq!((least.mtu, least.up, least.mac), (None, true, None));
    }

    #[test]
    fn what_is_wrong_is_quoted() {
        for (text, part) in [
            ("", "''"),
            ("eth0", "'eth0'"),
            ("name=eth0", "'type='"),
            ("name=eth0,type=shmif", "'shmif' is none of"),
            ("name=averyverylongname,type=bus,path=b", "'averyverylongname'"),
            ("name=a/b,type=bus,path=b", "'a/b'"),
            ("name=lo,type=bus,path=b", "'lo'"),
            ("name=a,ifname=b,type=bus,path=b", "ifname 'b'"),
            ("name=a,type=bus", "'path='"),
            ("name=a,type=bus,path=", "path"),
            ("name=a,type=bus,path=b,colour=red", "'colour' is none of"),
            ("name=a,type=bus,path=b,mtu=67", "'67'"),
            ("name=a,type=bus,path=b,mtu=9k", "'9k'"),
            ("name=a,type=bus,path=b,addr=10.0.0.1", "'10.0.0.1'"),
            ("name=a,type=bus,path=b,gw=10.0.0.1,gw=10.0.0.2", "'10.0.0.2'"),
            ("name=a,type=bus,path=b,path=c", "'path' is there twice"),
            ("name=a,type=bus,path=b,loss=2", "loss: '2'"),
            ("name=a,type=bus,path=b,reorder=2%", "reorder needs delay"),
            ("name=a,type=bus,path=b,up=maybe", "'maybe'"),
        ] {
            let why = NetSpec::parse(text).expect_err(text);
            assert!(why.contains(part) && why.lines().count() == 1, "{text}: {why}");
        }
    }
}
