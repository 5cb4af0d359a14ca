//! Every call of the table that names a path, with every kind of path, of working directory and of directory descriptor, against
//! rumphijack(3) in a few lines.

mod support;

use abi::table::{self, Route, Row};
use abi::{Errno, nr};
use hijack::Hijack;
use hijack::config::Config;
use hijack::dispatch::{Answer, Call};
use hijack::exec::Inherited;
use hijack::fds::Fds;
use std::ffi::CString;
use std::sync::atomic::AtomicU64;
use support::{TestWorld, syscall};

const AT_FDCWD: u64 = -100i64 as u64;

const CONFIGS: &[&str] =
    &["path=/rump", "path=//", "blanket=/bl:/dev/bpf", "path=/rump,blanket=/bl", "path=/a/b"];

const PATHS: &[&str] = &[
    "",
    "/",
    "//",
    "///x",
    "//rump",
    "//rump/x",
    "/rump",
    "/rump/",
    "/rump//x",
    "/rump/.",
    "/rump/..",
    "/rump/../etc",
    "/rump/a/b/",
    "/rumpx",
    "/rumpx/y",
    "/rum",
    "/./rump/x",
    "/x/../rump/y",
    "/bl",
    "/blx",
    "/bl/x",
    "/b",
    "/dev/bpf0",
    "/dev/bp",
    "/dev/null",
    "/a",
    "/a/b",
    "/a/b/c",
    "/a//b",
    "/a/bc",
    ".",
    "..",
    "x",
    "x/",
    "./x",
    "../x",
    "../../../x",
    "rump",
    "rump/x",
    "a/b/c",
    "bl",
    " /rump/x",
];

/// Where a relative path starts.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Dir {
    HostRoot,
    Host,
    Rump,
}

/// What the rump kernel is told, with its directory descriptor if that counts; none: the call is the host's.
type Told = Option<(Option<u64>, String)>;

struct Place {
    dir: Dir,
    /// The descriptor as the program has it, and as the rump kernel has it.
    fd: Option<(u64, u64)>,
}

/// rumphijack(3), path and blanket.
fn model(config: &str, place: &Place, path: &str) -> Told {
    let tuple = |name: &str| config.split(',').find_map(|tuple| tuple.strip_prefix(name)?.strip_prefix('='));
    let prefix = tuple("path");
    if path.starts_with('/') {
        let below = prefix.and_then(|prefix| below(prefix, path));
        let blanketed =
            tuple("blanket").is_some_and(|list| list.split(':').any(|blanket| path.starts_with(blanket)));
        return below.or_else(|| blanketed.then(|| path.to_owned())).map(|told| (None, told));
    }
    match place.dir {
        Dir::Rump => Some((place.fd.map(|(_, kernel)| kernel), path.to_owned())),
        // A descriptor of `/` and a name are the absolute path in two pieces.
        Dir::HostRoot if place.fd.is_some() && prefix.is_some_and(|prefix| !prefix.ends_with('/')) => {
            below(prefix?, &format!("/{path}")).map(|told| (None, told))
        }
        Dir::HostRoot | Dir::Host => None,
    }
}

fn below(prefix: &str, path: &str) -> Option<String> {
    if prefix.ends_with('/') {
        return path.strip_prefix(prefix).map(|rest| format!("/{rest}"));
    }
    match path.strip_prefix(prefix)? {
        "" => Some("/".to_owned()),
        rest => rest.starts_with('/').then(|| rest.to_owned()),
    }
}

struct Bench {
    hijack: Hijack<TestWorld>,
    config: &'static str,
    host_dir: u64,
    host_root: u64,
    rump_dir: u64,
}

impl Bench {
    fn new(config: &'static str) -> Self {
        let words: Vec<AtomicU64> = (0..1024).map(|_| AtomicU64::new(0)).collect();
        let fds = Fds::new(Box::leak(words.into_boxed_slice()), |_, _| {});
        let parsed = Config::parse(Some(config.as_bytes())).expect("well formed");
        let hijack = Hijack::new(parsed, Inherited::default(), TestWorld::default(), fds, None);
        let open = |path: &str| {
            let path = CString::new(path).expect("no NUL");
            syscall(nr::OPEN, [path.as_ptr() as u64, 0o2000000, 0, 0, 0, 0]).expect("a directory")
        };
        let mut bench = Self { hijack, config, host_dir: open("/usr"), host_root: open("/"), rump_dir: 0 };
        bench.hijack.set_cwd_in_rump(true);
        let path = CString::new("dir").expect("no NUL");
        bench.rump_dir = match bench.call(nr::OPEN, [path.as_ptr() as u64, 0, 0, 0, 0, 0]) {
            Ok(Answer::Value(fd)) => fd,
            other => panic!("no directory of the rump kernel: {other:?}"),
        };
        bench
    }

    fn call(&self, number: u32, args: [u64; 6]) -> Result<Answer, Errno> {
        self.hijack.dispatch(&Call { nr: number, args })
    }

    /// Where relative paths can start: in the working directory, or at a descriptor.
    fn places(&self, with_descriptor: bool) -> Vec<Place> {
        let mut places: Vec<Place> = [Dir::Host, Dir::Rump].map(|dir| Place { dir, fd: None }).into();
        if with_descriptor {
            let fds = [
                (Dir::HostRoot, self.host_root, 0),
                (Dir::Host, self.host_dir, 0),
                (Dir::Rump, self.rump_dir, 0),
            ];
            places.extend(fds.map(|(dir, fd, kernel)| Place { dir, fd: Some((fd, kernel)) }));
        }
        places
    }

    /// Makes the call; answers what the rump kernel was told of the paths at `ends`.
    fn told(&self, row: &Row, args: [u64; 6], ends: &[(Option<u8>, u8)]) -> Result<Option<Vec<Told>>, Errno> {
        self.hijack.world().told.borrow_mut().clear();
        let answer = self.call(row.nr, args)?;
        let told = self.hijack.world().told.borrow();
        let Some((_, args, paths)) = told.iter().find(|(name, ..)| *name == row.name()) else {
            assert_eq!(answer, Answer::Host, "{}: neither kernel was asked", row.name());
            return Ok(None);
        };
        let end = |&(dir, path): &(Option<u8>, u8)| {
            let dir = dir.map(|at| args[usize::from(at)]).filter(|dir| *dir as u32 != AT_FDCWD as u32);
            Some((dir, paths[usize::from(path)].clone().expect("a path")))
        };
        Ok(Some(ends.iter().map(end).collect()))
    }
}

fn ends(row: &Row) -> Vec<(Option<u8>, u8)> {
    match row.route {
        Route::ByPath(path) => vec![(None, path)],
        Route::At { dir, path } => vec![(Some(dir), path)],
        Route::TwoPaths { first, second } => vec![first, second],
        _ => Vec::new(),
    }
}

fn put(args: &mut [u64; 6], place: &Place, (dir, path): (Option<u8>, u8), text: &CString) {
    if let Some(dir) = dir {
        args[usize::from(dir)] = place.fd.map_or(AT_FDCWD, |(fd, _)| fd);
    }
    args[usize::from(path)] = text.as_ptr() as u64;
}

/// Answers how many combinations there were.
fn one_path(bench: &Bench, row: &Row, end: (Option<u8>, u8)) -> usize {
    let mut count = 0;
    for place in bench.places(end.0.is_some()) {
        bench.hijack.set_cwd_in_rump(place.fd.is_none() && place.dir == Dir::Rump);
        for path in PATHS {
            let text = CString::new(*path).expect("no NUL");
            let mut args = [0; 6];
            put(&mut args, &place, end, &text);
            let found = bench.told(row, args, &[end]).expect("no error").and_then(|told| told[0].clone());
            let expected = model(bench.config, &place, path);
            // Where the call names its directory, an absolute path goes with AT_FDCWD; where it does not, there is none to see.
            assert_eq!(found, expected, "{}: {} {path:?} in {:?}", bench.config, row.name(), place.dir);
            count += 1;
        }
    }
    count
}

fn two_paths(bench: &Bench, row: &Row, both: &[(Option<u8>, u8)]) -> usize {
    let mut count = 0;
    let (first, second) = (both[0], both[1]);
    let sample = ["/rump/x", "/bl/x", "//x", "/etc/x", "x", "../x", "/a/b"];
    for (from, to) in
        bench.places(first.0.is_some()).iter().zip(bench.places(second.0.is_some()).iter().rev())
    {
        if from.fd.is_none() && to.fd.is_none() && from.dir != to.dir {
            continue;
        }
        let cwd = [from, to].into_iter().any(|place| place.fd.is_none() && place.dir == Dir::Rump);
        bench.hijack.set_cwd_in_rump(cwd);
        for (old, new) in sample.iter().flat_map(|old| sample.map(|new| (old, new))) {
            let texts = [CString::new(*old).expect("no NUL"), CString::new(new).expect("no NUL")];
            let mut args = [0; 6];
            put(&mut args, from, first, &texts[0]);
            put(&mut args, to, second, &texts[1]);
            // Of these, as the host's, there is not even the directory.
            let missing = |path: &&str| ["/rump/x", "/bl/x", "/a/b"].contains(path);
            let expected = match (model(bench.config, from, old), model(bench.config, to, new)) {
                (None, None) => Ok(None),
                (Some(one), Some(other)) => Ok(Some(vec![Some(one), Some(other)])),
                // link(2) looks for the file first, and the host has none of these.
                (None, Some(_)) if matches!(row.nr, nr::LINK | nr::LINKAT) => Err(Errno::ENOENT),
                (None, Some(_)) if missing(old) => Err(Errno::ENOENT),
                (Some(_), None) if missing(&new) => Err(Errno::ENOENT),
                _ => Err(Errno::EXDEV),
            };
            let found = bench.told(row, args, both);
            assert_eq!(
                found,
                expected,
                "{}: {} {old:?} {new:?} in {:?} {:?}",
                bench.config,
                row.name(),
                from.dir,
                to.dir
            );
            count += 1;
        }
    }
    count
}

#[test]
fn every_call_with_a_path_goes_where_the_manual_says() {
    let mut count = 0;
    for config in CONFIGS {
        let bench = Bench::new(config);
        for row in table::all() {
            match ends(row).as_slice() {
                [] => {}
                [end] => count += one_path(&bench, row, *end),
                both => count += two_paths(&bench, row, both),
            }
        }
    }
    assert!(count > 20_000, "{count} combinations");
}

#[test]
fn a_path_that_cannot_be_read_is_no_reason_for_exdev() {
    let bench = Bench::new("path=/rump");
    let path = CString::new("/rump/x").expect("no NUL");
    let rename = |old, new| bench.call(nr::RENAME, [old, new, 0, 0, 0, 0]);
    bench.hijack.set_cwd_in_rump(false);
    let empty = CString::default();
    assert_eq!(rename(path.as_ptr() as u64, 8), Err(Errno::EFAULT));
    assert_eq!(rename(8, path.as_ptr() as u64), Err(Errno::EFAULT));
    assert_eq!(rename(path.as_ptr() as u64, empty.as_ptr() as u64), Err(Errno::ENOENT));
}
