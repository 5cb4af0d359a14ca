//! The sysctl tree, /proc/sys: one row per node that the kernel really reads, with its range and what setting it does.
//!
//! A node is a row in a file of [`table`], and nothing else: the tree, the checks and docs/SYSCTL.md come from the rows.

mod node;
mod table;
mod tunables;

use crate::Kernel;
use abi::Errno;
pub(crate) use node::SysctlFile;
pub(crate) use tunables::Tunables;

/// `__NEW_UTS_LEN`, uname(2).
pub(crate) const UTS_NAME_MAX: usize = 64;

/// One node.
pub(crate) struct Row {
    /// Where it is below /proc/sys.
    pub(crate) path: &'static str,
    /// What it does, for docs/SYSCTL.md.
    pub(crate) about: &'static str,
    pub(crate) value: Value,
}

/// Sets a node to numbers that are within its range.
type SetNumbers = fn(&mut Kernel, &[i64]) -> Result<(), Errno>;

/// What a node holds.
pub(crate) enum Value {
    /// Decimal numbers, each within this range.
    Numbers { get: fn(&Kernel) -> Vec<i64>, set: Option<SetNumbers>, range: (i64, i64) },
    /// A line that is another each time it is read.
    Fresh(fn(&mut Kernel) -> Result<String, Errno>),
    /// A line of at most so many bytes.
    Text { get: fn(&Kernel) -> String, set: Option<fn(&mut Kernel, String)>, most: usize },
}

/// A row of numbers that root may set.
const fn numbers(
    path: &'static str,
    about: &'static str,
    range: (i64, i64),
    get: fn(&Kernel) -> Vec<i64>,
    set: SetNumbers,
) -> Row {
    Row { path, about, value: Value::Numbers { get, set: Some(set), range } }
}

/// A row of numbers that only the kernel changes.
const fn shown(path: &'static str, about: &'static str, get: fn(&Kernel) -> Vec<i64>) -> Row {
    Row { path, about, value: Value::Numbers { get, set: None, range: (0, i64::MAX) } }
}

impl Row {
    /// Its permission bits: all may read; root may write what can be set.
    pub(crate) const fn mode(&self) -> u32 {
        let writable = match self.value {
            Value::Numbers { set, .. } => set.is_some(),
            Value::Text { set, .. } => set.is_some(),
            Value::Fresh(_) => false,
        };
        if writable { 0o644 } else { 0o444 }
    }
}

/// All rows.
pub(crate) fn rows() -> impl Iterator<Item = &'static Row> {
    table::TABLES.iter().copied().flatten()
}

/// What docs/SYSCTL.md says of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SysctlDoc {
    /// Its name as sysctl(8) writes it.
    pub name: String,
    /// Whether root may set it.
    pub writable: bool,
    /// What it holds.
    pub holds: String,
    /// What it does.
    pub about: &'static str,
}

/// Every node of the tree, sorted by name.
#[must_use]
pub fn sysctl_docs() -> Vec<SysctlDoc> {
    let holds = |value: &Value| match value {
        Value::Numbers { set: None, .. } => "number".into(),
        Value::Numbers { range: (0, 1), .. } => "0 or 1".into(),
        Value::Numbers { range: (least, i64::MAX), .. } => format!("{least} and more"),
        Value::Numbers { range: (least, most), .. } => format!("{least} to {most}"),
        Value::Text { set: None, .. } | Value::Fresh(_) => "text".into(),
        Value::Text { most, .. } => format!("text of up to {most} bytes"),
    };
    let doc = |row: &Row| SysctlDoc {
        name: row.path.replace('/', "."),
        writable: row.mode() == 0o644,
        holds: holds(&row.value),
        about: row.about,
    };
    let mut docs: Vec<_> = rows().map(doc).collect();
    docs.sort_by(|one, other| one.name.cmp(&other.name));
    docs
}

/// A count as a node shows it.
fn count<T: TryInto<i64>>(value: T) -> i64 {
    value.try_into().unwrap_or(i64::MAX)
}

/// The only number that a node has, as what the kernel keeps it in.
fn one<T: TryFrom<i64>>(values: &[i64]) -> Result<T, Errno> {
    values.first().and_then(|value| T::try_from(*value).ok()).ok_or(Errno::EINVAL)
}

/// The three numbers that a node has.
fn three(values: &[i64]) -> Result<[u32; 3], Errno> {
    let numbers: Vec<u32> = values.iter().filter_map(|value| u32::try_from(*value).ok()).collect();
    numbers.try_into().map_err(|_| Errno::EINVAL)
}
