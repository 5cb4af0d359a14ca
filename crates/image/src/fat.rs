//! FAT12, FAT16 and FAT32 with long names, by the crate `fatfs`, to be read.
//!
//! Not to be written: directories that the crate (0.3.6) makes have long names for `.` and `..`, which fsck.vfat(8) takes apart.
//! FAT has no inodes, owners or modes: inodes are numbered when it is opened, and all is the server's user's.

use crate::disk::{Disk, DiskStream, errno};
use crate::readonly::{ReadOnly, Tree};
use crate::{Opened, Opening};
use abi::Errno;
use abi::layout::Statfs;
use fatfs::{Date, DateTime, Dir, FsOptions, Time as FatTime};
use std::io::{Read, Seek, SeekFrom};
use vfs::{Attr, Ino, Kind, Time};

type Result<T> = std::result::Result<T, Errno>;
type Volume = fatfs::FileSystem<DiskStream>;

const ROOT: Ino = 1;
const MAGIC: i64 = 0x4d44;
const SECOND_NS: u64 = 1_000_000_000;
/// Longer paths are no FAT's; a ring of directories would have them.
const DEPTH_MAX: usize = 64;
const ENTRIES_MAX: usize = 1 << 20;

/// What is known of an entry.
struct Node {
    dir: Ino,
    name: String,
    /// From the root, without a slash in front.
    path: String,
    kind: Kind,
    size: u64,
    times: [Time; 3],
}

struct Fat {
    volume: Volume,
    /// Inode 2 is the first.
    nodes: Vec<Node>,
    owner: (u32, u32),
}

/// Opens one.
///
/// # Errors
/// `EINVAL`: there is none, or an option is unknown. `EUCLEAN`: its directories make no sense.
pub(crate) fn open(disk: Disk, how: Opening<'_>) -> Result<Opened> {
    let own = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let owner = options(how.options, own)?;
    let volume =
        Volume::new(disk.stream(), FsOptions::new()).map_err(|error| match error.raw_os_error() {
            Some(_) => errno(&error),
            None => Errno::EINVAL,
        })?;
    let mut nodes = Vec::new();
    list(&volume.root_dir(), (ROOT, ""), 0, &mut nodes)?;
    Ok(Opened {
        fs: Box::new(ReadOnly::new(Fat { volume, nodes, owner })?),
        behind: false,
        keeps_nodes: true,
    })
}

/// `uid=` and `gid=` of mount(8).
fn options(text: &[u8], own: (u32, u32)) -> Result<(u32, u32)> {
    let text = std::str::from_utf8(text).map_err(|_| Errno::EINVAL)?;
    let mut owner = own;
    for option in text.split(',').filter(|option| !option.is_empty()) {
        let (name, value) = option.split_once('=').ok_or(Errno::EINVAL)?;
        let value = value.parse().map_err(|_| Errno::EINVAL)?;
        match name {
            "uid" => owner.0 = value,
            "gid" => owner.1 = value,
            _ => return Err(Errno::EINVAL),
        }
    }
    Ok(owner)
}

/// All below a directory.
fn list(
    at: &Dir<'_, DiskStream>,
    (dir, path): (Ino, &str),
    depth: usize,
    nodes: &mut Vec<Node>,
) -> Result<()> {
    for entry in at.iter() {
        let entry = entry.map_err(|error| errno(&error))?;
        let name = entry.file_name();
        if name == "." || name == ".." {
            continue;
        }
        if depth > DEPTH_MAX || nodes.len() > ENTRIES_MAX {
            return Err(Errno::EUCLEAN);
        }
        let path = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
        let kind = if entry.is_dir() { Kind::Directory } else { Kind::Regular };
        let accessed =
            DateTime { date: entry.accessed(), time: FatTime { hour: 0, min: 0, sec: 0, millis: 0 } };
        let times = [time(&accessed), time(&entry.modified()), time(&entry.created())];
        nodes.push(Node { dir, name, path: path.clone(), kind, size: entry.len(), times });
        let ino = nodes.len() as Ino + ROOT;
        if kind == Kind::Directory {
            list(&entry.to_dir(), (ino, &path), depth + 1, nodes)?;
        }
    }
    Ok(())
}

impl Fat {
    fn node(&self, ino: Ino) -> Result<&Node> {
        let at = ino.checked_sub(ROOT + 1).and_then(|at| usize::try_from(at).ok()).ok_or(Errno::ESTALE)?;
        self.nodes.get(at).ok_or(Errno::ESTALE)
    }
}

impl Tree for Fat {
    fn name(&self) -> &'static str {
        "vfat"
    }

    fn entries(&self) -> Result<Vec<(Ino, Ino, Vec<u8>)>> {
        let entry = |(node, ino): (&Node, Ino)| (node.dir, ino, node.name.clone().into_bytes());
        Ok(self.nodes.iter().zip(ROOT + 1..).map(entry).collect())
    }

    fn root(&self) -> Ino {
        ROOT
    }

    fn attr(&self, ino: Ino) -> Result<Attr> {
        let (kind, size, [atime, mtime, btime]) = match self.node(ino) {
            Ok(node) => (node.kind, node.size, node.times),
            Err(_) if ino == ROOT => (Kind::Directory, 0, [0; 3]),
            Err(errno) => return Err(errno),
        };
        Ok(Attr {
            ino,
            kind,
            mode: 0o755,
            nlink: 1,
            uid: self.owner.0,
            gid: self.owner.1,
            rdev: 0,
            size,
            blocks: size.div_ceil(512),
            atime,
            mtime,
            ctime: mtime,
            btime,
            acl: None,
        })
    }

    fn readlink(&self, _ino: Ino) -> Result<Vec<u8>> {
        Err(Errno::EINVAL)
    }

    fn read(&self, ino: Ino, offset: u64, into: &mut [u8]) -> Result<usize> {
        let node = self.node(ino)?;
        let left = usize::try_from(node.size.saturating_sub(offset)).unwrap_or(usize::MAX);
        let len = into.len().min(left);
        if len == 0 {
            return Ok(0);
        }
        let mut file = self.volume.root_dir().open_file(&node.path).map_err(|_| Errno::EIO)?;
        file.seek(SeekFrom::Start(offset))
            .and_then(|_| file.read_exact(&mut into[..len]))
            .map_err(|_| Errno::EIO)?;
        Ok(len)
    }

    fn statfs(&self) -> Statfs {
        let size = i64::from(self.volume.cluster_size());
        let clusters =
            self.volume.stats().map_or((0, 0), |stats| (stats.total_clusters(), stats.free_clusters()));
        Statfs {
            f_type: MAGIC,
            f_bsize: size,
            f_frsize: size,
            f_blocks: u64::from(clusters.0),
            f_bfree: u64::from(clusters.1),
            f_namelen: 255,
            ..Statfs::default()
        }
    }
}

/// Local time is taken to be UTC (days_from_civil of Howard Hinnant's date algorithms).
fn time(date_time: &DateTime) -> Time {
    let Date { year, month, day } = date_time.date;
    let (year, month, day) = (i64::from(year) - i64::from(month <= 2), i64::from(month), i64::from(day));
    let (era, year_of_era) = (year / 400, year % 400);
    let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = era * 146_097 + day_of_era - 719_468;
    let clock = &date_time.time;
    let seconds =
        days * 86400 + i64::from(clock.hour) * 3600 + i64::from(clock.min) * 60 + i64::from(clock.sec);
    u64::try_from(seconds).unwrap_or(0) * SECOND_NS + u64::from(clock.millis) * 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_fat() {
        let at = |year, month, day, hour, min, sec| DateTime {
            date: Date { year, month, day },
            time: FatTime { hour, min, sec, millis: 0 },
        };
        for (when, seconds) in
            [(at(2023, 11, 14, 22, 13, 20), 1_700_000_000u64), (at(2000, 2, 29, 0, 0, 0), 951_782_400)]
        {
            assert_eq!(time(&when), seconds * SECOND_NS);
        }
    }
}
