//! `rump image`: everyday jobs on a disk image, by programs that know nothing of it.
//!
//! A private server mounts the image under /rump. Whoever opens an image is root in it, as with other tools that edit images: files
//! belong to whom the image says, and all can be read and written.

use crate::attach::{self, Attach};
use crate::cli::{ImageCommand, RunOptions, ServerOption};
use crate::run;
use std::ffi::OsString;
use std::process::ExitCode;

/// What begins with this is a path in the image.
const INSIDE: char = ':';

/// Runs one of the jobs.
pub(crate) fn image(command: &ImageCommand) -> ExitCode {
    match command {
        ImageCommand::Info { image } => info(image),
        ImageCommand::Ls { image, paths } => {
            let paths = if paths.is_empty() { vec!["/".to_owned()] } else { paths.clone() };
            let paths = paths.iter().map(|path| inside(path.trim_start_matches(INSIDE)));
            let args = ["-l", "-a", "--"].into_iter().map(str::to_owned).chain(paths);
            on(image, true, "ls", args.collect())
        }
        ImageCommand::Cp { image, paths } => cp(image, paths),
        ImageCommand::Sh { image, args } => {
            // The first word behind the script is its $0.
            let script = "cd /rump && exec \"${SHELL:-sh}\" \"$@\"";
            let args = ["-c", script, "sh"].into_iter().map(str::to_owned).chain(args.iter().cloned());
            on(image, false, "sh", args.collect())
        }
    }
}

fn cp(image: &str, paths: &[String]) -> ExitCode {
    let writes = paths.last().is_some_and(|path| path.starts_with(INSIDE));
    if !paths.iter().any(|path| path.starts_with(INSIDE)) {
        eprintln!(
            "rump: no path begins with a colon: those in the image do, as in `rump image cp disk.img :/etc/fstab .`"
        );
        return ExitCode::from(run::FAILED);
    }
    // Who owns copies on the host is not the image's to say.
    let how = ["-R", "--preserve=mode,timestamps,links", "--"].into_iter().map(str::to_owned);
    let paths = paths.iter().map(|path| path.strip_prefix(INSIDE).map_or_else(|| path.clone(), inside));
    on(image, !writes, "cp", how.chain(paths).collect())
}

/// A path in the image as programs see it.
fn inside(path: &str) -> String {
    format!("/rump/{}", path.trim_start_matches('/'))
}

/// Runs a program with the image at /rump.
fn on(image: &str, read_only: bool, program: &str, args: Vec<String>) -> ExitCode {
    let attach = match Attach::parse(image) {
        Ok(attach) => Attach { read_only: read_only || attach.read_only, ..attach },
        Err(why) => {
            eprintln!("rump: {why}");
            return ExitCode::from(run::FAILED);
        }
    };
    let options = RunOptions {
        net: Vec::new(),
        server: ServerOption { server: None },
        mount: vec![attach],
        overlay: Vec::new(),
        root: true,
        rumphijack: None,
        strict: false,
        retry: None,
        verbose: false,
        program: program.into(),
        args: args.into_iter().map(OsString::from).collect(),
    };
    run::run(&options)
}

fn info(image: &str) -> ExitCode {
    let told = Attach::parse(image).and_then(|attach| attach::parts(&attach.path));
    match told {
        Ok(parts) => {
            print!("part  type                 bytes\n{}", attach::table(&parts));
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("rump: {why}");
            ExitCode::from(run::FAILED)
        }
    }
}
