//! rump_server(1).

use clap::Parser;
use clap::error::ErrorKind;
use server::args::Args;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            return refuse(&error);
        }
    };
    if args.verbose {
        tracing_subscriber::fmt().with_writer(std::io::stderr).with_max_level(tracing::Level::DEBUG).init();
    }
    match server::daemon::run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if args.background => {
            // The parent reads it there and says it.
            print!("{error}");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("rump_server: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Says what is wrong with the command line, or the help that was asked for. A malformed value is one line. clap's own exit
/// status is 2; rump_server(1) knows only 1.
fn refuse(error: &clap::Error) -> ExitCode {
    if error.kind() == ErrorKind::ValueValidation {
        let text = error.to_string();
        let line = text.lines().next().unwrap_or_default();
        eprintln!("rump_server: {}", line.strip_prefix("error: ").unwrap_or(line));
    } else {
        // Standard error may be closed; the status says it all the same.
        let _ = error.print();
    }
    if error.use_stderr() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
