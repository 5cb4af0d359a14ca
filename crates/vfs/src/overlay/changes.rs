//! What was changed, told by an extended attribute of each directory: `user.overlay.changes.N` has it from the Nth change on, as far as
//! there is room. No file system knows this name; on Linux the layers have to be compared by hand.

use super::{Overlay, ROOT, Real, Result};
use crate::node::{Attr, Ino, Kind};
use std::collections::BTreeSet;

/// What such a name begins with.
const CHANGES: &[u8] = b"user.overlay.changes.";
/// Bytes of an answer (`XATTR_SIZE_MAX` is twice as much).
const LEN_MAX: usize = 32 << 10;

/// From which change on an attribute's name asks.
pub(super) fn asked(name: &[u8]) -> Option<usize> {
    std::str::from_utf8(name.strip_prefix(CHANGES)?).ok()?.parse().ok()
}

impl Overlay {
    /// The changes in a directory from this one on, each as a letter (`A` added, `M` modified, `D` deleted, `-` none), `d` for a directory
    /// in which there may be more, or `-`, the name, and a zero byte.
    pub(super) fn changes(&self, dir: Ino, skip: usize) -> Result<Vec<u8>> {
        let mut text = Vec::new();
        for (what, descend, name) in self.changed(dir)?.into_iter().skip(skip) {
            let line = [&[what, if descend { b'd' } else { b'-' }], name.as_slice(), &[0]].concat();
            if text.len() + line.len() > LEN_MAX {
                break;
            }
            text.extend_from_slice(&line);
        }
        Ok(text)
    }

    fn changed(&self, dir: Ino) -> Result<Vec<(u8, bool, Vec<u8>)>> {
        let (seen, below) = (self.names(&self.node(dir)?.reals)?, self.below(dir)?);
        let before = self.names(&below)?;
        let all: BTreeSet<&Vec<u8>> = seen.keys().chain(before.keys()).collect();
        let mut changed = Vec::new();
        for name in all {
            let change = match (seen.get(name), before.get(name)) {
                (Some((real, _)), Some((old, _))) if real == old => continue,
                (Some((real, kind)), Some((old, _))) => {
                    let (now, old) = (self.real_attr(*real)?, self.real_attr(*old)?);
                    let what = if is_changed(&now, &old) { b'M' } else { b'-' };
                    (what, *kind == Kind::Directory, name.clone())
                }
                (Some((_, kind)), None) => (b'A', *kind == Kind::Directory, name.clone()),
                (None, _) => (b'D', false, name.clone()),
            };
            if change.0 != b'-' || change.1 {
                changed.push(change);
            }
        }
        Ok(changed)
    }

    /// What a directory would consist of without the upper layer.
    fn below(&self, dir: Ino) -> Result<Vec<Real>> {
        let node = self.node(dir)?;
        let reals = if dir == ROOT {
            node.reals.into_iter().filter(|(layer, _)| !self.writable || *layer > 0).collect()
        } else {
            self.seen(&self.below(node.dir)?, &node.name)?
        };
        match reals.first() {
            Some(first) if self.real_attr(*first)?.kind != Kind::Directory => Ok(Vec::new()),
            _ => Ok(reals),
        }
    }
}

/// Whether a file was changed: one that was only opened for writing is copied as it was.
fn is_changed(now: &Attr, old: &Attr) -> bool {
    let known = |attr: &Attr| (attr.kind, attr.mode, attr.uid, attr.gid, attr.rdev, attr.acl.clone());
    let bytes = |attr: &Attr| (attr.size, attr.mtime);
    // A directory's size and time follow from its names.
    known(now) != known(old) || now.kind != Kind::Directory && bytes(now) != bytes(old)
}
