//! Disk images and directories of the host for a private server (`rump run --mount`, `rump image`).

use crate::mount;
use crate::session::{Error, Session};
use abi::raw::general::MS_RDONLY;
use image::probe::{self, Part};
use image::{Disk, HostFile};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where the parts of an overlay are, each in a directory by its number.
const OVERLAYS: &str = "/run/overlay";

/// What is to be mounted: `PATH[:PARTITION][:ro|:rw|:overlay][:/DIRECTORY]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attach {
    pub(crate) path: PathBuf,
    pub(crate) partition: Option<u32>,
    pub(crate) read_only: bool,
    /// Changes stay in memory.
    pub(crate) overlay: bool,
    /// Where, by the rump kernel's name.
    pub(crate) dir: String,
}

impl Attach {
    /// As [`Attach::parse`], with an overlay.
    ///
    /// # Errors
    /// There is no such file.
    pub(crate) fn parse_overlay(text: &str) -> Result<Self, String> {
        Ok(Self { overlay: true, ..Self::parse(text)? })
    }

    /// Whether what is mounted can be changed.
    pub(crate) const fn writes(&self) -> bool {
        !self.read_only && !self.overlay
    }

    /// Parses `PATH[:PARTITION][:ro|:rw|:overlay][:/DIRECTORY]`.
    ///
    /// # Errors
    /// There is no such file.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut attach = Self {
            path: text.into(),
            partition: None,
            read_only: false,
            overlay: false,
            dir: "/".to_owned(),
        };
        // A path may have colons: what is a file is not taken apart.
        while !attach.path.exists() {
            let whole = attach.path.to_string_lossy().into_owned();
            let Some((rest, last)) = whole.rsplit_once(':') else {
                return Err(format!("{whole}: no such file or directory"));
            };
            match last {
                "ro" => attach.read_only = true,
                "overlay" => attach.overlay = true,
                "rw" => attach.read_only = false,
                dir if dir.starts_with('/') => attach.dir = dir.to_owned(),
                number => {
                    let number = number.parse().ok().filter(|number| *number > 0);
                    attach.partition =
                        Some(number.ok_or_else(|| format!("{whole}: no such file or directory"))?);
                }
            }
            attach.path = rest.into();
        }
        Ok(attach)
    }

    /// What the server is told with -d, if it has to be told anything, and what is to be mounted: source and type.
    pub(crate) fn drive(&self, number: usize) -> Result<(Option<String>, (String, String)), String> {
        let path =
            std::path::absolute(&self.path).map_err(|error| format!("{}: {error}", self.path.display()))?;
        let text = path.to_string_lossy().into_owned();
        if path.is_dir() {
            return Ok((None, (text, "dir".to_owned())));
        }
        if text.contains(',') {
            return Err(format!(
                "{text}: a comma in an image's path cannot be told to the server; use a link without"
            ));
        }
        let part = self.part(&path)?;
        let kind = match part.kind {
            Some(kind) if image::KINDS.contains(&kind) => kind,
            Some(kind) => return Err(format!("{text}: {kind}, which the rump kernel cannot mount")),
            None => return Err(format!("{text}: no file system that is known")),
        };
        let key = format!("/dev/disk{number}");
        let extent = match part.partition {
            Some(partition) => format!("disklabel={}", partition.number),
            None => "size=host".to_owned(),
        };
        let mode = if !self.writes() { ",mode=ro" } else { "" };
        Ok((Some(format!("key={key},hostpath={text},{extent}{mode}")), (key, kind.to_owned())))
    }

    /// The part that is meant: the one that was named, else the only one with a file system of ours.
    fn part(&self, path: &Path) -> Result<Part, String> {
        let parts = parts(path)?;
        if let Some(number) = self.partition {
            let found = parts.iter().find(|part| part.partition.is_some_and(|part| part.number == number));
            return found
                .copied()
                .ok_or_else(|| format!("{}: no partition {number}\n{}", path.display(), table(&parts)));
        }
        let mut usable =
            parts.iter().filter(|part| part.kind.is_some_and(|kind| image::KINDS.contains(&kind)));
        match (usable.next(), usable.next()) {
            (Some(part), None) => Ok(*part),
            (None, _) if parts.len() == 1 => Ok(parts[0]),
            (None, _) => Err(format!(
                "{}: no partition has a file system that is known\n{}",
                path.display(),
                table(&parts)
            )),
            (Some(_), Some(_)) => {
                Err(format!("{0}: which partition? Say {0}:NUMBER\n{1}", path.display(), table(&parts)))
            }
        }
    }

    /// Mounts it, as the one with this number.
    pub(crate) fn mount(
        &self,
        session: &mut Session,
        number: usize,
        (source, kind): &(String, String),
    ) -> Result<(), Error> {
        make_all(session, &self.dir)?;
        if !self.overlay {
            let flags = if self.read_only { MS_RDONLY } else { 0 };
            return mount::mount_at(session, (source, kind), &self.dir, flags, "");
        }
        let parts = ["lower", "upper"].map(|part| format!("{OVERLAYS}/{number}/{part}"));
        for part in &parts {
            make_all(session, part)?;
        }
        mount::mount_at(session, (source, kind), &parts[0], MS_RDONLY, "")?;
        // Nothing but the overlay needs room there, and all have it in the kernel's memory.
        let options = format!("lowerdir={},upperdir={}", parts[0], parts[1]);
        mount::mount_at(session, ("overlay", "overlay"), &self.dir, 0, &options)
    }
}

/// Makes a directory and those above it.
fn make_all(session: &mut Session, dir: &str) -> Result<(), Error> {
    let mut end = 0;
    while dir != "/" && end < dir.len() {
        end = dir[end + 1..].find('/').map_or(dir.len(), |at| end + 1 + at);
        mount::make(session, &dir[..end])?;
    }
    Ok(())
}

/// The parts of an image.
pub(crate) fn parts(path: &Path) -> Result<Vec<Part>, String> {
    let file = HostFile::open(path, true, false).map_err(|error| error.to_string())?;
    let size = file.size().map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(probe::parts(&Disk::new(Arc::new(file), 0, size)))
}

/// A line for each part.
pub(crate) fn table(parts: &[Part]) -> String {
    let line = |part: &Part| {
        let kind = part.kind.unwrap_or("unknown");
        match part.partition {
            Some(partition) => {
                let (start, size) = (partition.start, partition.size);
                format!("{:>4}  {kind:<10}  {:>14}  start {start}\n", partition.number, size)
            }
            None => format!("   -  {kind:<10}\n"),
        }
    };
    parts.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_to_be_mounted() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a:1");
        std::fs::write(&path, "").unwrap();
        let text = path.display().to_string();
        let plain = Attach {
            path: path.clone(),
            partition: None,
            read_only: false,
            overlay: false,
            dir: "/".to_owned(),
        };
        assert_eq!(Attach::parse(&text), Ok(plain.clone()), "a colon in a name of a file that is there");
        let all = Attach { partition: Some(2), read_only: true, dir: "/mnt/a".to_owned(), ..plain };
        assert_eq!(Attach::parse(&format!("{text}:2:ro:/mnt/a")), Ok(all));
        for bad in [format!("{text}:x"), format!("{text}:0"), "missing".to_owned()] {
            assert!(Attach::parse(&bad).is_err(), "{bad}");
        }
    }
}
