//! squashfs, by the crate `backhand`. It is read-only by nature.
//!
//! The crate has read all inodes when it opens an image; here they get numbers and directories. It reads files from their
//! beginning only, so a read in the middle is one of a file that lacks the blocks before.

use crate::disk::Disk;
use crate::readonly::{Named, Names, ReadOnly, Tree};
use crate::{Opened, Opening};
use abi::Errno;
use abi::layout::Statfs;
use backhand::{BackhandError, FilesystemReader, InnerNode, Node, SquashfsFileReader};
use foldhash::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufReader, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use vfs::{Attr, EachName, Ino, Kind};

type Result<T> = std::result::Result<T, Errno>;

const MAGIC: i64 = 0x7371_7368;
const SECOND_NS: u64 = 1_000_000_000;
/// Longest target of a symbolic link.
const TARGET_MAX: usize = 4095;

/// A squashfs file system.
struct Squashfs {
    reader: FilesystemReader<'static>,
    names: Names,
    size: u64,
    /// Of the superblock, which holds the time and places of all that was packed.
    identity: u64,
}

/// Opens one.
///
/// # Errors
/// `EINVAL`: there is none, it is damaged, or compressed in a way that is not known.
pub(crate) fn open(disk: Disk, how: Opening<'_>) -> Result<Opened> {
    if !how.options.is_empty() {
        return Err(Errno::EINVAL);
    }
    let size = disk.size();
    let mut superblock = [0; 96];
    disk.read_at(&mut superblock, 0).map_err(|_| Errno::EINVAL)?;
    let mut hasher = DefaultHasher::new();
    superblock.hash(&mut hasher);
    let reader =
        FilesystemReader::from_reader(BufReader::new(disk.stream())).map_err(|error| errno(&error))?;
    let names = names(&reader)?;
    let squashfs = Squashfs { reader, names, size, identity: hasher.finish() };
    Ok(Opened { fs: Box::new(ReadOnly(squashfs)), behind: false, keeps_nodes: true, exact: true })
}

fn errno(error: &BackhandError) -> Errno {
    match error {
        BackhandError::StdIo(error) => crate::disk::errno(error),
        _ => Errno::EINVAL,
    }
}

/// The root directory: a number as others.
fn root(reader: &FilesystemReader<'static>) -> Ino {
    let root = reader.root.nodes.iter().position(|node| node.fullpath == Path::new("/"));
    root.map_or(1, |at| at as Ino + 1)
}

/// The crate gives the path of each.
fn names(reader: &FilesystemReader<'static>) -> Result<Names> {
    let nodes = (1..).zip(&reader.root.nodes);
    let numbers: HashMap<&Path, Ino> =
        nodes.clone().map(|(ino, node)| (node.fullpath.as_path(), ino)).collect();
    let named = |(ino, node): (Ino, &Node<SquashfsFileReader>)| {
        let dir = *numbers.get(node.fullpath.parent()?)?;
        Some(Named { dir, ino, kind: kind(node), name: node.fullpath.file_name()?.as_bytes().to_vec() })
    };
    Names::new(root(reader), nodes.filter_map(named))
}

const fn kind(node: &Node<SquashfsFileReader>) -> Kind {
    match node.inner {
        InnerNode::File(_) => Kind::Regular,
        InnerNode::Symlink(_) => Kind::Symlink,
        InnerNode::Dir(_) => Kind::Directory,
        InnerNode::CharacterDevice(_) => Kind::Char,
        InnerNode::BlockDevice(_) => Kind::Block,
        InnerNode::NamedPipe => Kind::Fifo,
        InnerNode::Socket => Kind::Socket,
    }
}

impl Squashfs {
    /// The crate's node of an inode: numbers count from 1 on.
    fn node(&self, ino: Ino) -> Result<&Node<SquashfsFileReader>> {
        let at = ino.checked_sub(1).and_then(|at| usize::try_from(at).ok()).ok_or(Errno::ESTALE)?;
        self.reader.root.nodes.get(at).ok_or(Errno::ESTALE)
    }

    /// A file without the blocks in front of an offset, and what is left of the offset.
    fn behind(&self, file: &SquashfsFileReader, offset: u64) -> Result<(SquashfsFileReader, u64)> {
        let block = u64::from(self.reader.block_size);
        let whole = usize::try_from(offset / block).map_err(|_| Errno::EINVAL)?.min(file.block_sizes().len());
        let gone: u64 = file.block_sizes().iter().take(whole).map(|size| u64::from(size.size())).sum();
        let skipped = whole as u64 * block;
        let mut file = file.clone();
        match &mut file {
            SquashfsFileReader::Basic(basic) => {
                basic.block_sizes.drain(..whole);
                basic.file_size = basic.file_size.saturating_sub(u32::try_from(skipped).unwrap_or(u32::MAX));
                let start = u64::from(basic.blocks_start) + gone;
                basic.blocks_start = u32::try_from(start).map_err(|_| Errno::EINVAL)?;
            }
            SquashfsFileReader::Extended(extended) => {
                extended.block_sizes.drain(..whole);
                extended.file_size = extended.file_size.saturating_sub(skipped);
                extended.blocks_start = extended.blocks_start.checked_add(gone).ok_or(Errno::EINVAL)?;
            }
        }
        Ok((file, offset - skipped))
    }
}

impl Tree for Squashfs {
    fn name(&self) -> &'static str {
        "squashfs"
    }

    fn root(&self) -> Ino {
        root(&self.reader)
    }

    fn lookup(&self, dir: Ino, name: &[u8]) -> Result<Ino> {
        self.names.lookup(dir, name)
    }

    fn parent(&self, dir: Ino) -> Result<Ino> {
        self.names.parent(dir)
    }

    fn name_of(&self, dir: Ino) -> Result<Vec<u8>> {
        self.names.name_of(dir)
    }

    fn read_dir(&self, dir: Ino, after: u64, each: EachName<'_>) -> Result<()> {
        self.names.read_dir(dir, after, each)
    }

    fn find(&self, ino: Ino) -> Result<()> {
        self.names.find(ino)
    }

    fn attr(&self, ino: Ino) -> Result<Attr> {
        let node = self.node(ino)?;
        let (size, rdev) = match &node.inner {
            InnerNode::File(file) => (file.file_len() as u64, 0),
            InnerNode::Symlink(link) => (link.link.as_os_str().len() as u64, 0),
            InnerNode::CharacterDevice(device) => (0, u64::from(device.device_number)),
            InnerNode::BlockDevice(device) => (0, u64::from(device.device_number)),
            InnerNode::Dir(_) | InnerNode::NamedPipe | InnerNode::Socket => (0, 0),
        };
        let time = u64::from(node.header.mtime) * SECOND_NS;
        Ok(Attr {
            ino,
            kind: kind(node),
            mode: u32::from(node.header.permissions) & 0o7777,
            nlink: self.names.nlink(ino),
            uid: node.header.uid,
            gid: node.header.gid,
            rdev,
            size,
            blocks: size.div_ceil(512),
            atime: time,
            mtime: time,
            ctime: time,
            btime: time,
            acl: None,
        })
    }

    fn readlink(&self, ino: Ino) -> Result<Vec<u8>> {
        match &self.node(ino)?.inner {
            InnerNode::Symlink(link) if link.link.as_os_str().len() <= TARGET_MAX => {
                Ok(link.link.as_os_str().as_bytes().to_vec())
            }
            _ => Err(Errno::EINVAL),
        }
    }

    fn read(&self, ino: Ino, offset: u64, into: &mut [u8]) -> Result<usize> {
        let InnerNode::File(file) = &self.node(ino)?.inner else { return Err(Errno::EINVAL) };
        let left = usize::try_from((file.file_len() as u64).saturating_sub(offset)).unwrap_or(usize::MAX);
        let len = into.len().min(left);
        let into = &mut into[..len];
        if into.is_empty() {
            return Ok(0);
        }
        let (file, offset) = self.behind(file, offset)?;
        let file = self.reader.file(&file);
        let mut reader = file.reader_checked().map_err(|error| errno(&error))?;
        let skipped = std::io::copy(&mut (&mut reader).take(offset), &mut std::io::sink());
        skipped.map_err(|_| Errno::EIO)?;
        reader.read_exact(into).map_err(|_| Errno::EIO)?;
        Ok(into.len())
    }

    fn identity(&self) -> Option<u64> {
        Some(self.identity)
    }

    fn statfs(&self) -> Statfs {
        let block = u64::from(self.reader.block_size);
        Statfs {
            f_type: MAGIC,
            f_bsize: block.cast_signed(),
            f_frsize: block.cast_signed(),
            f_blocks: self.size.div_ceil(block.max(1)),
            f_files: self.reader.root.nodes.len() as u64,
            f_namelen: 256,
            ..Statfs::default()
        }
    }
}
