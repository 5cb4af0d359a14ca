//! Extended attributes, and the access control lists that are kept as such.

use super::{Result, State, acl, errno, number, of};
use abi::Errno;
use rsext4::{Ext4ErrorKind, XattrNamespace, XattrSetMode};
use std::sync::Arc;
use vfs::{Acl, Ino, Time};

impl State {
    pub(super) fn acl(&mut self, ino: Ino, space: XattrNamespace) -> Result<Option<Arc<Acl>>> {
        match self.ext4.get_xattr(number(ino)?, space, b"") {
            Ok(value) => Ok(acl::decode(&value)?.map(Arc::new)),
            Err(error) if error.kind() == Ext4ErrorKind::NotFound => Ok(None),
            Err(error) => Err(errno(&error)),
        }
    }

    pub(super) fn xattr(&mut self, ino: Ino, name: &[u8]) -> Result<Vec<u8>> {
        let (space, rest) = space(name)?;
        match self.ext4.get_xattr(number(ino)?, space, rest) {
            Err(error) if error.kind() == Ext4ErrorKind::NotFound => Err(Errno::ENODATA),
            value => of(value),
        }
    }

    pub(super) fn xattrs(&mut self, ino: Ino) -> Result<Vec<Vec<u8>>> {
        let names = of(self.ext4.list_xattrs(number(ino)?))?;
        let shown = names.into_iter().filter_map(|name| Some([prefix(name.namespace)?, &name.name].concat()));
        Ok(shown.collect())
    }

    pub(super) fn set_xattr(&mut self, ino: Ino, name: &[u8], value: Option<&[u8]>, now: Time) -> Result<()> {
        let (space, rest) = space(name)?;
        if value.is_some() {
            self.has_room(0)?;
        }
        let ext4 = &mut self.at(now).ext4;
        let outcome = match value {
            Some(value) => ext4.set_xattr(number(ino)?, space, rest, value, XattrSetMode::Upsert),
            None => ext4.remove_xattr(number(ino)?, space, rest),
        };
        match outcome {
            Err(error) if error.kind() == Ext4ErrorKind::NotFound => return Err(Errno::ENODATA),
            outcome => of(outcome)?,
        }
        self.note(ino, |times| times.ctime = now);
        self.changed();
        Ok(())
    }

    pub(super) fn set_acl(
        &mut self,
        ino: Ino,
        default: bool,
        acl: Option<Arc<Acl>>,
        now: Time,
    ) -> Result<()> {
        let space = if default { XattrNamespace::PosixAclDefault } else { XattrNamespace::PosixAclAccess };
        let there = self.acl(ino, space)?.is_some();
        let ext4 = &mut self.at(now).ext4;
        match acl {
            Some(acl) => {
                // A block at most, which has_room keeps free.
                of(ext4.set_xattr(number(ino)?, space, b"", &acl::encode(&acl), XattrSetMode::Upsert))?;
            }
            None if there => of(ext4.remove_xattr(number(ino)?, space, b""))?,
            None => return Ok(()),
        }
        self.note(ino, |times| times.ctime = now);
        self.changed();
        Ok(())
    }
}

/// The name space and the rest of an extended attribute's name.
fn space(name: &[u8]) -> Result<(XattrNamespace, &[u8])> {
    let spaces: [(&[u8], XattrNamespace); 3] = [
        (b"user.", XattrNamespace::User),
        (b"trusted.", XattrNamespace::Trusted),
        (b"security.", XattrNamespace::Security),
    ];
    let found = spaces.into_iter().find_map(|(prefix, space)| Some((space, name.strip_prefix(prefix)?)));
    found.ok_or(Errno::EOPNOTSUPP)
}

fn prefix(space: XattrNamespace) -> Option<&'static [u8]> {
    match space {
        XattrNamespace::User => Some(b"user."),
        XattrNamespace::Trusted => Some(b"trusted."),
        XattrNamespace::Security => Some(b"security."),
        _ => None,
    }
}
