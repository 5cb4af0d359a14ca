//! The layouts held against the C headers of this machine: a program that prints `sizeof` and `offsetof` is
//! compiled with the system's compiler and its output compared with what Rust says.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use abi::layout;
use std::fmt::Write as _;
use std::io::Write as _;
use std::mem::{offset_of, size_of};
use std::process::{Command, Stdio};

struct Layout {
    c_name: &'static str,
    size: usize,
    /// C field name and offset.
    fields: Vec<(&'static str, usize)>,
}

macro_rules! layout {
    ($c:literal, $rust:ty, $($field:ident = $c_field:literal),* $(,)?) => {
        Layout {
            c_name: $c,
            size: size_of::<$rust>(),
            fields: vec![$(($c_field, offset_of!($rust, $field))),*],
        }
    };
}

fn layouts() -> Vec<Layout> {
    vec![
        layout!("struct timespec", layout::Timespec, tv_sec = "tv_sec", tv_nsec = "tv_nsec"),
        layout!("struct timeval", layout::Timeval, tv_sec = "tv_sec", tv_usec = "tv_usec"),
        layout!("struct iovec", layout::Iovec, iov_base = "iov_base", iov_len = "iov_len"),
        layout!(
            "struct msghdr",
            layout::Msghdr,
            msg_name = "msg_name",
            msg_namelen = "msg_namelen",
            msg_iov = "msg_iov",
            msg_iovlen = "msg_iovlen",
            msg_control = "msg_control",
            msg_controllen = "msg_controllen",
            msg_flags = "msg_flags",
        ),
        layout!("struct mmsghdr", layout::Mmsghdr, msg_hdr = "msg_hdr", msg_len = "msg_len"),
        layout!(
            "struct cmsghdr",
            layout::Cmsghdr,
            cmsg_len = "cmsg_len",
            cmsg_level = "cmsg_level",
            cmsg_type = "cmsg_type",
        ),
        layout!("struct pollfd", layout::Pollfd, fd = "fd", events = "events", revents = "revents"),
        layout!(
            "struct sockaddr_in",
            layout::SockaddrIn,
            sin_family = "sin_family",
            sin_port = "sin_port",
            sin_addr = "sin_addr",
        ),
        layout!(
            "struct sockaddr_in6",
            layout::SockaddrIn6,
            sin6_family = "sin6_family",
            sin6_port = "sin6_port",
            sin6_flowinfo = "sin6_flowinfo",
            sin6_addr = "sin6_addr",
            sin6_scope_id = "sin6_scope_id",
        ),
        layout!("struct linger", layout::Linger, l_onoff = "l_onoff", l_linger = "l_linger"),
        layout!("struct ucred", layout::Ucred, pid = "pid", uid = "uid", gid = "gid"),
        layout!(
            "struct stat",
            layout::Stat,
            st_dev = "st_dev",
            st_ino = "st_ino",
            st_nlink = "st_nlink",
            st_mode = "st_mode",
            st_uid = "st_uid",
            st_gid = "st_gid",
            st_rdev = "st_rdev",
            st_size = "st_size",
            st_blksize = "st_blksize",
            st_blocks = "st_blocks",
            st_atim = "st_atim",
            st_mtim = "st_mtim",
            st_ctim = "st_ctim",
        ),
        layout!(
            "struct statx",
            layout::Statx,
            stx_mask = "stx_mask",
            stx_blksize = "stx_blksize",
            stx_attributes = "stx_attributes",
            stx_nlink = "stx_nlink",
            stx_uid = "stx_uid",
            stx_gid = "stx_gid",
            stx_mode = "stx_mode",
            stx_ino = "stx_ino",
            stx_size = "stx_size",
            stx_blocks = "stx_blocks",
            stx_attributes_mask = "stx_attributes_mask",
            stx_atime = "stx_atime",
            stx_btime = "stx_btime",
            stx_ctime = "stx_ctime",
            stx_mtime = "stx_mtime",
            stx_rdev_major = "stx_rdev_major",
            stx_dev_minor = "stx_dev_minor",
            stx_mnt_id = "stx_mnt_id",
        ),
        layout!("struct statx_timestamp", layout::StatxTimestamp, tv_sec = "tv_sec", tv_nsec = "tv_nsec"),
        layout!(
            "struct statfs",
            layout::Statfs,
            f_type = "f_type",
            f_bsize = "f_bsize",
            f_blocks = "f_blocks",
            f_bfree = "f_bfree",
            f_bavail = "f_bavail",
            f_files = "f_files",
            f_ffree = "f_ffree",
            f_fsid = "f_fsid",
            f_namelen = "f_namelen",
            f_frsize = "f_frsize",
            f_flags = "f_flags",
        ),
        layout!(
            "struct flock",
            layout::Flock,
            l_type = "l_type",
            l_whence = "l_whence",
            l_start = "l_start",
            l_len = "l_len",
            l_pid = "l_pid",
        ),
        layout!("struct open_how", layout::OpenHow, flags = "flags", mode = "mode", resolve = "resolve"),
    ]
}

const INCLUDES: &str = "#define _GNU_SOURCE\n#include <stdio.h>\n#include <stddef.h>\n#include <time.h>\n\
    #include <sys/time.h>\n#include <sys/uio.h>\n#include <sys/socket.h>\n#include <poll.h>\n\
    #include <netinet/in.h>\n#include <sys/stat.h>\n#include <sys/vfs.h>\n#include <fcntl.h>\n\
    #include <linux/openat2.h>\nint main(void) {\n";

#[test]
fn layouts_match_the_c_headers() {
    let mut source = String::from(INCLUDES);
    let mut expected = String::new();
    for layout in layouts() {
        let c = layout.c_name;
        writeln!(source, "printf(\"{c} %zu\\n\", sizeof({c}));").unwrap();
        writeln!(expected, "{c} {}", layout.size).unwrap();
        for (field, offset) in layout.fields {
            writeln!(source, "printf(\"{c}.{field} %zu\\n\", offsetof({c}, {field}));").unwrap();
            writeln!(expected, "{c}.{field} {offset}").unwrap();
        }
    }
    source.push_str("return 0; }\n");
    assert_eq!(run_c(&source), expected);
}

#[test]
fn numbers_match_the_c_headers() {
    // Calls newer than the installed headers are skipped by the preprocessor.
    let mut source = String::from("#include <stdio.h>\n#include <sys/syscall.h>\nint main(void) {\n");
    for row in abi::table::all() {
        let name = row.name();
        writeln!(source, "#ifdef __NR_{name}\nif (__NR_{name} != {}) puts(\"{name}\");\n#endif", row.nr)
            .unwrap();
    }
    source.push_str("return 0; }\n");
    assert_eq!(run_c(&source), "", "rows whose number is not the header's");
}

fn run_c(source: &str) -> String {
    let dir = std::env::temp_dir().join(format!("abi-headers-{}-{}", std::process::id(), source.len()));
    let mut cc = Command::new("cc")
        .args(["-x", "c", "-", "-o"])
        .arg(&dir)
        .stdin(Stdio::piped())
        .spawn()
        .expect("a C compiler (Debian package gcc)");
    cc.stdin.take().unwrap().write_all(source.as_bytes()).unwrap();
    assert!(cc.wait().unwrap().success(), "the generated program does not compile");
    let output = Command::new(&dir).output().unwrap();
    std::fs::remove_file(&dir).unwrap();
    String::from_utf8(output.stdout).unwrap()
}
