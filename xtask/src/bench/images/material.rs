//! What the jobs work on: trees of files, and images of them.

use crate::run::{Outcome, run};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// Directories of the tree to be found, and files in each.
const MANY: (u32, u32) = (1000, 100);
/// Files of the tree to be packed, and the bytes of each: 1 GiB in all.
const BIG: (u32, usize) = (4, 256 << 20);
/// Small files, and the bytes of each.
const SMALL: (u32, usize) = (2000, 2048);
const IMAGE: u64 = 4 << 30;

/// All of it, in a directory that goes with this value.
pub(super) struct Material(TempDir);

impl Material {
    /// # Errors
    /// No room; mke2fs or mksquashfs are not there.
    pub(super) fn make() -> Outcome<Self> {
        let material = Self(tempfile::tempdir().map_err(|error| format!("no temporary directory: {error}"))?);
        eprintln!("trees and images in {} ...", material.0.path().display());
        material.trees().map_err(|error| format!("{}: {error}", material.0.path().display()))?;
        let (tree, image) = (material.tree(), material.image("ext4"));
        run(Command::new("truncate").arg("-s").arg(IMAGE.to_string()).arg(&image))?;
        let inodes = (MANY.0 * (MANY.1 + 1) * 2).to_string();
        run(Command::new("/sbin/mke2fs")
            .args(["-q", "-t", "ext4", "-N", &inodes, "-d"])
            .args([&tree, &image]))?;
        let mut squash = Command::new("mksquashfs");
        squash.args([tree, material.image("squashfs")]).args(["-quiet", "-no-progress", "-comp", "zstd"]);
        run(squash.args(["-Xcompression-level", "3"]).stdout(Stdio::null()))?;
        run(Command::new("tar").arg("-cf").arg(material.tar()).arg("-C").arg(material.tree()).arg("big"))?;
        Ok(material)
    }

    /// What is in the images: `many`, `big`, and `work`, which is empty.
    pub(super) fn tree(&self) -> PathBuf {
        self.0.path().join("tree")
    }

    /// Small files.
    pub(super) fn small(&self) -> PathBuf {
        self.0.path().join("small")
    }

    /// `big`, packed.
    pub(super) fn tar(&self) -> PathBuf {
        self.0.path().join("big.tar")
    }

    /// An image of the tree.
    pub(super) fn image(&self, kind: &str) -> PathBuf {
        self.0.path().join(kind)
    }

    fn trees(&self) -> std::io::Result<()> {
        for dir in 0..MANY.0 {
            let dir = self.tree().join(format!("many/directory-{dir}"));
            fs::create_dir_all(&dir)?;
            (0..MANY.1).try_for_each(|file| fs::write(dir.join(format!("file-{file}")), ""))?;
        }
        fs::create_dir_all(self.tree().join("work"))?;
        fs::create_dir_all(self.tree().join("big"))?;
        (0..BIG.0).try_for_each(|file| half_noise(&self.tree().join(format!("big/{file}")), BIG.1))?;
        fs::create_dir(self.small())?;
        (0..SMALL.0).try_for_each(|file| fs::write(self.small().join(format!("file-{file}")), [7; SMALL.1]))
    }
}

/// Bytes of which compression leaves about half, as it does of programs.
fn half_noise(path: &Path, len: usize) -> std::io::Result<()> {
    let mut file = std::io::BufWriter::with_capacity(1 << 20, fs::File::create(path)?);
    let mut state = 1_u64;
    for _ in 0..len / 16 {
        // xorshift64 (Marsaglia).
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        file.write_all(&state.to_le_bytes())?;
        file.write_all(b"ordinary")?;
    }
    file.flush()
}
