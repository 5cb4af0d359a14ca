//! What is known of a file system without asking: attributes, names, listings, links, extended attributes.

use super::exchange::Moment;
use super::op::{Entry, Node, Value, Xattrs};
use crate::node::Ino;
use foldhash::HashMap;
use std::sync::Arc;

/// Inodes, and names, of which something is known at most.
const INODES_MAX: usize = 1 << 18;
/// Inodes that are asked for along with the one that is wanted, when a directory is gone through.
const AHEAD: usize = 64;

type ByIno<T> = HashMap<Ino, T>;

/// The names of one directory.
#[derive(Default)]
struct Names {
    known: HashMap<Box<[u8]>, Option<Ino>>,
    /// There are no others.
    complete: bool,
    /// All of them in their order, if the directory was listed and has not changed since.
    listing: Option<Arc<Vec<Entry>>>,
    /// Where in the listing an inode stands.
    places: ByIno<u32>,
}

#[derive(Default)]
pub(super) struct Cache {
    /// Names can be spelt in other ways than they are listed: that one is not known says nothing of it, and when one changes others
    /// that meant the same change with it.
    has_aliases: bool,
    nodes: ByIno<Arc<Node>>,
    /// Inodes with bytes on their way, whose blocks are not known.
    unsettled: ByIno<()>,
    /// When inodes were changed last by what was answered before it was carried out. Of others: not later than `changed_before`.
    changed: ByIno<Moment>,
    changed_before: Moment,
    names: ByIno<Names>,
    names_count: usize,
    /// Of directories: the one above, and the name there.
    above: ByIno<(Ino, Option<Box<[u8]>>)>,
    links: ByIno<Arc<Vec<u8>>>,
    xattrs: ByIno<Xattrs>,
    /// The directory in which was looked last.
    last_dir: Ino,
}

impl Cache {
    /// Nothing is known. `exact`: names stand for nothing unless they are spelt as they are listed.
    pub(super) fn new(exact: bool) -> Self {
        Self { has_aliases: !exact, ..Self::default() }
    }

    /// Nothing is known any more, nor believed of what was asked for before.
    pub(super) fn clear(&mut self, now: Moment) {
        *self = Self { changed_before: now, ..Self::new(!self.has_aliases) };
    }

    pub(super) fn node(&self, ino: Ino) -> Option<Arc<Node>> {
        self.nodes.get(&ino).cloned()
    }

    pub(super) fn settled(&self, ino: Ino) -> Option<Arc<Node>> {
        if self.unsettled.contains_key(&ino) { None } else { self.node(ino) }
    }

    /// Notes that the worker is going to change an inode, or its bytes.
    pub(super) fn mark(&mut self, ino: Ino, now: Moment) {
        if self.changed.len() >= INODES_MAX {
            self.changed.clear();
            self.changed_before = now;
        }
        self.changed.insert(ino, now);
    }

    /// Whether what was asked for at that time tells how an inode is now: others are served while somebody waits for an answer.
    pub(super) fn is_current(&self, ino: Ino, asked: Moment) -> bool {
        self.changed.get(&ino).copied().unwrap_or(self.changed_before) <= asked
    }

    /// What the worker has told of an inode; nothing is known of one that was changed after that was asked for.
    pub(super) fn put(&mut self, node: &Arc<Node>, asked: Moment) {
        if !self.is_current(node.attr.ino, asked) {
            return self.forget(node.attr.ino);
        }
        if self.nodes.len() >= INODES_MAX {
            self.nodes.clear();
            self.links.clear();
            self.xattrs.clear();
        }
        self.unsettled.remove(&node.attr.ino);
        self.nodes.insert(node.attr.ino, Arc::clone(node));
    }

    /// What an operation has told of the inodes that it has changed.
    pub(super) fn put_changed(&mut self, involved: &[Ino], value: &Value, asked: Moment) {
        for ino in involved {
            self.forget(*ino);
        }
        if let Value::Changed { nodes, .. } | Value::Nodes(nodes) = value {
            nodes.iter().for_each(|node| self.put(node, asked));
        }
    }

    /// Changes what is known of an inode as the worker is going to change it.
    pub(super) fn change(&mut self, ino: Ino, change: impl FnOnce(&mut Node)) {
        if let Some(node) = self.nodes.get_mut(&ino) {
            change(Arc::make_mut(node));
        }
    }

    /// Bytes of this inode are on their way.
    pub(super) fn unsettle(&mut self, ino: Ino) {
        self.unsettled.insert(ino, ());
    }

    pub(super) fn forget(&mut self, ino: Ino) {
        self.nodes.remove(&ino);
        self.unsettled.remove(&ino);
        self.xattrs.remove(&ino);
    }

    /// The inode's number may be given to another.
    pub(super) fn forget_all_of(&mut self, ino: Ino) {
        self.forget(ino);
        self.links.remove(&ino);
        self.above.remove(&ino);
        self.forget_names(ino);
    }

    /// What a name stands for: an inode, or nothing. None: not known.
    pub(super) fn name(&mut self, dir: Ino, name: &[u8]) -> Option<Option<Ino>> {
        self.last_dir = dir;
        let names = self.names.get(&dir)?;
        match names.known.get(name) {
            Some(known) => Some(*known),
            None if names.complete => Some(None),
            None => None,
        }
    }

    pub(super) fn put_name(&mut self, dir: Ino, name: &[u8], ino: Option<Ino>) {
        if self.has_aliases && ino.is_none() {
            return;
        }
        self.make_room(1);
        let names = self.names.entry(dir).or_default();
        if names.known.insert(name.into(), ino).is_none() {
            self.names_count += 1;
        }
    }

    /// A name was made or taken away.
    pub(super) fn change_name(&mut self, dir: Ino, name: &[u8], ino: Option<Ino>) {
        if self.has_aliases {
            self.forget_names(dir);
        }
        if let Some(names) = self.names.get_mut(&dir)
            && names.listing.take().is_some()
        {
            names.places = ByIno::default();
        }
        self.put_name(dir, name, ino);
    }

    pub(super) fn listing(&self, dir: Ino) -> Option<Arc<Vec<Entry>>> {
        self.names.get(&dir)?.listing.clone()
    }

    pub(super) fn put_listing(&mut self, dir: Ino, listing: &Arc<Vec<Entry>>) {
        self.make_room(listing.len());
        self.forget_names(dir);
        let known = listing.iter().map(|entry| (entry.name.as_slice().into(), Some(entry.ino))).collect();
        let places = listing.iter().zip(0..).map(|(entry, at)| (entry.ino, at)).collect();
        self.names_count += listing.len();
        let complete = !self.has_aliases;
        self.names.insert(dir, Names { known, complete, listing: Some(Arc::clone(listing)), places });
    }

    /// The inodes to ask for when this one is wanted: the next ones of the directory that is gone through, too.
    pub(super) fn ahead(&self, ino: Ino) -> Vec<Ino> {
        let mut inos = vec![ino];
        if let Some(names) = self.names.get(&self.last_dir)
            && let (Some(listing), Some(at)) = (&names.listing, names.places.get(&ino))
        {
            let next = listing.iter().skip(*at as usize + 1).take(AHEAD).map(|entry| entry.ino);
            inos.extend(next.filter(|ino| !self.nodes.contains_key(ino)));
        }
        inos
    }

    pub(super) fn above(&self, dir: Ino) -> Option<&(Ino, Option<Box<[u8]>>)> {
        self.above.get(&dir)
    }

    /// Where a directory stands; its name, if that is known.
    pub(super) fn put_above(&mut self, dir: Ino, above: Ino, name: Option<&[u8]>) {
        self.above.insert(dir, (above, name.map(Into::into)));
    }

    pub(super) fn forget_above(&mut self, dir: Ino) {
        self.above.remove(&dir);
    }

    pub(super) fn link(&self, ino: Ino) -> Option<Arc<Vec<u8>>> {
        self.links.get(&ino).cloned()
    }

    pub(super) fn put_link(&mut self, ino: Ino, target: &Arc<Vec<u8>>) {
        self.links.insert(ino, Arc::clone(target));
    }

    pub(super) fn xattrs(&self, ino: Ino) -> Option<Xattrs> {
        self.xattrs.get(&ino).cloned()
    }

    pub(super) fn put_xattrs(&mut self, ino: Ino, xattrs: &Xattrs) {
        self.xattrs.insert(ino, Arc::clone(xattrs));
    }

    fn forget_names(&mut self, dir: Ino) {
        if let Some(names) = self.names.remove(&dir) {
            self.names_count = self.names_count.saturating_sub(names.known.len());
        }
    }

    fn make_room(&mut self, more: usize) {
        if self.names_count + more > INODES_MAX {
            self.names.clear();
            self.names_count = 0;
        }
    }
}
