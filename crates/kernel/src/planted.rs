//! Rows as a tree: each row's path makes the directories above it.

/// One name of a tree.
pub(crate) struct Entry<C> {
    /// The number of the directory that it is in; the root's is its own.
    pub(crate) parent: usize,
    pub(crate) name: &'static str,
    /// Permission bits.
    pub(crate) mode: u32,
    pub(crate) content: C,
}

/// A tree of what rows stand for. Entries are numbered in the order in which they came; the root is number 0.
pub(crate) struct Tree<C> {
    entries: Vec<Entry<C>>,
    directory: C,
}

impl<C: Copy> Tree<C> {
    /// The root alone. `directory` is what directories stand for that have no row of their own.
    pub(crate) fn new(directory: C) -> Self {
        let mut tree = Self { entries: Vec::new(), directory };
        tree.enter(0, "");
        tree
    }

    fn enter(&mut self, parent: usize, name: &'static str) -> usize {
        self.entries.push(Entry { parent, name, mode: 0o555, content: self.directory });
        self.entries.len() - 1
    }

    /// Enters a row below a directory, and the directories above it.
    pub(crate) fn plant(&mut self, below: usize, path: &'static str, mode: u32, content: C) {
        let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
        let names = above.split('/').filter(|name| !name.is_empty());
        let parent = names.fold(below, |parent, name| self.directory(parent, name));
        self.entries.push(Entry { parent, name, mode, content });
    }

    /// The directory of this name, made if it is missing.
    pub(crate) fn directory(&mut self, parent: usize, name: &'static str) -> usize {
        self.find(parent, name.as_bytes()).unwrap_or_else(|| self.enter(parent, name))
    }

    /// The entry of this name in a directory. The root is in none.
    pub(crate) fn find(&self, parent: usize, name: &[u8]) -> Option<usize> {
        self.children(parent).find(|(_, entry)| entry.name.as_bytes() == name).map(|(at, _)| at)
    }

    /// The entry at a path from the root.
    pub(crate) fn at(&self, path: &str) -> Option<usize> {
        path.split('/').try_fold(0, |parent, name| self.find(parent, name.as_bytes()))
    }

    pub(crate) fn get(&self, at: usize) -> Option<&Entry<C>> {
        self.entries.get(at)
    }

    /// What is in a directory, in the order of the numbers.
    pub(crate) fn children(&self, parent: usize) -> impl Iterator<Item = (usize, &Entry<C>)> {
        self.entries.iter().enumerate().skip(1).filter(move |(_, entry)| entry.parent == parent)
    }
}
