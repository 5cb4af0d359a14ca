//! ISO 9660 with Rock Ridge or Joliet, by the crate `hadris-iso`. It is read-only by nature.
//!
//! Inodes are where directory records lie, so they are the same after the next mount.

use crate::disk::Disk;
use crate::hadris::{Blocks, errno, kind, mount_errno, node, time, walk};
use crate::readonly::{ReadOnly, Tree};
use crate::{Opened, Opening};
use abi::Errno;
use abi::layout::Statfs;
use hadris_fs::sync::FileSystem as _;
use hadris_fs::{DirEntry, Extent, Metadata, MountOptions, Name, OpenMode};
use hadris_iso::sync::IsoFs;
use hadris_iso::{CacheOptions, Namespace};
use std::cell::RefCell;
use std::hash::{DefaultHasher, Hash, Hasher};
use vfs::{Attr, EachName, Ino, Kind};

type Result<T> = std::result::Result<T, Errno>;

const MAGIC: i64 = 0x9660;
/// Where the first volume descriptor lies, and its length (ECMA-119, 6.7.1).
const DESCRIPTOR: (u64, usize) = (16 * 2048, 2048);
/// Longest target of a symbolic link.
const TARGET_MAX: usize = 4095;
/// Names of files with several that are remembered; others are looked for.
const LINKS: usize = 1 << 16;

/// An ISO 9660 file system.
struct Iso {
    image: RefCell<IsoFs<Blocks>>,
    options: Options,
    /// Names are those of the primary tree, in capitals.
    plain: bool,
    /// Of the primary volume descriptor, which says when the image was made.
    identity: u64,
}

/// Mount options (mount(8)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Options {
    rock: bool,
    joliet: bool,
    uid: Option<u32>,
    gid: Option<u32>,
    mode: Option<u32>,
    dmode: Option<u32>,
}

impl Options {
    fn parse(text: &[u8]) -> Result<Self> {
        let text = std::str::from_utf8(text).map_err(|_| Errno::EINVAL)?;
        let mut options = Self { rock: true, joliet: true, uid: None, gid: None, mode: None, dmode: None };
        for option in text.split(',').filter(|option| !option.is_empty()) {
            let number = |text: &str, radix| u32::from_str_radix(text, radix).map_err(|_| Errno::EINVAL);
            match option.split_once('=') {
                None if option == "norock" => options.rock = false,
                None if option == "nojoliet" => options.joliet = false,
                Some(("uid", value)) => options.uid = Some(number(value, 10)?),
                Some(("gid", value)) => options.gid = Some(number(value, 10)?),
                Some(("mode", value)) => options.mode = Some(number(value, 8)? & 0o7777),
                Some(("dmode", value)) => options.dmode = Some(number(value, 8)? & 0o7777),
                _ => return Err(Errno::EINVAL),
            }
        }
        Ok(options)
    }

    fn allow(&self, tree: Namespace) -> bool {
        match tree {
            Namespace::RockRidge => self.rock,
            Namespace::Joliet => self.joliet,
            _ => true,
        }
    }
}

/// Opens one.
///
/// # Errors
/// `EINVAL`: there is none, or an option is unknown. `EUCLEAN`: its descriptors make no sense.
pub(crate) fn open(disk: Disk, how: Opening<'_>) -> Result<Opened> {
    let options = Options::parse(how.options)?;
    let mut descriptor = [0; DESCRIPTOR.1];
    disk.read_at(&mut descriptor, DESCRIPTOR.0).map_err(|_| Errno::EINVAL)?;
    let mut hasher = DefaultHasher::new();
    descriptor.hash(&mut hasher);
    let image = tree(disk, options)?;
    let plain = image.namespace() == Namespace::Primary;
    let exact = !plain;
    let iso = Iso { image: RefCell::new(image), options, plain, identity: hasher.finish() };
    // What mount(2) says is that it can be used.
    iso.attr(iso.root())?;
    Ok(Opened { fs: Box::new(ReadOnly(iso)), behind: false, keeps_nodes: true, exact })
}

/// The best of the trees that the options allow (fs/isofs/inode.c: Rock Ridge, then Joliet).
fn tree(disk: Disk, options: Options) -> Result<IsoFs<Blocks>> {
    let mount = |tree| {
        IsoFs::mount_namespace(Blocks(disk.clone()), MountOptions::new(), tree)
            .map_err(|error| mount_errno(error.error()))
    };
    let image = mount(Namespace::Preferred)?;
    let image = if options.allow(image.namespace()) {
        image
    } else {
        let there = image.namespaces();
        let order = [Namespace::RockRidge, Namespace::Joliet, Namespace::Primary];
        let best = order.into_iter().find(|tree| there.contains(*tree) && options.allow(*tree));
        mount(best.unwrap_or(Namespace::Primary))?
    };
    Ok(image.with_cache(CacheOptions::new().with_links(LINKS)))
}

impl Iso {
    fn attr_of(&self, ino: Ino, known: &Metadata) -> Result<Attr> {
        let kind = kind(known.file_type()).ok_or(Errno::EUCLEAN)?;
        let directory = kind == Kind::Directory;
        let size = if directory { self.directory_size(ino) } else { known.len() };
        // The date of a record is that of its last change (ECMA-119, 9.1.5).
        let mtime = time(known.modified()).unwrap_or(0);
        let given = if directory { self.options.dmode } else { self.options.mode };
        // Without Rock Ridge all can be read and run (fs/isofs/inode.c).
        let stored = known.owner().map_or(0o555, |_| known.permissions().bits());
        Ok(Attr {
            ino,
            kind,
            mode: given.unwrap_or(stored),
            nlink: known.nlink().max(if directory { 2 } else { 1 }),
            uid: self.options.uid.or(known.owner().map(|owner| owner.uid())).unwrap_or(0),
            gid: self.options.gid.or(known.owner().map(|owner| owner.gid())).unwrap_or(0),
            rdev: known.device().map_or(0, |device| rustix::fs::makedev(device.major(), device.minor())),
            size,
            blocks: size.div_ceil(512),
            atime: time(known.accessed()).unwrap_or(mtime),
            mtime,
            ctime: time(known.changed()).unwrap_or(mtime),
            btime: time(known.created()).unwrap_or(mtime),
            acl: None,
        })
    }

    /// Bytes of a directory's records.
    fn directory_size(&self, dir: Ino) -> u64 {
        let mut extent = [Extent::new(0, 0)];
        let found = node(dir).ok().and_then(|dir| self.image.borrow_mut().extents(dir, 0, &mut extent).ok());
        if found == Some(1) { extent[0].len() } else { 0 }
    }

    /// A name as programs see it: those of the primary tree in small letters (`map=normal` of mount(8)).
    fn shown(&self, name: &Name) -> Vec<u8> {
        let name = name.as_bytes();
        if self.plain { name.to_ascii_lowercase() } else { name.to_vec() }
    }

    /// The entries behind a place in a directory, until `each` answers false.
    fn walk(&self, dir: Ino, after: u64, each: &mut dyn FnMut(u64, &DirEntry) -> bool) -> Result<()> {
        let dir = node(dir)?;
        walk(after, |at| self.image.borrow_mut().readdir(dir, at), each)
    }

    fn stat(&self, ino: Ino) -> Result<Metadata> {
        self.image.borrow_mut().stat(node(ino)?).map_err(|error| errno(&error))
    }
}

impl Tree for Iso {
    fn name(&self) -> &'static str {
        "iso9660"
    }

    fn root(&self) -> Ino {
        self.image.borrow().root().get()
    }

    fn attr(&self, ino: Ino) -> Result<Attr> {
        let known = self.stat(ino)?;
        self.attr_of(ino, &known)
    }

    fn lookup(&self, dir: Ino, name: &[u8]) -> Result<Ino> {
        let found = self.image.borrow_mut().lookup(node(dir)?, Name::new(name));
        found.map(|node| node.get()).map_err(|error| errno(&error))
    }

    fn parent(&self, dir: Ino) -> Result<Ino> {
        let parent = self.image.borrow_mut().parent(node(dir)?);
        parent.map(|node| node.get()).map_err(|error| errno(&error))
    }

    fn name_of(&self, dir: Ino) -> Result<Vec<u8>> {
        let mut found = None;
        self.walk(self.parent(dir)?, 0, &mut |_, entry| {
            if entry.node().get() == dir {
                found = Some(self.shown(entry.name()));
            }
            found.is_none()
        })?;
        found.ok_or(Errno::ENOENT)
    }

    fn read_dir(&self, dir: Ino, after: u64, each: EachName<'_>) -> Result<()> {
        self.walk(dir, after, &mut |cookie, entry| match kind(entry.file_type()) {
            Some(kind) => each(cookie, entry.node().get(), kind, &self.shown(entry.name())),
            None => true,
        })
    }

    fn readlink(&self, ino: Ino) -> Result<Vec<u8>> {
        let mut target = [0; TARGET_MAX];
        let target = self.image.borrow_mut().readlink(node(ino)?, &mut target).map(<[u8]>::to_vec);
        target.map_err(|error| errno(&error))
    }

    fn read(&self, ino: Ino, offset: u64, into: &mut [u8]) -> Result<usize> {
        let mut image = self.image.borrow_mut();
        let node = node(ino)?;
        image.open(node, OpenMode::Read).map_err(|error| errno(&error))?;
        image.read(node, offset, into).map_err(|error| errno(&error))
    }

    fn statfs(&self) -> Statfs {
        let image = self.image.borrow();
        let block = i64::from(image.info().block_size());
        Statfs {
            f_type: MAGIC,
            f_bsize: block,
            f_frsize: block,
            f_blocks: u64::from(image.info().volume_space_size()),
            f_namelen: 255,
            ..Statfs::default()
        }
    }

    fn identity(&self) -> Option<u64> {
        Some(self.identity)
    }
}
