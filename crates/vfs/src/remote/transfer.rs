//! Bytes of files, to and from the worker.

use super::exchange::{Exchange, Key, What};
use super::op::{Op, Value};
use super::pages::{PAGE, Pages};
use super::proxy::{Remote, post};
use crate::node::{Ino, Kind, Time};
use abi::Errno;

/// With so much room it is not asked for anew when some more becomes free.
const FREE_PLENTY: u64 = 256 << 20;
/// Bytes that may be on their way to a worker before writers wait.
const BEHIND_MAX: usize = 16 << 20;
/// Bytes that are free at least while writes are answered before they are carried out, so that a full disk is told to whoever fills
/// it. Metadata takes room too.
const FREE_MIN: u64 = 8 << 20;

impl Remote {
    pub(super) fn read_bytes(&self, ino: Ino, offset: u64, into: &mut [u8]) -> Result<usize, Errno> {
        let node = self.node(ino)?;
        let attr = &node.attr;
        match attr.kind {
            Kind::Regular => {}
            Kind::Directory => return Err(Errno::EISDIR),
            _ => return Err(Errno::EINVAL),
        }
        let left = usize::try_from(attr.size.saturating_sub(offset)).unwrap_or(usize::MAX);
        let len = into.len().min(left);
        let into = &mut into[..len];
        if let Some(mapped) = self.mapped.get(&ino) {
            return mapped.bytes.read_at(offset, into);
        }
        if len == 0 {
            return Ok(0);
        }
        let key = Key { more: offset, ..self.key(What::Read, ino) };
        let begin = offset / PAGE * PAGE;
        let mut exchange = self.exchange.borrow_mut();
        let awaited = Key { what: What::Ahead, ..key };
        let has_waited = exchange.replay_read(awaited);
        if let Some((Err(errno), _)) = has_waited {
            return Err(errno);
        }
        if let Some((answer, fresh)) = exchange.replay_read(key) {
            let Value::Bytes(bytes) = answer? else { return Err(Errno::EIO) };
            let current = fresh.is_some_and(|asked| self.cache.borrow().is_current(ino, asked));
            if current && self.keeps_pages {
                let mut pages = self.pages.borrow_mut();
                pages.put(ino, begin, bytes.clone());
                self.read_ahead(&mut exchange, &mut pages, ino, attr.size);
            }
            let skipped = usize::try_from(offset - begin).unwrap_or(0);
            let bytes = bytes.get(skipped..).unwrap_or_default();
            let moved = bytes.len().min(len);
            into[..moved].copy_from_slice(&bytes[..moved]);
            return Ok(moved);
        }
        let mut pages = self.pages.borrow_mut();
        if self.keeps_pages && pages.read(ino, offset, into) {
            self.read_ahead(&mut exchange, &mut pages, ino, attr.size);
            return Ok(len);
        }
        if has_waited.is_none() && pages.is_coming(ino, offset) {
            return exchange.want(awaited, Op::Await).map(|_| 0);
        }
        let (offset, len) = pages.wanted(ino, offset, len, attr.size);
        exchange.want(key, Op::Read { ino, offset, len }).map(|_| 0)
    }

    /// Has the next part of a file read while somebody still reads the one before.
    fn read_ahead(&self, exchange: &mut Exchange, pages: &mut Pages, ino: Ino, size: u64) {
        if let Some((token, part)) = pages.ahead(ino, size) {
            let len = usize::try_from(part.end - part.start).unwrap_or(0);
            exchange.prepare(self.worker, Op::ReadAhead { ino, offset: part.start, len, token });
        }
    }

    pub(super) fn write_bytes(
        &mut self,
        ino: Ino,
        offset: u64,
        bytes: &[u8],
        now: Time,
    ) -> Result<usize, Errno> {
        // Whoever has asked before asks again, though it is known now: a log is gone through in its order.
        let asked = self.exchange.borrow().is_next(self.key(What::Statfs, 0));
        if self.behind && (asked || self.free.get().is_none()) {
            self.ask_free()?;
        }
        if let Some(mapped) = self.mapped.get_mut(&ino) {
            mapped.write(offset, bytes)?;
        }
        let key = self.key_of(What::Write, ino, (offset, bytes.len()));
        // Not known where everything was forgotten while this waited: then a page may hold more than is written.
        let size = self.cache.borrow().node(ino).map_or(u64::MAX, |node| node.attr.size);
        let replayed = self.exchange.borrow_mut().replay(key);
        match replayed {
            Some((Ok(Value::Changed { count, nodes, .. }), fresh)) => {
                if let Some(asked) = fresh {
                    let mut cache = self.cache.borrow_mut();
                    nodes.iter().for_each(|node| cache.put(node, asked));
                    let mut pages = self.pages.borrow_mut();
                    match cache.is_current(ino, asked) {
                        true => pages.write(ino, offset, &bytes[..count.min(bytes.len())], size),
                        false => pages.forget(ino),
                    }
                }
                return Ok(count.min(bytes.len()));
            }
            Some((answer, _)) => return answer.map(|_| bytes.len()),
            None => {}
        }
        let op = Op::Write { ino, offset, bytes: bytes.to_vec(), now };
        if self.mapping.contains(&ino) || !self.takes_behind(bytes.len()) {
            return self.exchange.borrow_mut().want(key, op).map(|_| 0);
        }
        let end = offset.saturating_add(bytes.len() as u64);
        let mut cache = self.cache.borrow_mut();
        cache.change(ino, |node| {
            node.attr.size = node.attr.size.max(end);
            (node.attr.mtime, node.attr.ctime) = (now, now);
        });
        cache.unsettle(ino);
        self.pages.borrow_mut().write(ino, offset, bytes, size);
        let mut exchange = self.exchange.borrow_mut();
        post(&mut exchange, &mut cache, key, op, &[ino]);
        Ok(bytes.len())
    }

    /// A file's size is to be another. Less of it cannot fail.
    pub(super) fn set_size(&mut self, ino: Ino, size: u64, key: Key, op: Op) -> Result<(), Errno> {
        let old = self.node(ino)?.attr.size;
        if let Some(mapped) = self.mapped.get_mut(&ino) {
            mapped.set_len(size)?;
        }
        let pages = &self.pages;
        let Op::SetAttr { change, now, .. } = op else { return Err(Errno::EIO) };
        if size > old || self.mapping.contains(&ino) {
            return self.change(key, &[ino], op, |_, _| {}).map(drop);
        }
        self.change_behind(key, ino, op, |cache| {
            cache.change(ino, |node| super::system::apply(&mut node.attr, &change, now));
            cache.unsettle(ino);
        })?;
        self.room_freed();
        pages.borrow_mut().truncate(ino, size);
        Ok(())
    }

    /// There is more room than was known.
    pub(super) fn room_freed(&self) {
        if self.free.get().is_some_and(|free| free < FREE_PLENTY) {
            self.free.set(None);
        }
    }

    /// Whether so many bytes can be written later: there is room for them, and not too much is on its way.
    fn takes_behind(&self, len: usize) -> bool {
        let needed = (len as u64).next_multiple_of(PAGE);
        let free = self.free.get().unwrap_or(0);
        let takes = self.behind
            && free >= FREE_MIN + needed
            && self.exchange.borrow().behind(self.worker) < BEHIND_MAX;
        if takes {
            self.free.set(Some(free - needed));
        }
        takes
    }
}
