//! The start of an image, before its main: the environment is read, the session is made.

use super::message::refuse;
use super::{Live, host_unsafe, inherited_fds, relay};
use crate::Hijack;
use crate::config::{self, Config};
use crate::exec::{Inherited, Marks};
use crate::fds::Fds;
use crate::task::UMASK;
use abi::{Errno, nr};
use alloc::boxed::Box;
use alloc::ffi::CString;
use alloc::vec;
use alloc::vec::Vec;
use client::{Handover, Options, Retry, Session};
use core::ffi::CStr;
use core::sync::atomic::Ordering;
use wire::url::Url;

/// `PATH_MAX` of linux/limits.h.
const PATH_MAX: usize = 4096;

/// `TASK_COMM_LEN` of linux/sched.h, less the NUL.
const NAME_MAX: usize = 15;

/// What the interceptor provides.
#[derive(Debug, Clone, Copy)]
pub struct Outside {
    /// Marks a descriptor, or not, for its trampolines.
    pub mark: fn(u32, bool),
    /// The calling thread's task, as [`Hijack::before_vfork`] numbered it; 0: the process.
    pub task: fn() -> usize,
    /// The calling thread's place ([`intercept::place`]), and setting it.
    pub place: fn() -> usize,
    /// See `place`.
    pub set_place: fn(usize) -> usize,
    /// The path of this library, as it was found.
    pub library: Option<&'static [u8]>,
    /// The path of the program, where this library has loaded it: the host's kernel takes the library for the program.
    pub exe: Option<&'static CStr>,
}

/// The variables that concern this library.
#[derive(Default)]
struct Variables<'e> {
    preload: Option<&'e [u8]>,
    server: Option<&'e [u8]>,
    hijack: Option<&'e [u8]>,
    retry: Option<&'e [u8]>,
    marks: Option<&'e [u8]>,
    strict: Option<&'e [u8]>,
}

/// Makes ready for a program with this environment. `None`: nothing of it is to be hijacked.
///
/// Ends the process with status 1 and one line on standard error if a variable is malformed, if there is no
/// `RUMP_SERVER`, or if the server cannot be reached.
#[must_use]
pub fn start<'e>(
    environment: impl Iterator<Item = &'e [u8]>,
    outside: Outside,
) -> Option<&'static Hijack<Live>> {
    let variables = Variables::read(environment);
    let config = match Config::parse(variables.hijack) {
        Ok(config) if config.hijacks_nothing() => return None,
        Ok(config) => config,
        Err(why) => refuse(format_args!("{why}")),
    };
    let file = variables.library_file(&outside);
    let options = options(&variables, &file, config.path.clone().unwrap_or_default());
    let marks = variables.marks.map(Marks::parse);
    let session = session(&options, variables.server, marks);
    let inherited = variables.inherited(&options, file);
    let words = host_unsafe::table()
        .unwrap_or_else(|why| refuse(format_args!("no memory for the descriptor table: {why}")));
    let live = Live::new(options, session, outside);
    let hijack =
        Box::leak(Box::new(Hijack::new(config, inherited, live, Fds::new(words, outside.mark), outside.exe)));
    take_over(hijack, marks.unwrap_or_default());
    Some(hijack)
}

impl<'e> Variables<'e> {
    fn read(environment: impl Iterator<Item = &'e [u8]>) -> Self {
        let mut variables = Self::default();
        for entry in environment {
            let Some(at) = entry.iter().position(|&byte| byte == b'=') else { continue };
            let (name, value) = (entry.get(..at).unwrap_or_default(), entry.get(at + 1..));
            let slot = match name {
                b"LD_PRELOAD" => &mut variables.preload,
                b"RUMP_SERVER" => &mut variables.server,
                b"RUMPHIJACK" => &mut variables.hijack,
                b"RUMPHIJACK_RETRYCONNECT" => &mut variables.retry,
                b"RUMPHIJACK__EXEC" => &mut variables.marks,
                b"RUMPHIJACK__STRICT" => &mut variables.strict,
                _ => continue,
            };
            // As getenv(3): the first one counts.
            *slot = slot.or(value);
        }
        variables
    }

    /// As LD_PRELOAD names this library.
    fn library(&self) -> Vec<u8> {
        self.preload.and_then(our_library).map(absolute).unwrap_or_default()
    }

    /// Its file; empty if that is not known.
    fn library_file(&self, outside: &Outside) -> Vec<u8> {
        let library = self.library();
        match outside.exe {
            // Of a copy in memory (where the file may not be run) the kernel does not know the name.
            Some(_) if library.contains(&b'/') => library,
            Some(_) => own_file(),
            None => outside.library.map(absolute).unwrap_or_default(),
        }
    }

    fn inherited(&self, options: &Options, file: Vec<u8>) -> Inherited {
        let owned = |value: Option<&[u8]>| value.map(<[u8]>::to_vec);
        let library = self.library();
        let file = CString::new(file).ok().filter(|file| !file.is_empty());
        let server = match &options.url {
            Url::Unix(path) if options.relay.is_none() => Some([b"unix://", path.as_slice()].concat()),
            _ => owned(self.server),
        };
        Inherited {
            library,
            file,
            server_given: owned(self.server),
            server,
            hijack: owned(self.hijack),
            retry: owned(self.retry),
            strict: self.strict == Some(b"1"),
        }
    }
}

/// The file that the kernel runs.
fn own_file() -> Vec<u8> {
    let mut path = vec![0; PATH_MAX];
    let length = host::read_link(c"/proc/self/exe", &mut path).unwrap_or(0);
    path.truncate(length);
    path
}

/// The element of `LD_PRELOAD` that is this library.
fn our_library(preload: &[u8]) -> Option<&[u8]> {
    let mut elements = preload.split(|byte| matches!(byte, b':' | b' '));
    elements.find(|element| {
        let name = element.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
        name.starts_with(b"librumphijack")
    })
}

/// A name with a slash means the same file after chdir(2) only if it is absolute; one without is searched for.
fn absolute(name: &[u8]) -> Vec<u8> {
    if name.starts_with(b"/") || !name.contains(&b'/') {
        return name.to_vec();
    }
    [working_directory().as_slice(), b"/", name].concat()
}

fn working_directory() -> Vec<u8> {
    let mut directory = vec![0; PATH_MAX];
    let args = [directory.as_mut_ptr() as u64, PATH_MAX as u64, 0, 0, 0, 0];
    // The length counts the NUL.
    let length = host_unsafe::call(nr::GETCWD, args).ok().and_then(|length| usize::try_from(length).ok());
    directory.truncate(length.map_or(0, |length| length.saturating_sub(1)));
    directory
}

fn options(variables: &Variables<'_>, library: &[u8], prefix: Vec<u8>) -> Options {
    let retry = match config::Retry::parse(variables.retry) {
        Ok(config::Retry::Never) => Retry::No,
        Ok(config::Retry::Once) => Retry::Once,
        Ok(config::Retry::Die) => Retry::Die,
        Ok(config::Retry::Inftime) => Retry::Inftime,
        Ok(config::Retry::Seconds(seconds)) => Retry::Seconds(seconds.get()),
        Err(why) => refuse(format_args!("{why}")),
    };
    let Some(server) = variables.server else {
        refuse(format_args!("RUMP_SERVER: not set: expected unix://PATH or tcp://A.B.C.D:PORT/"))
    };
    // Most servers are named by their absolute path.
    let relative = server.strip_prefix(b"unix://").is_some_and(|path| !path.starts_with(b"/"));
    let directory = if relative { working_directory() } else { Vec::new() };
    let parsed = Url::parse(server, &directory).and_then(Url::for_client);
    let given = parsed
        .unwrap_or_else(|why| refuse(format_args!("RUMP_SERVER: \"{}\": {why}", server.escape_ascii())));
    let (url, relay) = relay::stand_in(given, server, library);
    Options {
        url,
        name: name(),
        prefix,
        retry,
        plain: false,
        host_descriptors: true,
        relay,
        interruption: None,
    }
}

/// The program's name, as ps(1) shows it.
fn name() -> Vec<u8> {
    /// linux/prctl.h
    const PR_GET_NAME: u64 = 16;
    let mut name = [0u8; NAME_MAX + 1];
    let _ = host_unsafe::call(nr::PRCTL, [PR_GET_NAME, name.as_mut_ptr() as u64, 0, 0, 0, 0]);
    name.split(|&byte| byte == 0).next().unwrap_or_default().to_vec()
}

/// The session of this image. The first image of a family connects at once, so that a wrong URL is told before
/// main; its descendants connect when they need to, unless they were announced.
fn session(options: &Options, server: Option<&[u8]>, marks: Option<Marks>) -> Session {
    let Some(marks) = marks else {
        let session = Session::new(options.clone());
        let connected = match options.relay {
            // It listens whether or not there is a server behind it.
            Some(_) => session.open_now().and_then(|()| session.introduce()),
            None => session.open_now(),
        };
        if let Err(why) = connected {
            let server = server.unwrap_or_default().escape_ascii();
            refuse(format_args!("RUMP_SERVER: cannot connect to \"{server}\": {why}"))
        }
        return session;
    };
    let adopted = marks.session.and_then(|fd| adopted(options, fd).ok());
    adopted.unwrap_or_else(|| match marks.fork {
        Some(auth) => Session::executed(options.clone(), auth),
        None => Session::new(options.clone()),
    })
}

/// The session of the image before this one, which handed over an idle one. The original counts anew there, from 0.
fn adopted(options: &Options, fd: u32) -> Result<Session, Errno> {
    let session = Session::adopted(options.clone(), Handover { fd, reqno: 0, extended: !options.plain })?;
    session.announce()?;
    Ok(session)
}

/// What the image before this one left behind.
fn take_over(hijack: &'static Hijack<Live>, marks: Marks) {
    if marks.fork.is_some() {
        hijack.world.introduce();
    }
    hijack.note_own();
    hijack.set_cwd_in_rump(marks.cwd_in_rump);
    hijack.takes_locks.store(marks.locks, Ordering::Relaxed);
    if marks.descriptors {
        let _ = inherited_fds::mark_unknown(hijack.fds());
    }
    hijack.look_at_file_size();
    // Nobody else runs yet who could create a file meanwhile.
    let umask = |mask: u64| host_unsafe::call(nr::UMASK, [mask, 0, 0, 0, 0, 0]);
    if let Ok(mask) = umask(0o77) {
        let _ = umask(mask);
        hijack.set_umask(mask as u32);
        // A child that was announced has its parent's, whichever that was.
        let known = match (marks.session, marks.fork) {
            (Some(_), _) if hijack.world.session().is_connected() => Some(mask as u32),
            (_, Some(_)) => None,
            _ => Some(UMASK),
        };
        hijack.set_told_umask(known);
    }
}
