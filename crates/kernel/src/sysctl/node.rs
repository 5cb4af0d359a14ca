//! Open nodes of /proc/sys: reading shows what holds, writing sets it.

use super::{Row, Value};
use crate::Kernel;
use crate::call::Stop;
use crate::file::made;
use crate::file::{At, File, FileKind, OpenFile};
use abi::Errno;
use vfs::Location;

/// The longest write that is looked at (proc_sys_call_handler: `KMALLOC_MAX_SIZE`; no node needs a page).
const WRITE_MAX: usize = 4096;

/// An open node.
pub(crate) struct SysctlFile {
    pub(crate) at: Location,
    pub(crate) row: &'static Row,
}

impl File for SysctlFile {
    fn kind(&self) -> FileKind {
        FileKind::Regular
    }

    fn location(&self) -> Option<Location> {
        Some(self.at)
    }

    fn read(&self, k: &mut Kernel, f: &OpenFile, buf: &mut [u8], at: At) -> Result<usize, Stop> {
        f.check_reads()?;
        Ok(made::read(show(k, self.row)?.as_bytes(), f, buf, at))
    }

    /// What is written behind the start is taken and ignored (kernel/sysctl.c, `proc_first_pos_non_zero_ignore`).
    fn write(&self, k: &mut Kernel, f: &OpenFile, data: &[u8], at: At) -> Result<usize, Stop> {
        f.check_writes()?;
        let start = made::start(f, at);
        if data.len() > WRITE_MAX {
            return Err(Errno::ENOMEM.into());
        }
        if start == 0 {
            store(k, self.row, data)?;
        }
        made::moved(f, at, data.len());
        Ok(data.len())
    }
}

/// The text of a node: numbers parted by tabs, with a newline.
fn show(k: &mut Kernel, row: &Row) -> Result<String, Errno> {
    let mut text = match row.value {
        Value::Numbers { get, .. } => {
            let numbers: Vec<String> = get(k).iter().map(i64::to_string).collect();
            numbers.join("\t")
        }
        Value::Text { get, .. } => get(k),
        Value::Fresh(make) => make(k)?,
    };
    text.push('\n');
    Ok(text)
}

/// Sets a node.
///
/// # Errors
/// `EACCES`: it cannot be set. `EINVAL`: not what it holds, or out of range.
fn store(k: &mut Kernel, row: &Row, data: &[u8]) -> Result<(), Errno> {
    match row.value {
        Value::Numbers { get, set, range } => {
            let set = set.ok_or(Errno::EACCES)?;
            let mut values = get(k);
            overwrite(&mut values, data, range)?;
            set(k, &values)
        }
        Value::Fresh(_) => Err(Errno::EACCES),
        Value::Text { set, most, .. } => {
            let set = set.ok_or(Errno::EACCES)?;
            // Up to the end of the line, and as much as there is room for (proc_dostring).
            let line = data.split(|byte| matches!(byte, b'\n' | 0)).next().unwrap_or_default();
            set(k, String::from_utf8_lossy(&line[..line.len().min(most)]).into_owned());
            Ok(())
        }
    }
}

/// Puts the numbers of a text in the place of the first ones; those that it does not name stay (proc_dointvec).
fn overwrite(values: &mut [i64], data: &[u8], (least, most): (i64, i64)) -> Result<(), Errno> {
    let text = std::str::from_utf8(data).map_err(|_| Errno::EINVAL)?;
    let mut words = text.trim_end_matches('\0').split_whitespace();
    let mut any = false;
    for (value, word) in values.iter_mut().zip(words.by_ref()) {
        let number: i64 = word.parse().map_err(|_| Errno::EINVAL)?;
        if !(least..=most).contains(&number) {
            return Err(Errno::EINVAL);
        }
        *value = number;
        any = true;
    }
    if any && words.next().is_none() { Ok(()) } else { Err(Errno::EINVAL) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_taken_from_the_left() {
        let set = |text: &str| {
            let mut values = [1, 2, 3];
            overwrite(&mut values, text.as_bytes(), (0, 100)).map(|()| values)
        };
        assert_eq!(set("7\n"), Ok([7, 2, 3]));
        assert_eq!(set(" 7\t8 9 \n"), Ok([7, 8, 9]));
        for text in ["", "\n", "7x", "x", "101", "-1", "7 8 9 10", "99999999999999999999", "7,8"] {
            assert_eq!(set(text), Err(Errno::EINVAL), "{text:?}");
        }
    }
}
