//! Where a lab that is up has its sockets, segments and logs: a directory of its own below one that is the user's alone.
//!
//! ```text
//! BASE/LAB/.lab            the lab's file, then the names of its hosts
//! BASE/LAB/.lock           locked while the lab is being started or ended
//! BASE/LAB/.net/SEGMENT    the segments
//! BASE/LAB/HOST/server     the socket of the host's server
//! BASE/LAB/HOST/hijack     RUMPHIJACK of its programs
//! BASE/LAB/HOST/programs   those that were started: name, process id, start time
//! BASE/LAB/HOST/NAME.log   what such a program wrote
//! ```

use crate::lab::Error;
use crate::lab::plan::{self, Plan};
use rustix::fs::FlockOperation;
use std::ffi::OsStr;
use std::fs::{DirBuilder, File};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

/// `sun_path` of unix(7) less the NUL.
const SOCKET_PATH_MAX: usize = 107;

/// The directory of a lab.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) lab: String,
    directory: PathBuf,
}

impl Place {
    /// That of the lab of this name, whether it is up or not.
    ///
    /// # Errors
    /// The directory above it cannot be had, or the name is none.
    pub(crate) fn of(name: &str) -> Result<Self, Error> {
        let lab = plan::named(name).map_err(Error::Why)?;
        Ok(Self { directory: base()?.join(&lab), lab })
    }

    /// Makes it, for a lab that is about to be started. The lock is held as long as the file lives.
    ///
    /// # Errors
    /// There is one already.
    pub(crate) fn take(&self, plan: &Plan, file: &Path) -> Result<File, Error> {
        self.fits(plan)?;
        match private_directory(&self.directory) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Err(self.is_up()),
            made => made.map_err(Error::file(&self.directory))?,
        }
        let lock = self.lock()?;
        let hosts = plan.hosts.iter().map(|host| host.name.as_str());
        let file = std::path::absolute(file).map_err(Error::file(file))?;
        let text = std::iter::once(&*file.to_string_lossy()).chain(hosts).collect::<Vec<_>>().join("\n");
        write(&self.directory.join(".lab"), &text)?;
        for directory in [".net"].into_iter().chain(plan.hosts.iter().map(|host| host.name.as_str())) {
            let directory = self.directory.join(directory);
            private_directory(&directory).map_err(Error::file(&directory))?;
        }
        Ok(lock)
    }

    fn is_up(&self) -> Error {
        let from = self.file().map_or(String::new(), |file| format!(", from {}", file.display()));
        Error::Why(format!(
            "lab '{}' is up already{from}: `rump lab down {}` ends it, `rump lab up --name OTHER` starts another one",
            self.lab, self.lab
        ))
    }

    /// Whether all its sockets can have names.
    fn fits(&self, plan: &Plan) -> Result<(), Error> {
        let sockets = plan.hosts.iter().map(|host| self.socket(&host.name));
        // bus members have sockets SEGMENT.d/NUMBER.
        let members = plan.segments.iter().map(|segment| self.segment(&format!("{}.d/9999", segment.name)));
        let mut paths = sockets.chain(members);
        match paths
            .find(|path| path.as_os_str().len() > SOCKET_PATH_MAX || path.to_string_lossy().contains(','))
        {
            Some(path) => Err(Error::Why(format!(
                "{}: too long for a unix socket, or there is a comma in it: RUMP_LAB_DIR=DIRECTORY says another place",
                path.display()
            ))),
            None => Ok(()),
        }
    }

    /// Keeps others from starting and ending this lab meanwhile.
    ///
    /// # Errors
    /// Somebody else does.
    pub(crate) fn lock(&self) -> Result<File, Error> {
        let path = self.directory.join(".lock");
        let file = File::options().create(true).append(true).open(&path).map_err(Error::file(&path))?;
        rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
            Error::Why(format!("lab '{}' is being started or ended by another `rump lab`", self.lab))
        })?;
        Ok(file)
    }

    /// All labs that are up, or left over.
    ///
    /// # Errors
    /// The directory above them cannot be had.
    pub(crate) fn all() -> Result<Vec<Self>, Error> {
        let base = base()?;
        let entries = std::fs::read_dir(&base).map_err(Error::file(&base))?;
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut names: Vec<String> = names.filter(|name| plan::named(name).is_ok()).collect();
        names.sort();
        Ok(names.into_iter().map(|lab| Self { directory: base.join(&lab), lab }).collect())
    }

    /// The lab that the user means: by name, by file, or the only one.
    ///
    /// # Errors
    /// It is not up, or more than one could be meant.
    pub(crate) fn meant(said: Option<&OsStr>) -> Result<Self, Error> {
        let mut all = Self::all()?;
        let names = all.iter().map(|place| place.lab.as_str()).collect::<Vec<_>>().join(", ");
        let Some(said) = said.filter(|said| !said.is_empty()) else {
            return match all.len() {
                0 => Err(Error::Why("no lab is up; `rump lab up FILE` starts one".to_owned())),
                1 => Ok(all.remove(0)),
                _ => Err(Error::Why(format!("which lab? {names} are up; RUMP_LAB=NAME says it, too"))),
            };
        };
        let path = std::path::absolute(said).ok();
        let is = |place: &Self| place.lab.as_str() == said || path.is_some() && place.file() == path;
        match all.iter().position(is) {
            Some(at) => Ok(all.remove(at)),
            None if names.is_empty() => Err(Error::Why(format!("lab '{}' is not up", said.display()))),
            None => Err(Error::Why(format!("lab '{}' is not up; there are {names}", said.display()))),
        }
    }

    /// The lab's file.
    pub(crate) fn file(&self) -> Option<PathBuf> {
        let text = std::fs::read_to_string(self.directory.join(".lab")).ok()?;
        text.lines().next().map(PathBuf::from)
    }

    /// The names of its hosts.
    pub(crate) fn hosts(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.directory.join(".lab")).unwrap_or_default();
        text.lines().skip(1).map(str::to_owned).collect()
    }

    /// That there is such a host.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn check_host(&self, host: &str) -> Result<(), Error> {
        let hosts = self.hosts();
        match hosts.iter().any(|known| known == host) {
            true => Ok(()),
            false => Err(Error::Why(format!(
                "lab '{}' has no host '{host}'; there are {}",
                self.lab,
                hosts.join(", ")
            ))),
        }
    }

    /// The URLs of all its servers begin so.
    pub(crate) fn url_prefix(&self) -> String {
        format!("unix://{}/", self.directory.display())
    }

    /// The URL of a host's server.
    pub(crate) fn url(&self, host: &str) -> String {
        format!("unix://{}", self.socket(host).display())
    }

    /// Its socket.
    pub(crate) fn socket(&self, host: &str) -> PathBuf {
        self.of_host(host, "server")
    }

    /// A file of a host's.
    pub(crate) fn of_host(&self, host: &str, file: &str) -> PathBuf {
        self.directory.join(host).join(file)
    }

    /// A segment's file.
    pub(crate) fn segment(&self, name: &str) -> PathBuf {
        self.directory.join(".net").join(name)
    }

    /// Takes it away.
    ///
    /// # Errors
    /// Something in it cannot be removed.
    pub(crate) fn remove(&self) -> Result<(), Error> {
        match std::fs::remove_dir_all(&self.directory) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            removed => removed.map_err(Error::file(&self.directory)),
        }
    }
}

/// Writes a file.
///
/// # Errors
/// As std::fs::write.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), Error> {
    std::fs::write(path, text).map_err(Error::file(path))
}

/// The directory of all labs of this user.
fn base() -> Result<PathBuf, Error> {
    let said = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let uid = rustix::process::geteuid().as_raw();
    let base = said("RUMP_LAB_DIR")
        .or_else(|| said("XDG_RUNTIME_DIR").map(|directory| directory.join("rump-lab")))
        .unwrap_or_else(|| PathBuf::from(format!("/tmp/rump-lab-{uid}")));
    let base = std::path::absolute(&base).map_err(Error::file(&base))?;
    match private_directory(&base) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            return Err(Error::File { path: base, source: error });
        }
        _ => {}
    }
    // In /tmp anybody may have made it.
    let found = base.symlink_metadata().map_err(Error::file(&base))?;
    match found.is_dir() && found.uid() == uid && found.mode() & 0o022 == 0 {
        true => Ok(base),
        false => Err(Error::Why(format!(
            "{}: not a directory of yours alone: RUMP_LAB_DIR=DIRECTORY says another place",
            base.display()
        ))),
    }
}

fn private_directory(path: &Path) -> std::io::Result<()> {
    DirBuilder::new().mode(0o700).create(path)
}
