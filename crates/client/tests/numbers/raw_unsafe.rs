//! What the test wants of the host and std does not have.

/// A read(2) of this socket waits for so many bytes (`SO_RCVLOWAT`).
pub(crate) fn set_receive_low_water(fd: u32, bytes: i32) {
    let (level, option) = (libc::SOL_SOCKET, libc::SO_RCVLOWAT);
    let len = libc::socklen_t::try_from(size_of_val(&bytes)).unwrap();
    // SAFETY: the kernel reads four bytes.
    let outcome =
        unsafe { libc::setsockopt(fd.cast_signed(), level, option, (&raw const bytes).cast(), len) };
    assert_eq!(outcome, 0);
}
