//! The command line of `rump lab`.

use clap::{Args, Subcommand};
use std::ffi::OsString;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum LabCommand {
    /// Start a lab: its hosts, segments, links and programs; all of it or nothing
    #[command(after_help = UP_HELP)]
    Up(UpOptions),
    /// End a lab, and all programs that run on its hosts
    #[command(after_help = DOWN_HELP)]
    Down(DownOptions),
    /// Run a program on a host
    #[command(after_help = EXEC_HELP)]
    Exec(ExecOptions),
    /// List the labs that are up, their hosts and programs
    #[command(alias = "ps")]
    Status {
        /// Only this one: its name or its file
        lab: Option<OsString>,
    },
    /// Show what the programs of a host wrote
    Logs(LogsOptions),
    /// Tell whether a lab's file is right, and start nothing
    Check {
        /// The lab's file
        #[arg(default_value = "lab.toml")]
        file: PathBuf,
    },
}

const UP_HELP: &str = "A lab's file:

  [segment.lan]                       # an Ethernet segment; keys: mtu and faults, for all links on it
  delay = \"5ms\"

  [host.web.link.eth0]                # keys: those of rump_server -n, and segment
  segment = \"lan\"
  addr = [\"10.0.0.1/24\", \"fd00::1/64\"]

  [host.web.program.http]             # keys: run, env, cwd, port (`up` waits until it listens)
  run = \"python3 -m http.server 80\"
  port = 80

  [host.client.link.eth0]
  segment = \"lan\"
  addr = \"10.0.0.2/24\"
  loss = \"1%\"

Further keys of a host: forward = true (a router), sysctl, exec (commands that are run once all links are up), root, \
    rumphijack. Hosts know each other by name.

Examples:
  rump lab up examples/two-hosts.toml
  rump lab exec client -- curl http://web/
  rump lab down";

const DOWN_HELP: &str = "Examples:\n  rump lab down\n  rump lab down two-hosts\n  rump lab down --all";

const EXEC_HELP: &str = "Exit status: PROG's own; 125 if rump itself failed, 126 if PROG cannot be run, 127 if it is not found.\n\
    What set-user-ID bits and file capabilities would give PROG it does not get: it is hijacked instead.\n\n\
    Examples:\n  rump lab exec client -- ping -c 3 web\n  rump lab exec r1 -- ip route\n  \
    rump lab exec r1 -- rump link set eth0 loss=5%\n  rump lab exec r1 -- rump capture -i eth0 -w r1.pcapng\n  \
    rump lab exec client bash";

/// Which lab to start.
#[derive(Debug, Args)]
pub(crate) struct UpOptions {
    /// Its name, if not that in the file
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// The lab's file
    #[arg(default_value = "lab.toml")]
    pub(crate) file: PathBuf,
}

/// Which lab to end.
#[derive(Debug, Args)]
pub(crate) struct DownOptions {
    /// All labs of this user
    #[arg(long, conflicts_with = "lab")]
    pub(crate) all: bool,
    /// Its name or its file; not needed where only one is up
    #[arg(env = "RUMP_LAB")]
    pub(crate) lab: Option<OsString>,
}

/// What to run, and where.
#[derive(Debug, Args)]
pub(crate) struct ExecOptions {
    /// The lab's name or its file; not needed where only one is up
    #[arg(long, env = "RUMP_LAB")]
    pub(crate) lab: Option<OsString>,
    /// What is hijacked (rumphijack(3)), if not what the lab says
    #[arg(long, value_name = "SPEC")]
    pub(crate) rumphijack: Option<OsString>,
    /// As the leader of a session of its own
    #[arg(long, hide = true)]
    pub(crate) session: bool,
    /// The host
    pub(crate) host: String,
    /// The program
    #[arg(value_name = "PROG")]
    pub(crate) program: OsString,
    /// Its arguments
    #[arg(value_name = "ARGS", trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) args: Vec<OsString>,
}

/// Whose logs.
#[derive(Debug, Args)]
pub(crate) struct LogsOptions {
    /// The lab's name or its file; not needed where only one is up
    #[arg(long, env = "RUMP_LAB")]
    pub(crate) lab: Option<OsString>,
    /// The host
    pub(crate) host: String,
    /// The program; without it, all of them
    pub(crate) program: Option<String>,
}
