//! `rump lab up`: the beginning of a lab. All of it or nothing.

use crate::lab::cli::UpOptions;
use crate::lab::document::{Document, Span};
use crate::lab::place::{self, Place};
use crate::lab::plan::{Host, Plan, Program};
use crate::lab::processes::{Process, Started};
use crate::lab::{Error, down, exec, furnish};
use crate::session::{self, Session};
use crate::{look, run};
use abi::private::Info;
use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// What a program gets until it listens on its port.
const PATIENCE: Duration = Duration::from_secs(30);
/// What is shown of a log.
const TAIL_LINES: usize = 10;

/// Starts a lab; answers what is to be printed.
pub(crate) fn up(options: &UpOptions) -> Result<String, Error> {
    let document = Document::read(&options.file)?;
    let plan = Plan::of(&document)?;
    let place = Place::of(options.name.as_ref().unwrap_or(&plan.name))?;
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP] {
        signal_hook::flag::register(signal, interrupted.clone())
            .map_err(|error| Error::Why(error.to_string()))?;
    }
    let _lock = place.take(&plan, &options.file)?;
    let mut lab = Lab { document: &document, plan: &plan, place: &place, interrupted, programs: Vec::new() };
    if let Err(error) = lab.start() {
        // What went wrong first is what is to be told.
        let _ = down::take_down(&place);
        return Err(error);
    }
    let hosts: Vec<&str> = plan.hosts.iter().map(|host| host.name.as_str()).collect();
    Ok(format!("lab '{}' is up: {}\n", place.lab, hosts.join(", ")))
}

/// A lab that is being started.
struct Lab<'p> {
    document: &'p Document,
    plan: &'p Plan,
    place: &'p Place,
    interrupted: Arc<AtomicBool>,
    programs: Vec<Running<'p>>,
}

/// A program that was started.
struct Running<'p> {
    host: &'p Host,
    program: &'p Program,
    child: Child,
}

impl<'p> Lab<'p> {
    fn start(&mut self) -> Result<(), Error> {
        let plan = self.plan;
        for host in &plan.hosts {
            self.start_server(host)?;
        }
        for host in &plan.hosts {
            self.furnish(host)?;
        }
        for host in &plan.hosts {
            host.commands.iter().try_for_each(|(command, span)| self.command(host, command, span))?;
        }
        for host in &plan.hosts {
            host.programs.iter().try_for_each(|program| self.start_program(host, program))?;
        }
        self.wait_for_ports()
    }

    fn go_on(&self) -> Result<(), Error> {
        match self.interrupted.load(Ordering::Relaxed) {
            true => Err(Error::Why(format!("interrupted; lab '{}' is not up", self.place.lab))),
            false => Ok(()),
        }
    }

    fn wrong(&self, span: &Span, why: String) -> Error {
        self.document.wrong(span, why)
    }

    fn session(&self, host: &Host) -> Result<Session, Error> {
        Session::connect(self.place.url(&host.name), "rump").map_err(|source| self.lost(host, source))
    }

    fn lost(&self, host: &Host, source: session::Error) -> Error {
        Error::Session { host: host.name.clone(), source }
    }

    fn start_server(&self, host: &Host) -> Result<(), Error> {
        self.go_on()?;
        let mut command = Command::new(run::server_program());
        for link in &host.links {
            let segment = link.segment.as_ref().map(|segment| self.place.segment(segment));
            let segment =
                segment.map(|path| format!(",type=bus,path={}", path.display())).unwrap_or_default();
            let pairs: String =
                link.pairs.iter().map(|pair| format!(",{}={}", pair.key, pair.value)).collect();
            command.arg("-n").arg(format!("name={}{segment}{pairs}", link.name));
        }
        command.args(host.root.then_some("--root")).arg(self.place.url(&host.name));
        command.current_dir(&self.plan.directory).stdin(Stdio::null());
        for name in ["LD_PRELOAD", "RUMP_SERVER", "RUMPHIJACK"] {
            command.env_remove(name);
        }
        let started = command.output().map_err(Error::file(command.get_program()))?;
        match started.status.success() {
            true => Ok(()),
            false => {
                let why = String::from_utf8_lossy(&started.stderr);
                Err(self.wrong(&host.span, format!("host '{}': {}", host.name, why.trim_end())))
            }
        }
    }

    fn furnish(&self, host: &Host) -> Result<(), Error> {
        self.go_on()?;
        let mut session = self.session(host)?;
        furnish::names(&mut session, self.plan, host).map_err(|source| self.lost(host, source))?;
        for (node, value, span) in &host.sysctls {
            furnish::sysctl(&mut session, node, value)
                .map_err(|error| self.wrong(span, error.to_string()))?;
        }
        let hijack = host.rumphijack.as_deref().unwrap_or(exec::RUMPHIJACK);
        place::write(&self.place.of_host(&host.name, "hijack"), hijack)?;
        place::write(&self.place.of_host(&host.name, "programs"), "")
    }

    /// `rump lab exec`, which makes the process what it is to be.
    fn exec(&self, host: &Host, argv: &[String]) -> Result<Command, Error> {
        let rump = std::env::current_exe().map_err(Error::file("rump"))?;
        let mut command = Command::new(rump);
        command.args(["lab", "exec", "--session", "--lab", &self.place.lab, &host.name, "--"]).args(argv);
        command.stdin(Stdio::null()).current_dir(&self.plan.directory);
        Ok(command)
    }

    fn command(&self, host: &Host, text: &str, span: &Span) -> Result<(), Error> {
        self.go_on()?;
        let mut command = self.exec(host, &["/bin/sh", "-c", text].map(str::to_owned))?;
        let ran = command.output().map_err(Error::file(command.get_program()))?;
        if ran.status.success() {
            return Ok(());
        }
        self.go_on()?;
        let error = self.wrong(span, format!("host '{}': exec: {}", host.name, how(ran.status)));
        Err(with_tail(&error, &[ran.stdout, ran.stderr].concat()))
    }

    fn start_program(&mut self, host: &'p Host, program: &'p Program) -> Result<(), Error> {
        self.go_on()?;
        let path = self.place.of_host(&host.name, &format!("{}.log", program.name));
        let log = File::create(&path).map_err(Error::file(&path))?;
        let copy = log.try_clone().map_err(Error::file(&path))?;
        let mut command = self.exec(host, &program.argv)?;
        command.stdout(log).stderr(copy).current_dir(&program.directory);
        command.envs(program.environment.iter().map(|(name, value)| (name, value)));
        let failed = |error: std::io::Error| {
            let why = format!("program '{}' in {}: {error}", program.name, program.directory.display());
            self.wrong(&program.span, why)
        };
        let child = command.spawn().map_err(failed)?;
        if let Some(process) = Process::now(child.id().cast_signed()) {
            let line = Started { name: program.name.clone(), process }.line();
            let path = self.place.of_host(&host.name, "programs");
            let all = std::fs::read_to_string(&path).map_err(Error::file(&path))?;
            place::write(&path, &(all + &line))?;
        }
        self.programs.push(Running { host, program, child });
        Ok(())
    }

    /// Waits until the programs listen on their ports. One that has failed meanwhile is an error, whether it has a port or not.
    fn wait_for_ports(&mut self) -> Result<(), Error> {
        let end = Instant::now() + PATIENCE;
        loop {
            self.go_on()?;
            for at in 0..self.programs.len() {
                self.has_not_failed(at)?;
            }
            let Some(late) = self.first_that_does_not_listen()? else { return Ok(()) };
            let Running { host, program, .. } = &self.programs[late];
            if Instant::now() > end {
                let port = program.port.unwrap_or_default();
                let why = format!("does not listen on TCP port {port} after {} s", PATIENCE.as_secs());
                return Err(self.failed(host, program, &why));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn has_not_failed(&mut self, at: usize) -> Result<(), Error> {
        let Running { host, program, child } = &mut self.programs[at];
        let (host, program) = (*host, *program);
        match child.try_wait() {
            Ok(Some(status))
                if !status.success() || program.port.is_some() && !self.listens(host, program)? =>
            {
                Err(self.failed(host, program, &how(status)))
            }
            _ => Ok(()),
        }
    }

    fn first_that_does_not_listen(&self) -> Result<Option<usize>, Error> {
        for (at, running) in self.programs.iter().enumerate() {
            if !self.listens(running.host, running.program)? {
                return Ok(Some(at));
            }
        }
        Ok(None)
    }

    /// Whether somebody on this host listens on the program's port.
    fn listens(&self, host: &Host, program: &Program) -> Result<bool, Error> {
        let Some(port) = program.port else { return Ok(true) };
        let mut session = self.session(host)?;
        let sockets = look::info(&mut session, Info::Sockets).map_err(|source| self.lost(host, source))?;
        let local = format!(":{port}");
        Ok(sockets.lines().any(|row| {
            let fields: Vec<&str> = row.split('\t').collect();
            fields.get(5) == Some(&"LISTEN") && fields.get(6).is_some_and(|address| address.ends_with(&local))
        }))
    }

    fn failed(&self, host: &Host, program: &Program, why: &str) -> Error {
        let log = self.place.of_host(&host.name, &format!("{}.log", program.name));
        let error =
            self.wrong(&program.span, format!("host '{}': program '{}' {why}", host.name, program.name));
        with_tail(&error, &std::fs::read(log).unwrap_or_default())
    }
}

/// What became of a program.
fn how(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with status {code}"),
        (None, signal) => format!("was ended by signal {}", signal.unwrap_or_default()),
    }
}

/// An error, and the last lines of what a program said.
fn with_tail(error: &Error, said: &[u8]) -> Error {
    let said = String::from_utf8_lossy(said);
    let lines: Vec<&str> = said.lines().collect();
    let tail: String = lines[lines.len().saturating_sub(TAIL_LINES)..]
        .iter()
        .map(|line| format!("\n    | {line}"))
        .collect();
    Error::Why(format!("{error}{tail}"))
}
