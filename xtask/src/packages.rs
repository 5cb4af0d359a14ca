//! The Debian packages that the tests and the demo run.

use crate::run::{Outcome, is_root, run, which};
use std::process::Command;

/// A program and the Debian package that has it.
const NEEDED: &[(&str, &str)] = &[
    ("cc", "gcc"),
    ("curl", "curl"),
    ("wget", "wget"),
    ("ping", "iputils-ping"),
    ("nc.openbsd", "netcat-openbsd"),
    ("python3", "python3"),
    ("git", "git"),
    ("redis-server", "redis-server"),
    ("redis-cli", "redis-tools"),
    ("nginx", "nginx-light"),
    ("Xvfb", "xvfb"),
    ("xclock", "x11-apps"),
    ("musl-gcc", "musl-tools"),
    ("pkg-config", "pkgconf"),
    ("setpriv", "util-linux"),
    ("getfattr", "attr"),
    ("setfacl", "acl"),
    ("ss", "iproute2"),
    ("lsof", "lsof"),
    ("fuser", "psmisc"),
    ("tcpdump", "tcpdump"),
    ("sysctl", "procps"),
    ("netstat", "net-tools"),
    ("/usr/sbin/sshd", "openssh-server"),
    ("ssh", "openssh-client"),
    ("rsync", "rsync"),
    ("node", "nodejs"),
    ("go", "golang-go"),
    ("memcached", "memcached"),
    ("haproxy", "haproxy"),
    ("stress-ng", "stress-ng"),
    ("dbench", "dbench"),
    ("sqlite3", "sqlite3"),
    ("vim.tiny", "vim-tiny"),
    ("dig", "bind9-dnsutils"),
    ("passt", "passt"),
    ("tshark", "tshark"),
    ("wg", "wireguard-tools"),
    ("wireguard-go", "wireguard-go"),
    ("iperf3", "iperf3"),
    ("traceroute", "traceroute"),
    ("mtr", "mtr-tiny"),
    ("arping", "arping"),
    ("nmap", "nmap"),
    ("socat", "socat"),
    ("dnsmasq", "dnsmasq-base"),
    ("/usr/lib/python3/dist-packages/scapy/__init__.py", "python3-scapy"),
    ("/usr/lib/python3/dist-packages/zeroconf/__init__.py", "python3-zeroconf"),
    ("xterm", "xterm"),
    ("pg_ctlcluster", "postgresql"),
    ("busybox", "busybox-static"),
    ("e2fsck", "e2fsprogs"),
    ("sfdisk", "fdisk"),
    ("gdb", "gdb"),
    ("strace", "strace"),
    ("javac", "openjdk-17-jdk-headless"),
    ("/usr/lib/x86_64-linux-gnu/libjemalloc.so.2", "libjemalloc2"),
    ("mkfs.vfat", "dosfstools"),
    ("mcopy", "mtools"),
    ("mksquashfs", "squashfs-tools"),
    ("xorriso", "xorriso"),
    ("fuse2fs", "fuse2fs"),
    ("squashfuse", "squashfuse"),
    ("nfs-ls", "libnfs-utils"),
    ("/usr/include/nfsc/libnfs.h", "libnfs-dev"),
    ("showmount", "nfs-common"),
];

/// Installs what is missing, as root; otherwise says what is missing.
///
/// # Errors
/// Something is missing and cannot be installed: the message has the command that does it.
pub(crate) fn ensure() -> Outcome {
    let missing: Vec<&str> =
        NEEDED.iter().filter(|(program, _)| which(program).is_none()).map(|(_, package)| *package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let install = format!("apt-get install -y --no-install-recommends {}", missing.join(" "));
    if !is_root() || which("apt-get").is_none() {
        return Err(format!("the tests need more Debian packages; as root: {install}"));
    }
    println!("installing: {}", missing.join(" "));
    let mut update = Command::new("apt-get");
    run(update.args(["update", "-qq"]))?;
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive").args(install.split(' ').skip(1)).arg("-qq");
    // The daemons of these packages are run by the tests, on ports of their own.
    command.env("RUNLEVEL", "1");
    run(&mut command)
}
