//! Mount options of FAT (mount(8)), and what they make of modes: FAT keeps one bit of them.

use super::Result;
use abi::Errno;

/// Set-user-ID, set-group-ID and sticky bit, which FAT cannot keep.
const SPECIAL: u32 = 0o7000;
const WRITE: u32 = 0o222;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) uid: u32,
    pub(super) gid: u32,
    fmask: u32,
    dmask: u32,
    /// What cannot be kept is no error.
    pub(super) quiet: bool,
}

impl Options {
    /// Files belong to `own`, unless the options say otherwise.
    ///
    /// # Errors
    /// `EINVAL`: an unknown option.
    pub(super) fn parse(text: &[u8], own: (u32, u32)) -> Result<Self> {
        let text = std::str::from_utf8(text).map_err(|_| Errno::EINVAL)?;
        let mut options = Self { uid: own.0, gid: own.1, fmask: 0o022, dmask: 0o022, quiet: false };
        for option in text.split(',').filter(|option| !option.is_empty()) {
            let number = |text: &str, radix| u32::from_str_radix(text, radix).map_err(|_| Errno::EINVAL);
            match option.split_once('=') {
                None if option == "quiet" => options.quiet = true,
                Some(("uid", value)) => options.uid = number(value, 10)?,
                Some(("gid", value)) => options.gid = number(value, 10)?,
                Some(("umask", value)) => {
                    options.fmask = number(value, 8)? & 0o777;
                    options.dmask = options.fmask;
                }
                Some(("fmask", value)) => options.fmask = number(value, 8)? & 0o777,
                Some(("dmask", value)) => options.dmask = number(value, 8)? & 0o777,
                _ => return Err(Errno::EINVAL),
            }
        }
        Ok(options)
    }

    /// The mode that is shown (fs/fat/fat.h, `fat_make_mode`; directories do not show the bit).
    pub(super) const fn mode(&self, directory: bool, read_only: bool) -> u32 {
        match (directory, read_only) {
            (true, _) => 0o777 & !self.dmask,
            (false, true) => 0o777 & !WRITE & !self.fmask,
            (false, false) => 0o777 & !self.fmask,
        }
    }

    /// Whether chmod(2) makes the file read-only; none: it changes nothing, as of modes that FAT cannot keep
    /// (fs/fat/file.c, `fat_sanitize_mode`: no error, "this is too old behavior").
    ///
    /// # Errors
    /// `EPERM`: set-user-ID and the like.
    pub(super) const fn read_only(&self, directory: bool, mode: u32) -> Result<Option<bool>> {
        if mode & SPECIAL != 0 {
            return if self.quiet { Ok(None) } else { Err(Errno::EPERM) };
        }
        let all = self.mode(directory, false);
        let kept = mode & all;
        let readable = kept & !WRITE == all & !WRITE;
        Ok(match kept & WRITE {
            _ if directory || !readable || all & WRITE == 0 => None,
            0 => Some(true),
            bits if bits == all & WRITE => Some(false),
            _ => None,
        })
    }

    /// That chown(2) leaves the owners as they are.
    ///
    /// # Errors
    /// `EPERM`: FAT has no others.
    pub(super) fn keeps_owners(&self, uid: Option<u32>, gid: Option<u32>) -> Result<()> {
        let same = uid.is_none_or(|uid| uid == self.uid) && gid.is_none_or(|gid| gid == self.gid);
        if same || self.quiet { Ok(()) } else { Err(Errno::EPERM) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_as_linux_has_them() {
        let options = Options::parse(b"uid=7,umask=027", (1, 2)).unwrap();
        assert_eq!((options.uid, options.gid), (7, 2));
        assert_eq!((options.mode(false, false), options.mode(true, true)), (0o750, 0o750));
        assert_eq!(options.mode(false, true), 0o550);
        for (mode, makes) in [
            (0o750, Ok(Some(false))),
            (0o777, Ok(Some(false))),
            (0o550, Ok(Some(true))),
            (0o640, Ok(None)),
            (0o4750, Err(Errno::EPERM)),
        ] {
            assert_eq!(options.read_only(false, mode), makes, "{mode:o}");
        }
        assert_eq!(options.read_only(true, 0o550), Ok(None));
        assert_eq!(options.keeps_owners(Some(7), None), Ok(()));
        assert_eq!(options.keeps_owners(Some(8), None), Err(Errno::EPERM));
        assert_eq!(Options::parse(b"utf8", (1, 2)), Err(Errno::EINVAL));
    }
}
