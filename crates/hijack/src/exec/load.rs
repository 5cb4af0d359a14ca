//! Running a program by way of **loader**: the library's own file is what the host runs.

use super::file::File;
use super::script::known_as;
use super::{Image, exec_host, set_cloexec, strings};
use crate::Hijack;
use crate::dispatch::shown_cwd;
use crate::world::{Outcome, World};
use abi::Errno;
use abi::raw::general::AT_EMPTY_PATH;
use alloc::vec::Vec;
use loader::Order;

/// What the loader is told; addresses are in memory of [`super::scratch`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    program: u32,
    linker: Option<u32>,
    /// What `/proc/self/exe` is to be.
    exe: u64,
    /// What execve(2) was given.
    name: u64,
    /// Whether the rump kernel was told that the program is about to run.
    told: bool,
}

impl Load {
    /// For the file `program` of `image`, to which the program's `first` image has led.
    ///
    /// # Errors
    /// `ENOEXEC`: the library does not know its own file. `ETXTBSY`: the program is open for writing.
    pub(super) fn new<W: World>(
        h: &Hijack<W>,
        first: &Image,
        image: &Image,
        program: File,
        linker: Option<File>,
    ) -> Result<Self, Errno> {
        let told = match program.will_run(h) {
            Ok(told) => told,
            Err(errno) => {
                program.close(h);
                linker.iter().for_each(|linker| linker.close(h));
                return Err(errno);
            }
        };
        let strings = names(h, first, image, &program);
        let program = program.into_host(h);
        let linker = linker.map(|linker| linker.into_host(h)).transpose();
        match (h.inherited.file.as_ref(), strings, program, linker) {
            (Some(_), Ok((exe, name)), Ok(program), Ok(linker)) => {
                Ok(Self { program, linker, exe, name, told })
            }
            (file, strings, program, linker) => {
                if told {
                    File::will_not_run(h);
                }
                let opened = [program.as_ref().ok().copied(), linker.as_ref().ok().copied().flatten()];
                opened.into_iter().flatten().for_each(|fd| h.close_quietly(fd));
                let why = strings.err().or(program.err()).or(linker.err());
                Err(why.filter(|_| file.is_some()).unwrap_or(Errno::ENOEXEC))
            }
        }
    }

    /// The variable that tells it.
    pub(super) fn variable<W: World>(&self, h: &Hijack<W>) -> Result<Vec<u8>, Errno> {
        let (exe, name) = (strings::string(h, self.exe)?, strings::string(h, self.name)?);
        let order = Order { program: self.program, interpreter: self.linker, exe: &exe, name: &name };
        Ok(order.variable())
    }

    fn descriptors(&self) -> impl Iterator<Item = u32> {
        [Some(self.program), self.linker].into_iter().flatten()
    }
}

/// Addresses of the names: for `/proc/self/exe`, and of the image that the program asked for.
fn names<W: World>(h: &Hijack<W>, first: &Image, image: &Image, file: &File) -> Result<(u64, u64), Errno> {
    let exe = match file {
        // The loader sees which file it is.
        File::Host(_) => Vec::new(),
        File::Rump { .. } => absolute(h, known_as(h, image)?)?,
    };
    strings::keep_two(h, exe, known_as(h, first)?)
}

/// The absolute path of a file in the rump kernel as the program sees it.
fn absolute<W: World>(h: &Hijack<W>, path: Vec<u8>) -> Result<Vec<u8>, Errno> {
    if path.starts_with(b"/") {
        return Ok(path);
    }
    let path = path.strip_prefix(b"./").unwrap_or(&path);
    Ok([shown_cwd(h)?.as_slice(), b"/", path].concat())
}

/// Returns only if it fails.
pub(super) fn exec<W: World>(h: &Hijack<W>, image: &Image, load: &Load) -> Outcome {
    load.descriptors().for_each(|fd| set_cloexec(h, Some(fd), false));
    let answer = exec_library(h, image, load);
    load.descriptors().for_each(|fd| h.close_quietly(fd));
    if load.told {
        File::will_not_run(h);
    }
    answer
}

fn exec_library<W: World>(h: &Hijack<W>, image: &Image, load: &Load) -> Outcome {
    let path = h.inherited.file.as_ref().map_or(0, |file| file.as_ptr() as u64);
    let library = Image { dir: None, path, flags: 0, ..*image };
    let answer = exec_host(h, &library, Some(load));
    if answer != Err(Errno::EACCES) {
        return answer;
    }
    // Distributions install libraries without the right to be run.
    let file = File::open_host(h, &library)?.ok_or(Errno::EACCES)?;
    let copy = file.copy(h);
    file.close(h);
    let copy = copy?;
    let (dir, path) = (Some(copy.into()), c"".as_ptr() as u64);
    let answer = exec_host(h, &Image { dir, path, flags: AT_EMPTY_PATH.into(), ..library }, Some(load));
    h.close_quietly(copy);
    answer
}
