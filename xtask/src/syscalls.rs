//! docs/SYSCALLS.md, from the table.

use abi::table::{self, Route, Row, Support};
use std::fmt::Write as _;

const HEAD: &str = "# System calls

Generated from `crates/abi/src/table` by `cargo xtask docs`; a check fails when it is stale.

*Decided by* says what makes a call the rump kernel's rather than the host's. *Support* is what the rump kernel
does with it then: **full**, as its manual page says; **partial**, with the gaps in the note; **missing**, answered
`ENOSYS`; **refused**, answered with the error in the note in every hijacked process.

";

/// The whole document.
pub(crate) fn markdown() -> String {
    let (host, ours): (Vec<&Row>, Vec<&Row>) =
        table::all().partition(|row| row.support == Support::HostOnly && row.note().is_empty());
    let mut text = String::from(HEAD);
    summary(&mut text, &ours, host.len());
    text.push_str("| nr | call | decided by | support | note |\n|---:|---|---|---|---|\n");
    for row in ours {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} |",
            row.nr,
            row.name(),
            decided_by(row.route),
            support(row),
            row.note()
        );
    }
    text.push_str("\n## Always the host's\n\n");
    let names: Vec<&str> = host.iter().map(|row| row.name()).collect();
    text.push_str(&names.join(", "));
    text.push_str(".\n");
    text
}

fn summary(text: &mut String, ours: &[&Row], host: usize) {
    let count = |wanted| ours.iter().filter(|row| row.support == wanted).count();
    let _ = writeln!(
        text,
        "{} calls: {} full, {} partial, {} missing, {} refused; {} are always the host's.\n",
        ours.len() + host,
        count(Support::Full),
        count(Support::Partial),
        count(Support::Missing),
        count(Support::Refused),
        host + count(Support::HostOnly),
    );
}

fn decided_by(route: Route) -> String {
    match route {
        Route::ByFd(at) => format!("descriptor (argument {})", at + 1),
        Route::ByPath(at) => format!("path (argument {})", at + 1),
        Route::At { dir, path } => format!("directory and path (arguments {} and {})", dir + 1, path + 1),
        Route::TwoPaths { .. } => "both paths; `EXDEV` across kernels".to_owned(),
        Route::ByFamily(at) => format!("family (argument {})", at + 1),
        Route::Special => "the library".to_owned(),
        Route::Host => "always the host".to_owned(),
        Route::Refused(errno) => format!("`{errno}`"),
    }
}

fn support(row: &Row) -> &'static str {
    match row.support {
        Support::Full => "full",
        Support::Partial => "partial",
        Support::Missing => "missing",
        Support::HostOnly => "host",
        Support::Refused => "refused",
    }
}
