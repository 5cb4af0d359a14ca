//! `rump lab status`, `check` and `logs`: what there is, and what it wrote.

use crate::lab::Error;
use crate::lab::cli::LogsOptions;
use crate::lab::place::Place;
use crate::lab::plan::Plan;
use crate::lab::processes::{self, Started};
use crate::look::columns;
use std::ffi::OsStr;
use std::fmt::Write as _;

/// Lists hosts and programs of one lab, or of all.
pub(crate) fn status(said: Option<&OsStr>) -> Result<String, Error> {
    let places = match said {
        Some(said) => vec![Place::meant(Some(said))?],
        None => Place::all()?,
    };
    let rows: String =
        places.iter().flat_map(|place| place.hosts().into_iter().map(|host| row(place, &host))).collect();
    Ok(columns(&["LAB", "HOST", "SERVER", "PROGRAMS", "URL"], &rows))
}

fn row(place: &Place, host: &str) -> String {
    let program = |started: Started| {
        let state = if started.process.runs() { "runs" } else { "ended" };
        format!("{} {state}", started.name)
    };
    let programs: Vec<String> = Started::read(place, host).into_iter().map(program).collect();
    let programs = if programs.is_empty() { "-".to_owned() } else { programs.join(", ") };
    let server = if processes::serves(place, host) { "up" } else { "down" };
    format!("{}\t{host}\t{server}\t{programs}\t{}\n", place.lab, place.url(host))
}

/// What a lab's file describes.
pub(crate) fn outline(plan: &Plan) -> String {
    let mut rows = String::new();
    for host in &plan.hosts {
        for link in &host.links {
            let addresses: Vec<String> =
                link.spec.addrs.iter().map(|(ip, len)| format!("{ip}/{len}")).collect();
            let addresses = if addresses.is_empty() { "-".to_owned() } else { addresses.join(",") };
            let to = link.segment.as_deref().unwrap_or(link.spec.kind.name);
            let _ = writeln!(rows, "{}\t{}\t{to}\t{addresses}", host.name, link.name);
        }
    }
    columns(&["HOST", "LINK", "SEGMENT", "ADDRESSES"], &rows)
}

/// What the programs of a host wrote.
pub(crate) fn logs(options: &LogsOptions) -> Result<String, Error> {
    let place = Place::meant(options.lab.as_deref())?;
    place.check_host(&options.host)?;
    let started = Started::read(&place, &options.host);
    let names: Vec<&str> = started.iter().map(|started| started.name.as_str()).collect();
    let wanted: Vec<&str> = match &options.program {
        Some(program) if !names.contains(&program.as_str()) => {
            let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            return Err(Error::Why(format!(
                "host '{}' has no program '{program}'; it has {names}",
                options.host
            )));
        }
        Some(program) => vec![program],
        None => names,
    };
    let mut text = String::new();
    for name in &wanted {
        let path = place.of_host(&options.host, &format!("{name}.log"));
        let log = std::fs::read(&path).map_err(Error::file(&path))?;
        if wanted.len() > 1 {
            let _ = writeln!(text, "==> {name} <==");
        }
        text.push_str(&String::from_utf8_lossy(&log));
    }
    Ok(text)
}
