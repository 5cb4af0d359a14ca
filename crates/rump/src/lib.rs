//! rump
