//! The file system as the tree uses it.

use super::Worker;
use super::cache::Cache;
use super::exchange::{Key, What};
use super::op::{Entry, Op, Value, Xattrs};
use super::proxy::{Remote, post};
use crate::acl::Acl;
use crate::fs::{EachName, FileSystem, SharedMemory};
use crate::node::{Attr, Ino, NewName, NewNode, SetAttr, Time};
use abi::Errno;
use abi::layout::Statfs;
use abi::raw::general::{FALLOC_FL_COLLAPSE_RANGE, FALLOC_FL_INSERT_RANGE};
use std::sync::Arc;

/// What would move bytes under a mapping.
const MOVES: u32 = FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE;

type Result<T> = std::result::Result<T, Errno>;

impl FileSystem for Remote {
    fn name(&self) -> &'static str {
        self.name
    }

    fn root(&self) -> Ino {
        self.root
    }

    fn attr(&self, ino: Ino) -> Result<Attr> {
        Ok(self.with_stored(&self.node(ino)?.attr))
    }

    fn settled(&self, ino: Ino) -> Result<Attr> {
        Ok(self.with_stored(&self.settled_node(ino)?.attr))
    }

    fn set_attr(&mut self, ino: Ino, change: &SetAttr, now: Time) -> Result<()> {
        let key = self.key_of(What::SetAttr, ino, change.size);
        let op = Op::SetAttr { ino, change: *change, now };
        if let Some(mapped) = self.mapped.get_mut(&ino).filter(|_| change.mtime.is_some()) {
            mapped.bytes.forget_stored();
        }
        if let Some(size) = change.size {
            return self.set_size(ino, size, key, op);
        }
        self.change_behind(key, ino, op, |cache| {
            cache.change(ino, |node| apply(&mut node.attr, change, now));
        })
    }

    fn lookup(&self, dir: Ino, name: &[u8]) -> Result<Ino> {
        let key = self.key_of(What::Lookup, dir, name);
        let answer = self.ask(
            key,
            |cache| {
                let known = cache.name(dir, name)?;
                Some(known.map(Value::Number).ok_or(Errno::ENOENT))
            },
            |_| Op::Lookup { dir, name: name.to_vec() },
            |cache, answer, asked| match answer {
                Ok(Value::Nodes(nodes)) => {
                    if let [node] = nodes.as_slice() {
                        cache.put(node, asked);
                        if !cache.is_current(dir, asked) {
                            return;
                        }
                        cache.put_name(dir, name, Some(node.attr.ino));
                        if node.attr.kind == crate::Kind::Directory {
                            cache.put_above(node.attr.ino, dir, Some(name));
                        }
                    }
                }
                Err(Errno::ENOENT) if cache.is_current(dir, asked) => cache.put_name(dir, name, None),
                _ => {}
            },
        );
        match answer? {
            Value::Number(ino) => Ok(ino),
            Value::Nodes(nodes) => nodes.first().map(|node| node.attr.ino).ok_or(Errno::ENOENT),
            _ => Err(Errno::EIO),
        }
    }

    fn parent(&self, dir: Ino) -> Result<Ino> {
        if dir == self.root {
            return Ok(dir);
        }
        let answer = self.ask(
            self.key(What::Parent, dir),
            |cache| cache.above(dir).map(|(above, _)| Ok(Value::Number(*above))),
            |_| Op::Parent(dir),
            |cache, answer, _| {
                if let Ok(Value::Number(above)) = answer {
                    cache.put_above(dir, *above, None);
                }
            },
        );
        number(answer?)
    }

    fn name_of(&self, dir: Ino) -> Result<Vec<u8>> {
        let answer = self.ask(
            self.key(What::NameOf, dir),
            |cache| {
                let name = cache.above(dir)?.1.as_ref()?;
                Some(Ok(Value::Bytes(Arc::new(name.to_vec()))))
            },
            |_| Op::NameOf(dir),
            |_, _, _| {},
        );
        bytes(answer?)
    }

    fn create(&mut self, dir: Ino, name: NewName<'_>, node: &NewNode, now: Time) -> Result<Ino> {
        let (name, linkable) = match name {
            NewName::Named(name) => (Some(name.to_vec()), false),
            NewName::Unnamed { linkable } => (None, linkable),
        };
        let key = self.key_of(What::Create, dir, &name);
        let op = Op::Create { dir, name: name.clone(), linkable, node: node.clone(), now };
        let is_directory = node.kind == crate::Kind::Directory;
        let (made, _) = self.change(key, &[dir], op, |cache, made| {
            let (Some(ino), Some(name)) = (made, &name) else { return };
            cache.change_name(dir, name, Some(ino));
            if is_directory {
                cache.put_above(ino, dir, Some(name));
                cache.put_listing(ino, &Arc::new(Vec::new()));
            }
        })?;
        made.ok_or(Errno::EIO)
    }

    fn link(&mut self, dir: Ino, name: &[u8], ino: Ino, now: Time) -> Result<()> {
        let key = self.key_of(What::Link, dir, name);
        let op = Op::Link { dir, name: name.to_vec(), ino, now };
        self.change(key, &[dir, ino], op, |cache, _| cache.change_name(dir, name, Some(ino)))?;
        Ok(())
    }

    fn unlink(&mut self, dir: Ino, name: &[u8], now: Time) -> Result<()> {
        let ino = self.lookup(dir, name)?;
        let op = Op::Unlink { dir, name: name.to_vec(), ino, held: self.is_held(ino), now };
        let key = self.key_of(What::Unlink, dir, name);
        if self.takes_unlink_behind(key, ino) {
            let (mut exchange, mut cache) = (self.exchange.borrow_mut(), self.cache.borrow_mut());
            cache.change(ino, |node| {
                node.attr.nlink = node.attr.nlink.saturating_sub(1);
                node.attr.ctime = now;
            });
            cache.change(dir, |node| (node.attr.mtime, node.attr.ctime) = (now, now));
            // Its size is the worker's matter.
            cache.unsettle(dir);
            cache.change_name(dir, name, None);
            post(&mut exchange, &mut cache, key, op, &[ino, dir]);
        } else {
            self.change(key, &[dir, ino], op, |cache, _| cache.change_name(dir, name, None))?;
        }
        self.room_freed();
        self.forget_if_gone(ino);
        Ok(())
    }

    fn rmdir(&mut self, dir: Ino, name: &[u8], now: Time) -> Result<()> {
        let ino = self.lookup(dir, name)?;
        let op = Op::Rmdir { dir, name: name.to_vec(), ino, held: self.is_held(ino), now };
        let key = self.key_of(What::Rmdir, dir, name);
        self.change(key, &[dir, ino], op, |cache, _| {
            cache.change_name(dir, name, None);
            cache.forget_above(ino);
        })?;
        self.room_freed();
        self.forget_if_gone(ino);
        Ok(())
    }

    fn rename(&mut self, from: (Ino, &[u8]), to: (Ino, &[u8]), now: Time) -> Result<()> {
        let ino = self.lookup(from.0, from.1)?;
        let replaced = match self.lookup(to.0, to.1) {
            Ok(replaced) => Some(replaced),
            Err(Errno::ENOENT) => None,
            Err(errno) => return Err(errno),
        };
        let held = replaced.is_some_and(|ino| self.is_held(ino));
        let op = Op::Rename {
            from: (from.0, from.1.to_vec()),
            to: (to.0, to.1.to_vec()),
            ino,
            replaced,
            held,
            now,
        };
        let key = self.key_of(What::Rename, from.0, (from.1, to));
        let involved: Vec<Ino> = [ino, from.0, to.0].into_iter().chain(replaced).collect();
        self.change(key, &involved, op, |cache, _| {
            // Two names of one inode stay as they are (rename(2)).
            if replaced != Some(ino) {
                cache.change_name(from.0, from.1, None);
                cache.change_name(to.0, to.1, Some(ino));
                cache.forget_above(ino);
                replaced.into_iter().for_each(|gone| cache.forget_above(gone));
            }
        })?;
        if let Some(replaced) = replaced.filter(|replaced| *replaced != ino) {
            self.room_freed();
            self.forget_if_gone(replaced);
        }
        Ok(())
    }

    fn exchange(&mut self, one: (Ino, &[u8]), other: (Ino, &[u8]), now: Time) -> Result<()> {
        let inos = (self.lookup(one.0, one.1)?, self.lookup(other.0, other.1)?);
        let op = Op::Exchange { one: (one.0, one.1.to_vec()), other: (other.0, other.1.to_vec()), inos, now };
        let key = self.key_of(What::Exchange, one.0, (one.1, other));
        self.change(key, &[inos.0, inos.1, one.0, other.0], op, |cache, _| {
            cache.change_name(one.0, one.1, Some(inos.1));
            cache.change_name(other.0, other.1, Some(inos.0));
            cache.forget_above(inos.0);
            cache.forget_above(inos.1);
        })?;
        Ok(())
    }

    fn readlink(&self, ino: Ino) -> Result<Vec<u8>> {
        let answer = self.ask(
            self.key(What::Readlink, ino),
            |cache| cache.link(ino).map(|target| Ok(Value::Bytes(target))),
            |_| Op::Readlink(ino),
            |cache, answer, _| {
                if let Ok(Value::Bytes(target)) = answer {
                    cache.put_link(ino, target);
                }
            },
        );
        bytes(answer?)
    }

    fn read(&self, ino: Ino, offset: u64, into: &mut [u8]) -> Result<usize> {
        self.read_bytes(ino, offset, into)
    }

    fn write(&mut self, ino: Ino, offset: u64, bytes: &[u8], now: Time) -> Result<usize> {
        self.write_bytes(ino, offset, bytes, now)
    }

    fn allocate(&mut self, ino: Ino, mode: u32, offset: u64, len: u64, now: Time) -> Result<()> {
        if self.mapped.contains_key(&ino) && mode & MOVES != 0 {
            return Err(Errno::EOPNOTSUPP);
        }
        self.write_back_of(ino, None);
        let key = self.key_of(What::Allocate, ino, (mode, offset, len));
        let pages = &self.pages;
        self.change(key, &[ino], Op::Allocate { ino, mode, offset, len, now }, |_, _| {
            pages.borrow_mut().forget(ino);
        })?;
        match self.mapped.get_mut(&ino) {
            Some(mapped) => mapped.allocate(mode, offset, len),
            None => Ok(()),
        }
    }

    fn seek(&self, ino: Ino, offset: u64, data: bool) -> Result<u64> {
        let key = self.key_of(What::Seek, ino, (offset, data));
        number(self.ask(key, |_| None, |_| Op::Seek { ino, offset, data }, |_, _, _| {})?)
    }

    fn read_dir(&self, dir: Ino, after: u64, each: EachName<'_>) -> Result<()> {
        let answer = self.ask(
            self.key(What::List, dir),
            |cache| cache.listing(dir).map(|listing| Ok(Value::Entries(listing))),
            |_| Op::List(dir),
            |cache, answer, asked| {
                if let Ok(Value::Entries(listing)) = answer
                    && cache.is_current(dir, asked)
                {
                    cache.put_listing(dir, listing);
                }
            },
        );
        let Value::Entries(entries) = answer? else { return Err(Errno::EIO) };
        let begin = entries.partition_point(|entry| entry.cookie <= after);
        for Entry { cookie, ino, kind, name } in &entries[begin..] {
            if !each(*cookie, *ino, *kind, name) {
                break;
            }
        }
        Ok(())
    }

    fn xattr(&self, ino: Ino, name: &[u8]) -> Result<Vec<u8>> {
        let all = self.all_xattrs(ino)?;
        all.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone()).ok_or(Errno::ENODATA)
    }

    fn xattrs(&self, ino: Ino) -> Result<Vec<Vec<u8>>> {
        Ok(self.all_xattrs(ino)?.iter().map(|(name, _)| name.clone()).collect())
    }

    fn set_xattr(&mut self, ino: Ino, name: &[u8], value: Option<&[u8]>, now: Time) -> Result<()> {
        let key = self.key_of(What::SetXattr, ino, name);
        let op = Op::SetXattr { ino, name: name.to_vec(), value: value.map(<[u8]>::to_vec), now };
        self.change(key, &[ino], op, |_, _| {})?;
        Ok(())
    }

    fn has_acls(&self) -> bool {
        self.acls
    }

    fn default_acl(&self, dir: Ino) -> Result<Option<Arc<Acl>>> {
        if self.acls { Ok(self.node(dir)?.default_acl.clone()) } else { Ok(None) }
    }

    fn set_acl(&mut self, ino: Ino, default: bool, acl: Option<Arc<Acl>>, now: Time) -> Result<()> {
        let key = self.key_of(What::SetAcl, ino, default);
        self.change(key, &[ino], Op::SetAcl { ino, default, acl, now }, |_, _| {})?;
        Ok(())
    }

    fn hold(&mut self, ino: Ino, held: bool) {
        let holders = self.holders.entry(ino).or_default();
        *holders = if held { *holders + 1 } else { holders.saturating_sub(1) };
        if *holders > 0 {
            return;
        }
        let gone = self.cache.borrow().node(ino).is_some_and(|node| node.attr.nlink == 0);
        if !gone && self.is_still_mapped(ino) {
            *self.holders.entry(ino).or_default() = 1;
            return;
        }
        self.holders.remove(&ino);
        self.unmap(ino);
        if gone {
            self.exchange.borrow_mut().post_unlogged(self.worker, Op::Release(ino));
            self.cache.borrow_mut().forget_all_of(ino);
            self.pages.borrow_mut().forget(ino);
        }
    }

    fn is_held(&self, ino: Ino) -> bool {
        self.holders.contains_key(&ino)
    }

    fn statfs(&self) -> Result<Statfs> {
        self.ask_statfs()
    }

    fn waits(&self) -> bool {
        true
    }

    fn starts_over(&self) -> Result<()> {
        let mut exchange = self.exchange.borrow_mut();
        exchange.commit();
        exchange.want(self.key(What::Statfs, 0), Op::Statfs).map(drop)
    }

    fn share(&mut self, ino: Ino, memory: &mut dyn SharedMemory) -> Result<u64> {
        self.map(ino, memory)
    }

    fn drive(&self) -> Option<Worker> {
        self.drive
    }

    fn size_max(&self) -> u64 {
        self.size_max
    }

    fn identity(&self) -> Option<u64> {
        self.identity
    }

    fn handle(&self, ino: Ino) -> Result<Vec<u8>> {
        Ok([ino.to_ne_bytes(), self.node(ino)?.attr.btime.to_ne_bytes()].concat())
    }

    fn by_handle(&self, handle: &[u8]) -> Result<Ino> {
        let (ino, made) = handle.split_first_chunk().ok_or(Errno::ESTALE)?;
        let ino = Ino::from_ne_bytes(*ino);
        // What is known was found by a name, or by this.
        let known = |cache: &mut Cache| cache.node(ino).map(|_| Ok(Value::Nothing));
        self.ask(self.key(What::Find, ino), known, |_| Op::Find(ino), |_, _, _| {})?;
        // Numbers of inodes are used again (ext4 has generations for that, which `rsext4` leaves at 0).
        if self.node(ino)?.attr.btime.to_ne_bytes() == made { Ok(ino) } else { Err(Errno::ESTALE) }
    }

    fn options(&self) -> String {
        self.options.clone()
    }

    fn remount(&mut self, options: &[u8], read_only: bool) -> Result<()> {
        let key = self.key_of(What::Remount, 0, (options, read_only));
        let op = Op::Remount { options: options.to_vec(), read_only };
        self.ask(key, |_| None, |_| op, |_, _, _| {})?;
        Ok(())
    }

    fn sync(&mut self, ino: Option<Ino>) -> Result<()> {
        match ino {
            Some(ino) => self.write_back_of(ino, None),
            None => self.write_back_all(),
        }
        self.ask_sync(ino)
    }

    fn write_back(&mut self) {
        self.write_back_all();
    }

    fn shared_as(&self, id: u64) -> Option<Ino> {
        self.mapped.iter().find_map(|(ino, mapped)| (mapped.bytes.id() == id).then_some(*ino))
    }

    fn sync_shared(&mut self, ino: Ino, now: Time) -> Result<()> {
        self.write_back_of(ino, Some(now));
        self.ask_sync(Some(ino))
    }

    fn let_go_of_unmapped(&mut self) -> bool {
        self.let_go_of_kept()
    }

    fn unmount(&mut self) -> Result<()> {
        self.write_back_all();
        let answer = self.ask(self.key(What::Unmount, 0), |_| None, |_| Op::Unmount, |_, _, _| {});
        if !matches!(answer, Err(super::WAITS)) {
            // Whatever came of it, the worker has ended.
            self.unmounted = true;
            self.pages.borrow_mut().clear();
        }
        answer.map(drop)
    }

    fn touch(&mut self, ino: Ino, now: Time) {
        if !self.behind {
            return;
        }
        let key = self.key(What::Touch, ino);
        // Answered at once; and an access time that is lost is no loss.
        let _ = self.change_behind(key, ino, Op::Touch { ino, now }, |cache| {
            cache.change(ino, |node| node.attr.atime = now);
        });
    }
}

impl Remote {
    /// Whether a name can be taken away later: what is known tells what comes of it, and the call has not asked before.
    fn takes_unlink_behind(&self, key: Key, ino: Ino) -> bool {
        let mut exchange = self.exchange.borrow_mut();
        let free = exchange.changes_nothing() && !exchange.is_next(key);
        let takes = self.behind && free && self.cache.borrow().node(ino).is_some();
        // What was logged from here on is void.
        takes && exchange.replay(key).is_none()
    }

    fn ask_statfs(&self) -> Result<Statfs> {
        let answer = self.ask(
            self.key(What::Statfs, 0),
            |_| None,
            |_| Op::Statfs,
            |_, answer, _| {
                if let Ok(Value::Statfs(statfs)) = answer {
                    self.free.set(Some(statfs.f_bavail.saturating_mul(statfs.f_bsize.cast_unsigned())));
                }
            },
        );
        match answer? {
            Value::Statfs(statfs) => Ok(*statfs),
            _ => Err(Errno::EIO),
        }
    }

    /// How much room there is.
    pub(super) fn ask_free(&self) -> Result<()> {
        self.ask_statfs().map(drop)
    }

    fn all_xattrs(&self, ino: Ino) -> Result<Xattrs> {
        let answer = self.ask(
            self.key(What::Xattrs, ino),
            |cache| cache.xattrs(ino).map(|xattrs| Ok(Value::Xattrs(xattrs))),
            |_| Op::Xattrs(ino),
            |cache, answer, _| {
                if let Ok(Value::Xattrs(xattrs)) = answer {
                    cache.put_xattrs(ino, xattrs);
                }
            },
        );
        match answer? {
            Value::Xattrs(xattrs) => Ok(xattrs),
            _ => Err(Errno::EIO),
        }
    }
}

/// What the worker is going to make of the attributes.
pub(super) fn apply(attr: &mut Attr, change: &SetAttr, now: Time) {
    attr.mode = change.mode.map_or(attr.mode, |mode| mode & 0o7777);
    attr.uid = change.uid.unwrap_or(attr.uid);
    attr.gid = change.gid.unwrap_or(attr.gid);
    if change.size.is_some() {
        attr.mtime = now;
    }
    attr.size = change.size.unwrap_or(attr.size);
    attr.atime = change.atime.unwrap_or(attr.atime);
    attr.mtime = change.mtime.unwrap_or(attr.mtime);
    attr.ctime = now;
}

fn number(value: Value) -> Result<u64> {
    match value {
        Value::Number(number) => Ok(number),
        _ => Err(Errno::EIO),
    }
}

fn bytes(value: Value) -> Result<Vec<u8>> {
    match value {
        Value::Bytes(bytes) => Ok(bytes.to_vec()),
        _ => Err(Errno::EIO),
    }
}
