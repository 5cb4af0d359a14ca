//! Protocol families by name (`socket=`): the original's names and every `AF_` name that Linux has.

use super::set;

/// A set of protocol families.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FamilySet(u64);

impl FamilySet {
    /// No family.
    pub const EMPTY: Self = Self(0);

    /// Every family, those included that nobody has named yet: a number without a name is hijacked by `all`.
    pub const ALL: Self = Self(u64::MAX);

    /// Parses the list of families.
    pub(super) fn parse(value: &[u8]) -> Result<Self, &'static str> {
        const EXPECTED: &str = "expected socket=FAMILY:FAMILY..., each \"all\" (first only), a family such as local, inet, inet6, \
             link or route, or \"no\" and a family";
        set::parse(value, Self::ALL.0, bit_of, EXPECTED).map(Self)
    }

    /// Whether sockets of this family are the rump kernel's. A number beyond the last family is nobody's: the
    /// host answers `EAFNOSUPPORT`.
    #[must_use]
    pub fn contains(self, family: u64) -> bool {
        // The kernel takes the family as an int: the upper half of the register does not count.
        let family = family & 0xffff_ffff;
        family < 64 && self.0 & (1 << family) != 0
    }

    /// The set as bits: bit n is family n.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Whether no family is in the set.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

fn bit_of(name: &[u8]) -> Option<u64> {
    let known = NAMES.iter().find(|(known, _)| known.as_bytes() == name)?;
    Some(1 << known.1)
}

/// The `AF_` numbers of linux/socket.h. `oroute` is NetBSD's older routing socket, on Linux the same one.
const NAMES: &[(&str, u32)] = &[
    ("local", 1),
    ("unix", 1),
    ("inet", 2),
    ("ax25", 3),
    ("ipx", 4),
    ("appletalk", 5),
    ("netrom", 6),
    ("bridge", 7),
    ("atmpvc", 8),
    ("x25", 9),
    ("inet6", 10),
    ("rose", 11),
    ("decnet", 12),
    ("netbeui", 13),
    ("security", 14),
    ("key", 15),
    ("route", 16),
    ("netlink", 16),
    ("oroute", 16),
    ("link", 17),
    ("packet", 17),
    ("ash", 18),
    ("econet", 19),
    ("atmsvc", 20),
    ("rds", 21),
    ("sna", 22),
    ("irda", 23),
    ("pppox", 24),
    ("wanpipe", 25),
    ("llc", 26),
    ("ib", 27),
    ("mpls", 28),
    ("can", 29),
    ("tipc", 30),
    ("bluetooth", 31),
    ("iucv", 32),
    ("rxrpc", 33),
    ("isdn", 34),
    ("phonet", 35),
    ("ieee802154", 36),
    ("caif", 37),
    ("alg", 38),
    ("nfc", 39),
    ("vsock", 40),
    ("kcm", 41),
    ("qipcrtr", 42),
    ("smc", 43),
    ("xdp", 44),
    ("mctp", 45),
];
