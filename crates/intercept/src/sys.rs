//! What threads share memory by. The tests of races (`tests/races.rs`) have a model in the place of this file.

pub(crate) use core::sync::atomic::{AtomicPtr, AtomicU32};
