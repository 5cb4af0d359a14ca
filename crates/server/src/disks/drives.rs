//! The drives of the command line (rump_server(1), `-d`).

use crate::spec::{DriveKind, DriveSpec, Extent};
use image::{Disk, HostFile};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use vfs::remote::Worker;
use vfs::{DriveInfo, Kind};

/// A drive, opened.
#[derive(Debug, Clone)]
pub(crate) struct Drive {
    pub(crate) number: Worker,
    pub(crate) disk: Disk,
    pub(crate) path: String,
    pub(crate) kind: Kind,
}

/// All of them, by their numbers, from 1 on.
#[derive(Debug, Clone, Default)]
pub(crate) struct Drives(Vec<Drive>);

impl Drives {
    pub(crate) fn get(&self, number: Worker) -> Option<&Drive> {
        self.0.get(usize::try_from(number.checked_sub(1)?).ok()?)
    }

    pub(crate) fn last(&self) -> Worker {
        self.0.last().map_or(0, |drive| drive.number)
    }

    /// What the kernel is told of them.
    pub(crate) fn infos(&self, owner: (u32, u32)) -> impl Iterator<Item = DriveInfo> {
        self.0.iter().map(move |drive| DriveInfo {
            number: drive.number,
            kind: drive.kind,
            size: drive.disk.size(),
            read_only: drive.disk.is_read_only(),
            path: drive.path.as_bytes().to_vec(),
            owner,
        })
    }
}

/// Opens what `-d` names.
///
/// # Errors
/// Why one cannot be used, as one line.
pub(crate) fn open_all(specs: &[DriveSpec]) -> Result<Drives, String> {
    let mut files = HashMap::new();
    let mut drives = Vec::new();
    for (spec, number) in specs.iter().zip(1..) {
        if !spec.key.starts_with('/') {
            return Err(format!(
                "drive key={}: must be an absolute path in the rump kernel, as /dev/dk",
                spec.key
            ));
        }
        let disk = open(spec, &mut files).map_err(|why| format!("drive key={}: {why}", spec.key))?;
        let kind = match spec.kind {
            DriveKind::Blk => Kind::Block,
            DriveKind::Chr => Kind::Char,
            DriveKind::Reg => Kind::Regular,
        };
        drives.push(Drive { number, disk, path: spec.key.clone(), kind });
    }
    Ok(Drives(drives))
}

fn open(spec: &DriveSpec, files: &mut HashMap<(u64, u64), Arc<HostFile>>) -> Result<Disk, String> {
    let path = spec.hostpath.as_path();
    let creates = matches!(spec.extent, Extent::Size(_));
    let file = match known(path, files) {
        Some(file) => file,
        None => {
            let file = HostFile::open(path, spec.read_only, creates).map_err(|error| error.to_string())?;
            let file = Arc::new(file);
            files.insert(file.identity().map_err(|error| host(path, &error))?, Arc::clone(&file));
            file
        }
    };
    let len = file.size().map_err(|error| host(path, &error))?;
    match spec.extent {
        Extent::Size(size) => {
            let end = spec.offset.checked_add(size).ok_or("offset and size are too large")?;
            if len < end && file.read_only {
                return Err(format!(
                    "{}: {len} bytes long, shorter than {end}, and cannot be written",
                    path.display()
                ));
            }
            file.extend(end).map_err(|error| host(path, &error))?;
            Ok(Disk::new(file, spec.offset, size))
        }
        Extent::Host => match len.checked_sub(spec.offset) {
            Some(size) if size > 0 => Ok(Disk::new(file, spec.offset, size)),
            _ => Err(format!("{}: {len} bytes long, nothing behind offset {}", path.display(), spec.offset)),
        },
        Extent::Partition(number) => {
            let whole = Disk::new(Arc::clone(&file), 0, len);
            let found = image::partition::find(&whole, number);
            let part = found.map_err(|error| format!("{}: {error}", path.display()))?;
            Ok(Disk::new(file, part.start, part.size))
        }
    }
}

/// The same file again: it is locked by us already.
fn known(path: &Path, files: &HashMap<(u64, u64), Arc<HostFile>>) -> Option<Arc<HostFile>> {
    use std::os::unix::fs::MetadataExt;
    let metadata = std::fs::metadata(path).ok()?;
    files.get(&(metadata.dev(), metadata.ino())).cloned()
}

fn host(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}", path.display())
}
