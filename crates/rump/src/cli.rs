//! The command line.

use crate::attach::Attach;
use crate::lab::LabCommand;
use clap::{Args, Parser, Subcommand};
use std::ffi::OsString;
use std::path::PathBuf;

/// Run programs on a kernel of their own, and look into one.
#[derive(Debug, Parser)]
#[command(name = "rump", version, propagate_version = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a program on a rump kernel: RUMP_SERVER's, or one that lives as long as the program
    #[command(after_help = RUN_HELP)]
    Run(RunOptions),
    /// Run a program and tell which of its calls the rump kernel served
    #[command(after_help = TRACE_HELP)]
    Trace(TraceOptions),
    /// End a server
    #[command(after_help = HALT_HELP)]
    Halt(ServerOption),
    /// List the processes of a rump kernel
    #[command(after_help = PS_HELP)]
    Ps(ServerOption),
    /// List the sockets of a rump kernel
    #[command(after_help = SOCKSTAT_HELP)]
    Sockstat(ServerOption),
    /// List, make, change and remove the links of a rump kernel
    #[command(after_help = LINK_HELP)]
    Link(LinkOptions),
    /// Mount a file system in a rump kernel, or list what is mounted
    #[command(after_help = MOUNT_HELP)]
    Mount(MountOptions),
    /// Take a file system away from a rump kernel
    Umount {
        #[command(flatten)]
        server: ServerOption,
        /// Now from the tree, and for good when nobody uses it any more
        #[arg(short, long)]
        lazy: bool,
        /// Where it is mounted
        dir: String,
    },
    /// Export directories of a rump kernel by its own NFS server, or list what is exported
    #[command(after_help = NFS_HELP)]
    Nfs(NfsOptions),
    /// List what was changed in an overlay: A added, M modified, D deleted
    #[command(after_help = DIFF_HELP)]
    Diff {
        #[command(flatten)]
        server: ServerOption,
        /// Where it is mounted; may be left out if there is only one
        dir: Option<String>,
    },
    /// Write what passes the links of a rump kernel to a file of pcapng, for tshark(1) and wireshark(1)
    #[command(after_help = CAPTURE_HELP)]
    Capture(CaptureOptions),
    /// Look into a disk image, copy out of it and into it, or run a shell in it
    #[command(after_help = IMAGE_HELP)]
    Image {
        #[command(subcommand)]
        command: ImageCommand,
    },
    /// Start a network of rump kernels and programs from one file, run programs on its hosts, and end it
    Lab {
        #[command(subcommand)]
        command: LabCommand,
    },
    /// Tell whether and how a program's calls will be caught
    #[command(after_help = CHECK_HELP)]
    Check {
        /// A program, looked up in PATH if it has no slash
        program: OsString,
    },
    /// Tell which system calls the rump kernel serves, and how well
    #[command(after_help = COVERAGE_HELP)]
    Coverage {
        /// Only these calls
        calls: Vec<String>,
        /// Only calls that are missing or partial
        #[arg(long)]
        missing: bool,
    },
    /// Write a shell's completions for this command
    #[command(after_help = COMPLETIONS_HELP)]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write the manual page of this command or one of its subcommands
    Man {
        /// A subcommand
        command: Option<String>,
    },
}

const RUN_HELP: &str = "Exit status: PROG's own; 125 if rump itself failed, 126 if PROG cannot be run, 127 if it is \
    not found.\n\nExamples:\n  rump run -- curl http://127.0.0.1/\n  RUMP_SERVER=unix:///tmp/s rump run -- nginx\n  \
    rump run --rumphijack path=/rump,socket=inet -- sh -c 'ls /rump'\n  rump run --mount disk.img:ro -- ls -l /rump\n  \
    rump run --overlay . -- sh -c 'cd /rump && make && rump diff'\n  rump run --net -- curl http://example.org/\n  \
    rump run --net=type=user,hostfwd=tcp:127.0.0.1:8080-:80 -- nginx\n  \
    rump run --net=type=bus,path=/tmp/bus,addr=10.0.0.1/24 -- ping 10.0.0.2";

const TRACE_HELP: &str = "A line is the process in the rump kernel, its name, the call, and what came of it; calls that the host served \
    are not among them (strace(1) shows those).\n\nExit status: as that of rump run.\n\nExamples:\n  rump trace -- curl \
    http://127.0.0.1/\n  RUMP_SERVER=unix:///tmp/s rump trace -o calls -- cp file /rump";

const HALT_HELP: &str = "Its processes lose their connection, and the files that it had in memory are gone. Returns when the server is gone and what \
    was written to images is on the disk: another can be started in its place.\n\nExamples:\n  rump \
    halt --server unix:///tmp/s\n  RUMP_SERVER=unix:///tmp/s rump halt";

const PS_HELP: &str = "HOSTPID is the process id on the host, 0 over tcp://. CALLS counts the calls that the rump kernel served: 0 for a program that is \
    not hijacked as meant.\n\n\
    Examples:\n  rump ps --server unix:///tmp/s\n  RUMP_SERVER=unix:///tmp/s rump ps";

const SOCKSTAT_HELP: &str =
    "Examples:\n  rump sockstat --server unix:///tmp/s\n  RUMP_SERVER=unix:///tmp/s rump sockstat";

const CHECK_HELP: &str = "Exit status: 0 if its calls will be caught, 1 if not.\n\nExamples:\n  rump check curl\n  \
    rump check /usr/bin/sudo";

const COVERAGE_HELP: &str =
    "Examples:\n  rump coverage\n  rump coverage sendmsg splice\n  rump coverage --missing";

const COMPLETIONS_HELP: &str = "Examples:\n  rump completions bash >~/.local/share/bash-completion/completions/rump\n  \
    rump completions zsh >~/.zfunc/_rump";

const CAPTURE_HELP: &str =
    "Examples:\n  rump capture -i eth0 -w f.pcapng\n  rump capture -i lo -c 100 -w - | tshark -r -";

/// What is to be captured.
#[derive(Debug, Args)]
pub(crate) struct CaptureOptions {
    #[command(flatten)]
    pub(crate) server: ServerOption,
    /// The link, or any for all of them
    #[arg(short, long, value_name = "LINK", default_value = "any")]
    pub(crate) interface: String,
    /// The file, or - for standard output
    #[arg(short, long, value_name = "FILE")]
    pub(crate) write: PathBuf,
    /// Bytes of each frame that are kept
    #[arg(short, long, value_name = "BYTES", default_value_t = 262_144, value_parser = clap::value_parser!(u32).range(1..=262_144))]
    pub(crate) snaplen: u32,
    /// End after so many frames
    #[arg(short, long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,
    /// Not the frames for other stations of the segment
    #[arg(short = 'p', long)]
    pub(crate) no_promiscuous: bool,
}

const NFS_HELP: &str = "CLIENT is *, an address or a network (10.0.0.0/8), with options behind it as in exports(5): ro, rw, sync, async, \
    secure, insecure, root_squash, no_root_squash, all_squash, anonuid=, anongid=, crossmnt. Without a client all may read and write, from \
    ports below 1024 (secure), and their root is nobody (root_squash). NFSv3 and MOUNT are served over TCP and UDP at all addresses of the rump \
    kernel, at ports 2049 and 20048, and a port mapper at 111, until nothing is exported any more.\n\nExamples:\n  rump nfs export /srv\n  \
    rump nfs export --ro /srv 10.0.0.0/24 '10.0.0.7(rw,no_root_squash)'\n  rump nfs\n  rump nfs unexport /srv";

/// What is to be done with exports.
#[derive(Debug, Args)]
pub(crate) struct NfsOptions {
    #[command(flatten)]
    pub(crate) server: ServerOption,
    #[command(subcommand)]
    pub(crate) action: Option<NfsAction>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum NfsAction {
    /// List them, as without a subcommand
    List,
    /// Export a directory
    Export {
        /// To be read only, unless a client's options say otherwise
        #[arg(long)]
        ro: bool,
        /// Options of exports(5) that hold unless a client's say otherwise
        #[arg(short, long, value_name = "LIST")]
        options: Option<String>,
        /// The directory, by the rump kernel's name
        dir: String,
        /// Who may use it, with options in parentheses
        #[arg(value_name = "CLIENT[(OPTIONS)]", default_value = "*")]
        clients: Vec<String>,
    },
    /// Export a directory no more
    Unexport {
        /// The directory
        dir: String,
    },
}

const LINK_HELP: &str = "Examples:\n  rump link\n  rump link add name=eth0,type=bus,path=/tmp/bus,addr=10.0.0.1/24\n  \
    rump link set eth0 loss=5%,delay=20ms\n  rump link set eth0 down\n  rump link del eth0\n\n\
    `rump_server --help` lists the types, their keys and the faults.";

/// What is to be done with links.
#[derive(Debug, Args)]
pub(crate) struct LinkOptions {
    #[command(flatten)]
    pub(crate) server: ServerOption,
    #[command(subcommand)]
    pub(crate) action: Option<LinkAction>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum LinkAction {
    /// List them, as without a subcommand
    List,
    /// Make one
    Add {
        /// name=NAME,type=TYPE[,KEY=VALUE...], as rump_server -n takes it
        netspec: String,
    },
    /// Change one while it runs
    Set {
        /// Its name
        name: String,
        /// up, down, partition (the line is cut; up mends it), and faults as in a netspec (loss=0 ends one), parted by commas
        changes: String,
    },
    /// Remove one
    Del {
        /// Its name
        name: String,
    },
}

const DIFF_HELP: &str = "Exit status: 0 if nothing was changed, 1 if something was, 125 if rump itself failed.\n\n\
    Examples:\n  rump run --overlay . -- sh -c 'cd /rump && make; rump diff'\n  \
    rump run --mount disk.img:overlay -- sh -c 'rm /rump/etc/motd; rump diff'\n  \
    rump mount --mkdir -t overlay -o lowerdir=/mnt,upperdir=/tmp overlay /merged; rump diff /merged";

const IMAGE_HELP: &str = "IMAGE is PATH or PATH:PARTITION; without a partition the only one with a known file system is taken. \
    Whoever opens an image is root in it.\n\nExamples:\n  rump image info disk.img\n  rump image ls disk.img:2 /etc\n  \
    rump image cp disk.img :/etc/fstab .\n  rump image cp disk.img motd :/etc/motd\n  rump image sh disk.img";

/// What is to be done with an image.
#[derive(Debug, Subcommand)]
pub(crate) enum ImageCommand {
    /// Tell which partitions and file systems it has
    Info {
        /// The image
        image: String,
    },
    /// List files in it
    Ls {
        /// The image, and which partition of it
        image: String,
        /// Paths in it; / by default
        paths: Vec<String>,
    },
    /// Copy files, as cp -R: a path that begins with a colon is in the image
    Cp {
        /// The image, and which partition of it
        image: String,
        /// What to copy, and last where to
        #[arg(required = true, num_args = 2..)]
        paths: Vec<String>,
    },
    /// Run a shell in its root directory, or with -c a command
    Sh {
        /// The image, and which partition of it
        image: String,
        /// The shell's arguments
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
}

const MOUNT_HELP: &str = "Examples:\n  rump_server -d key=/dev/dk,hostpath=disk.img,size=host unix:///tmp/s\n  \
    export RUMP_SERVER=unix:///tmp/s\n  rump mount --mkdir /dev/dk /mnt\n  rump mount -o remount,ro /dev/dk /mnt\n  \
    rump mount --mkdir -t overlay -o lowerdir=/mnt,upperdir=/tmp overlay /merged\n  \
    rump umount /mnt";

/// What to mount, and how.
#[derive(Debug, Clone, Args)]
pub(crate) struct MountOptions {
    #[command(flatten)]
    pub(crate) server: ServerOption,
    /// Type of the file system: ext2, ext3, ext4, vfat, squashfs, iso9660, tmpfs, proc, overlay, dir (a directory of the host); auto: found out
    #[arg(short = 't', value_name = "TYPE", default_value = "auto")]
    pub(crate) kind: String,
    /// Options, parted by commas: ro, noatime, remount, bind, ... (mount(8)) and the file system's own
    #[arg(short, long, value_name = "LIST")]
    pub(crate) options: Option<String>,
    /// Read-only, as -o ro
    #[arg(short, long)]
    pub(crate) read_only: bool,
    /// Make the directory if it is not there
    #[arg(long)]
    pub(crate) mkdir: bool,
    /// A drive (/dev/NAME) or what the type asks for
    pub(crate) source: Option<String>,
    /// The directory, by the rump kernel's name
    #[arg(requires = "source")]
    pub(crate) dir: Option<String>,
}

/// Which server.
#[derive(Debug, Clone, Args)]
pub(crate) struct ServerOption {
    /// The server's URL: unix://PATH or tcp://ADDRESS:PORT/
    #[arg(long, value_name = "URL", env = "RUMP_SERVER")]
    pub(crate) server: Option<String>,
}

/// How to run a program.
#[derive(Debug, Clone, Args)]
pub(crate) struct RunOptions {
    #[command(flatten)]
    pub(crate) server: ServerOption,
    /// Mount an image or a directory in a server of its own, at /rump unless a DIR is said. With overlay it stays as it is:
    /// changes are kept in memory
    #[arg(long, value_name = "PATH[:PARTITION][:ro|:overlay][:/DIR]", value_parser = Attach::parse)]
    pub(crate) mount: Vec<Attach>,
    /// The same as --mount PATH:overlay: what the program changes in PATH, say a directory, is seen by it alone, and by rump diff
    #[arg(long, value_name = "PATH[:PARTITION][:/DIR]", value_parser = Attach::parse_overlay)]
    pub(crate) overlay: Vec<Attach>,
    /// Give a server of its own a network: by default the host's through ordinary sockets (type=user), else the link that NETSPEC
    /// describes, as rump_server -n takes it, by default called eth0; may be repeated
    #[arg(long, value_name = "NETSPEC", num_args = 0..=1, require_equals = true, default_missing_value = "type=user")]
    pub(crate) net: Vec<String>,
    /// Be root in a server of its own
    #[arg(long)]
    pub(crate) root: bool,
    /// What is hijacked: RUMPHIJACK of rumphijack(3)
    #[arg(long, value_name = "SPEC")]
    pub(crate) rumphijack: Option<OsString>,
    /// When the server is lost: inftime, once, die or a number of seconds
    #[arg(long, value_name = "MODE")]
    pub(crate) retry: Option<OsString>,
    /// Make sure: what cannot be hijacked is not run, and the host refuses sockets of hijacked families. Set-user-ID programs run
    /// without privileges
    #[arg(long)]
    pub(crate) strict: bool,
    /// Tell what is done
    #[arg(short, long)]
    pub(crate) verbose: bool,
    /// The program
    #[arg(value_name = "PROG")]
    pub(crate) program: OsString,
    /// Its arguments
    #[arg(value_name = "ARGS", trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) args: Vec<OsString>,
}

/// How to trace a program.
#[derive(Debug, Clone, Args)]
pub(crate) struct TraceOptions {
    /// Instead of the calls, write a table at the end: each call's name, how often it was made, how often the rump kernel served it and
    /// with how many errors, and how it was caught
    #[arg(short, long)]
    pub(crate) summary: bool,
    /// Write the trace to this file instead of standard error
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) run: RunOptions,
}
