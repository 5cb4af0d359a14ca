//! A lab's file as tables and values that know where they stand in it.

use crate::lab::Error;
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Bytes of the file.
pub(crate) type Span = Range<usize>;

/// The file.
#[derive(Debug)]
pub(crate) struct Document {
    path: PathBuf,
    text: String,
}

impl Document {
    /// Reads it.
    ///
    /// # Errors
    /// It cannot be read.
    pub(crate) fn read(path: &Path) -> Result<Self, Error> {
        let text =
            std::fs::read_to_string(path).map_err(|source| Error::File { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), text })
    }

    /// A text that is in no file.
    #[cfg(test)]
    pub(crate) fn of(text: &str) -> Self {
        Self { path: "lab.toml".into(), text: text.to_owned() }
    }

    /// Its path, as the user named it.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The table that is all of it.
    ///
    /// # Errors
    /// It is not TOML.
    pub(crate) fn root(&self) -> Result<Table<'_>, Error> {
        let table = DeTable::parse(&self.text)
            .map_err(|error| self.wrong(&error.span().unwrap_or(0..0), error.message().to_owned()))?;
        Ok(Table::new(self, "a lab".to_owned(), table.span(), table.into_inner()))
    }

    /// The error that something is wrong at this place, with line and column as editors count them.
    pub(crate) fn wrong(&self, at: &Span, why: String) -> Error {
        let before = self.text.get(..at.start).unwrap_or(&self.text);
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.matches('\n').count() + 1;
        let excerpt = self.text[start..].lines().next().unwrap_or_default().trim_end();
        let column = before[start..].chars().count() + 1;
        let marked = self.text.get(at.clone()).unwrap_or_default().lines().next().unwrap_or_default();
        let marks = "^".repeat(marked.chars().count().max(1));
        // A tab before the marks must be as wide as that in the line above.
        let indent: String =
            before[start..].chars().map(|char| if char == '\t' { '\t' } else { ' ' }).collect();
        let path = self.path.display();
        Error::Why(format!("{path}:{line}:{column}: {why}\n    {excerpt}\n    {indent}{marks}"))
    }
}

/// A table's entries that nobody has taken yet.
#[derive(Debug)]
pub(crate) struct Table<'d> {
    document: &'d Document,
    /// What it describes, for errors.
    about: String,
    pub(crate) span: Span,
    entries: Vec<Entry<'d>>,
}

/// A key and its value.
#[derive(Debug)]
pub(crate) struct Entry<'d> {
    document: &'d Document,
    /// The key.
    pub(crate) key: String,
    /// Where the key stands.
    pub(crate) key_span: Span,
    /// Where the value stands.
    pub(crate) span: Span,
    value: DeValue<'d>,
}

impl<'d> Table<'d> {
    fn new(document: &'d Document, about: String, span: Span, table: DeTable<'d>) -> Self {
        let entry = |(key, value): (Spanned<_>, Spanned<_>)| Entry {
            document,
            key_span: key.span(),
            key: std::borrow::Cow::into_owned(key.into_inner()),
            span: value.span(),
            value: value.into_inner(),
        };
        Self { document, about, span, entries: table.into_iter().map(entry).collect() }
    }

    /// The entry of this key.
    pub(crate) fn take(&mut self, key: &str) -> Option<Entry<'d>> {
        let at = self.entries.iter().position(|entry| entry.key == key)?;
        Some(self.entries.remove(at))
    }

    /// The tables in the table of this key, each by its name: `[KEY.NAME]`.
    ///
    /// # Errors
    /// It is none, or what is in it is none.
    pub(crate) fn tables(&mut self, key: &str) -> Result<Vec<(Entry<'d>, Table<'d>)>, Error> {
        let Some(entry) = self.take(key) else { return Ok(Vec::new()) };
        let named = |mut entry: Entry<'d>| {
            let about = format!("{key} '{}'", entry.key);
            let table = entry.table(about)?;
            Ok((entry, table))
        };
        entry.into_table(format!("[{key}.NAME]"))?.entries.into_iter().map(named).collect()
    }

    /// All entries that are left.
    pub(crate) fn rest(&mut self) -> Vec<Entry<'d>> {
        std::mem::take(&mut self.entries)
    }

    /// Nothing may be left.
    ///
    /// # Errors
    /// A key that is none of those that are known.
    pub(crate) fn finish(self, known: &[&str]) -> Result<(), Error> {
        match self.entries.first() {
            Some(entry) => Err(entry.unknown(&self.about, known)),
            None => Ok(()),
        }
    }

    /// The error that something is wrong with all of it.
    pub(crate) fn wrong(&self, why: String) -> Error {
        self.document.wrong(&self.span, why)
    }
}

impl<'d> Entry<'d> {
    /// The error that its value is wrong.
    pub(crate) fn wrong(&self, why: String) -> Error {
        self.document.wrong(&self.span, why)
    }

    /// The error that its key is none of those that are known.
    pub(crate) fn unknown(&self, about: &str, known: &[&str]) -> Error {
        let why = format!("unknown key '{}' of {about}; known are {}", self.key, known.join(", "));
        self.document.wrong(&self.key_span, why)
    }

    fn expected(&self, what: &str) -> Error {
        self.wrong(format!("'{}' is of type {} here; expected {what}", self.key, self.value.type_str()))
    }

    /// Takes the table that the value is.
    fn table(&mut self, about: String) -> Result<Table<'d>, Error> {
        match std::mem::replace(&mut self.value, DeValue::Boolean(false)) {
            DeValue::Table(table) => Ok(Table::new(self.document, about, self.key_span.clone(), table)),
            other => {
                self.value = other;
                Err(self.expected("a table"))
            }
        }
    }

    /// The table that the value is.
    ///
    /// # Errors
    /// It is none.
    pub(crate) fn into_table(mut self, about: String) -> Result<Table<'d>, Error> {
        self.table(about)
    }

    /// All entries of the table that the value is.
    ///
    /// # Errors
    /// It is none.
    pub(crate) fn into_entries(self) -> Result<Vec<Entry<'d>>, Error> {
        self.into_table(String::new()).map(|mut table| table.rest())
    }

    /// A string.
    ///
    /// # Errors
    /// It is none.
    pub(crate) fn string(&self) -> Result<String, Error> {
        match &self.value {
            DeValue::String(text) => Ok(text.clone().into_owned()),
            _ => Err(self.expected("a string")),
        }
    }

    /// `true` or `false`.
    ///
    /// # Errors
    /// It is neither.
    pub(crate) fn boolean(&self) -> Result<bool, Error> {
        match self.value {
            DeValue::Boolean(value) => Ok(value),
            _ => Err(self.expected("true or false")),
        }
    }

    /// Whether it is a list.
    pub(crate) fn is_array(&self) -> bool {
        matches!(self.value, DeValue::Array(_))
    }

    /// A string, a number or a boolean, or a list of those, as text with its place. Booleans are `yes` and `no`, as in a netspec.
    ///
    /// # Errors
    /// It is something else.
    pub(crate) fn texts(&self) -> Result<Vec<(String, Span)>, Error> {
        let text = |value: &DeValue<'_>| match value {
            DeValue::String(text) => Ok(text.clone().into_owned()),
            DeValue::Integer(number) => Ok(number.to_string()),
            DeValue::Boolean(true) => Ok("yes".to_owned()),
            DeValue::Boolean(false) => Ok("no".to_owned()),
            _ => Err(self.expected("a string, a whole number, true or false, or a list of them")),
        };
        match &self.value {
            DeValue::Array(array) => {
                array.iter().map(|item| Ok((text(item.get_ref())?, item.span()))).collect()
            }
            value => Ok(vec![(text(value)?, self.span.clone())]),
        }
    }

    /// The one text that it is.
    ///
    /// # Errors
    /// As [`Entry::texts`]; or a list.
    pub(crate) fn text(&self) -> Result<String, Error> {
        match self.texts()?.pop() {
            Some((text, _)) if !self.is_array() => Ok(text),
            _ => Err(self.expected("one value")),
        }
    }
}
