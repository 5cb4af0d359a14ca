//! What probes have in common: they measure one thing and print one number. All times are nanoseconds per operation, all rates per second.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

use std::io::Result;
use std::process::ExitCode;

/// Measures with an argument.
pub type Probe = fn(&str) -> Result<f64>;

/// `NAME [ARGUMENT]` of the command line: measures what has this name, and prints the figure.
#[must_use]
pub fn measure(probes: &[(&str, Probe)]) -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_default();
    let argument = arguments.next().unwrap_or_default();
    let Some((_, probe)) = probes.iter().find(|(known, _)| *known == name) else {
        let known: Vec<&str> = probes.iter().map(|(known, _)| *known).collect();
        eprintln!("probe: '{name}' is none of {}", known.join(", "));
        return ExitCode::FAILURE;
    };
    match probe(&argument) {
        Ok(figure) => {
            println!("{figure:.1}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("probe {name} {argument}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Nanoseconds per run of `operation`, over at least `least` runs and a fifth of a second.
///
/// # Errors
/// The operation's.
pub fn per_operation(least: u32, mut operation: impl FnMut() -> Result<()>) -> Result<f64> {
    let enough = std::time::Duration::from_millis(200);
    for _ in 0..least / 10 {
        operation()?;
    }
    let start = std::time::Instant::now();
    let mut runs = 0_u32;
    while runs < least || start.elapsed() < enough {
        for _ in 0..least {
            operation()?;
        }
        runs += least;
    }
    #[allow(clippy::cast_precision_loss, reason = "a figure to print")]
    Ok(start.elapsed().as_nanos() as f64 / f64::from(runs))
}
