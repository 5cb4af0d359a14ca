//! `rump coverage`: what the table of system calls says.

use abi::table::{self, Row, Support};

/// The calls and how well they are served.
pub(crate) fn coverage(calls: &[String], missing: bool) -> Result<String, String> {
    let rows: Vec<&Row> = match calls {
        [] => table::all().collect(),
        names => names
            .iter()
            .map(|name| {
                table::by_name(name).ok_or_else(|| format!("'{name}' is no system call of Linux x86-64"))
            })
            .collect::<Result<_, _>>()?,
    };
    let mut shown = String::new();
    for row in
        rows.iter().filter(|row| !missing || matches!(row.support, Support::Missing | Support::Partial))
    {
        let line = format!("{:<24} {:<9} {}", row.name(), word(row.support), row.note());
        shown.push_str(line.trim_end());
        shown.push('\n');
    }
    if calls.is_empty() {
        shown.push_str(&format!("\n{}\n", summary(&rows)));
    }
    Ok(shown)
}

fn summary(rows: &[&Row]) -> String {
    let count = |support| rows.iter().filter(|row| row.support == support).count();
    let all = [Support::Full, Support::Partial, Support::Missing, Support::HostOnly, Support::Refused];
    let parts: Vec<String> =
        all.iter().map(|&support| format!("{} {}", count(support), word(support))).collect();
    format!("{} calls: {}", rows.len(), parts.join(", "))
}

fn word(support: Support) -> &'static str {
    match support {
        Support::Full => "full",
        Support::Partial => "partial",
        Support::Missing => "missing",
        Support::HostOnly => "host",
        Support::Refused => "refused",
    }
}
