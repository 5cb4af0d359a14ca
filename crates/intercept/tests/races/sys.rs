//! Models in the place of `src/sys.rs`.

pub(crate) use loom::sync::atomic::{AtomicPtr, AtomicU32};
