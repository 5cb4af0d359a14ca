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

#[cfg(test)]
mod tests {
    use super::*;

    /// The page that people write by hand has all that the command line has.
    #[test]
    fn rump_1_names_every_command_and_option() {
        const PAGE: &str = include_str!("../../../man/rump.1");
        let whole = Cli::command();
        for command in whole.get_subcommands().filter(|command| !command.is_hide_set()) {
            let name = command.get_name();
            let tells = |line: &str| {
                line.strip_prefix(".It Cm ").and_then(|rest| rest.split(' ').next()) == Some(name)
            };
            assert!(PAGE.lines().any(tells), "man/rump.1 does not say what `rump {name}` does");
            for option in command.get_arguments().filter(|option| !option.is_hide_set()) {
                let names =
                    [option.get_short().map(String::from), option.get_long().map(|long| format!("-{long}"))];
                let named = names.iter().flatten().any(|name| PAGE.contains(&format!("Fl {name}")));
                assert!(named || option.is_positional(), "man/rump.1 has no {option} of `rump {name}`");
            }
        }
    }
}
