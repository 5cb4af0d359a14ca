//! The command line of rump_server(1).

use crate::components;
use crate::link::{NetSpec, kinds};
use crate::spec::DriveSpec;
use crate::url::Url;
use clap::Parser;

/// A rump kernel that serves system calls to programs over a socket.
///
/// The server goes into the background once URL is being served, so whatever is started after it finds it.
/// It ends by `rump halt`, SIGTERM or SIGINT.
#[derive(Debug, Clone, Parser)]
#[command(name = "rump_server", version)]
#[command(after_help = "Examples:\n  \
    rump_server unix:///tmp/rump\n  \
    rump_server -lrumpnet -lrumpfs_tmpfs unix://sock\n  \
    rump_server -n name=eth0,type=bus,path=/tmp/bus,addr=10.0.0.1/24 unix:///tmp/rump\n  \
    rump_server -s -v tcp://127.0.0.1:7000/")]
pub struct Args {
    /// Stay in the foreground
    #[arg(short)]
    pub stay: bool,
    /// Tell on standard error what happens (use with -s)
    #[arg(short)]
    pub verbose: bool,
    /// Number of virtual CPUs; accepted for compatibility, the kernel runs on one
    #[arg(short = 'c', value_name = "ncpu", value_parser = clap::value_parser!(u16).range(1..))]
    pub ncpu: Option<u16>,
    /// Drives.
    #[arg(short = 'd', value_name = "drivespec", value_parser = DriveSpec::parse)]
    #[arg(
        help = "A drive: key=/dev/NAME,hostpath=PATH,size=SIZE|host[,offset=SIZE]|disklabel=PARTITION[,type=blk|chr|reg][,mode=ro|rw]"
    )]
    pub drives: Vec<DriveSpec>,
    /// A component, as a library name: rumpnet, rumpfs_tmpfs, …
    #[arg(short = 'l', value_name = "library", value_parser = components::parse)]
    pub libraries: Vec<String>,
    /// A component, as a module name
    #[arg(short = 'm', value_name = "module", value_parser = components::parse)]
    pub modules: Vec<String>,
    /// Network links.
    #[arg(short = 'n', value_name = "netspec", value_parser = NetSpec::parse)]
    #[arg(help = "A network link: name=NAME,type=TYPE[,KEY=VALUE...]; --help lists types and keys", long_help = kinds::help())]
    pub links: Vec<NetSpec>,
    /// Most memory for the data of files, in bytes or with k, m, g
    #[arg(short = 'r', value_name = "total_ram", value_parser = crate::spec::parse_size)]
    pub total_ram: Option<u64>,
    /// Serve on a tcp:// address beyond loopback, where whoever can connect is trusted
    #[arg(long)]
    pub insecure_tcp: bool,
    /// Be root in the rump kernel: whoever runs the server is user 0 there, and files are not guarded against them
    #[arg(long)]
    pub root: bool,
    /// End when this process ends, and remove the socket's directory (rump run)
    #[arg(long, hide = true, value_name = "PID", value_parser = clap::value_parser!(i32).range(1..))]
    pub until_exit: Option<i32>,
    /// Be a relay to the server at URL, for programs of this user that cannot get descriptors over TCP; ends when idle
    #[arg(long, hide = true)]
    pub relay: bool,
    /// The server in the background: reports on standard output whether URL is being served
    #[arg(long, hide = true)]
    pub background: bool,
    /// Where to listen: unix://PATH or tcp://ADDRESS:PORT/
    #[arg(value_name = "URL", value_parser = Url::parse)]
    pub url: Url,
}

impl Args {
    /// Refuses what is well-formed but not there, so that it is never ignored.
    ///
    /// # Errors
    /// What is missing, as one line.
    pub fn check(&self) -> Result<(), String> {
        if self.relay {
            return match self.url {
                Url::Tcp(_) => Ok(()),
                Url::Unix(_) => Err(format!("{}: --relay is for tcp://", self.url)),
            };
        }
        if !self.url.is_local() && !self.insecure_tcp {
            return Err(format!(
                "{}: refused beyond loopback, since rump_sp has no authentication; --insecure-tcp says that it is meant",
                self.url
            ));
        }
        Ok(())
    }
}
