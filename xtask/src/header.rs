//! include/rump/rump_syscalls.h, from the prototypes.

use abi::prototype::{self, Prototype};
use std::fmt::Write as _;

const HEAD: &str = "/*
 * The system calls of a rump kernel: rumpclient(3).
 *
 * Generated from crates/abi/src/prototype.rs by `cargo xtask docs`; a check fails when it is stale. Structures and constants are
 * those of the system's own headers. Each function answers what the function of the C library without `rump_sys_` answers, -1 and
 * errno for errors, except rump_sys_getcwd: the length of the path with its NUL, as the system call.
 */
#ifndef _RUMP_RUMP_SYSCALLS_H_
#define _RUMP_RUMP_SYSCALLS_H_

#include <poll.h>
#include <signal.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/utsname.h>

#ifdef __cplusplus
extern \"C\" {
#endif

struct file_handle;
struct mmsghdr;
struct open_how;
struct statfs;
struct statx;
struct utimbuf;

";

/// These the library makes of rump_sys_ppoll.
const SELECT: &str = "
int rump_sys_select(int nfds, fd_set *readfds, fd_set *writefds, fd_set *exceptfds, struct timeval *timeout);
int rump_sys_pselect(int nfds, fd_set *readfds, fd_set *writefds, fd_set *exceptfds, const struct timespec *timeout, const sigset_t *sigmask);
";

const TAIL: &str = "
#ifdef __cplusplus
}
#endif

#endif /* _RUMP_RUMP_SYSCALLS_H_ */
";

/// The whole header.
pub(crate) fn rump_syscalls() -> String {
    let mut text = String::from(HEAD);
    for Prototype { name, result, parameters, .. } in prototype::ALL {
        let parameters = if parameters.is_empty() { "void".to_owned() } else { parameters.join(", ") };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{result} {name}({parameters});");
    }
    text + SELECT + TAIL
}
