//! /proc, /proc/sys, the list of mounts and the lists of sockets, through the programs that read them.

use e2e::{Background, Server, artifact, c_program, native, run};
use std::process::Command;

fn with(server: &Server, rumphijack: &str, program: &str) -> Command {
    let mut command = server.hijacked(program);
    command.env("RUMPHIJACK", rumphijack);
    command
}

#[test]
fn proc_of_the_rump_kernel() {
    let server = Server::start();
    let cat = |path: &str| run(server.hijacked("cat").arg(path)).success();
    assert!(cat("/rump/proc/version").starts_with("Linux version "));
    assert_eq!(cat("/rump/proc/self/comm"), "cat\n");
    assert!(cat("/rump/proc/meminfo").starts_with("MemTotal:"));
    let listing = run(server.hijacked("ls").arg("/rump/proc")).success();
    for name in ["filesystems", "self", "sys", "uptime"] {
        assert!(listing.lines().any(|line| line == name), "{listing}");
    }
    let script =
        "cd /rump/tmp; readlink /rump/proc/self/cwd; exec 3>open; readlink /rump/proc/self/fd/* || :";
    assert_eq!(run(server.hijacked("sh").args(["-ec", script])).success(), "/tmp\n/tmp/open\n");
    // find's own descriptors are others by then.
    let find = "find /rump/proc -name fdinfo -prune -o -type f -exec cat {} +";
    let output = run(server.hijacked("sh").args(["-c", find]));
    assert_eq!((output.status, output.stderr.as_str()), (0, ""), "every file can be read");
}

#[test]
fn sysctl_yes() {
    let server = Server::start();
    let sysctl = |args: &[&str]| run(with(&server, "path=/rump,sysctl=yes", "sysctl").args(args));
    assert_eq!(sysctl(&["-n", "kernel.hostname"]).success(), "rump\n");
    let all = sysctl(&["-a"]);
    assert_eq!(all.stderr, "");
    let mut names: Vec<&str> = all.stdout.lines().filter_map(|line| line.split(" = ").next()).collect();
    names.sort_unstable();
    let expected: Vec<String> = kernel::sysctl_docs().into_iter().map(|doc| doc.name).collect();
    assert_eq!(names, expected, "the rump kernel's tree and nothing else");
    assert_eq!(sysctl(&["-w", "kernel.hostname=left"]).success(), "kernel.hostname = left\n");
    assert_eq!(sysctl(&["-w", "net.ipv4.ip_local_port_range=2000 2001"]).status, 0);
    let refused = sysctl(&["-w", "net.ipv4.ip_default_ttl=256"]);
    assert!(refused.status != 0 && refused.stderr.contains("Invalid argument"), "{}", refused.stderr);
    let script = "echo 99 > /proc/sys/net/ipv4/ip_default_ttl; cat /proc/sys/net/ipv4/ip_default_ttl; cd /proc/sys/kernel; \
                  cat hostname; test -d /proc/self && cat /rump/proc/sys/fs/mount-max";
    let output = run(with(&server, "path=/rump,sysctl=yes", "sh").args(["-ec", script])).success();
    assert_eq!(output, "99\nleft\n100000\n");
    let host = run(with(&server, "path=/rump,sysctl=no", "cat").arg("/proc/sys/kernel/hostname")).success();
    assert_ne!(host, "left\n", "without sysctl=yes it is the host's");
    let name = |hijack: &str| run(with(&server, hijack, "uname").arg("-n")).success();
    assert_eq!(name("path=/rump,sysctl=yes"), "left\n");
    assert_eq!(name("path=/rump"), run(native("uname").arg("-n")).success());
}

/// listmount(2) of all, of those below the root, of none; statmount(2) of two, and with too little room.
const LISTMOUNT: &str = "
import ctypes, struct
libc = ctypes.CDLL(None, use_errno=True)
ids = (ctypes.c_uint64 * 8)()
buf = ctypes.create_string_buffer(4096)
def call(nr, id, param, *args):
    request = struct.pack('IIQQ', 24, 0, id, param)
    args = [ctypes.c_uint64(arg) if isinstance(arg, int) else arg for arg in args]
    return libc.syscall(ctypes.c_long(nr), request, *args)
for id in 2**64 - 1, 1:
    print(list(ids[:call(458, id, 0, ids, 8, 0)]))
print(call(458, 99, 0, ids, 8, 0), ctypes.get_errno())
def text(at):
    return ctypes.string_at(ctypes.addressof(buf) + 512 + struct.unpack_from('I', buf, at)[0]).decode()
for id in 2, 4:
    print(call(457, id, 0x30, buf, 4096, 0), text(36), text(108))
print(call(457, 4, 0x30, buf, 512, 0), ctypes.get_errno())
";

// sys/mount.h
const MS_RDONLY: u32 = 1;
const MS_REMOUNT: u32 = 32;
const MS_BIND: u32 = 4096;

#[test]
fn getvfsstat() {
    let server = Server::start();
    let hijack = "path=/rump,vfs=getvfsstat";
    let sh = |script: &str| run(with(&server, hijack, "sh").args(["-ec", script])).success();
    let libc = |call: &str| {
        let script = format!("import ctypes; print(ctypes.CDLL(None).{call})");
        let done = run(with(&server, hijack, "python3").args(["-c", &script])).success();
        assert_eq!(done, "0\n", "{call}");
    };
    let _ = sh("mkdir '/rump/mnt x' /rump/b");
    // mount(2) by hand: mount(8) is set-user-ID and does not load the library for an ordinary user.
    libc("mount(b'mine', b'/rump/mnt x', b'tmpfs', 0, b'size=8m')");
    assert_eq!(
        run(with(&server, hijack, "cat").arg("/proc/mounts")).success(),
        "rootfs /rump tmpfs rw,relatime,size=1048576k 0 0\n\
         proc /rump/proc proc rw,nosuid,nodev,noexec,relatime 0 0\n\
         sysfs /rump/sys sysfs rw,nosuid,nodev,noexec,relatime 0 0\n\
         mine /rump/mnt\\040x tmpfs rw,relatime,size=8192k 0 0\n"
    );
    let df = run(with(&server, hijack, "df").args(["-k", "--output=source,fstype,size,target"])).success();
    let lines: Vec<Vec<&str>> = df.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(
        lines[1..],
        [vec!["rootfs", "tmpfs", "1048576", "/rump"], vec!["mine", "tmpfs", "8192", "/rump/mnt", "x"],]
    );
    let findmnt = run(with(&server, hijack, "findmnt").args(["-rno", "SOURCE,TARGET,FSTYPE"])).success();
    assert_eq!(
        findmnt,
        "rootfs /rump tmpfs\nproc /rump/proc proc\nsysfs /rump/sys sysfs\nmine /rump/mnt\\x20x tmpfs\n"
    );
    let copy = server.directory().join("mount");
    run(native("cp").arg("/bin/mount").arg(&copy)).success();
    let mount = run(&mut with(&server, hijack, &copy.to_string_lossy())).success();
    assert!(
        mount.starts_with("rootfs on /rump type tmpfs (rw,relatime,size=1048576k)\nproc on /rump/proc "),
        "{mount}"
    );
    assert_eq!(run(with(&server, hijack, "mountpoint").args(["-q", "/rump/mnt x"])).status, 0);
    assert_ne!(run(with(&server, hijack, "mountpoint").args(["-q", "/rump/tmp"])).status, 0);
    let listed = run(with(&server, hijack, "python3").args(["-c", LISTMOUNT])).success();
    assert_eq!(listed, "[1, 2, 3, 4]\n[2, 3, 4]\n-1 2\n0 proc /rump/proc\n0 tmpfs /rump/mnt x\n-1 75\n");
    libc(&format!("mount(b'/rump/mnt x', b'/rump/b', None, {MS_BIND}, None)"));
    let _ = sh("touch /rump/b/new; test -f '/rump/mnt x/new'");
    libc("umount(b'/rump/b')");
    libc(&format!("mount(None, b'/rump/mnt x', None, {MS_REMOUNT} | {MS_RDONLY}, None)"));
    let _ = sh("rm '/rump/mnt x/new' 2>&1 | grep -q 'Read-only file system'");
    libc("umount(b'/rump/mnt x')");
    assert!(!run(with(&server, hijack, "cat").arg("/etc/mtab")).success().contains("mine"));
    assert!(
        run(with(&server, "path=/rump", "cat").arg("/proc/mounts")).success().contains(" / "),
        "the host's"
    );
}

#[test]
fn ss_and_netstat() {
    let server = Server::start();
    let hijack = "path=/rump,socket=all";
    let script = "import socket,time\n\
                  a=socket.create_server(('127.0.0.1',8080)); u=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\n\
                  u.bind(('0.0.0.0',5353)); x=socket.socket(socket.AF_UNIX); x.bind('\\0abstract'); x.listen()\n\
                  b=socket.create_connection(('127.0.0.1',8080)); c,_=a.accept(); print('ready',flush=True); time.sleep(60)";
    let log = server.directory().join("log");
    let mut python = Background::start(with(&server, hijack, "python3").args(["-c", script]), &log);
    python.wait_until(|| std::fs::read_to_string(&log).unwrap_or_default().contains("ready"));
    let of = |program: &str, args: &[&str]| run(with(&server, hijack, program).args(args)).success();
    let listening = of("ss", &["-Htln"]);
    assert_eq!(listening.lines().count(), 1, "{listening}");
    assert!(listening.contains("127.0.0.1:8080"), "{listening}");
    let users = format!("users:((\"python3\",pid={},fd=", python.id());
    for list in ["-Htlnp", "-Hulnp", "-Hxlp"] {
        let line = of("ss", &[list]);
        assert!(line.contains(&users), "{list}: {line}");
    }
    assert_eq!(of("ss", &["-Htn", "state", "established"]).lines().count(), 2);
    assert!(of("ss", &["-Huln"]).contains("0.0.0.0:5353"));
    assert!(of("ss", &["-Hxl"]).contains("@abstract"));
    let netstat = of("netstat", &["-tuln"]);
    assert!(netstat.contains("127.0.0.1:8080") && netstat.contains("0.0.0.0:5353"), "{netstat}");
    assert!(of("netstat", &["-xl"]).contains("@abstract"));
    assert!(of("netstat", &["-s"]).contains("1 active connection openings"));
    assert!(of("netstat", &["-i"]).contains("lo"));
}

#[test]
fn fhcalls() {
    let server = Server::start();
    let program = c_program("h_handle", server.directory());
    let ran = run(&mut with(&server, "path=/rump,vfs=fhcalls", &program.to_string_lossy()));
    assert_eq!((ran.status, ran.stdout.as_str()), (0, "stale\n"), "{}", ran.stderr);
    assert!(server.counter("call.open_by_handle_at") == 2);
}

#[test]
fn netbsd_names() {
    let server = Server::start();
    let program = server.directory().join("h_netbsd");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/c/h_netbsd.c");
    let mut cc = Command::new("cc");
    cc.args(["-O1", "-Wall", "-Werror", "-o"]).arg(&program).arg(source).arg(artifact("librumphijack.so"));
    assert!(cc.status().expect("a C compiler").success());
    let hijack = "path=/rump,vfs=all,sysctl=yes";
    let ran = run(&mut with(&server, hijack, &program.to_string_lossy()));
    assert_eq!((ran.status, ran.stdout.as_str()), (0, "ok\n"), "{}", ran.stderr);
}

/// What each attribute of an interface says, but for what differs by machine and kernel.
const ATTRIBUTES: &str = r#"
    cd "$1"/class/net/lo
    for name in $2; do
        test -f $name || continue
        stat -c '%n %F %s' $name
        case $name in
            mtu | name_assign_type) ;;
            *) cat $name 2>&1 || : ;;
        esac
    done
    readlink subsystem
    ls statistics
"#;

#[test]
fn interfaces_in_sysfs_are_as_the_hosts() {
    let server = Server::start();
    let names = run(server.hijacked("ls").arg("/rump/sys/class/net/lo")).success().replace('\n', " ");
    let arguments = |root| ["-ec", ATTRIBUTES, "sh", root, &names].map(str::to_owned);
    let host = run(native("sh").args(arguments("/sys"))).success();
    assert!(host.contains("operstate regular file 4096\nunknown\n"), "{host}");
    assert_eq!(run(server.hijacked("sh").args(arguments("/rump/sys"))).success(), host);
    let script = "cd /rump/sys/class/net/lo; pwd -P; echo 0x4000 > mtu; cat mtu; echo no > mtu || echo 1 > ifindex || :";
    let ran = run(server.hijacked("sh").args(["-ec", script]));
    assert_eq!(ran.success(), "/rump/sys/devices/virtual/net/lo\n16384\n");
    let of_inet = |socket: &str| run(with(&server, socket, "cat").arg("/sys/class/net/lo/mtu")).success();
    assert_eq!((of_inet("socket=inet").as_str(), of_inet("socket=inet6") == "16384\n"), ("16384\n", false));
}

#[test]
fn drives_in_sysfs_as_lsblk_shows_them() {
    e2e::ordinary_user();
    let dir = tempfile::tempdir().expect("a directory");
    let image = dir.path().join("image");
    let drive = format!("key=/dev/disk/one,hostpath={},size=3m", image.display());
    let server = Server::start_with(&["-d", &drive]);
    let hijack = "blanket=/sys:/dev:/proc";
    let lsblk = ["-rbno", "NAME,MAJ:MIN,SIZE,RO,TYPE"];
    assert_eq!(run(with(&server, hijack, "lsblk").args(lsblk)).success(), "disk/one 240:1 3145728 0 disk\n");
    let partitions = run(with(&server, hijack, "cat").arg("/proc/partitions")).success();
    assert_eq!(partitions, "major minor  #blocks  name\n\n 240        1       3072 disk!one\n");
}
