//! Structures that calls pass by address, as Linux x86-64 lays them out. A test holds them against the C
//! headers. All fields are little-endian, as the machine is; padding is a named field that we write as 0.

mod file;
mod net;
mod time;

pub use file::*;
pub use net::*;
pub use time::*;
