//! `rump trace --summary`: the program's calls by name, who served them, and how they were caught.

use crate::look::columns;
use abi::counts::{BYTES, HEAD, NUMBERS};
use abi::table;
use std::collections::BTreeMap;
use std::io::{self, Read, Seek};
use std::path::Path;

/// A call's counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Counts {
    rewritten: u64,
    trapped: u64,
    served: u64,
    errors: u64,
}

impl Counts {
    fn made(self) -> u64 {
        self.rewritten + self.trapped
    }
}

/// What is known of a program's calls.
pub(crate) struct Summary {
    /// Hijacked processes count in it.
    file: tempfile::NamedTempFile,
    served: BTreeMap<String, Counts>,
}

impl Summary {
    /// Nothing yet.
    ///
    /// # Errors
    /// The file for the counts cannot be made.
    pub(crate) fn new() -> io::Result<Self> {
        let file = tempfile::Builder::new().prefix("rump-calls-").tempfile()?;
        file.as_file().set_len(BYTES as u64)?;
        Ok(Self { file, served: BTreeMap::new() })
    }

    /// What RUMPHIJACK__TRAPS is to be.
    pub(crate) fn path(&self) -> &Path {
        self.file.path()
    }

    /// Takes a line of the trace into account: `PID PROCESS CALL(ARGUMENTS) = RESULT`.
    pub(crate) fn add(&mut self, line: &str) {
        let Some((name, _)) = line.splitn(3, ' ').nth(2).and_then(|call| call.split_once('(')) else {
            return;
        };
        let counts = self.served.entry(name.to_owned()).or_default();
        counts.served += 1;
        counts.errors +=
            u64::from(line.rsplit_once(" = ").is_some_and(|(_, result)| result.starts_with("-1 ")));
    }

    /// The table, and the share of calls that were trapped.
    ///
    /// # Errors
    /// The counts cannot be read.
    pub(crate) fn table(mut self) -> io::Result<String> {
        let mut bytes = Vec::new();
        self.file.as_file_mut().rewind()?;
        self.file.as_file_mut().read_to_end(&mut bytes)?;
        let words: Vec<u64> =
            bytes.as_chunks().0.iter().map(|word| u64::from_ne_bytes(*word)).skip(HEAD).collect();
        Ok(render(&words, self.served))
    }
}

fn render(words: &[u64], mut calls: BTreeMap<String, Counts>) -> String {
    for (number, pair) in (0_u32..).zip(words.as_chunks().0) {
        let [rewritten, trapped] = *pair;
        if rewritten + trapped > 0 {
            let counts = calls.entry(name(number)).or_default();
            (counts.rewritten, counts.trapped) = (rewritten, trapped);
        }
    }
    // What the library asks the rump kernel for itself is no call of the program's.
    let mut rows: Vec<_> = calls.into_iter().filter(|(_, counts)| counts.made() > 0).collect();
    rows.sort_by_key(|(name, counts)| (std::cmp::Reverse(counts.made()), name.clone()));
    let all = rows.iter().fold(Counts::default(), |sum, (_, counts)| Counts {
        rewritten: sum.rewritten + counts.rewritten,
        trapped: sum.trapped + counts.trapped,
        ..sum
    });
    let lines = rows.iter().map(|(name, counts)| {
        let Counts { rewritten, trapped, served, errors } = counts;
        format!("{name}\t{}\t{served}\t{errors}\t{rewritten}\t{trapped}\n", counts.made())
    });
    let head = ["CALL", "COUNT", "RUMP", "ERRORS", "REWRITTEN", "TRAPPED"];
    let table = columns(&head, &lines.collect::<String>());
    let share = 100.0 * all.trapped as f64 / all.made().max(1) as f64;
    format!("{table}{} calls, {} trapped ({share:.2} %)\n", all.made(), all.trapped)
}

fn name(number: u32) -> String {
    match table::lookup(number) {
        Some(row) => row.name().to_owned(),
        None if number as usize == NUMBERS - 1 => "others".to_owned(),
        None => format!("syscall_{number}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table() {
        let mut summary = Summary::new().unwrap();
        summary.add("12 sh openat(-100, \"/a b\", 0x0) = 3");
        summary.add("12 sh openat(-100, \"/ = -1 \", 0x0) = -1 ENOENT");
        summary.add("12 sh rump_sites(0x0) = 3");
        let mut words = vec![0; 2 * NUMBERS];
        words[2 * abi::nr::OPENAT as usize] = 5;
        words[2 * abi::nr::GETPID as usize + 1] = 15;
        let expected = "CALL    COUNT  RUMP  ERRORS  REWRITTEN  TRAPPED\n\
            getpid  15     0     0       0          15\n\
            openat  5      2     1       5          0\n\
            20 calls, 15 trapped (75.00 %)\n";
        assert_eq!(render(&words, summary.served), expected);
    }
}
