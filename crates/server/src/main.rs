//! rump_server(1).

use clap::Parser;
use server::args::Args;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            // clap's own exit status for a wrong command line is 2; rump_server(1) knows only 1.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
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
