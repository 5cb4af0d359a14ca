//! Whose path is it? A literal comparison of bytes: neither `..` nor symbolic links switch kernels
//! (rumphijack(3)).

use crate::config::Config;
use crate::named;
pub use abi::prefix::RumpPath;
use abi::prefix::under;
use alloc::vec::Vec;

/// The kernel that a path belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// The host's, as it stands.
    Host,
    /// The rump kernel's, which is told [`RumpPath`].
    Rump(RumpPath),
}

/// So many bytes at the start of a path say whose it is: the longest prefix and the border behind it, with `./` in place of
/// the prefix's slash.
#[must_use]
pub fn decides(config: &Config) -> usize {
    let prefixes = config.path.iter().chain(&config.blankets).map(Vec::len);
    prefixes.max().map_or(0, |longest| longest + 2).max(named::decides())
}

/// Decides about an absolute path, of which only its first [`decides`] bytes need be given; `None` for a relative one, which goes where its directory is.
#[must_use]
pub fn absolute(config: &Config, path: &[u8]) -> Option<Owner> {
    if path.first() != Some(&b'/') {
        return None;
    }
    if let Some(cut) = config.path.as_deref().and_then(|prefix| under(prefix, path)) {
        return Some(Owner::Rump(cut));
    }
    let blanketed = config.blankets.iter().any(|prefix| path.starts_with(prefix));
    Some(if blanketed || named::is_rumps(config, path) {
        Owner::Rump(RumpPath::From(0))
    } else {
        Owner::Host
    })
}

/// What the rump kernel is told of a relative path that lies in `/`, if that makes it the rump kernel's.
#[must_use]
pub fn below_root(config: &Config, path: &[u8]) -> Option<RumpPath> {
    let prefix = config.path.as_deref()?.strip_prefix(b"/")?;
    if prefix.is_empty() || prefix.ends_with(b"/") {
        return None;
    }
    // Once: of a path with more of them too little is seen.
    let named = path.strip_prefix(b"./").unwrap_or(path);
    Some(match under(prefix, named)? {
        RumpPath::Root => RumpPath::Root,
        RumpPath::From(at) => RumpPath::From(at + path.len() - named.len()),
    })
}

/// How a directory of the rump kernel is shown to the program: with the prefix put back, or bare where there
/// is none. Answers what to put in front, and the rest.
#[must_use]
pub fn shown<'a>(config: &'a Config, directory: &'a [u8]) -> (&'a [u8], &'a [u8]) {
    match (config.path.as_deref(), directory) {
        (None, _) => (b"", directory),
        // `(unreachable)`, which getcwd(2) puts in front of what lies outside of the root.
        (_, other) if !other.starts_with(b"/") => (b"", other),
        (Some(prefix), b"/") => (prefix, b""),
        (Some(prefix), _) if prefix.ends_with(b"/") => (prefix, directory.get(1..).unwrap_or_default()),
        (Some(prefix), _) => (prefix, directory),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn owner<'a>(config: &str, path: &'a str) -> Option<Result<&'a str, ()>> {
        let config = Config::parse(Some(config.as_bytes())).unwrap();
        absolute(&config, path.as_bytes()).map(|owner| match owner {
            Owner::Host => Err(()),
            Owner::Rump(RumpPath::Root) => Ok("/"),
            Owner::Rump(RumpPath::From(at)) => Ok(&path[at..]),
        })
    }

    fn joined(config: &str, directory: &str) -> String {
        let config = Config::parse(Some(config.as_bytes())).unwrap();
        let (front, rest) = shown(&config, directory.as_bytes());
        String::from_utf8([front, rest].concat()).unwrap()
    }
    use alloc::string::String;

    #[test]
    fn the_prefix_is_cut_off_at_a_border() {
        for (path, expected) in [
            ("/rump", Ok("/")),
            ("/rump/", Ok("/")),
            ("/rump//", Ok("//")),
            ("/rump/dev/bpf", Ok("/dev/bpf")),
            ("/rump/../etc", Ok("/../etc")),
            ("/rumpx", Err(())),
            ("/rum", Err(())),
            ("//rump", Err(())),
            ("/./rump", Err(())),
            ("/", Err(())),
        ] {
            assert_eq!(owner("path=/rump", path), Some(expected), "{path}");
        }
    }

    #[test]
    fn relative_paths_are_decided_by_their_directory() {
        assert_eq!(owner("path=/rump", "rump/x"), None);
        assert_eq!(owner("path=/rump", ""), None);
    }

    #[test]
    fn the_prefix_without_its_slash_below_root() {
        let below = |prefix: &str, path: &str| {
            let config = Config::parse(Some(prefix.as_bytes())).unwrap();
            below_root(&config, path.as_bytes())
        };
        assert_eq!(below("path=/rump", "rump"), Some(RumpPath::Root));
        assert_eq!(below("path=/rump", "rump/x"), Some(RumpPath::From(4)));
        assert_eq!(below("path=/rump", "./rump"), Some(RumpPath::Root));
        assert_eq!(below("path=/rump", "./rump/x"), Some(RumpPath::From(6)));
        for (prefix, path) in [
            ("path=/rump", "rumpx"),
            ("path=/rump", "./rumpx"),
            ("path=/rump", "././rump"),
            ("path=/rump", "/rump"),
            ("path=//", "x"),
            ("sysctl", "x"),
        ] {
            assert_eq!(below(prefix, path), None, "{prefix} {path}");
        }
    }

    #[test]
    fn pure_slashes_leave_one() {
        assert_eq!(owner("path=//", "//"), Some(Ok("/")));
        assert_eq!(owner("path=//", "//dir"), Some(Ok("/dir")));
        assert_eq!(owner("path=//", "/dir"), Some(Err(())));
        assert_eq!(owner("path=///", "//dir"), Some(Err(())));
        assert_eq!(owner("path=///", "////dir"), Some(Ok("//dir")));
    }

    #[test]
    fn blankets_stay_and_know_no_border() {
        assert_eq!(owner("blanket=/dev/bpf", "/dev/bpf0"), Some(Ok("/dev/bpf0")));
        assert_eq!(owner("blanket=/dev/bpf", "/dev/bp"), Some(Err(())));
        assert_eq!(owner("blanket=/dev,path=/rump", "/rump/dev/null"), Some(Ok("/dev/null")));
        assert_eq!(owner("blanket=/dirtoo:/dir", "/dirtoo/f"), Some(Ok("/dirtoo/f")));
    }

    #[test]
    fn sysctl_takes_proc_sys() {
        assert_eq!(owner("sysctl", "/proc/sys/kernel/ostype"), Some(Ok("/proc/sys/kernel/ostype")));
        assert_eq!(owner("sysctl", "/proc/sysvipc"), Some(Err(())));
        assert_eq!(owner("path=/rump", "/proc/sys"), Some(Err(())));
    }

    #[test]
    fn the_working_directory_is_shown_with_its_prefix() {
        assert_eq!(joined("path=/rump", "/"), "/rump");
        assert_eq!(joined("path=/rump", "/a/b"), "/rump/a/b");
        assert_eq!(joined("path=//", "/"), "//");
        assert_eq!(joined("path=//", "/dir"), "//dir");
        assert_eq!(joined("blanket=/dev", "/dev"), "/dev");
        assert_eq!(joined("blanket=/dev,path=/rump", "/dev"), "/rump/dev");
    }

    proptest! {
        #[test]
        fn what_is_shown_leads_back(prefix in "(/[a-z]{1,4}|//|///)", directory in "/([a-z]{1,3}(/[a-z]{1,3}){0,3})?") {
            let config = alloc::format!("path={prefix}");
            let shown = joined(&config, &directory);
            prop_assert_eq!(owner(&config, &shown), Some(Ok(directory.as_str())));
        }

        #[test]
        fn any_bytes_have_an_owner(path in proptest::collection::vec(any::<u8>(), 0..32)) {
            let config = Config::parse(Some(b"path=/a,blanket=/b:/cc,sysctl")).unwrap();
            if let Some(Owner::Rump(RumpPath::From(at))) = absolute(&config, &path) {
                prop_assert_eq!(path.get(at), Some(&b'/'));
            }
        }
    }
}
