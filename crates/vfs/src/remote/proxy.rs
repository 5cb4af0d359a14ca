//! What stands for a file system in the tree.

use super::cache::Cache;
use super::exchange::{Exchange, Key, Moment, What};
use super::mapped::Mapped;
use super::op::{Answer, Mounted, Node, Op, Value};
use super::pages::Pages;
use super::{SharedExchange, Worker};
use crate::fs::FileSystem;
use crate::node::Ino;
use abi::Errno;
use foldhash::{HashMap, HashMapExt, HashSet, HashSetExt};
use std::cell::{Cell, RefCell};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// A file system that a worker has.
pub struct Remote {
    pub(super) exchange: SharedExchange,
    pub(super) worker: Worker,
    /// The drive that it is on.
    pub(super) drive: Option<Worker>,
    pub(super) name: &'static str,
    pub(super) root: Ino,
    pub(super) acls: bool,
    pub(super) behind: bool,
    pub(super) keeps_nodes: bool,
    pub(super) keeps_pages: bool,
    pub(super) size_max: u64,
    pub(super) identity: Option<u64>,
    pub(super) options: String,
    pub(super) cache: RefCell<Cache>,
    pub(super) pages: RefCell<Pages>,
    /// How often inodes are held.
    pub(super) holders: HashMap<Ino, u64>,
    /// Files whose bytes are in memory that programs map.
    pub(super) mapped: HashMap<Ino, Mapped>,
    /// Those of them that are held by nothing else than a mapping any more, or were when they were closed last.
    pub(super) kept: HashSet<Ino>,
    /// Files that are about to be: their bytes are asked for, and may not be changed unasked meanwhile.
    pub(super) mapping: HashSet<Ino>,
    /// Blocks that are free at least, as far as is known; none: not known.
    pub(super) free: Cell<Option<u64>>,
    pub(super) unmounted: bool,
}

impl Remote {
    pub(crate) fn new(exchange: SharedExchange, mounted: &Mounted) -> Self {
        let arrivals = exchange.borrow_mut().arrivals_of(mounted.worker);
        Self {
            exchange,
            worker: mounted.worker,
            drive: mounted.drive,
            name: mounted.name,
            root: mounted.root,
            acls: mounted.acls,
            behind: mounted.behind,
            keeps_nodes: mounted.keeps_nodes,
            keeps_pages: mounted.keeps_pages,
            size_max: mounted.size_max,
            identity: mounted.identity,
            options: mounted.options.clone(),
            cache: RefCell::new(Cache::new(mounted.exact)),
            pages: RefCell::new(Pages::new(arrivals)),
            holders: HashMap::new(),
            mapped: HashMap::new(),
            kept: HashSet::new(),
            mapping: HashSet::new(),
            free: Cell::new(None),
            unmounted: false,
        }
    }

    pub(super) const fn key(&self, what: What, ino: Ino) -> Key {
        Key { what, worker: self.worker, ino, more: 0 }
    }

    pub(super) fn key_of(&self, what: What, ino: Ino, more: impl Hash) -> Key {
        let mut hasher = DefaultHasher::new();
        more.hash(&mut hasher);
        Key { more: hasher.finish(), ..self.key(what, ino) }
    }

    /// The answer of the log, of the cache, or of the worker; `keep` brings the cache up to date with a new one.
    pub(super) fn ask(
        &self,
        key: Key,
        known: impl FnOnce(&mut Cache) -> Option<Answer>,
        op: impl FnOnce(&Cache) -> Op,
        keep: impl FnOnce(&mut Cache, &Answer, Moment),
    ) -> Answer {
        let mut exchange = self.exchange.borrow_mut();
        let mut cache = self.cache.borrow_mut();
        if exchange.is_distrusted(self.worker) {
            cache.clear(exchange.now());
            self.pages.borrow_mut().clear();
            self.free.set(None);
        }
        if let Some((answer, fresh)) = exchange.replay(key) {
            if let Some(asked) = fresh {
                keep(&mut cache, &answer, asked);
            }
            return answer;
        }
        if self.keeps_nodes
            && let Some(answer) = known(&mut cache)
        {
            exchange.note(key, answer.clone());
            return answer;
        }
        exchange.want(key, op(&cache))
    }

    /// What is known of an inode.
    pub(super) fn node(&self, ino: Ino) -> Result<Arc<Node>, Errno> {
        let key = self.key(What::Node, ino);
        let known = |cache: &mut Cache| cache.node(ino).map(of_node);
        self.asked_node(ino, key, known, |cache| Op::Nodes(cache.ahead(ino)))
    }

    /// As [`Remote::node`], with the blocks that its bytes take in the end.
    pub(super) fn settled_node(&self, ino: Ino) -> Result<Arc<Node>, Errno> {
        let key = self.key(What::Settled, ino);
        let known = |cache: &mut Cache| cache.settled(ino).map(of_node);
        self.asked_node(ino, key, known, |cache| Op::Nodes(cache.ahead(ino)))
    }

    fn asked_node(
        &self,
        ino: Ino,
        key: Key,
        known: impl FnOnce(&mut Cache) -> Option<Answer>,
        op: impl FnOnce(&Cache) -> Op,
    ) -> Result<Arc<Node>, Errno> {
        let answer = self.ask(key, known, op, |cache, answer, asked| {
            if let Ok(Value::Nodes(nodes)) = answer {
                nodes.iter().for_each(|node| cache.put(node, asked));
            }
        });
        match answer? {
            Value::Nodes(nodes) => nodes.into_iter().find(|node| node.attr.ino == ino).ok_or(Errno::EIO),
            _ => Err(Errno::EIO),
        }
    }

    /// A change that is waited for, and the inodes that it involves. Answers what was made, or how many bytes were written.
    pub(super) fn change(
        &self,
        key: Key,
        involved: &[Ino],
        op: Op,
        keep: impl FnOnce(&mut Cache, Option<Ino>),
    ) -> Result<(Option<Ino>, usize), Errno> {
        let answer = self.ask(
            key,
            |_| None,
            |_| op,
            |cache, answer, asked| match answer {
                Ok(value) => {
                    cache.put_changed(involved, value, asked);
                    keep(cache, made(value));
                }
                // It may have been done in part.
                Err(_) => involved.iter().for_each(|ino| cache.forget_all_of(*ino)),
            },
        );
        match answer? {
            Value::Changed { made, count, .. } => Ok((made, count)),
            // When it ran before, it was answered at once.
            Value::Nothing => Ok((None, 0)),
            _ => Err(Errno::EIO),
        }
    }

    /// A change that is answered at once if this file system's can be, and else waited for. `keep` brings what is known up to date.
    pub(super) fn change_behind(
        &self,
        key: Key,
        ino: Ino,
        op: Op,
        keep: impl FnOnce(&mut Cache),
    ) -> Result<(), Errno> {
        if !self.behind {
            return self.change(key, &[ino], op, |_, _| {}).map(drop);
        }
        let mut exchange = self.exchange.borrow_mut();
        let mut cache = self.cache.borrow_mut();
        match exchange.replay(key) {
            Some((answer, fresh)) => {
                if let (Ok(value), Some(asked)) = (&answer, fresh) {
                    cache.put_changed(&[ino], value, asked);
                }
                answer.map(drop)
            }
            None => {
                keep(&mut cache);
                post(&mut exchange, &mut cache, key, op, &[ino]);
                Ok(())
            }
        }
    }

    /// An inode may have lost its last name: if nobody holds it, its number can be another's soon.
    pub(super) fn forget_if_gone(&self, ino: Ino) {
        let mut cache = self.cache.borrow_mut();
        if !self.is_held(ino) && cache.node(ino).is_none_or(|node| node.attr.nlink == 0) {
            cache.forget_all_of(ino);
            self.pages.borrow_mut().forget(ino);
        }
    }
}

impl Drop for Remote {
    /// Taken away while it was in use (MNT_DETACH): now nobody uses it.
    fn drop(&mut self) {
        let mut exchange = self.exchange.borrow_mut();
        exchange.gone(self.worker);
        if !self.unmounted {
            exchange.post_unlogged(self.worker, Op::Unmount);
        }
    }
}

/// Answers a change before it is carried out. What was asked for earlier does not tell how the inodes that it changes are from then on.
pub(super) fn post(exchange: &mut Exchange, cache: &mut Cache, key: Key, op: Op, involved: &[Ino]) {
    exchange.post(key, op);
    involved.iter().for_each(|ino| cache.mark(*ino, exchange.now()));
}

fn of_node(node: Arc<Node>) -> Answer {
    Ok(Value::Nodes(vec![node]))
}

const fn made(value: &Value) -> Option<Ino> {
    match value {
        Value::Changed { made, .. } => *made,
        _ => None,
    }
}
