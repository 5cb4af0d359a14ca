//! Programs with every call caught and left to the host do what they do natively.

mod common;
mod compiled;
mod programs;
