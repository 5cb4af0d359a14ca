//! Access control lists (acl(5)): the list of an inode, how it is read and written as an extended attribute, and whom it lets in.

use crate::permission::Who;
use abi::Errno;

/// The extended attributes that stand for lists.
pub(crate) const ACCESS: &[u8] = b"system.posix_acl_access";
pub(crate) const DEFAULT: &[u8] = b"system.posix_acl_default";

/// `POSIX_ACL_XATTR_VERSION`, linux/posix_acl_xattr.h.
const VERSION: u32 = 2;
const HEAD: usize = 4;
const ENTRY: usize = 8;
/// `ACL_UNDEFINED_ID`
const NO_ID: u32 = u32::MAX;

/// Whom an entry is for, in the order in which lists have them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Tag {
    UserObj = 1,
    User = 2,
    GroupObj = 4,
    Group = 8,
    Mask = 16,
    Other = 32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    tag: Tag,
    /// `rwx` bits.
    perm: u32,
    id: u32,
}

/// A valid list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acl(Vec<Entry>);

impl Acl {
    /// A list from the value of its attribute; `None`: an empty value stands for no list.
    ///
    /// # Errors
    /// `EINVAL`: not a valid list. `EOPNOTSUPP`: of another version.
    pub fn parse(value: &[u8]) -> Result<Option<Self>, Errno> {
        if value.is_empty() {
            return Ok(None);
        }
        let (version, rest) = value.split_first_chunk::<HEAD>().ok_or(Errno::EINVAL)?;
        if u32::from_le_bytes(*version) != VERSION {
            return Err(Errno::EOPNOTSUPP);
        }
        let (chunks, []) = rest.as_chunks::<ENTRY>() else { return Err(Errno::EINVAL) };
        let acl = Self(chunks.iter().map(entry).collect::<Result<_, _>>()?);
        match acl.0.len() {
            0 => Ok(None),
            _ if acl.is_valid() => Ok(Some(acl)),
            _ => Err(Errno::EINVAL),
        }
    }

    /// The value of its attribute.
    #[must_use]
    pub fn emit(&self) -> Vec<u8> {
        let mut value = VERSION.to_le_bytes().to_vec();
        for entry in &self.0 {
            let narrow = |number: u32| u16::try_from(number).unwrap_or(0).to_le_bytes();
            value.extend([narrow(entry.tag as u32), narrow(entry.perm)].concat());
            value.extend(entry.id.to_le_bytes());
        }
        value
    }

    /// Bytes of memory it counts as.
    pub(crate) fn size(&self) -> usize {
        HEAD + self.0.len() * ENTRY
    }

    /// acl(5), "valid ACL": in order, each of the three classes once, and a mask where somebody is named.
    fn is_valid(&self) -> bool {
        let count = |tag| self.0.iter().filter(|entry| entry.tag == tag).count();
        let once = |tag| count(tag) == 1;
        let named = count(Tag::User) + count(Tag::Group) > 0;
        let ordered = self.0.is_sorted_by(|one, other| {
            one.tag < other.tag || one.tag == other.tag && matches!(one.tag, Tag::User | Tag::Group)
        });
        ordered
            && once(Tag::UserObj)
            && once(Tag::GroupObj)
            && once(Tag::Other)
            && (once(Tag::Mask) || count(Tag::Mask) == 0 && !named)
    }

    /// The permission bits that show for it: those of the mask stand for the group's where there is one.
    pub(crate) fn mode(&self) -> u32 {
        let group = self.get(Tag::Mask).or(self.get(Tag::GroupObj)).unwrap_or(0);
        self.get(Tag::UserObj).unwrap_or(0) << 6 | group << 3 | self.get(Tag::Other).unwrap_or(0)
    }

    /// Whether it says no more than permission bits do.
    pub(crate) fn is_minimal(&self) -> bool {
        self.0.len() == 3
    }

    /// The list after chmod(2).
    pub(crate) fn with_mode(&self, mode: u32) -> Self {
        let group = if self.get(Tag::Mask).is_some() { Tag::Mask } else { Tag::GroupObj };
        let changed = |entry: &Entry| Entry {
            perm: match entry.tag {
                Tag::UserObj => mode >> 6 & 7,
                Tag::Other => mode & 7,
                tag if tag == group => mode >> 3 & 7,
                _ => entry.perm,
            },
            ..*entry
        };
        Self(self.0.iter().map(changed).collect())
    }

    /// What a new file made with these permission bits has of the default list of its directory (acl(5), "object creation").
    pub(crate) fn inherited(&self, mode: u32) -> Self {
        self.with_mode(self.mode() & mode)
    }

    /// Whether it grants the wanted `rwx` bits to somebody who is not `owner` by privilege (acl(5), "access check algorithm").
    pub(crate) fn grants(&self, who: &Who<'_>, (uid, gid): (u32, u32), wanted: u32) -> bool {
        let has = |perm: u32| perm & wanted == wanted;
        let mask = self.get(Tag::Mask).unwrap_or(7);
        if who.uid == uid {
            return has(self.get(Tag::UserObj).unwrap_or(0));
        }
        if let Some(user) = self.0.iter().find(|entry| entry.tag == Tag::User && entry.id == who.uid) {
            return has(user.perm & mask);
        }
        let groups = self.0.iter().filter(|entry| match entry.tag {
            Tag::GroupObj => who.is_in(gid),
            Tag::Group => who.is_in(entry.id),
            _ => false,
        });
        let mut member = false;
        for group in groups {
            member = true;
            if has(group.perm & mask) {
                return true;
            }
        }
        !member && has(self.get(Tag::Other).unwrap_or(0))
    }

    fn get(&self, tag: Tag) -> Option<u32> {
        self.0.iter().find(|entry| entry.tag == tag).map(|entry| entry.perm)
    }
}

fn entry(bytes: &[u8; ENTRY]) -> Result<Entry, Errno> {
    const TAGS: [Tag; 6] = [Tag::UserObj, Tag::User, Tag::GroupObj, Tag::Group, Tag::Mask, Tag::Other];
    let [t0, t1, p0, p1, id @ ..] = *bytes;
    let (number, perm) = (u32::from(u16::from_le_bytes([t0, t1])), u32::from(u16::from_le_bytes([p0, p1])));
    let tag = TAGS.into_iter().find(|tag| *tag as u32 == number).ok_or(Errno::EINVAL)?;
    if perm & !7 != 0 {
        return Err(Errno::EINVAL);
    }
    let id = if matches!(tag, Tag::User | Tag::Group) { u32::from_le_bytes(id) } else { NO_ID };
    Ok(Entry { tag, perm, id })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn acl(entries: &[(Tag, u32, u32)]) -> Acl {
        Acl(entries.iter().map(|(tag, perm, id)| Entry { tag: *tag, perm: *perm, id: *id }).collect())
    }

    fn who(uid: u32, groups: &[u32]) -> Who<'_> {
        Who { uid, gid: 100, groups, umask: 0, prefix: b"" }
    }

    #[test]
    fn the_first_entry_that_fits_decides() {
        let list = acl(&[
            (Tag::UserObj, 7, NO_ID),
            (Tag::User, 6, 5),
            (Tag::GroupObj, 1, NO_ID),
            (Tag::Group, 4, 20),
            (Tag::Mask, 5, NO_ID),
            (Tag::Other, 2, NO_ID),
        ]);
        let grants = |who: &Who<'_>, wanted| list.grants(who, (1, 10), wanted);
        assert!(grants(&who(1, &[]), 7), "the owner, whatever the mask");
        assert!(grants(&who(5, &[]), 4) && !grants(&who(5, &[]), 2), "a named user, as far as the mask goes");
        assert!(grants(&who(9, &[10, 20]), 1) && grants(&who(9, &[10, 20]), 4), "any of the groups");
        assert!(!grants(&who(9, &[10, 20]), 5), "but not two of them together");
        assert!(!grants(&who(9, &[20]), 2), "a member is not everybody else");
        assert!(grants(&who(9, &[]), 2));
        assert_eq!(list.mode(), 0o752);
        assert_eq!(list.with_mode(0o640).mode(), 0o640);
        assert_eq!(list.inherited(0o600).mode(), 0o600);
    }

    #[test]
    fn what_is_no_list_is_refused() {
        let minimal = [(Tag::UserObj, 7, NO_ID), (Tag::GroupObj, 5, NO_ID), (Tag::Other, 0, NO_ID)];
        let good = acl(&minimal).emit();
        assert_eq!(Acl::parse(&good), Ok(Some(acl(&minimal))));
        assert_eq!(Acl::parse(&[]), Ok(None));
        assert_eq!(Acl::parse(&good[..4]), Ok(None));
        assert_eq!(Acl::parse(&good[..good.len() - 1]), Err(Errno::EINVAL));
        assert_eq!(Acl::parse(&[&[3], &good[1..]].concat()), Err(Errno::EOPNOTSUPP));
        let swapped = acl(&[minimal[1], minimal[0], minimal[2]]).emit();
        assert_eq!(Acl::parse(&swapped), Err(Errno::EINVAL));
        let unmasked = acl(&[minimal[0], (Tag::User, 7, 5), minimal[1], minimal[2]]).emit();
        assert_eq!(Acl::parse(&unmasked), Err(Errno::EINVAL), "somebody is named, so there must be a mask");
    }

    proptest! {
        #[test]
        fn any_value_is_a_list_or_none(value in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(Some(list)) = Acl::parse(&[&VERSION.to_le_bytes()[..], &value].concat()) {
                prop_assert_eq!(Acl::parse(&list.emit()), Ok(Some(list)));
            }
        }
    }
}
