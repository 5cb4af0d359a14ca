//! `rump trace`: a program, and a line for each of its calls that the rump kernel served.

use crate::cli::TraceOptions;
use crate::run::{self, FAILED};
use crate::session::{Error, Session};
use crate::summary::Summary;
use abi::{Errno, private};
use std::fs::File;
use std::io::{self, Write};
use std::process::ExitCode;

/// How much of the trace is fetched at once.
const SPACE: u64 = 64 << 10;
/// The name of the process whose call ends the trace; at most the 15 bytes that the kernel keeps.
const LAST: &str = "rump-trace-end";
/// Any address will do: this program has no memory that a call is about.
const BUFFER: u64 = 0x1000;

/// Runs the program and writes its trace.
pub(crate) fn trace(options: &TraceOptions) -> ExitCode {
    let (mut command, url) = match run::prepare(&options.run) {
        Ok(prepared) => prepared,
        Err(error) => {
            eprintln!("rump: {error}");
            return error.exit_code();
        }
    };
    let (mut session, output) = match open(&url, options) {
        Ok(opened) => opened,
        Err(error) => return fail(&error),
    };
    let mut sink = Sink { output, summary: None };
    if options.summary {
        match Summary::new() {
            Ok(summary) => {
                command.env("RUMPHIJACK__TRAPS", summary.path());
                sink.summary = Some(summary);
            }
            Err(error) => return fail(&error),
        }
    }
    // Told from the first call on: the session exists before the program does.
    if let Err(error) = session.call(private::TRACE, &[BUFFER, 0]).and_then(|answer| match answer.result {
        Ok(_) => Ok(()),
        Err(errno) => Err(session.refused(errno)),
    }) {
        return fail(&format!("this server does not trace: {error}"));
    }
    let program = &options.run.program;
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(source) => {
            let error = run::Error::Program { program: program.clone(), source };
            eprintln!("rump: {error}");
            return error.exit_code();
        }
    };
    let writer = std::thread::spawn(move || {
        let copied = copy(&mut session, &mut sink);
        (copied, sink)
    });
    let status = child.wait();
    // All that the program did is in the trace before what is done now.
    if Session::connect(url, LAST).and_then(|mut last| last.call(private::INFO, &[0, BUFFER, 0])).is_ok() {
        finish(writer.join().ok());
    }
    match status {
        Ok(status) => run::exit_code(status),
        Err(error) => fail(&error),
    }
}

/// Where the trace goes.
struct Sink {
    output: Box<dyn Write + Send>,
    summary: Option<Summary>,
}

impl Sink {
    fn take(&mut self, line: &str) -> io::Result<()> {
        match &mut self.summary {
            Some(summary) => {
                summary.add(line);
                Ok(())
            }
            None => writeln!(self.output, "{line}"),
        }
    }
}

/// Writes the table, if one is wanted.
fn finish(written: Option<(Result<(), Error>, Sink)>) {
    let Some((_, Sink { mut output, summary: Some(summary) })) = written else { return };
    if let Err(error) = summary.table().and_then(|table| output.write_all(table.as_bytes())) {
        eprintln!("rump: {error}");
    }
}

fn open(url: &str, options: &TraceOptions) -> Result<(Session, Box<dyn Write + Send>), String> {
    let session = Session::connect(url.to_owned(), "rump").map_err(|error| error.to_string())?;
    let output: Box<dyn Write + Send> = match &options.output {
        Some(path) => Box::new(File::create(path).map_err(|error| format!("{}: {error}", path.display()))?),
        None => Box::new(io::stderr()),
    };
    Ok((session, output))
}

/// Copies the trace up to the last call.
fn copy(session: &mut Session, sink: &mut Sink) -> Result<(), Error> {
    let last = format!(" {LAST} ");
    loop {
        let answer = session.call(private::TRACE, &[BUFFER, SPACE])?;
        match answer.result {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(session.refused(errno)),
        }
        let text = String::from_utf8_lossy(&answer.out);
        let lines = text.lines().take_while(|line| !line.contains(&last));
        let wanted: Vec<&str> = lines.collect();
        let written = wanted.iter().try_for_each(|line| sink.take(line));
        if written.is_err() || wanted.len() < text.lines().count() {
            return Ok(());
        }
    }
}

fn fail(error: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("rump: {error}");
    ExitCode::from(FAILED)
}
