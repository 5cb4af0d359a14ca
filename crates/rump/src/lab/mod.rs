//! `rump lab`: rump kernels, the segments between them and the programs on them, as one file describes them.
//!
//! Nothing watches over a lab that is up: its state is a directory (`place`) and the processes that live by it, which `processes`
//! finds again.

mod cli;
mod document;
mod down;
mod exec;
mod furnish;
mod link;
mod place;
mod plan;
mod processes;
mod status;
mod topology;
mod up;

pub(crate) use cli::LabCommand;

use crate::{output, run, session};
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

/// Why a lab is not what it was to be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("{0}")]
    Why(String),
    #[error("host {host}: {source}")]
    Session { host: String, source: session::Error },
    #[error(transparent)]
    Run(#[from] run::Error),
}

impl Error {
    fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }
}

/// Does what was typed.
pub(crate) fn lab(command: &LabCommand) -> ExitCode {
    let outcome = match command {
        LabCommand::Exec(options) => return exec::exec(options),
        LabCommand::Up(options) => up::up(options),
        LabCommand::Down(options) => down::down(options),
        LabCommand::Status { lab } => status::status(lab.as_deref()),
        LabCommand::Logs(options) => status::logs(options),
        LabCommand::Check { file } => plan::Plan::read(file).map(|plan| status::outline(&plan)),
    };
    match outcome.map_err(|error| error.to_string()).and_then(|text| output::write(&text)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("rump: {error}");
            ExitCode::FAILURE
        }
    }
}
