//! What a lab is to be: hosts, segments, links, programs; read from its file.

use crate::lab::document::{Document, Entry, Span, Table};
use crate::lab::{Error, link, topology};
use server::link::NetSpec;
use std::path::{Path, PathBuf};

/// As a DNS label, so that a name is a host's name and a file's.
const NAME_MAX: usize = 63;

/// A lab.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) name: String,
    /// Where relative paths start: the directory of its file.
    pub(crate) directory: PathBuf,
    pub(crate) segments: Vec<Segment>,
    pub(crate) hosts: Vec<Host>,
}

/// An Ethernet segment.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) name: String,
    pub(crate) span: Span,
    /// What holds for each link on it that does not say otherwise.
    pub(crate) defaults: Vec<Pair>,
}

/// A key and a value of a netspec, and where they stand.
#[derive(Debug, Clone)]
pub(crate) struct Pair {
    pub(crate) key: String,
    pub(crate) value: String,
    pub(crate) span: Span,
}

/// A rump kernel.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) name: String,
    pub(crate) span: Span,
    pub(crate) links: Vec<Link>,
    /// Sysctl nodes, their values, and where they stand.
    pub(crate) sysctls: Vec<(String, String, Span)>,
    /// RUMPHIJACK of its programs.
    pub(crate) rumphijack: Option<String>,
    /// Shell commands that are run in turn before the programs are started, and where they stand.
    pub(crate) commands: Vec<(String, Span)>,
    pub(crate) programs: Vec<Program>,
    /// Its server is told to have a root user (`rump_server --root`).
    pub(crate) root: bool,
}

/// A link of a host's.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) name: String,
    pub(crate) span: Span,
    /// The segment that it is on; none if it leads elsewhere.
    pub(crate) segment: Option<String>,
    /// All keys of its netspec but those that say where the segment's file is.
    pub(crate) pairs: Vec<Pair>,
    /// What they say.
    pub(crate) spec: NetSpec,
}

/// A program that runs on a host.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) name: String,
    pub(crate) span: Span,
    pub(crate) argv: Vec<String>,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) directory: PathBuf,
    /// The TCP port that it listens on once it is ready.
    pub(crate) port: Option<u16>,
}

impl Plan {
    /// Reads a lab's file and checks that there can be such a lab.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub(crate) fn read(path: &Path) -> Result<Self, Error> {
        Self::of(&Document::read(path)?)
    }

    /// The lab that this file describes.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub(crate) fn of(document: &Document) -> Result<Self, Error> {
        let mut root = document.root()?;
        let name = match root.take("name") {
            Some(entry) => named(&entry.string()?).map_err(|why| entry.wrong(why))?,
            None => from_file(document.path())?,
        };
        let absolute = std::path::absolute(document.path())
            .map_err(|source| Error::File { path: document.path().to_owned(), source })?;
        let directory = absolute.parent().map(Path::to_owned).unwrap_or_default();
        let segments = root.tables("segment")?.into_iter();
        let segments =
            segments.map(|(entry, table)| segment(document, entry, table)).collect::<Result<Vec<_>, _>>()?;
        let host = |(entry, table)| host(document, &directory, &segments, entry, table);
        let hosts = root.tables("host")?.into_iter().map(host).collect::<Result<Vec<_>, _>>()?;
        root.finish(&["name", "segment", "host"])?;
        if hosts.is_empty() {
            return Err(document.wrong(&(0..0), "a lab without hosts; expected [host.NAME]".to_owned()));
        }
        let plan = Self { name, directory, segments, hosts };
        topology::check(&plan).map_err(|(span, why)| document.wrong(&span, why))?;
        Ok(plan)
    }
}

impl Host {
    /// All its addresses.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = std::net::IpAddr> + '_ {
        self.links.iter().flat_map(|link| link.spec.addrs.iter().map(|(ip, _)| *ip))
    }
}

fn segment(document: &Document, entry: Entry<'_>, mut table: Table<'_>) -> Result<Segment, Error> {
    let name = named(&entry.key).map_err(|why| table.wrong(why))?;
    let defaults = link::segment_defaults(document, &format!("segment '{name}'"), table.rest())?;
    Ok(Segment { name, span: entry.key_span, defaults })
}

fn host(
    document: &Document,
    directory: &Path,
    segments: &[Segment],
    entry: Entry<'_>,
    mut table: Table<'_>,
) -> Result<Host, Error> {
    let name = named(&entry.key).map_err(|why| table.wrong(why))?;
    let links = table.tables("link")?.into_iter();
    let links =
        links.map(|(entry, table)| link::link(document, segments, entry, table)).collect::<Result<_, _>>()?;
    let programs = table.tables("program")?.into_iter();
    let programs =
        programs.map(|(entry, table)| program(directory, entry, table)).collect::<Result<_, _>>()?;
    let host = Host {
        name,
        span: entry.key_span,
        links,
        sysctls: sysctls(&mut table)?,
        rumphijack: table.take("rumphijack").map(|entry| entry.string()).transpose()?,
        commands: strings(&mut table, "exec")?,
        programs,
        root: flag(&mut table, "root")?,
    };
    table.finish(&["link", "program", "forward", "sysctl", "exec", "rumphijack", "root"])?;
    Ok(host)
}

fn sysctls(table: &mut Table<'_>) -> Result<Vec<(String, String, Span)>, Error> {
    let mut found = Vec::new();
    if let Some(entry) = table.take("forward")
        && entry.boolean()?
    {
        for node in ["net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"] {
            found.push((node.to_owned(), "1".to_owned(), entry.span.clone()));
        }
    }
    for entry in table.take("sysctl").map_or(Ok(Vec::new()), Entry::into_entries)? {
        let value = entry.text().map_err(|_| {
            entry.wrong(format!(
                "sysctl '{}' has no one value; nodes are quoted: \"net.ipv4.ip_forward\" = 1",
                entry.key
            ))
        })?;
        found.push((entry.key, value, entry.key_span));
    }
    Ok(found)
}

fn program(directory: &Path, entry: Entry<'_>, mut table: Table<'_>) -> Result<Program, Error> {
    let name = named(&entry.key).map_err(|why| table.wrong(why))?;
    let run = table.take("run").ok_or_else(|| table.wrong(format!("program '{name}' has no 'run'")))?;
    let argv = match run.is_array() {
        false => ["/bin/sh".to_owned(), "-c".to_owned(), run.string()?].to_vec(),
        true => run.texts()?.into_iter().map(|(text, _)| text).collect(),
    };
    if argv.last().is_none_or(String::is_empty) {
        return Err(run.wrong("there is nothing to run".to_owned()));
    }
    let environment = table.take("env").map_or(Ok(Vec::new()), Entry::into_entries)?;
    let environment = environment
        .into_iter()
        .map(|entry| Ok((entry.key.clone(), entry.text()?)))
        .collect::<Result<_, Error>>()?;
    let cwd = table.take("cwd").map(|entry| entry.string()).transpose()?;
    let port = table.take("port").map(|entry| {
        let port = entry.text()?.parse().ok().filter(|port| *port > 0);
        port.ok_or_else(|| entry.wrong("a port is a number from 1 to 65535".to_owned()))
    });
    let port = port.transpose()?;
    table.finish(&["run", "env", "cwd", "port"])?;
    let directory = directory.join(cwd.unwrap_or_default());
    Ok(Program { name, span: entry.key_span, argv, environment, directory, port })
}

fn strings(table: &mut Table<'_>, key: &str) -> Result<Vec<(String, Span)>, Error> {
    table.take(key).map_or(Ok(Vec::new()), |entry| entry.texts())
}

fn flag(table: &mut Table<'_>, key: &str) -> Result<bool, Error> {
    table.take(key).map_or(Ok(false), |entry| entry.boolean())
}

/// A name of a lab, host, segment or program.
pub(crate) fn named(name: &str) -> Result<String, String> {
    let good = |char: char| char.is_ascii_alphanumeric() || char == '-' || char == '_';
    match name.len() {
        1..=NAME_MAX if name.chars().all(good) && !name.starts_with('-') => Ok(name.to_owned()),
        _ => Err(format!(
            "'{}' is no name here: expected up to {NAME_MAX} letters, digits, '-' and '_', not beginning with '-'",
            name.escape_debug()
        )),
    }
}

fn from_file(path: &Path) -> Result<String, Error> {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    named(&stem).map_err(|why| Error::Why(format!("{}: {why}; say name = \"NAME\" in it", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(text: &str) -> String {
        Plan::of(&Document::of(text)).expect_err(text).to_string()
    }

    #[test]
    fn what_a_lab_can_say() {
        let text = r#"
            name = "whole"
            [segment.lan]
            delay = "5ms"
            mtu = 9000
            [host.a]
            forward = true
            sysctl = { "net.ipv4.ip_default_ttl" = 9 }
            exec = "true"
            link.eth0 = { segment = "lan", addr = ["10.0.0.1/24", "fd00::1/64"], delay = "1ms", up = true, dns = "10.0.0.2" }
            link.out = { type = "stream", path = "socket" }
            program.web = { run = ["httpd", "-f"], env = { A = "b", N = 1 }, cwd = "www", port = 80 }
            [host.b.link.eth0]
            segment = "lan"
            addr = "10.0.0.2/24"
            gw = "10.0.0.1"
            route = "10.1.0.0/16 via 10.0.0.1""#;
        let plan = Plan::of(&Document::of(text)).unwrap();
        assert_eq!((plan.name.as_str(), plan.segments.len(), plan.hosts.len()), ("whole", 1, 2));
        let a = &plan.hosts[0];
        let said: Vec<_> =
            a.links[0].pairs.iter().map(|pair| format!("{}={}", pair.key, pair.value)).collect();
        // What the link says itself comes before what its segment says.
        assert_eq!(
            said,
            ["addr=10.0.0.1/24", "addr=fd00::1/64", "delay=1ms", "up=yes", "dns=10.0.0.2", "mtu=9000"]
        );
        assert_eq!((a.links[1].segment.as_deref(), a.links[1].spec.kind.name), (None, "stream"));
        assert_eq!((a.sysctls.len(), a.commands.len(), a.programs[0].port), (3, 1, Some(80)));
        assert_eq!(a.programs[0].environment, [("A".into(), "b".into()), ("N".into(), "1".into())]);
        assert!(a.programs[0].directory.ends_with("www"));
        assert_eq!(plan.hosts[1].links[0].spec.routes.len(), 1);
    }

    #[test]
    fn what_is_wrong_has_a_line_and_a_column() {
        const LAN: &str = "[segment.lan]\n[host.a.link.eth0]\nsegment = 'lan'\naddr = '10.0.0.1/24'\n";
        for (more, place, part) in [
            ("colour = 'red'", "5:1", "unknown key 'colour' of link 'eth0'"),
            ("loss = '2'", "5:8", "'2' is no share"),
            ("loss = ['1%', '2%']", "5:9", "'loss' is there twice"),
            ("reorder = '2%'", "5:11", "needs delay"),
            ("mtu = 1.5", "5:7", "'mtu' is of type float"),
            ("gw = '10.0.1.1'", "5:6", "in none of the networks"),
            ("gw = '10.0.0.9'", "5:6", "no host on segment 'lan' has"),
            ("gw = '10.0.0.1'", "5:6", "the link's own"),
            ("route = '10.1.0.0/16 via 10.0.0.9'", "5:9", "no host on segment 'lan' has"),
            ("type = 'bus'", "5:8", "exclude each other"),
            ("name = 'eth1'", "5:8", "[host.NAME.link.eth0]"),
            ("up = 'a,b'", "5:6", "no comma"),
            ("[host.b.link.e]\nsegment = 'lam'", "6:11", "no segment 'lam'; there are lan"),
            ("[host.b.link.e]\naddr = '10.0.0.2/24'", "5:14", "leads nowhere"),
            ("[host.b.link.e]\ntype = 'shmif'", "6:8", "'shmif' is none of"),
            (
                "[host.b.link.e]\nsegment = 'lan'\naddr = ['fd00::1/64', '10.0.0.1/24']",
                "7:23",
                "10.0.0.1 twice",
            ),
            ("[host.b.link.e]\nsegment = 'lan'\naddr = '10.0.0.0/24'", "7:8", "the network itself"),
            ("[host.b.link.e]\nsegment = 'lan'\naddr = '10.0.0.255/24'", "7:8", "broadcast"),
            ("[host.b.program.p]\nport = 80", "5:17", "no 'run'"),
            ("[host.b.program.p]\nrun = ''", "6:7", "nothing to run"),
            ("[host.b.program.p]\nrun = 'x'\nport = 99999", "7:8", "1 to 65535"),
            ("[host.b]\nprogramm = {}", "6:1", "unknown key 'programm' of host 'b'"),
            ("[host.b]\nforward = 'yes'", "6:11", "expected true or false"),
            ("[host.b]\nsysctl.net.ipv4.ip_forward = 1", "6:8", "quoted"),
            ("[host.'b c']", "5:7", "'b c' is no name"),
            ("[host.a.link.eth0]", "5:14", "duplicate key"),
            ("[segment.wan]", "5:10", "no link is on segment 'wan'"),
            ("[segment.lan2]\naddr = '10.0.0.1/24'", "6:1", "unknown key 'addr' of segment 'lan2'"),
            ("[segment.lan2]\nloss = 2", "6:8", "'2' is no share"),
            ("[hosts.b]", "5:2", "unknown key 'hosts'"),
            ("x", "5:2", "expected"),
        ] {
            let why = wrong(&format!("{LAN}{more}\n"));
            assert!(why.starts_with(&format!("lab.toml:{place}: ")) && why.contains(part), "{more}: {why}");
        }
        assert!(wrong("").contains("without hosts"));
        let two = "[host.a.link]\ne = { type = 'passt', gw = '10.0.0.1', addr = '10.0.0.2/24' }\n\
            f = { type = 'passt', gw = '10.1.0.1', addr = '10.1.0.2/24' }";
        assert!(
            wrong(two).starts_with("lab.toml:3:28: 'a' has a default gateway already, on link 'e'"),
            "{}",
            wrong(two)
        );
    }

    #[test]
    fn the_place_is_shown() {
        let why = wrong("[host.a]\n\troot = 'ä'\n");
        assert_eq!(
            why,
            "lab.toml:2:9: 'root' is of type string here; expected true or false\n    \troot = 'ä'\n    \t       ^^^"
        );
    }
}
