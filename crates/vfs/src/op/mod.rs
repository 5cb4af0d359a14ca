//! What path calls ask of the tree: each function checks what its manual page says, then has the file system do it.

mod acl;
pub(crate) mod attr;
pub(crate) mod handle;
pub(crate) mod io;
mod names;
pub(crate) mod open;
mod path;
pub(crate) mod rename;
mod xattr;
