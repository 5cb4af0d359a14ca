//! Rows as they are written, and how they become rows without pointers, at compile time.

use super::{Arg, Route, Row, Support};

/// A row as it is written.
#[derive(Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) nr: u32,
    pub(crate) name: &'static str,
    pub(crate) args: &'static [Arg],
    pub(crate) route: Route,
    pub(crate) support: Support,
    pub(crate) note: &'static str,
}

/// One of an entry's texts.
#[derive(Clone, Copy)]
pub(crate) enum Part {
    Name,
    Note,
}

/// A place in the texts of all entries.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    at: u16,
    len: u16,
}

impl Span {
    pub(super) fn of(self, texts: &'static [u8]) -> &'static str {
        let (at, len) = (usize::from(self.at), usize::from(self.len));
        texts.get(at..at + len).and_then(|text| core::str::from_utf8(text).ok()).unwrap_or_default()
    }
}

pub(super) const fn row(
    nr: u32,
    name: &'static str,
    args: &'static [Arg],
    route: Route,
    support: Support,
    note: &'static str,
) -> Entry {
    Entry { nr, name, args, route, support, note }
}

const fn part(entry: &Entry, part: Part) -> &'static str {
    match part {
        Part::Name => entry.name,
        Part::Note => entry.note,
    }
}

/// How long the texts of all entries are together.
pub(crate) const fn text_len(entries: &[Entry], which: Part) -> usize {
    let (mut len, mut at) = (0, 0);
    while at < entries.len() {
        len += part(&entries[at], which).len();
        at += 1;
    }
    len
}

/// The texts of all entries, one behind the other.
pub(crate) const fn text<const LEN: usize>(entries: &[Entry], which: Part) -> [u8; LEN] {
    let mut bytes = [0; LEN];
    let (mut filled, mut at) = (0, 0);
    while at < entries.len() {
        let text = part(&entries[at], which).as_bytes();
        let mut byte = 0;
        while byte < text.len() {
            bytes[filled] = text[byte];
            (filled, byte) = (filled + 1, byte + 1);
        }
        at += 1;
    }
    bytes
}

const fn span(at: usize, text: &str) -> Span {
    assert!(at + text.len() <= u16::MAX as usize);
    Span { at: at as u16, len: text.len() as u16 }
}

pub(super) const fn unnamed(nr: u32, args: &[Arg]) -> Row {
    let mut row = Row {
        nr,
        route: Route::Host,
        support: Support::HostOnly,
        args: [Arg::Int; 6],
        args_len: args.len() as u8,
        name: span(0, ""),
        note: span(0, ""),
    };
    let mut at = 0;
    while at < args.len() {
        row.args[at] = args[at];
        at += 1;
    }
    row
}

/// The rows of these entries.
pub(crate) const fn rows<const COUNT: usize>(entries: &[Entry]) -> [Row; COUNT] {
    let mut rows = [unnamed(0, &[]); COUNT];
    let (mut at, mut names, mut notes) = (0, 0, 0);
    while at < COUNT {
        let Entry { nr, name, args, route, support, note } = entries[at];
        let (name_at, note_at) = (span(names, name), span(notes, note));
        rows[at] = Row { route, support, name: name_at, note: note_at, ..unnamed(nr, args) };
        (at, names, notes) = (at + 1, names + name.len(), notes + note.len());
    }
    rows
}
