//! rump(1): run programs on a rump kernel, and look into one.
#![forbid(unsafe_code)]

mod attach;
mod capture;
mod check;
mod cli;
mod coverage;
mod diff;
mod document;
mod elf;
mod image;
mod lab;
mod link;
mod look;
mod mount;
mod nfs;
mod output;
mod run;
mod session;
mod summary;
mod trace;
mod users;

use clap::Parser;
use cli::{Cli, Command};
use std::process::ExitCode;

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Run(options) => return run::run(&options),
        Command::Trace(options) => return trace::trace(&options),
        Command::Halt(server) => {
            look::halt(&server).map(|()| String::new()).map_err(|error| error.to_string())
        }
        Command::Ps(server) => look::processes(&server).map_err(|error| error.to_string()),
        Command::Sockstat(server) => look::sockets(&server).map_err(|error| error.to_string()),
        Command::Link(options) => link::link(&options).map_err(|error| error.to_string()),
        Command::Mount(options) => mount::mount(&options).map_err(|error| error.to_string()),
        Command::Umount { server, dir, lazy } => {
            mount::umount(&server, &dir, lazy).map_err(|error| error.to_string())
        }
        Command::Diff { server, dir } => return diff::diff(&server, dir.as_deref()),
        Command::Capture(options) => capture::capture(&options).map_err(|error| error.to_string()),
        Command::Nfs(options) => nfs::nfs(&options).map_err(|error| error.to_string()),
        Command::Image { command } => return image::image(&command),
        Command::Lab { command } => return lab::lab(&command),
        Command::Check { program } => return check::check(&program),
        Command::Coverage { calls, missing } => coverage::coverage(&calls, missing),
        Command::Completions { shell } => document::completions(shell),
        Command::Man { command } => document::manual(command.as_deref()),
    };
    match outcome.and_then(|text| output::write(&text)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("rump: {error}");
            ExitCode::FAILURE
        }
    }
}
