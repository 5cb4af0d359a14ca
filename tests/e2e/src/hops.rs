//! Two hosts with two routers between them, of rump kernels and of network namespaces: the same programs in both.
//!
//! ```text
//! left 10.0.1.9 -- 10.0.1.1 r1 10.0.12.1 -- 10.0.12.2 r2 10.0.2.2 -- 10.0.2.9 right
//! ```
//! and `fd00:1::9` and so on.

use crate::{Background, Segments, Server, native, run};

/// The hosts and routers as rump kernels.
#[derive(Debug)]
pub struct Hops {
    _segments: Segments,
    /// 10.0.1.9, fd00:1::9.
    pub left: Server,
    _routers: [Server; 2],
    /// 10.0.2.9, fd00:2::9.
    pub right: Server,
}

/// The address of a host on a net, and its gateway or its routes there, for a netspec.
fn on(segments: &Segments, link: &str, net: u8, host: u8, more: &str) -> String {
    let more = format!(",addr=10.0.{net}.{host}/24,addr=fd00:{net}::{host}/64{more}");
    segments.link(link, &format!("net{net}"), &more)
}

fn host(segments: &Segments, net: u8) -> Server {
    let gateway = format!(",gw=10.0.{net}.{net},gw=fd00:{net}::{net}");
    Server::start_with(&["-n", &on(segments, "eth0", net, 9, &gateway)])
}

fn router(segments: &Segments, near: u8) -> Server {
    let other = 3 - near;
    let gateway = format!(",gw=10.0.12.{other},gw=fd00:12::{other}");
    let middle = on(segments, "eth1", 12, near, &gateway);
    let router = Server::start_with(&["-n", &on(segments, "eth0", near, near, ""), "-n", &middle]);
    let mut sysctl = router.hijacked("sysctl");
    sysctl.args(["-q", "-w", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"]);
    run(sysctl.env("RUMPHIJACK", "sysctl=yes,socket=all")).success();
    router
}

/// The same of namespaces, in one of users and processes that goes with all that runs in it.
const NAMESPACES: &str = "
mount -t tmpfs t /run; mkdir /run/netns
for n in left r1 r2 right; do ip netns add $n; ip -n $n link set lo up; done
on() { n=$1; shift; nsenter --net=/run/netns/$n \"$@\"; }
for n in left r1 r2 right; do on $n sh -c 'echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad; echo 0 0 >/proc/sys/net/ipv4/ping_group_range'; done
pair() { ip -n $1 link add $2 type veth peer name $4 netns $3; ip -n $1 link set $2 up; ip -n $3 link set $4 up; }
pair left eth0 r1 eth0; pair r1 eth1 r2 eth1; pair r2 eth0 right eth0
at() { ip -n $1 addr add 10.0.$3.$4/24 dev $2; ip -n $1 addr add fd00:$3::$4/64 dev $2 nodad; }
at left eth0 1 9; at r1 eth0 1 1; at r1 eth1 12 1; at r2 eth1 12 2; at r2 eth0 2 2; at right eth0 2 9
via() { ip -n $1 route add default via 10.0.$2.$3; ip -n $1 -6 route add default via fd00:$2::$3; }
via left 1 1; via r1 12 2; via r2 12 1; via right 2 2
for n in r1 r2; do on $n sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'; done
";

impl Hops {
    /// Starts them.
    ///
    /// # Panics
    /// If one does not start.
    #[must_use]
    #[allow(clippy::new_without_default, reason = "it starts servers")]
    pub fn new() -> Self {
        let segments = Segments::new();
        let routers = [router(&segments, 1), router(&segments, 2)];
        let (left, right) = (host(&segments, 1), host(&segments, 2));
        Self { _segments: segments, left, _routers: routers, right }
    }

    /// Runs two shell scripts, `daemon` on the right until `script` on the left has ended, with rump kernels and with namespaces. Answers
    /// what `script` printed in both, errors too; hijacked first. `None` for the second where this host lets nobody make namespaces.
    ///
    /// # Panics
    /// If something cannot be started, or nothing went through the rump kernel.
    #[must_use]
    pub fn both(daemon: &str, script: &str) -> (String, Option<String>) {
        (Self::new().run(daemon, script), in_namespaces(daemon, script))
    }

    /// Runs `daemon` on the right until `script` on the left has ended. Answers what `script` printed, errors too.
    ///
    /// # Panics
    /// If something cannot be started, or nothing went through the rump kernel.
    pub fn run(&self, daemon: &str, script: &str) -> String {
        let directory = self.right.directory();
        let mut right = self.right.hijacked("sh");
        right.args(["-c", daemon]).current_dir(directory);
        let _daemon = Background::start(&mut right, &directory.join("daemon-log"));
        let mut left = self.left.hijacked("sh");
        left.args(["-c", &format!("exec 2>&1; {script}")]).current_dir(self.left.directory());
        left.env("PING", self.left.ping_program());
        let found = run(&mut left).stdout;
        assert!(self.left.counter("calls") > 0, "nothing went through the rump kernel");
        found
    }
}

fn in_namespaces(daemon: &str, script: &str) -> Option<String> {
    let own = ["-rnmpf", "--kill-child", "--mount-proc"];
    if run(native("unshare").args(own).arg("true")).status != 0 {
        println!("not compared: this host lets nobody make namespaces");
        return None;
    }
    let whole = format!(
        "set -e; {NAMESPACES} on right sh -c \"$DAEMON\" >/run/log 2>&1 & cd /run; on left sh -c \"$SCRIPT\""
    );
    let mut command = native("unshare");
    command.args(own).args(["sh", "-c", &whole]).env("DAEMON", daemon).env("PING", "ping");
    let ran = run(command.env("SCRIPT", format!("exec 2>&1; {script}")));
    assert!(!ran.stdout.is_empty(), "the namespaces cannot be set up: {}", ran.stderr);
    Some(ran.stdout)
}
