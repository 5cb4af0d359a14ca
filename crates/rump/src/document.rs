//! Completions and manual pages, made from the command line's own description.

use crate::cli::Cli;
use clap::CommandFactory;

/// A shell's completions.
pub(crate) fn completions(shell: clap_complete::Shell) -> Result<String, String> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "rump", &mut text);
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// A manual page.
pub(crate) fn manual(command: Option<&str>) -> Result<String, String> {
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
    let mut text = Vec::new();
    clap_mangen::Man::new(page).title(title).render(&mut text).map_err(|error| error.to_string())?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}
