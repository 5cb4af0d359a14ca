//! The environment of the next image: what this library needs to be there again, and what it tells itself.

use super::marks::MARKS;
use alloc::ffi::CString;
use alloc::vec::Vec;

/// What the first image was started with. It is put back where a program leaves it out.
#[derive(Debug, Clone, Default)]
pub struct Inherited {
    /// This library as it stands in `LD_PRELOAD`, absolute if it has a slash.
    pub library: Vec<u8>,
    /// The file of this library, absolute; `None`: it was not found, so it cannot be run itself.
    pub file: Option<CString>,
    /// `RUMP_SERVER` as the user gave it.
    pub server_given: Option<Vec<u8>>,
    /// The same with an absolute path in it.
    pub server: Option<Vec<u8>>,
    /// `RUMPHIJACK`.
    pub hijack: Option<Vec<u8>>,
    /// `RUMPHIJACK_RETRYCONNECT`.
    pub retry: Option<Vec<u8>>,
    /// `RUMPHIJACK__STRICT=1`: what cannot be hijacked is not run.
    pub strict: bool,
}

/// A string to be written, in pieces.
pub(super) type Pieces<'a> = [&'a [u8]; 4];

/// What becomes of one string of the environment.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fate<'a> {
    /// It stays.
    Keep,
    /// It goes.
    Drop,
    /// It becomes this.
    Become(Pieces<'a>),
}

/// Which of our variables were among the strings.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seen {
    preload: bool,
    server: bool,
    hijack: bool,
    retry: bool,
    other_server: bool,
}

const PRELOAD: &[u8] = b"LD_PRELOAD=";
const SERVER: &[u8] = b"RUMP_SERVER=";
const HIJACK: &[u8] = b"RUMPHIJACK=";
const STRICT: &[u8] = b"RUMPHIJACK__STRICT=";
const RETRY: &[u8] = b"RUMPHIJACK_RETRYCONNECT=";

/// The longest of the names, `=` included.
pub(super) const NAME_MAX: usize = RETRY.len();

/// Whether a string that begins so is one that [`Inherited::fate`] must see whole.
pub(super) fn concerns_us(start: &[u8]) -> bool {
    [PRELOAD, SERVER, HIJACK, RETRY, MARKS, STRICT].iter().any(|name| start.starts_with(name))
}

impl Inherited {
    /// Decides about one string.
    pub(super) fn fate<'a>(&'a self, entry: &'a [u8], seen: &mut Seen) -> Fate<'a> {
        if let Some(value) = entry.strip_prefix(PRELOAD) {
            seen.preload = true;
            self.preload(value)
        } else if let Some(value) = entry.strip_prefix(SERVER) {
            seen.server = true;
            self.server(value, seen)
        } else if entry.starts_with(MARKS) || (self.strict && entry.starts_with(STRICT)) {
            Fate::Drop
        } else {
            seen.hijack |= entry.starts_with(HIJACK);
            seen.retry |= entry.starts_with(RETRY);
            Fate::Keep
        }
    }

    fn preload<'a>(&'a self, value: &'a [u8]) -> Fate<'a> {
        let library = self.library.as_slice();
        let mut elements = value.split(|byte| matches!(byte, b':' | b' '));
        if library.is_empty() || elements.any(|element| element == library) {
            return Fate::Keep;
        }
        let separator: &[u8] = if value.is_empty() { b"" } else { b":" };
        Fate::Become([PRELOAD, library, separator, value])
    }

    fn server<'a>(&'a self, value: &'a [u8], seen: &mut Seen) -> Fate<'a> {
        let is = |known: &Option<Vec<u8>>| known.as_deref() == Some(value);
        match &self.server {
            // A relative path means another file once the working directory has changed.
            Some(server) if is(&self.server_given) && !is(&self.server) => {
                Fate::Become([SERVER, server, b"", b""])
            }
            _ => {
                seen.other_server = !is(&self.server) && !is(&self.server_given);
                Fate::Keep
            }
        }
    }

    /// What has to be added behind strings of which these were `seen`. `marks` are [`super::Marks`] as text.
    pub(super) fn additions<'a>(&'a self, seen: Seen, marks: &'a [u8]) -> impl Iterator<Item = Pieces<'a>> {
        let absent = |name: &'static [u8], value: Option<&'a [u8]>, there: bool| -> Option<Pieces<'a>> {
            value.filter(|_| !there).map(|value| [name, value, b"", b""])
        };
        let library = Some(self.library.as_slice()).filter(|library| !library.is_empty());
        // What the marks say holds for this server alone.
        let marks = Some(marks).filter(|marks| !marks.is_empty());
        let strict = self.strict.then_some(b"1".as_slice());
        [
            absent(PRELOAD, library, seen.preload),
            absent(SERVER, self.server.as_deref(), seen.server),
            absent(HIJACK, self.hijack.as_deref(), seen.hijack),
            absent(RETRY, self.retry.as_deref(), seen.retry),
            absent(MARKS, marks, seen.other_server),
            absent(STRICT, strict, false),
        ]
        .into_iter()
        .flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inherited() -> Inherited {
        Inherited {
            library: b"/lib/librumphijack.so".to_vec(),
            file: None,
            server_given: Some(b"unix://s".to_vec()),
            server: Some(b"unix:///tmp/s".to_vec()),
            hijack: None,
            retry: Some(b"die".to_vec()),
            strict: false,
        }
    }

    fn next(entries: &[&str], marks: &str) -> Vec<Vec<u8>> {
        let inherited = inherited();
        let mut seen = Seen::default();
        let mut next = Vec::new();
        for entry in entries {
            match inherited.fate(entry.as_bytes(), &mut seen) {
                Fate::Keep => next.push(entry.as_bytes().to_vec()),
                Fate::Drop => {}
                Fate::Become(pieces) => next.push(pieces.concat()),
            }
        }
        next.extend(inherited.additions(seen, marks.as_bytes()).map(|pieces| pieces.concat()));
        next
    }

    #[test]
    fn an_untouched_environment_stays_but_for_the_relative_path() {
        let entries = [
            "A=1",
            "LD_PRELOAD=/lib/librumphijack.so",
            "RUMP_SERVER=unix://s",
            "RUMPHIJACK_RETRYCONNECT=die",
        ];
        let expected: [&[u8]; 4] = [
            b"A=1",
            b"LD_PRELOAD=/lib/librumphijack.so",
            b"RUMP_SERVER=unix:///tmp/s",
            b"RUMPHIJACK_RETRYCONNECT=die",
        ];
        assert_eq!(next(&entries, ""), expected);
    }

    #[test]
    fn an_empty_environment_gets_everything_back() {
        let expected: [&[u8]; 4] = [
            b"LD_PRELOAD=/lib/librumphijack.so",
            b"RUMP_SERVER=unix:///tmp/s",
            b"RUMPHIJACK_RETRYCONNECT=die",
            b"RUMPHIJACK__EXEC=cwd,",
        ];
        assert_eq!(next(&[], "cwd,"), expected);
    }

    #[test]
    fn who_is_strict_stays_so() {
        let inherited = Inherited { strict: true, ..Inherited::default() };
        assert_eq!(inherited.fate(b"RUMPHIJACK__STRICT=0", &mut Seen::default()), Fate::Drop);
        let added: Vec<_> = inherited.additions(Seen::default(), b"").map(|pieces| pieces.concat()).collect();
        assert_eq!(added, [b"RUMPHIJACK__STRICT=1"]);
    }

    #[test]
    fn another_preload_gets_ours_in_front() {
        let entries = ["LD_PRELOAD=/x.so /y.so", "RUMP_SERVER=unix:///tmp/s", "RUMPHIJACK_RETRYCONNECT="];
        assert_eq!(next(&entries, "")[0], b"LD_PRELOAD=/lib/librumphijack.so:/x.so /y.so");
        assert_eq!(next(&["LD_PRELOAD="], "")[0], b"LD_PRELOAD=/lib/librumphijack.so");
    }

    #[test]
    fn another_server_is_told_nothing_of_this_session() {
        let next = next(
            &["LD_PRELOAD=/lib/librumphijack.so", "RUMP_SERVER=unix:///other", "RUMPHIJACK__EXEC=fds,"],
            "session=9,",
        );
        assert!(next.contains(&b"RUMP_SERVER=unix:///other".to_vec()));
        assert!(!next.iter().any(|entry| entry.starts_with(MARKS)));
    }
}
