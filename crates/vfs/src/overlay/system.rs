//! The file system as the tree uses it.

use super::changes::asked;
use super::merged::is_mark;
use super::{Overlay, ROOT, Result};
use crate::acl::Acl;
use crate::fs::{EachName, FileSystem, SharedMemory};
use crate::node::{Attr, Ino, NewName, NewNode, SetAttr, Time};
use abi::Errno;
use abi::layout::Statfs;
use std::sync::Arc;

/// `OVERLAYFS_SUPER_MAGIC`
const MAGIC: i64 = 0x794c_7630;

impl FileSystem for Overlay {
    fn name(&self) -> &'static str {
        "overlay"
    }

    fn root(&self) -> Ino {
        ROOT
    }

    fn attr(&self, ino: Ino) -> Result<Attr> {
        Ok(Attr { ino, ..self.real_attr(self.top(ino)?)? })
    }

    fn settled(&self, ino: Ino) -> Result<Attr> {
        let (layer, real) = self.top(ino)?;
        Ok(Attr { ino, ..self.layer(layer).settled(real)? })
    }

    fn set_attr(&mut self, ino: Ino, change: &SetAttr, now: Time) -> Result<()> {
        let upper = self.copied_as_far_as(ino, change.size.unwrap_or(u64::MAX), now)?;
        self.upper_fs()?.set_attr(upper, change, now)
    }

    fn lookup(&self, dir: Ino, name: &[u8]) -> Result<Ino> {
        let dirs = self.node(dir)?.reals;
        self.enter(self.seen(&dirs, name)?, dir, name)
    }

    fn parent(&self, dir: Ino) -> Result<Ino> {
        self.node(dir).map(|node| node.dir).map_err(|_| Errno::ENOENT)
    }

    fn name_of(&self, dir: Ino) -> Result<Vec<u8>> {
        let node = self.node(dir)?;
        if node.name.is_empty() { Err(Errno::ENOENT) } else { Ok(node.name) }
    }

    fn create(&mut self, dir: Ino, name: NewName<'_>, node: &NewNode, now: Time) -> Result<Ino> {
        self.make(dir, name, node, now)
    }

    fn link(&mut self, dir: Ino, name: &[u8], ino: Ino, now: Time) -> Result<()> {
        self.make_link(dir, name, ino, now)
    }

    fn unlink(&mut self, dir: Ino, name: &[u8], now: Time) -> Result<()> {
        self.remove(dir, name, false, now)
    }

    fn rmdir(&mut self, dir: Ino, name: &[u8], now: Time) -> Result<()> {
        self.remove(dir, name, true, now)
    }

    fn rename(&mut self, from: (Ino, &[u8]), to: (Ino, &[u8]), now: Time) -> Result<()> {
        self.move_name(from, to, now)
    }

    fn exchange(&mut self, one: (Ino, &[u8]), other: (Ino, &[u8]), now: Time) -> Result<()> {
        self.swap(one, other, now)
    }

    fn readlink(&self, ino: Ino) -> Result<Vec<u8>> {
        let (layer, real) = self.top(ino)?;
        self.layer(layer).readlink(real)
    }

    fn read(&self, ino: Ino, offset: u64, into: &mut [u8]) -> Result<usize> {
        let (layer, real) = self.top(ino)?;
        self.layer(layer).read(real, offset, into)
    }

    fn write(&mut self, ino: Ino, offset: u64, bytes: &[u8], now: Time) -> Result<usize> {
        let upper = self.copied(ino, now)?;
        self.upper_fs()?.write(upper, offset, bytes, now)
    }

    fn allocate(&mut self, ino: Ino, mode: u32, offset: u64, len: u64, now: Time) -> Result<()> {
        let upper = self.copied(ino, now)?;
        self.upper_fs()?.allocate(upper, mode, offset, len, now)
    }

    fn seek(&self, ino: Ino, offset: u64, data: bool) -> Result<u64> {
        let (layer, real) = self.top(ino)?;
        self.layer(layer).seek(real, offset, data)
    }

    fn read_dir(&self, dir: Ino, after: u64, each: EachName<'_>) -> Result<()> {
        self.list(dir, after, each)
    }

    fn xattr(&self, ino: Ino, name: &[u8]) -> Result<Vec<u8>> {
        let (layer, real) = self.top(ino)?;
        if let Some(skip) = asked(name) {
            return self.changes(ino, skip);
        }
        if is_mark(name) { Err(Errno::ENODATA) } else { self.layer(layer).xattr(real, name) }
    }

    fn xattrs(&self, ino: Ino) -> Result<Vec<Vec<u8>>> {
        let (layer, real) = self.top(ino)?;
        Ok(self.layer(layer).xattrs(real)?.into_iter().filter(|name| !is_mark(name)).collect())
    }

    fn set_xattr(&mut self, ino: Ino, name: &[u8], value: Option<&[u8]>, now: Time) -> Result<()> {
        if is_mark(name) {
            return Err(Errno::EPERM);
        }
        if value.is_none() {
            self.xattr(ino, name)?;
        }
        let upper = self.copied(ino, now)?;
        self.upper_fs()?.set_xattr(upper, name, value, now)
    }

    fn has_acls(&self) -> bool {
        self.layer(0).has_acls()
    }

    fn default_acl(&self, dir: Ino) -> Result<Option<Arc<Acl>>> {
        let (layer, real) = self.top(dir)?;
        self.layer(layer).default_acl(real)
    }

    fn set_acl(&mut self, ino: Ino, default: bool, acl: Option<Arc<Acl>>, now: Time) -> Result<()> {
        let upper = self.copied(ino, now)?;
        self.upper_fs()?.set_acl(upper, default, acl, now)
    }

    fn hold(&mut self, ino: Ino, held: bool) {
        let Some(node) = self.nodes.get_mut().nodes.get_mut(&ino) else { return };
        let (before, top) = (node.holders, node.reals[0]);
        node.holders = if held { before + 1 } else { before.saturating_sub(1) };
        let now = node.holders;
        if (before == 0) == (now == 0) {
            return;
        }
        let fs = &mut self.layers[top.0].fs;
        fs.hold(top.1, held);
        if !held && fs.attr(top.1) == Err(Errno::ESTALE) {
            self.forget(ino);
        }
    }

    fn statfs(&self) -> Result<Statfs> {
        Ok(Statfs { f_type: MAGIC, ..self.layer(0).statfs()? })
    }

    fn sync(&mut self, ino: Option<Ino>) -> Result<()> {
        if !self.writable {
            return Ok(());
        }
        let upper = match ino {
            Some(ino) => match self.upper(ino)? {
                Some(upper) => Some(upper),
                None => return Ok(()),
            },
            None => None,
        };
        self.upper_fs()?.sync(upper)
    }

    fn share(&mut self, ino: Ino, memory: &mut dyn SharedMemory) -> Result<u64> {
        // Who may write has been copied when it was opened.
        let (layer, real) = self.top(ino)?;
        self.layers[layer].fs.share(real, memory)
    }

    fn options(&self) -> String {
        self.options.clone()
    }

    fn touch(&mut self, ino: Ino, now: Time) {
        if let Ok(Some(upper)) = self.upper(ino)
            && let Ok(fs) = self.upper_fs()
        {
            fs.touch(upper, now);
        }
    }

    fn will_write(&mut self, ino: Ino, now: Time) -> Result<()> {
        self.copied(ino, now).map(drop)
    }

    fn places(&self) -> Vec<crate::mount::Location> {
        Overlay::places(self)
    }
}
