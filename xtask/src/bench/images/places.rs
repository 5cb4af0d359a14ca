//! Where the jobs are done: a directory of the host's, of a FUSE program's or of a rump kernel's.

use super::super::server::Server;
use super::material::Material;
use crate::run::{Outcome, is_root, run, which};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// A kind of file system.
pub(super) struct Place {
    pub(super) name: &'static str,
    pub(super) writable: bool,
    /// The program that serves images of it by FUSE; none: it has no images.
    fuse: Option<&'static str>,
}

pub(super) const PLACES: &[Place] = &[
    Place { name: "tmpfs", writable: true, fuse: None },
    Place { name: "ext4", writable: true, fuse: Some("fuse2fs") },
    Place { name: "squashfs", writable: false, fuse: Some("squashfuse") },
];

/// Who has the file system.
#[derive(Debug, Clone, Copy)]
pub(super) enum Side {
    Host,
    Fuse,
    Rump,
}

/// Memory of the rump kernel's tmpfs: the 1 GiB that is packed and the 1 GiB that is unpacked fit.
const RAM: &str = "4g";

/// A mounted file system, taken away with this value.
pub(super) struct Mounted {
    /// As programs name it.
    pub(super) dir: PathBuf,
    pub(super) probe: PathBuf,
    how: How,
}

enum How {
    Tmpfs(#[allow(dead_code, reason = "it goes with this value")] TempDir),
    /// Mounted by the host, or by FUSE.
    Image(#[allow(dead_code, reason = "it goes with this value")] TempDir),
    Rump {
        server: Server,
        library: PathBuf,
        image: bool,
    },
}

impl Place {
    /// Mounts it; none: that cannot be done on this machine.
    ///
    /// # Errors
    /// It can be, and fails.
    pub(super) fn mount(&self, side: Side, release: &Path, material: &Material) -> Outcome<Option<Mounted>> {
        let image = material.image(self.name);
        let on_host = |command: &mut Command| -> Outcome<_> {
            let dir = temporary("/tmp")?;
            run(command.args([&image, dir.path()]).stdout(Stdio::null()))?;
            Ok(Some((dir.path().to_owned(), How::Image(dir))))
        };
        let there = |device: &str| Path::new(device).exists();
        let mounted = match (side, self.fuse) {
            (Side::Host, None) => {
                let dir = temporary("/dev/shm")?;
                Some((dir.path().to_owned(), How::Tmpfs(dir)))
            }
            (Side::Host, Some(_)) if is_root() && there("/dev/loop0") => {
                on_host(Command::new("mount").args(["-o", "loop", "-t", self.name]))?
            }
            (Side::Fuse, Some(fuse)) if which(fuse).is_some() && there("/dev/fuse") => {
                on_host(&mut Command::new(fuse))?
            }
            (Side::Host | Side::Fuse, _) => None,
            (Side::Rump, _) => Some(("/rump/mnt".into(), self.rump(release, &image)?)),
        };
        let Some((dir, how)) = mounted else { return Ok(None) };
        let mounted = Mounted { dir, probe: release.join("probe"), how };
        if matches!(mounted.how, How::Rump { image: true, .. }) {
            mounted.sh(&format!("mkdir $D; mount -t {} /dev/disk $D", self.name))?;
        }
        if self.fuse.is_none() {
            mounted.sh("mkdir -p $D/work")?;
        }
        Ok(Some(mounted))
    }

    fn rump(&self, release: &Path, image: &Path) -> Outcome<How> {
        let drive = format!("key=/dev/disk,hostpath={},size=host", image.display());
        let image = self.fuse.is_some();
        let args = if image { ["-d", &drive] } else { ["-r", RAM] };
        let server = Server::with(release, false, &args)?;
        Ok(How::Rump { server, library: release.join("librumphijack.so"), image })
    }
}

fn temporary(place: &str) -> Outcome<TempDir> {
    tempfile::tempdir_in(place).map_err(|error| format!("{place}: {error}"))
}

impl Mounted {
    /// Makes a command one of the rump kernel's, if the file system is there.
    pub(super) fn hijack(&self, command: &mut Command) {
        if let How::Rump { server, library, .. } = &self.how {
            command.env("LD_PRELOAD", library).env("RUMP_SERVER", server.url());
        }
    }

    /// That this part of the tree is there: images have it already.
    ///
    /// # Errors
    /// It cannot be copied.
    pub(super) fn provide(&self, part: &str, material: &Material) -> Outcome {
        match &self.how {
            How::Image(_) | How::Rump { image: true, .. } => Ok(()),
            _ => self.sh(&format!("cp -r {}/{part} $D", material.tree().display())),
        }
    }

    fn sh(&self, script: &str) -> Outcome {
        let mut command = Command::new("sh");
        command.args(["-e", "-c", script]).env("D", &self.dir);
        self.hijack(&mut command);
        run(&mut command)
    }
}

impl Drop for Mounted {
    /// Takes it away in order, since the next one mounts the same image.
    fn drop(&mut self) {
        if matches!(self.how, How::Image(_) | How::Rump { image: true, .. })
            && let Err(why) = self.sh("umount $D")
        {
            eprintln!("{why}");
        }
    }
}
