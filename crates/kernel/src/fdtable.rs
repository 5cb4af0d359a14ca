//! A process's descriptors.

use crate::file::FileId;
use abi::Errno;
use foldhash::HashMap;
use std::cell::RefCell;
use std::rc::Rc;

/// More than this in one process is `EMFILE` (Linux's own default hard limit, 1 Mi, is `nr_open`).
pub(crate) const FDS_MAX: usize = 1 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    file: FileId,
    cloexec: bool,
    lone: bool,
}

/// A process's table. /proc looks into it as well: [`FdTable::shared`].
#[derive(Debug, Default)]
pub(crate) struct FdTable(Rc<RefCell<Table>>);

impl Clone for FdTable {
    /// Another table with the same entries (fork(2)).
    fn clone(&self) -> Self {
        Self(Rc::new(RefCell::new(self.0.borrow().clone())))
    }
}

impl FdTable {
    /// The same table.
    pub(crate) fn shared(&self) -> Self {
        Self(Rc::clone(&self.0))
    }

    /// Enters a file at the lowest free number from `from` on.
    ///
    /// # Errors
    /// `EMFILE`.
    pub(crate) fn insert(&mut self, file: FileId, cloexec: bool, from: u32) -> Result<u32, Errno> {
        self.0.borrow_mut().insert(file, cloexec, from)
    }

    /// Puts a file at this number; answers the file that was there.
    ///
    /// # Errors
    /// `EBADF`: the number is too large.
    pub(crate) fn replace(&mut self, fd: u32, file: FileId, cloexec: bool) -> Result<Option<FileId>, Errno> {
        self.0.borrow_mut().replace(fd, file, cloexec)
    }

    pub(crate) fn get(&self, fd: u32) -> Result<FileId, Errno> {
        self.0.borrow().get(fd)
    }

    pub(crate) fn cloexec(&self, fd: u32) -> Result<bool, Errno> {
        self.0.borrow().cloexec(fd)
    }

    pub(crate) fn set_cloexec(&mut self, fd: u32, cloexec: bool) -> Result<(), Errno> {
        self.0.borrow_mut().set_cloexec(fd, cloexec)
    }

    pub(crate) fn remove(&mut self, fd: u32) -> Result<FileId, Errno> {
        self.0.borrow_mut().remove(fd)
    }

    /// Whether the file here is a lone one ([`crate::Pass::Lone`]).
    pub(crate) fn is_lone(&self, fd: u32) -> Result<bool, Errno> {
        self.0.borrow().entry(fd).map(|entry| entry.lone)
    }

    pub(crate) fn set_lone(&mut self, fd: u32, lone: bool) -> Result<(), Errno> {
        self.0.borrow_mut().entry_mut(fd).map(|entry| entry.lone = lone)
    }

    /// Takes the lone files out.
    pub(crate) fn take_lone(&mut self) -> Vec<FileId> {
        self.0.borrow_mut().take_where(|entry| entry.lone)
    }

    /// The number of this file, if it has one.
    pub(crate) fn find(&self, file: FileId) -> Option<u32> {
        self.0.borrow().find(file)
    }

    pub(crate) fn forget(&mut self, file: FileId) {
        self.0.borrow_mut().forget(file);
    }

    pub(crate) fn take_cloexec(&mut self) -> Vec<FileId> {
        self.0.borrow_mut().take_where(|entry| entry.cloexec)
    }

    /// All numbers with their files.
    pub(crate) fn iter(&self) -> std::vec::IntoIter<(u32, FileId)> {
        self.0.borrow().iter().collect::<Vec<_>>().into_iter()
    }

    /// Empties it.
    pub(crate) fn take_files(&mut self) -> Vec<FileId> {
        std::mem::take(&mut *self.0.borrow_mut()).into_files()
    }
}

/// Numbers to files.
#[derive(Debug, Clone, Default)]
struct Table {
    entries: Vec<Option<Entry>>,
    /// The numbers of each file: a server with 10,000 idle connections closes one as fast as one with ten.
    numbers: HashMap<FileId, Vec<u32>>,
    /// No free number is below this one.
    lowest: usize,
}

impl Table {
    /// Enters a file at the lowest free number from `from` on.
    ///
    /// # Errors
    /// `EMFILE`.
    fn insert(&mut self, file: FileId, cloexec: bool, from: u32) -> Result<u32, Errno> {
        let start = self.lowest.max(from as usize);
        let at = (start..self.entries.len())
            .find(|&at| self.entries[at].is_none())
            .unwrap_or_else(|| self.entries.len().max(start));
        if at >= FDS_MAX {
            return Err(Errno::EMFILE);
        }
        self.put(at, Entry { file, cloexec, lone: false });
        if start == self.lowest {
            self.lowest = at + 1;
        }
        u32::try_from(at).map_err(|_| Errno::EMFILE)
    }

    /// Puts a file at this number; answers the file that was there.
    ///
    /// # Errors
    /// `EBADF`: the number is too large.
    fn replace(&mut self, fd: u32, file: FileId, cloexec: bool) -> Result<Option<FileId>, Errno> {
        let at = fd as usize;
        if at >= FDS_MAX {
            return Err(Errno::EBADF);
        }
        Ok(self.put(at, Entry { file, cloexec, lone: false }).map(|entry| entry.file))
    }

    fn put(&mut self, at: usize, entry: Entry) -> Option<Entry> {
        if at >= self.entries.len() {
            self.entries.resize(at + 1, None);
        }
        let before = self.clear(at);
        if let Ok(fd) = u32::try_from(at) {
            self.numbers.entry(entry.file).or_default().push(fd);
        }
        self.entries[at] = Some(entry);
        before
    }

    /// Takes out what is at this place.
    fn clear(&mut self, at: usize) -> Option<Entry> {
        let entry = self.entries.get_mut(at)?.take()?;
        if let Some(numbers) = self.numbers.get_mut(&entry.file) {
            numbers.retain(|fd| *fd as usize != at);
            if numbers.is_empty() {
                self.numbers.remove(&entry.file);
            }
        }
        Some(entry)
    }

    fn get(&self, fd: u32) -> Result<FileId, Errno> {
        self.entry(fd).map(|entry| entry.file)
    }

    fn cloexec(&self, fd: u32) -> Result<bool, Errno> {
        self.entry(fd).map(|entry| entry.cloexec)
    }

    fn set_cloexec(&mut self, fd: u32, cloexec: bool) -> Result<(), Errno> {
        self.entry_mut(fd).map(|entry| entry.cloexec = cloexec)
    }

    fn entry_mut(&mut self, fd: u32) -> Result<&mut Entry, Errno> {
        self.entries.get_mut(fd as usize).and_then(Option::as_mut).ok_or(Errno::EBADF)
    }

    fn entry(&self, fd: u32) -> Result<Entry, Errno> {
        self.entries.get(fd as usize).copied().flatten().ok_or(Errno::EBADF)
    }

    fn remove(&mut self, fd: u32) -> Result<FileId, Errno> {
        let entry = self.clear(fd as usize).ok_or(Errno::EBADF)?;
        self.lowest = self.lowest.min(fd as usize);
        Ok(entry.file)
    }

    /// The number of this file, if it has one.
    fn find(&self, file: FileId) -> Option<u32> {
        self.numbers.get(&file)?.iter().copied().min()
    }

    fn forget(&mut self, file: FileId) {
        for fd in self.numbers.get(&file).cloned().unwrap_or_default() {
            // It is there: the two tables agree.
            let _ = self.remove(fd);
        }
    }

    fn take_where(&mut self, wanted: impl Fn(&Entry) -> bool) -> Vec<FileId> {
        let marked = (0..).zip(&self.entries).filter(|(_, entry)| entry.as_ref().is_some_and(&wanted));
        let marked: Vec<u32> = marked.map(|(fd, _)| fd).collect();
        marked.into_iter().filter_map(|fd| self.remove(fd).ok()).collect()
    }

    fn iter(&self) -> impl Iterator<Item = (u32, FileId)> + use<'_> {
        (0..).zip(&self.entries).filter_map(|(fd, entry)| entry.map(|entry| (fd, entry.file)))
    }

    fn into_files(self) -> Vec<FileId> {
        self.entries.into_iter().flatten().map(|entry| entry.file).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lowest_free_number() {
        let mut table = FdTable::default();
        for expected in 0..5 {
            assert_eq!(table.insert(FileId(9), false, 0), Ok(expected));
        }
        assert_eq!(table.remove(3), Ok(FileId(9)));
        assert_eq!(table.remove(1), Ok(FileId(9)));
        assert_eq!(table.insert(FileId(1), false, 2), Ok(3), "not below the number asked for");
        assert_eq!(table.insert(FileId(1), false, 0), Ok(1));
        assert_eq!(table.insert(FileId(1), false, 0), Ok(5));
        assert_eq!(table.get(77), Err(Errno::EBADF));
    }

    #[test]
    fn numbers_of_a_file() {
        let mut table = FdTable::default();
        for _ in 0..3 {
            table.insert(FileId(9), false, 0).expect("room");
        }
        assert_eq!(table.replace(1, FileId(4), true), Ok(Some(FileId(9))));
        assert_eq!(table.find(FileId(4)), Some(1));
        table.forget(FileId(9));
        assert_eq!(table.find(FileId(9)), None);
        assert_eq!(table.iter().collect::<Vec<_>>(), [(1, FileId(4))]);
        assert_eq!(table.take_cloexec(), [FileId(4)]);
        assert_eq!(table.find(FileId(4)), None);
    }
}
