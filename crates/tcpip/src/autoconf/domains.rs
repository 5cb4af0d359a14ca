//! The domains in which names are looked up that DHCP (RFC 2132, RFC 3397) and routers (RFC 8106) tell of.

use super::{Resolving, Told};

/// resolv.conf(5) takes six of them to be enough.
const DOMAINS_MAX: usize = 6;
/// The longest name (RFC 1035, section 3.1).
const NAME_MAX: usize = 253;
/// So many pointers at most in one name: a message cannot lead us in circles.
const POINTERS_MAX: usize = 16;

/// The names of a list in the form of DNS, with its pointers into the list itself (RFC 3397, section 2). It ends where it makes no sense.
pub(super) fn list(bytes: &[u8]) -> Vec<String> {
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some((name, next)) = name(bytes, at) {
        at = next;
        // Zeros fill a router's option up.
        if !name.is_empty() {
            found.push(name);
        }
    }
    usable(found)
}

/// One name in letters (RFC 2132, section 3.17); some servers put several into it.
pub(super) fn text(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    usable(text.split([' ', '\0']).map(|name| name.trim_end_matches('.').to_owned()).collect())
}

/// A name, and where what follows it begins.
fn name(bytes: &[u8], start: usize) -> Option<(String, usize)> {
    let (mut labels, mut at, mut next, mut pointers) = (Vec::new(), start, None, 0);
    loop {
        match *bytes.get(at)? {
            0 => break,
            len @ 1..=63 => {
                let label = bytes.get(at + 1..at + 1 + usize::from(len))?;
                labels.push(std::str::from_utf8(label).ok()?);
                at += 1 + usize::from(len);
            }
            high @ 0xc0.. if pointers < POINTERS_MAX => {
                pointers += 1;
                next = next.or(Some(at + 2));
                at = usize::from(high & 0x3f) << 8 | usize::from(*bytes.get(at + 1)?);
            }
            _ => return None,
        }
    }
    Some((labels.join("."), next.unwrap_or(at + 1)))
}

/// Those that can stand in resolv.conf(5).
pub(super) fn usable(names: Vec<String>) -> Vec<String> {
    let good = |name: &String| {
        let letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        !name.is_empty() && name.len() <= NAME_MAX && name.chars().all(letter) && !name.contains("..")
    };
    names.into_iter().filter(good).take(DOMAINS_MAX).collect()
}

impl Resolving {
    /// What all have told, each once.
    pub(super) fn of<'a>(told: impl Iterator<Item = &'a Told>) -> Self {
        let mut all = Self::default();
        for told in told {
            for server in &told.servers {
                if !all.servers.contains(server) {
                    all.servers.push(*server);
                }
            }
            for domain in &told.domains {
                if !all.domains.contains(domain) && all.domains.len() < DOMAINS_MAX {
                    all.domains.push(domain.clone());
                }
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_with_pointers_and_padding() {
        // The example of RFC 3397, section 2, and a router's padding.
        let eng = b"\x03eng\x05apple\x03com\x00\x09marketing\xc0\x04";
        assert_eq!(list(eng), ["eng.apple.com", "marketing.apple.com"]);
        assert_eq!(list(b"\x07example\x03org\x00\x00\x00\x00"), ["example.org"]);
        assert_eq!(list(b"\xc0\x00"), [""; 0], "a circle");
        assert_eq!(list(b"\x03a b\x00\x01x\x00"), ["x"], "what would be two words");
        assert_eq!(text(b"example.org.\0"), ["example.org"]);
        assert_eq!(text(b"bad\nnameserver"), [""; 0]);
    }

    proptest! {
        #[test]
        fn any_bytes_will_do(bytes in prop::collection::vec(prop_oneof![any::<u8>(), 0_u8..5, Just(0xc0)], 0..300)) {
            prop_assert!(list(&bytes).len() <= DOMAINS_MAX);
            prop_assert!(text(&bytes).iter().all(|name| !name.contains([' ', '\n', '#'])));
        }
    }
}
