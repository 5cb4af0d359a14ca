//! overlayfs: directories of other file systems laid over each other; what is changed goes to the upper one alone.
//!
//! The marks in the upper directory are Linux's (Documentation/filesystems/overlayfs.rst), so either can go on with what the other has
//! left: a character device 0:0 hides a name of below, and the attribute `overlay.opaque` of a directory all of them. Directories
//! from below cannot be renamed (`EXDEV`), as on Linux without `redirect_dir`; a file with several names is one file no more when it has
//! been changed by one of them, as without `index`.
//!
//! A file system of a layer may answer that it has to be waited for ([`crate::remote`]). So every operation reads all it needs before it
//! changes anything, and what it notes by itself it may note twice.

mod change;
mod changes;
mod copy;
mod merged;
mod shared;
mod system;

pub use shared::Shared;

use crate::fs::{FileSystem, upwards};
use crate::mount::{Location, Vfs};
use crate::node::{Attr, Ino, Kind};
use crate::tmpfs::Tmpfs;
use abi::Errno;
use foldhash::HashMap;
use std::cell::RefCell;

type Result<T> = std::result::Result<T, Errno>;

const ROOT: Ino = 1;
/// Where Linux keeps its marks; the second one is for those who may not set the first (`userxattr`).
const MARKS: [&[u8]; 2] = [b"trusted.overlay.", b"user.overlay."];
/// `OVL_XATTR_OPAQUE`
const OPAQUE: &[u8] = b"opaque";

/// A directory that is part of an overlay.
#[derive(Clone)]
pub(crate) struct Layer {
    pub(crate) fs: Shared,
    /// Which directory.
    pub(crate) root: Ino,
    /// Where it is, for the kernel.
    pub(crate) at: Location,
}

/// An inode of a layer, by the layer's place from above; the upper one's is 0.
type Real = (usize, Ino);

/// An inode of the overlay.
#[derive(Clone)]
struct Node {
    /// What it consists of: of a file one, of a directory all that are seen, from above.
    reals: Vec<Real>,
    /// By which name it was found last.
    dir: Ino,
    name: Vec<u8>,
    holders: u64,
}

#[derive(Default)]
struct Nodes {
    nodes: HashMap<Ino, Node>,
    /// The overlay's inode of a layer's.
    by_real: HashMap<Real, Ino>,
    last: Ino,
    /// What getdents(2) tells names by, for each directory.
    cookies: HashMap<Ino, HashMap<Vec<u8>, u64>>,
    /// What is known of lower layers, which nobody may change meanwhile (Linux: "the behavior of the overlay is undefined"): so what
    /// an operation has read before its change it need not wait for behind it. Not needed, and not to be, where the upper layer is
    /// waited for: then answers are kept for the call, and it has to ask the same each time.
    below: Below,
}

#[derive(Default)]
struct Below {
    attrs: HashMap<Real, Attr>,
    opaque: HashMap<Real, bool>,
    names: HashMap<Real, HashMap<Vec<u8>, Option<Ino>>>,
}

/// Inodes of lower layers of which something is known at most.
const BELOW_MAX: usize = 1 << 17;

/// The file system.
pub(crate) struct Overlay {
    /// From above. The first one is the upper one if `writable`.
    layers: Vec<Layer>,
    writable: bool,
    keeps_below: bool,
    nodes: RefCell<Nodes>,
    options: String,
}

impl Vfs {
    /// Lays directories over each other, the first of `lower` above the others, all below `upper`, where changes go. Without it there
    /// are none. `options` are those that /proc/mounts shows, each behind a comma.
    ///
    /// # Errors
    /// `ENOTDIR`; `EINVAL`: none, or the upper one is in a lower one of the same file system or the other way round; `EROFS`: the upper
    /// one cannot be changed.
    pub fn overlay(
        &mut self,
        upper: Option<Location>,
        lower: &[Location],
        options: String,
    ) -> Result<Box<dyn FileSystem>> {
        if lower.is_empty() || upper.is_none() && lower.len() < 2 {
            return Err(Errno::EINVAL);
        }
        if let Some(upper) = upper {
            self.writable(upper)?;
            for lower in lower {
                if self.is_in(upper, *lower) || self.is_in(*lower, upper) {
                    return Err(Errno::EINVAL);
                }
            }
        }
        let upper = upper.map(|at| self.layer(at)).transpose()?;
        let lower: Result<Vec<Layer>> = lower.iter().map(|at| self.layer(*at)).collect();
        Ok(Box::new(Overlay::new(upper, lower?, options)))
    }

    /// Whether a directory is this one or below it, in one file system.
    fn is_in(&self, dir: Location, above: Location) -> bool {
        let Ok(fs) = self.fs(dir) else { return false };
        dir.fs == above.fs && upwards(fs, dir.ino).any(|ino| ino == Ok(above.ino))
    }

    fn layer(&mut self, at: Location) -> Result<Layer> {
        if self.attr(at)?.kind != Kind::Directory {
            return Err(Errno::ENOTDIR);
        }
        let system = self.systems.get_mut(&at.fs).ok_or(Errno::ESTALE)?;
        let fs = match system.fs.as_shared() {
            Some(shared) => shared,
            None => {
                // Nothing is in use while it changes hands.
                let empty: Box<dyn FileSystem> = Box::new(Tmpfs::new(0, 0));
                let shared = Shared::new(std::mem::replace(&mut system.fs, empty));
                system.fs = Box::new(shared.clone());
                shared
            }
        };
        Ok(Layer { fs, root: at.ino, at })
    }
}

impl Overlay {
    /// `options` are those that /proc/mounts shows.
    pub(crate) fn new(upper: Option<Layer>, lower: Vec<Layer>, options: String) -> Self {
        let writable = upper.is_some();
        let layers: Vec<Layer> = upper.into_iter().chain(lower).collect();
        let reals: Vec<Real> = layers.iter().enumerate().map(|(at, layer)| (at, layer.root)).collect();
        let mut nodes = Nodes { last: ROOT, ..Nodes::default() };
        nodes.by_real.insert(reals[0], ROOT);
        nodes.nodes.insert(ROOT, Node { reals, dir: ROOT, name: Vec::new(), holders: 0 });
        let keeps_below = !writable || !layers[0].fs.waits();
        Self { layers, writable, keeps_below, nodes: RefCell::new(nodes), options }
    }

    fn layer(&self, at: usize) -> &dyn FileSystem {
        &self.layers[at].fs
    }

    fn node(&self, ino: Ino) -> Result<Node> {
        self.nodes.borrow().nodes.get(&ino).cloned().ok_or(Errno::ESTALE)
    }

    /// The topmost inode, which has the attributes and a file's bytes.
    fn top(&self, ino: Ino) -> Result<Real> {
        self.node(ino)?.reals.first().copied().ok_or(Errno::ESTALE)
    }

    /// The upper inode, if there is one.
    fn upper(&self, ino: Ino) -> Result<Option<Ino>> {
        let (layer, real) = self.top(ino)?;
        Ok(self.is_upper(layer).then_some(real))
    }

    /// Whether what is told of this layer's inodes stays true, and is noted.
    fn is_kept(&self, layer: usize) -> bool {
        self.keeps_below && !self.is_upper(layer)
    }

    fn is_upper(&self, layer: usize) -> bool {
        self.writable && layer == 0
    }

    fn real_attr(&self, real: Real) -> Result<Attr> {
        if !self.is_kept(real.0) {
            return self.layer(real.0).attr(real.1);
        }
        if let Some(attr) = self.nodes.borrow().below.attrs.get(&real) {
            return Ok(attr.clone());
        }
        let attr = self.layer(real.0).attr(real.1)?;
        let below = &mut self.nodes.borrow_mut().below;
        if below.attrs.len() >= BELOW_MAX {
            *below = Below::default();
        }
        below.attrs.insert(real, attr.clone());
        Ok(attr)
    }

    fn real_lookup(&self, dir: Real, name: &[u8]) -> Result<Option<Ino>> {
        let known = |nodes: &Nodes| nodes.below.names.get(&dir)?.get(name).copied();
        if self.is_kept(dir.0)
            && let Some(found) = known(&self.nodes.borrow())
        {
            return Ok(found);
        }
        let found = match self.layer(dir.0).lookup(dir.1, name) {
            Ok(ino) => Some(ino),
            Err(Errno::ENOENT) => None,
            Err(errno) => return Err(errno),
        };
        if self.is_kept(dir.0) {
            let names = &mut self.nodes.borrow_mut().below.names;
            if names.len() >= BELOW_MAX {
                names.clear();
            }
            names.entry(dir).or_default().insert(name.to_vec(), found);
        }
        Ok(found)
    }

    /// Whether an inode of a layer hides a name of below (`ovl_is_whiteout`).
    fn is_whiteout(&self, real: Real) -> Result<bool> {
        let attr = self.real_attr(real)?;
        Ok(attr.kind == Kind::Char && attr.rdev == 0)
    }

    fn is_opaque(&self, real: Real) -> Result<bool> {
        if let Some(opaque) = self.nodes.borrow().below.opaque.get(&real) {
            return Ok(*opaque);
        }
        let opaque = self.has_mark(real)?;
        if self.is_kept(real.0) {
            self.nodes.borrow_mut().below.opaque.insert(real, opaque);
        }
        Ok(opaque)
    }

    fn has_mark(&self, (layer, ino): Real) -> Result<bool> {
        for mark in MARKS {
            match self.layer(layer).xattr(ino, &[mark, OPAQUE].concat()) {
                Ok(value) if value == b"y" => return Ok(true),
                Ok(_) | Err(Errno::ENODATA | Errno::EOPNOTSUPP) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(false)
    }

    /// What is seen under a name in these directories, from above: nothing, a file, or directories.
    fn seen(&self, dirs: &[Real], name: &[u8]) -> Result<Vec<Real>> {
        let mut reals = Vec::new();
        for (layer, dir) in dirs {
            let Some(ino) = self.real_lookup((*layer, *dir), name)? else { continue };
            let real = (*layer, ino);
            let is_directory = self.real_attr(real)?.kind == Kind::Directory;
            if self.is_whiteout(real)? || !is_directory && !reals.is_empty() {
                break;
            }
            reals.push(real);
            if !is_directory || self.is_opaque(real)? {
                break;
            }
        }
        Ok(reals)
    }

    /// The overlay's inode for these.
    fn enter(&self, reals: Vec<Real>, dir: Ino, name: &[u8]) -> Result<Ino> {
        let top = *reals.first().ok_or(Errno::ENOENT)?;
        let mut nodes = self.nodes.borrow_mut();
        if let Some(ino) = nodes.by_real.get(&top).copied() {
            if let Some(node) = nodes.nodes.get_mut(&ino) {
                (node.reals, node.dir, node.name) = (reals, dir, name.to_vec());
            }
            return Ok(ino);
        }
        nodes.last += 1;
        let ino = nodes.last;
        nodes.by_real.insert(top, ino);
        nodes.nodes.insert(ino, Node { reals, dir, name: name.to_vec(), holders: 0 });
        Ok(ino)
    }

    /// Forgets an inode that has no name and no holder any more: its layer gives its number to another some day.
    fn forget(&self, ino: Ino) {
        let mut nodes = self.nodes.borrow_mut();
        if let Some(node) = nodes.nodes.get(&ino).filter(|node| node.holders == 0) {
            let top = node.reals.first().copied();
            nodes.nodes.remove(&ino);
            nodes.cookies.remove(&ino);
            top.map(|top| nodes.by_real.remove(&top));
        }
    }

    /// The places of the layers, which are in use for as long as this is mounted.
    pub(crate) fn places(&self) -> Vec<Location> {
        self.layers.iter().map(|layer| layer.at).collect()
    }
}
