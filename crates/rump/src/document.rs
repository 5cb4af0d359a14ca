//! Completions and manual pages, made from the command line's own description.

use crate::cli::Cli;
use clap::CommandFactory;
use std::io;
use std::process::ExitCode;

/// Writes a shell's completions to standard output.
pub(crate) fn completions(shell: clap_complete::Shell) -> Result<ExitCode, String> {
    clap_complete::generate(shell, &mut Cli::command(), "rump", &mut io::stdout());
    Ok(ExitCode::SUCCESS)
}

/// Writes a manual page to standard output.
pub(crate) fn manual(command: Option<&str>) -> Result<ExitCode, String> {
    let mut whole = Cli::command();
    // Fills in what subcommands inherit.
    whole.build();
    let (page, title) = match command {
        None => (whole, "rump".to_owned()),
        Some(name) => {
            let found = whole.find_subcommand(name).ok_or_else(|| format!("there is no `rump {name}`"))?;
            (found.clone(), format!("rump-{name}"))
        }
    };
    let written = clap_mangen::Man::new(page).title(title).render(&mut io::stdout());
    written.map(|()| ExitCode::SUCCESS).map_err(|error| error.to_string())
}
